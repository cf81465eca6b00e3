"""The atlas: the feature maps of an image at every angle, computed in one go.

A turn has one parameter, so all that a page can ever show of it fits in a few megabytes. It is
computed once, in batches, and sent as bytes; the page then needs no kernel to turn the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.equivariance.curve import inscribed
from equivlab.equivariance.error import equivariance_errors
from equivlab.equivariance.finer import without_steps
from equivlab.equivariance.recording import evaluating, read_layer
from equivlab.fields import CircleMaps, Invariant, RegularMaps
from equivlab.groups import CircleGroup
from equivlab.widgets.image.poses import MapField, all_poses, by_pose, poses
from equivlab.widgets.page.acting import Acting, image_field, on_hexagons
from equivlab.widgets.page.pictures import shrunk

__all__ = ["Atlas", "atlas_bytes", "first_channels", "frequencies_of", "make_atlas"]

BATCH = 24
MOST_MEMORY = 2_000_000_000  # bytes of all frames of one image
LARGEST = 40  # pixels; larger maps are averaged down to fit, those of hexagons are not


@dataclass(frozen=True)
class Atlas:
    """Maps of all frames.

    Attributes:
        pixels: ``(N, M, T, C, G, h, h)`` uint8, 128 for zero; `G` is 1 for scalar maps, 2 for
            pairs of channels.
        errors: ``(N, M, T)`` relative error of the law in each frame.
        finer: the same of the network without its steps over the grid; None if not known.
        field: what the maps are.
    """

    pixels: Tensor
    errors: Tensor
    finer: Tensor | None
    field: MapField


def atlas_bytes(
    model: nn.Module, images: Tensor, group: Acting, channels: int, layer: str | None = None
) -> int:
    """The size of the pixels that `make_atlas` would make, from one pass of one image.

    Raises:
        ValueError: the maps of all frames would not fit into memory.
    """
    with evaluating(model):
        _, maps = _maps(model, images[:1].to(next(model.parameters(), images)), layer)
    frames = len(poses(group))
    working = frames * maps.numel() * maps.element_size()
    if working > MOST_MEMORY:
        raise ValueError(
            f"{frames} frames of maps {tuple(maps.shape[1:])} take {working / 1e9:.1f} GB, more "
            f"than {MOST_MEMORY / 1e9:.0f}. Give smaller images, or layer='...', the name of one "
            "with smaller maps."
        )
    orientations = maps.shape[2] if maps.dim() == 5 else 1 + isinstance(group, CircleGroup)
    side = maps.shape[-1] if on_hexagons(group) else min(maps.shape[-1], LARGEST)
    return len(images) * frames * channels * orientations * side**2


def first_channels(
    model: nn.Module, images: Tensor, group: Acting, most: int, layer: str | None = None
) -> list[int]:
    """The first channels of the maps, so many at most, from one pass of one image."""
    with evaluating(model):
        field, maps = _maps_of_frames(model, images[:1], group, layer)
    return list(range(min(most, _width(field, maps))))


def make_atlas(
    model: nn.Module,
    images: Tensor,
    group: Acting,
    channels: Sequence[int],
    layer: str | None = None,
) -> Atlas:
    """Run `model` on every pose of every image, masked to the inscribed circle.

    Args:
        model: gives maps, or has a layer that does.
        images: ``(N, C, H, H)``.
        group: acts on the images and on the maps.
        channels: which channels of the maps to keep; of `CircleMaps` which representations.
        layer: the name of an inner module, as in ``model.named_modules()``; the output if None.

    Raises:
        ValueError: no such layer or channel, or an output that is not square maps.
    """
    source = image_field(group, images.shape[1])
    inside = inscribed(group, images.shape[-1]).to(images)
    kept, errors, finer_errors = [], [], []
    with evaluating(model):
        finer = without_steps(model, images[:1].to(next(model.parameters(), images)), layer)
        for image in images:
            frames = all_poses(source, image[None] * inside) * inside  # as `audit` turns images
            field, maps = _maps_of_frames(model, frames, group, layer)
            chosen = _choose(field, maps, channels)  # (M·T, C, G, h, h)
            kept.append(chosen if on_hexagons(group) else shrunk(chosen, LARGEST))
            errors.append(_errors(field, maps))
            if finer is not None and finer is not model:
                finer_errors.append(_errors(*_maps_of_frames(finer, frames, group, layer)))
    limit = torch.stack([maps.abs().amax((0, 2, 3, 4)) for maps in kept]).amax(0)  # (C,)
    limit = limit.clamp_min(1e-12)[:, None, None, None]
    quantised = [(128 + 127 * m / limit).round().clamp(0, 255).to(torch.uint8) for m in kept]
    fine = by_pose(errors if finer is model else finer_errors, group) if finer is not None else None
    return Atlas(by_pose(quantised, group), by_pose(errors, group), fine, field)


def _maps_of_frames(
    model: nn.Module, frames: Tensor, group: Acting, layer: str | None
) -> tuple[MapField, Tensor]:
    """What the maps are, and those of all frames, masked."""
    like = next(model.parameters(), frames)
    found = [_maps(model, batch.to(like), layer) for batch in frames.split(BATCH)]
    maps = torch.cat([maps.cpu() for _, maps in found])
    field = _map_field(maps, group, found[0][0], layer is None)
    return field, maps if isinstance(field, CircleMaps) else field.mask(maps)


def frequencies_of(field: MapField, channels: Sequence[int]) -> list[tuple[int, int]] | None:
    """Frequency and parity of each of these representations; None where a field has none."""
    if not isinstance(field, CircleMaps):
        return None
    each = [tuple(irrep) for count, irrep in field.irreps for _ in range(count)]
    return [(int(each[c][0]), int(each[c][1])) for c in channels]


def _maps(model: nn.Module, x: Tensor, layer: str | None) -> tuple[nn.Module, Tensor]:
    """The layer, and its maps."""
    found, y = read_layer(model, layer, x)
    if not isinstance(y, Tensor) or y.dim() not in (4, 5) or y.shape[-1] != y.shape[-2]:
        shape = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
        raise ValueError(
            f"RotateImage shows square maps (B, C, H, H) or (B, C, G, H, H); got {shape}. Give "
            "layer='...', the name of a layer that gives maps."
        )
    return found, y.detach().float()


def _map_field(maps: Tensor, group: Acting, layer: nn.Module, whole: bool) -> MapField:
    """What the maps of a layer are; of a `whole` model they must be what it says."""
    field = getattr(layer, "out_field", None) if whole else None
    if field is not None and not isinstance(field, Invariant):
        field.validate(maps, "RotateImage")
    if maps.dim() == 4:
        said = (getattr(module, "out_field", None) for module in reversed(list(layer.modules())))
        pairs = (one for one in said if isinstance(one, CircleMaps) and one.group == group)
        own = next(pairs, None)
        fits = own is not None and own.channels == maps.shape[1]
        return own if own is not None and fits else image_field(group, maps.shape[1])
    if isinstance(group, CircleGroup):
        raise ValueError(
            f"Maps on which {group} acts are (B, C, H, H); got {tuple(maps.shape)}, those of a "
            "point group. Give group=..., such as P4."
        )
    regular = RegularMaps(group, maps.shape[1])
    regular.validate(maps, "RotateImage")
    return regular


def _width(field: MapField, maps: Tensor) -> int:
    """How many channels can be chosen; of irreps each representation is one."""
    return field.irreps.num_irreps if isinstance(field, CircleMaps) else maps.shape[1]


def _choose(field: MapField, maps: Tensor, channels: Sequence[int]) -> Tensor:
    """The chosen channels, with an axis for the group or for a pair: ``(F, C, G, h, h)``."""
    most = _width(field, maps)
    if not channels or not all(0 <= c < most for c in channels):
        raise ValueError(f"The maps have channels 0 to {most - 1}; got channels={list(channels)}.")
    if not isinstance(field, CircleMaps):
        chosen = maps[:, list(channels)]
        return chosen if maps.dim() == 5 else chosen[:, :, None]
    dims = [irrep.dim for count, irrep in field.irreps for _ in range(count)]
    each = maps.split(dims, 1)
    return torch.stack([F.pad(each[c], (0, 0, 0, 0, 0, 2 - dims[c])) for c in channels], 1)


def _errors(field: MapField, maps: Tensor) -> Tensor:
    """The relative error of each frame against the first one, turned; in the circle."""
    inside = inscribed(field.group, maps.shape[-1]).to(maps)
    parts = [slice(start, start + BATCH) for start in range(0, len(maps), BATCH)]
    wanted = (all_poses(field, maps[:1], part) * inside for part in parts)
    return torch.cat(
        [
            equivariance_errors(maps[part] * inside, turned)
            for part, turned in zip(parts, wanted, strict=True)
        ]
    )
