"""Networks broken on purpose, each in one way, to see what that does and what `audit` says."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.nn.planar.conv import GroupConv2d, PlanarConv

__all__ = ["WAYS", "broken"]

SIZE = 0.5  # of what is added to one orientation, in units of the layer's output


def broken(model: nn.Module, how: str) -> nn.Module:
    """A copy of a planar network in which one layer breaks ``Φ(g·x) = g·Φ(x)``, the first that can.

    The copy is in `eval()`; its `audit` names the cause.

    Args:
        model: has layers `LiftingConv2d` or `GroupConv2d`.
        how: ``'stride'``: step 2 where the last window stops short of the edge, as on even sizes
            with the padding that keeps them. ``'padding'``: one row more on one side, by an even
            kernel. ``'bias'``: a number for each orientation. ``'BatchNorm2d'``: one for each
            map. ``'slices'``: filters turn, but their orientations do not change places.

    Raises:
        ValueError: another word, or no layer that could be broken so: ``'padding'`` and
            ``'slices'`` take filters of square pixels, those of `P4` and `P4M`, and ``'stride'``
            no hexagons.

    >>> from equivlab.groups import P4
    >>> from equivlab.models import smooth_network
    >>> broken(smooth_network(P4), "bias")[0][1]
    OrientationBias()
    """
    if how not in WAYS:
        raise ValueError(f"broken: how is one of {', '.join(WAYS)}; got {how!r}.")
    found = copy.deepcopy(model).eval()
    wanted = GroupConv2d if how == "slices" else PlanarConv
    for name, layer in found.named_modules():
        if isinstance(layer, wanted):
            _check_lattice(layer, how)
            made = WAYS[how](layer)
            return _put(found, name, made) if name else made
    raise ValueError(
        f"broken: no {'GroupConv2d' if how == 'slices' else 'LiftingConv2d or GroupConv2d'} in "
        f"{type(model).__name__}, so nothing can be broken by {how!r}."
    )


def _check_lattice(layer: PlanarConv, how: str) -> None:
    """Raise where the layer's filters cannot be broken in this way."""
    group = layer.in_field.group
    on_hexagons = how == "stride" and group.lattice == "hexagonal"
    if on_hexagons or (how in ("padding", "slices") and group.lattice != "square"):
        others = [way for way in ("bias", "BatchNorm2d", "stride") if way != how]
        wanted = "square pixels" if on_hexagons else "filters of square pixels (P4, P4M)"
        raise ValueError(
            f"broken: {how!r} wants {wanted}, and {type(layer).__name__} has {group}. Break it by "
            f"{' or '.join(map(repr, others[:2]))}."
        )


def _put(model: nn.Module, name: str, layer: nn.Module) -> nn.Module:
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, layer)
    return model


def _stride(layer: PlanarConv) -> nn.Module:
    layer.stride = 2
    return layer


def _padding(layer: PlanarConv) -> nn.Module:
    """The same filters without their last row and column, and ``'same'`` padding."""
    group, k = layer.in_field.group, layer.kernel_size
    if k < 2:
        raise ValueError(f"broken: {layer.label} has filters of one pixel, which need no padding.")
    even = k - 1 if k % 2 else k
    made = type(layer)(
        group,
        layer.in_channels,
        layer.out_channels,
        even,
        padding="same",
        groups=layer.groups,
        bias=layer.bias is not None,
        device=layer.weight.device,
        dtype=layer.weight.dtype,
    )
    with torch.no_grad():
        made.weight.copy_(layer.weight[..., :even, :even])
        if made.bias is not None and layer.bias is not None:
            made.bias.copy_(layer.bias)
    return made.eval()


class OrientationBias(nn.Module):
    """Adds a number of its own to each orientation of regular maps ``(B, C, G, H, W)``."""

    def __init__(self, layer: PlanarConv) -> None:
        super().__init__()
        order = layer.out_field.group.order
        size = SIZE * float(layer.weight.detach().abs().mean()) * layer.weight[0].numel() ** 0.5
        first = torch.arange(order) == 0
        self.bias = nn.Parameter(first.to(layer.weight) * size)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias[:, None, None]


class MapwiseBatchNorm(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d` on the ``C·G`` maps, as after some training: a scale for each."""

    def __init__(self, layer: PlanarConv) -> None:
        field = layer.out_field
        maps = field.channels * field.group.order
        super().__init__(maps, device=layer.weight.device, dtype=layer.weight.dtype)
        with torch.no_grad():
            self.weight.copy_(torch.linspace(1.5, 0.5, maps))
        self.eval()

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.flatten(1, 2)).view_as(input)


class UnpermutedConv2d(nn.Module):
    """A `GroupConv2d` whose filters turn, while their orientations stay in their places."""

    def __init__(self, layer: GroupConv2d) -> None:
        super().__init__()
        self.in_field, self.out_field = layer.in_field, layer.out_field
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        layer = self.layer
        group = layer.in_field.group
        bank = torch.stack([group.move(g, layer.weight) for g in group.elements], 1).flatten(0, 1)
        shifts = None if layer.bias is None else layer.bias.repeat_interleave(group.order)
        x, padding = layer.pad(x.flatten(1, 2))
        y = F.conv2d(x, bank, shifts, layer.stride, padding, layer.dilation, layer.groups)
        return y.view(len(y), layer.out_channels, -1, *y.shape[2:])


def _after(make: Callable[[PlanarConv], nn.Module]) -> Callable[[PlanarConv], nn.Module]:
    return lambda layer: nn.Sequential(layer, make(layer)).eval()


#: How a layer may be broken, by the word for it.
WAYS: dict[str, Callable[..., nn.Module]] = {
    "stride": _stride,
    "padding": _padding,
    "bias": _after(OrientationBias),
    "BatchNorm2d": _after(MapwiseBatchNorm),
    "slices": UnpermutedConv2d,
}
