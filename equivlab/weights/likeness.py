"""Is an image like those that a network was trained on? Size, scale, range, and how rough it is.

A network answers to anything, and is as sure of noise as of a lens. So its card keeps what its
training images were like, in a few numbers of each image, and a new image is held against them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from equivlab.weights.preparation import Preparation

__all__ = ["check_seen", "measure", "remarks", "traits"]

MARGIN = 0.3  # of the width of a range, on both sides
FACTOR = 3.0  # in scale
REMEDIES = {
    "scale": "bring them to the unit of the training images: images * {factor:.1e}",
    "peak": "subtract the sky, and look for saturated or hot pixels",
    "floor": "subtract the sky; do not clip what is negative",
    "roughness": "resample or smooth them to the pixels and noise of the training images",
}
WORDS = {
    "scale": "the deviation of its pixels is",
    "peak": "its brightest pixel, once prepared, is",
    "floor": "its darkest pixel, once prepared, is",
    "roughness": "its step from pixel to pixel is",
}


def traits(images: Tensor, prepare: Preparation) -> dict[str, Tensor]:
    """A few numbers of each image ``(B, C, H, W)``: what `WORDS` says, each ``(B,)``.

    ``roughness`` is the deviation of neighbors' differences, in that of the prepared image.
    """
    raw = images.double().flatten(1)
    seen = prepare(images.float() if not images.is_floating_point() else images).double()
    spread = seen.flatten(1).std(1, correction=0).clamp_min(1e-30)
    steps = [seen.diff(dim=axis).square().flatten(1).mean(1) for axis in (-2, -1)]
    return {
        "scale": raw.std(1, correction=0),
        "peak": seen.flatten(1).amax(1),
        "floor": seen.flatten(1).amin(1),
        "roughness": ((steps[0] + steps[1]) / 2).sqrt() / spread,
    }


def measure(
    images: Tensor, prepare: Preparation, kinds: Sequence[str] | None = None
) -> dict[str, Any]:
    """What training images ``(N, C, H, W)`` are like, for `ModelCard`'s ``seen``.

    Args:
        images: raw.
        prepare: what the network's images go through.
        kinds: of each image, its class, or what comes before the stroke in ``kind/class``, where
            the classes look very different: an image is then held against those of the class or
            kind that the network calls it.

    Returns:
        ``size`` as rows and columns, ``channels``, and the lowest and highest of each trait;
        with `kinds` also ``kinds``, with these ranges for each of them.
    """
    parts = [traits(part, prepare) for part in images.split(256)]
    found = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    shape = {"size": [int(side) for side in images.shape[-2:]], "channels": int(images.shape[1])}
    whole = shape | _ranges(found)
    if kinds is None:
        return whole
    rows = {kind: torch.tensor([one == kind for one in kinds]) for kind in dict.fromkeys(kinds)}
    ranges = {
        kind: _ranges({name: x[these] for name, x in found.items()}) for kind, these in rows.items()
    }
    return whole | {"kinds": ranges}


def _ranges(found: Mapping[str, Tensor]) -> dict[str, list[float]]:
    pairs = {name: (float(x.min()), float(x.max())) for name, x in found.items()}
    return {name: [float(f"{x:.5g}") for x in pair] for name, pair in pairs.items()}


def check_seen(seen: Mapping[str, Any]) -> None:
    """Refuse what `measure` did not write.

    Raises:
        ValueError: it has other entries, or they are no pairs of numbers.
    """
    kinds = seen.get("kinds", {})
    if not isinstance(kinds, Mapping) or not all(isinstance(x, Mapping) for x in kinds.values()):
        raise ValueError(f"what the training images were like cannot be understood: {kinds!r}")
    pairs = [
        one[name] for one in (seen, *kinds.values()) for name in ("size", *WORDS) if name in one
    ]
    numbers = all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs) and all(
        isinstance(x, int | float) for p in pairs for x in p
    )
    shape = {"size", "channels"}
    uneven = any(set(one) != set(seen) & set(WORDS) for one in kinds.values())
    whole = shape <= set(seen) <= shape | {"kinds"} | set(WORDS)
    if seen and (not numbers or not whole or uneven):
        raise ValueError(f"what the training images were like cannot be understood: {dict(seen)}")


def remarks(
    images: Tensor,
    prepare: Preparation,
    seen: Mapping[str, Any],
    called: Sequence[str] | None = None,
) -> list[str]:
    """For each image ``(B, C, H, W)`` what is unlike the training images and what to do, or ''.

    With the class that each image is `called` it is held against that class, or its kind.
    """
    said = [""] * len(images)
    if not seen:
        return said
    any_size = any(name == "resize" for name, _ in prepare.steps)
    if tuple(images.shape[-2:]) != tuple(seen["size"]) and not any_size:
        said = [_of_size(images.shape[-2:], seen["size"])] * len(images)
    flat = images.flatten(1)
    constant = (flat == flat[:, :1]).all(1).tolist()
    known = seen.get("kinds", {})
    kinds = [
        name if name in known else name.partition("/")[0] for name in called or [""] * len(images)
    ]
    for name, values in traits(images, prepare).items():
        if name not in seen or (name == "scale" and prepare.ignores_scale):
            continue
        for n, (value, kind) in enumerate(zip(values.tolist(), kinds, strict=True)):
            ranges = known.get(kind)
            low, high = (seen if ranges is None else ranges)[name]
            least, most = _allowed(name, low, high)
            if constant[n]:
                said[n] = "all its pixels are the same; look for what was to be seen"
            elif not said[n] and not least <= value <= most:
                factor = (low * high) ** 0.5 / value if name == "scale" and value else 1.0
                where = "training" if ranges is None else f"the {kind} of the training"
                said[n] = (
                    f"{WORDS[name]} {value:.3g} (from {low:.3g} to {high:.3g} in {where}); "
                    f"{REMEDIES[name].format(factor=factor)}"
                )
    return said


def _allowed(name: str, low: float, high: float) -> tuple[float, float]:
    if name == "scale":
        return low / FACTOR, high * FACTOR
    margin = MARGIN * max(high - low, 0.1 * max(abs(low), abs(high)))
    return low - margin, high + margin


def _of_size(size: Sequence[int], wanted: Sequence[int]) -> str:
    return (
        f"{size[0]}×{size[1]} pixels, and {wanted[0]}×{wanted[1]} in training; cut or resample it, "
        "so that what it shows spans as many pixels as there"
    )
