"""Start an equivariant network from a trained ordinary one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equivlab.groups import PointGroup
from equivlab.nn import GroupLayerNorm, SteerableConv2d
from equivlab.nn.planar.conv import PlanarConv

__all__ = ["embedded", "from_plain"]


@torch.no_grad()
def from_plain(plain: nn.Module, model: nn.Module) -> nn.Module:
    """Start an equivariant network from a trained ordinary one of the same build.

    Each ordinary filter becomes the group filter that looks at one orientation only, so the
    orientations do not mix yet: orientation ``g`` of every map is what `plain` makes of the
    image turned by ``g⁻¹``, turned back. What is kept: where the read-out is the mean over the
    group and a linear layer follows, ::

        from_plain(plain, model)(x) == mean over g of plain(g⁻¹ x)

    to rounding in `eval()` (with ``exact_size=True`` in both). What is not: the scores on
    upright images alone, as all orientations vote. Training mixes the orientations from there.

    Args:
        plain: for example ``ResNet18(None, ...)``, perhaps with torchvision's weights.
        model: the same network on a group, with as many fields as `plain` has channels: for
            `ResNet18` on a group of order ``n`` ``match='width'`` and ``n`` times the width.
            Filled in place.

    Returns:
        `model`.

    Raises:
        ValueError: the networks differ in more than the group, `model` has a `GroupLayerNorm`, or
            its filters are not made of square pixels (P4 and P4M have such; those of C8, SO(2) and
            others are harmonics); `model` is untouched.
    """
    for name, part in model.named_modules():
        _want_pixels(name, part)
        if isinstance(part, GroupLayerNorm):
            raise ValueError(
                f"from_plain: {name} is a GroupLayerNorm, which takes its mean over all "
                "orientations at a pixel. The ordinary norm knew one of them, so no weights make "
                "the two the same. Use GroupBatchNorm (and nn.BatchNorm2d in the plain network)."
            )
    theirs, mine = plain.state_dict(), model.state_dict()
    filled = {}
    for name, value in mine.items():
        given = theirs.get(name)
        module = model.get_submodule(name.rpartition(".")[0])
        order = 1
        if isinstance(module, PlanarConv) and value.dim() == 4 and given is not None:
            order = value.shape[1] // given.shape[1]
        fits = given is not None and value.numel() == given.numel() * order
        if not fits or given is None or value.shape[2:] != given.shape[2:]:
            raise ValueError(
                f"from_plain wants the same network with and without a group; {name} is "
                f"{tuple(value.shape)} here and {given if given is None else tuple(given.shape)} "
                "there. Give the group network as many fields as the plain one has channels "
                "(ResNet18: match='width' and |G| times the width)."
            )
        if order > 1:
            filled[name] = embedded(given, value)
        else:
            filled[name] = _like(given, value)
    model.load_state_dict(filled)
    return model


def _want_pixels(name: str, part: nn.Module) -> None:
    """Refuse a layer whose filters cannot be those of an ordinary one."""
    group = part.out_field.group if isinstance(part, PlanarConv | SteerableConv2d) else None
    lattice = group.lattice if isinstance(group, PointGroup) else None
    if group is None or lattice == "square":
        return
    made_of = "cells of hexagons" if lattice else "harmonics on rings, which hold half of what 3×3"
    made_of += "" if lattice else " free pixels do"
    raise ValueError(
        f"from_plain: the filters of {name} are made of {made_of}, so an ordinary filter is none "
        f"of them. Start a network on P4 or P4M from it, or train "
        "this one from the beginning."
    )


def embedded(plain: Tensor, value: Tensor) -> Tensor:
    """An ordinary filter as one on the group that looks at one orientation only.

    Args:
        plain: filters ``(O, I, k, k)``.
        value: what they are for, ``(O, I·A, k, k)``; ``A`` is 1 in a layer that lifts.

    Returns:
        As `value`.
    """
    filters = torch.zeros_like(value, memory_format=torch.contiguous_format)
    shape = (len(plain), plain.shape[1], -1, *plain.shape[2:])  # (O, I, A, k, k)
    filters.view(shape)[:, :, 0] = plain  # ψ(h, y) is the filter where h is the identity, else 0
    return filters


def _like(given: Tensor, value: Tensor) -> Tensor:
    return given.to(value).reshape(value.shape)
