"""Checks for the exercises on dense prediction: a halving that obeys the law, a place in a map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.course.verdict import Verdict, run_attempt
from equivlab.groups import P4, P4M

__all__ = ["check_halve", "check_place"]

CLOSE = 1e-9
SIZES = (9, 8)


def check_halve(attempt: Callable[[Tensor], Any]) -> Verdict:
    """Maps of half the size, on even and odd sizes: ``attempt(x)``.

    Args:
        attempt: takes maps ``(B, C, H, H)`` in float64; should give ``(B, C, ⌈H/2⌉, ⌈H/2⌉)``
            that turn and mirror with `x`, each pixel from those around its place.
    """
    generator = torch.Generator().manual_seed(0)
    for size in SIZES:
        x = torch.randn(2, 3, size, size, generator=generator, dtype=torch.float64)
        found, trouble = run_attempt(attempt, (x.clone(),))
        if trouble:
            return Verdict(False, f"{size}×{size}: {trouble}")
        half = -(-size // 2)
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        if shape != (2, 3, half, half):
            said = f"it should give (2, 3, {half}, {half}); got {shape}."
            if shape == (2, 3, size // 2, size // 2):
                said += f" Windows of 2 never see row {size} and column {size}."
            return Verdict(False, f"{size}×{size}: {said}")
        if trouble := _broken(attempt, x, found):
            return Verdict(False, f"{size}×{size}: {trouble}")
    return Verdict(True, "Even or odd: whatever the last row meets, the first meets too.")


def _broken(attempt: Callable[[Tensor], Any], x: Tensor, found: Tensor) -> str:
    """What is wrong with the halved maps `found` of `x`; nothing where the law holds."""
    far = x.clone()
    far[..., -1, -1] += 1
    all_of_it, trouble = run_attempt(lambda *given: [attempt(y) for y in given], _copies(x, far))
    if trouble:
        return trouble
    *moved, changed = all_of_it
    broken = [g for g in P4M.elements if not _same(moved[g], P4M.move(g, found))]
    if broken and _same(found, x[..., ::2, ::2]):
        return "pixels 0, 2, 4, 6 are kept; seen from the other end, these are 1, 3, 5, 7."
    if broken and (_same(found, F.max_pool2d(x, 2, ceil_mode=True)) or _same(found, _hanging(x))):
        return "the last window hangs over the edge, and the first does not. Treat them alike."
    if broken:
        name = P4M.element_name(broken[0])
        return f"{name}: turned, then halved, is not halved, then turned."
    if _same(changed, found) or not _same(changed[..., :1, :1], found[..., :1, :1]):
        return "the law holds, but each new pixel should come from those at its place, all of them."
    return ""


def _copies(x: Tensor, far: Tensor) -> tuple[Tensor, ...]:
    """All that the group makes of `x`, and `far`."""
    return (*(P4M.move(g, x) for g in P4M.elements), far)


def _hanging(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 2, ceil_mode=True)


def check_place(attempt: Callable[[Tensor], Any]) -> Verdict:
    """Where a heat map is, from the centre of the image: ``attempt(heat)``.

    Args:
        attempt: takes heat maps ``(B, H, H)`` in float64 whose pixels sum to 1; should give the
            mean places ``(B, 2)`` in pixels from the centre, to the right and downwards.
    """
    generator = torch.Generator().manual_seed(0)
    for size in SIZES:
        logits = 2 * torch.randn(3, size, size, generator=generator, dtype=torch.float64)
        heat = logits.flatten(1).softmax(1).view_as(logits)
        found, trouble = run_attempt(attempt, (heat.clone(),))
        if trouble:
            return Verdict(False, trouble)
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        if shape != (3, 2):
            return Verdict(False, f"It should give a tensor (3, 2), right and down; got {shape}.")
        if said := _misplaced(found.to(heat), heat):
            return Verdict(False, f"{size}×{size}: {said}")
    return Verdict(True, "A vector from the centre: it turns with the image.")


def _misplaced(found: Tensor, heat: Tensor) -> str:
    """What is wrong with the places `found`; nothing where they are right."""
    size = heat.shape[-1]
    row = torch.arange(size, dtype=heat.dtype)
    corner = torch.stack([(heat.sum(1) * row).sum(1), (heat.sum(2) * row).sum(1)], 1)
    wanted, peak = corner - (size - 1) / 2, heat.flatten(1).argmax(1)
    largest = torch.stack([peak % size, peak // size], 1).to(heat)
    if _same(found, wanted):
        return ""
    if _same(found, wanted.flip(1)):
        return "down comes before right: a column is a place to the right, and comes first."
    if _same(found, corner) or _same(found, largest):
        return "counted from the corner, which a turn moves away. Count from the centre."
    if _same(found, corner - size / 2) or _same(found, corner - size // 2):
        middle = (size - 1) / 2
        return f"off by half a pixel: the middle of 0 to {size - 1} is {middle:g}, (H − 1)/2."
    if _same(found, largest - (size - 1) / 2):
        return "the largest pixel alone: whole pixels, no gradient. Take the mean of all places."
    turned = P4.matrix(1).to(heat)
    if _same(found, wanted * torch.tensor([1, -1]).to(heat)) or _same(found, wanted @ turned):
        return "upwards counts as positive here; rows run downwards."
    return f"it gives {_pair(found[0])}, where {_pair(wanted[0])} is right."


def _pair(place: Tensor) -> str:
    return f"({float(place[0]):.2f}, {float(place[1]):.2f})"


def _same(a: Any, b: Tensor) -> bool:
    return isinstance(a, Tensor) and a.shape == b.shape and bool((a - b).abs().max() <= CLOSE)
