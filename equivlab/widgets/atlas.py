"""The atlas: the feature maps of an image at every angle, computed in one go.

A turn has one parameter, so all that a page can ever show of it fits in a few megabytes. It is
computed once, in batches, and sent as bytes; the page then needs no kernel to turn the image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.audit import disc
from equivlab.fields import Invariant, PlanarField, RegularMaps, ScalarMaps
from equivlab.groups import PointGroup
from equivlab.recording import evaluating, record

__all__ = ["STEPS", "Atlas", "baseline", "make_atlas", "poses", "unturn_matrices"]

STEPS = 72  # frames in a full turn, 5° apart
BATCH = 24
LARGEST = 40  # pixels; larger maps are averaged down to fit


@dataclass(frozen=True)
class Atlas:
    """Maps of all frames.

    Attributes:
        pixels: ``(N, M, T, C, G, h, h)`` uint8, 128 for zero; `G` is 1 for scalar maps.
        errors: ``(N, M, T)`` relative error of the law in each frame.
        field: what the maps are.
    """

    pixels: Tensor
    errors: Tensor
    field: ScalarMaps | RegularMaps


def poses(group: PointGroup) -> list[tuple[int, float]]:
    """The frames in order: the element acted with first (nothing or the mirror), the angle."""
    mirrors = [0, group.order // 2] if group.has_mirror else [0]
    return [(m, 2 * math.pi * step / STEPS) for m in mirrors for step in range(STEPS)]


def all_poses(field: PlanarField, x: Tensor, some: slice = slice(None)) -> Tensor:
    """One sample ``(1, ...)`` in every pose, ``(M·T, ...)``, or in `some` of them."""
    frames = poses(field.group)[some]
    moved = {m: field.act(m, x) for m, _ in frames}
    angles = torch.tensor([angle for _, angle in frames], dtype=torch.float64)
    return field.rotate(angles, torch.cat([moved[m] for m, _ in frames]))


def relative_errors(found: Tensor, wanted: Tensor) -> Tensor:
    """``|found − wanted| / |wanted|`` of each frame; infinite where nothing is wanted."""
    off = torch.linalg.vector_norm((found - wanted).flatten(1), dim=1)
    scale = torch.linalg.vector_norm(wanted.flatten(1), dim=1)
    return torch.where(off == 0, off, off / scale)  # nothing found where nothing is wanted: 0


def by_pose(frames: Sequence[Tensor] | Tensor) -> Tensor:
    """``(N, M·T, ...)``, or a list of N, as ``(N, M, T, ...)``."""
    stacked = frames if isinstance(frames, Tensor) else torch.stack(list(frames))
    return stacked.view(len(stacked), -1, STEPS, *stacked.shape[2:])


def unturn_matrices(group: PointGroup) -> Tensor:
    """How to mix the orientations of each frame back to those of the first, ``(M·T, G, G)``."""
    return torch.stack(
        [
            group.regular_representation(group.inverse(m)) @ group.turn_representation(-angle)
            for m, angle in poses(group)
        ]
    )


def baseline(images: Tensor, group: PointGroup) -> Tensor:
    """What resampling alone costs: turn each image there and back, ``(N, M, T)``."""
    inside = disc(images.shape[-1]).to(images)
    field = ScalarMaps(group, images.shape[1])
    back = torch.tensor([-angle for _, angle in poses(group)], dtype=torch.float64)
    errors = []
    for image in (images * inside).split(1):
        there = all_poses(field, image) * inside
        upright = torch.cat([field.act(m, image) for m, _ in poses(group)])
        errors.append(relative_errors(field.rotate(back, there) * inside, upright))
    return by_pose(errors)


def make_atlas(
    model: nn.Module,
    images: Tensor,
    group: PointGroup,
    channels: Sequence[int],
    layer: str | None = None,
) -> Atlas:
    """Run `model` on every pose of every image, masked to the inscribed circle.

    Args:
        model: gives maps, or has a layer that does.
        images: ``(N, C, H, H)``.
        group: acts on the images and on the maps.
        channels: which channels of the maps to keep.
        layer: the name of an inner module, as in ``model.named_modules()``; the output if None.

    Raises:
        ValueError: no such layer or channel, or an output that is not square maps.
    """
    source = ScalarMaps(group, images.shape[1])
    inside = disc(images.shape[-1]).to(images)
    kept, errors = [], []
    with evaluating(model):
        like = next(model.parameters(), images)
        for image in images:
            frames = all_poses(source, image[None] * inside)
            maps = torch.cat(
                [_maps(model, batch.to(like), layer).cpu() for batch in frames.split(BATCH)]
            )
            field = _map_field(maps, group, model if layer is None else None)
            kept.append(_shrink(_choose(maps, channels)))  # (M·T, C, G, h, h)
            errors.append(_errors(field, maps))
    limit = torch.stack([maps.abs().amax((0, 2, 3, 4)) for maps in kept]).amax(0)  # (C,)
    limit = limit.clamp_min(1e-12)[:, None, None, None]
    quantised = [(128 + 127 * m / limit).round().clamp(0, 255).to(torch.uint8) for m in kept]
    return Atlas(by_pose(quantised), by_pose(errors), field)


def _maps(model: nn.Module, x: Tensor, layer: str | None) -> Tensor:
    if layer is None:
        y = model(x)
    else:
        found = [call.output for call in record(model, x) if call.name == layer]
        if not found:
            names = [name for name, module in model.named_modules() if not any(module.children())]
            raise ValueError(f"The model has no layer {layer!r}. It has: {', '.join(names)}.")
        y = found[0]
    if not isinstance(y, Tensor) or y.dim() not in (4, 5) or y.shape[-1] != y.shape[-2]:
        shape = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
        raise ValueError(
            f"RotateImage shows square maps (B, C, H, H) or (B, C, G, H, H); got {shape}. Give "
            "layer='...', the name of a layer that gives maps."
        )
    return y.detach().float()


def _map_field(
    maps: Tensor, group: PointGroup, model: nn.Module | None
) -> ScalarMaps | RegularMaps:
    field = getattr(model, "out_field", None)
    if field is not None and not isinstance(field, Invariant):
        field.validate(maps, "RotateImage")
    if maps.dim() == 4:
        return ScalarMaps(group, maps.shape[1])
    regular = RegularMaps(group, maps.shape[1])
    regular.validate(maps, "RotateImage")
    return regular


def _choose(maps: Tensor, channels: Sequence[int]) -> Tensor:
    """The chosen channels, with an axis for the group: ``(F, C, G, h, h)``."""
    most = maps.shape[1]
    if not channels or not all(0 <= c < most for c in channels):
        raise ValueError(f"The maps have channels 0 to {most - 1}; got channels={list(channels)}.")
    chosen = maps[:, list(channels)]
    return chosen if maps.dim() == 5 else chosen[:, :, None]


def _shrink(maps: Tensor) -> Tensor:
    side = maps.shape[-1]
    if side <= LARGEST:
        return maps
    small = F.adaptive_avg_pool2d(maps.flatten(0, 2), LARGEST)
    return small.view(*maps.shape[:3], LARGEST, LARGEST)


def _errors(field: ScalarMaps | RegularMaps, maps: Tensor) -> Tensor:
    """The relative error of each frame against the first one, turned; in the circle."""
    inside = disc(maps.shape[-1]).to(maps)
    parts = [slice(start, start + BATCH) for start in range(0, len(maps), BATCH)]
    wanted = (all_poses(field, maps[:1], part) * inside for part in parts)
    return torch.cat(
        [
            relative_errors(maps[part] * inside, turned)
            for part, turned in zip(parts, wanted, strict=True)
        ]
    )
