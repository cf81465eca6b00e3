"""Checks for the exercises on the plane; see `equivlab.course`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.course.verdict import Verdict, first_line, run_attempt
from equivlab.equivariance.auditing import audit
from equivlab.fields import RegularMaps, ScalarMaps
from equivlab.groups import P4, P4M

__all__ = ["check_action", "check_lift", "check_repair"]

CLOSE = 1e-10


def check_lift(attempt: Callable[[Tensor, Tensor], Tensor]) -> Verdict:
    """The lifting convolution of P4: ``attempt(image, filter)``.

    Args:
        attempt: takes an image ``(1, 1, H, W)`` and a filter ``(1, 1, k, k)``, both float64;
            should give ``(1, 1, 4, H−k+1, W−k+1)``, map ``g`` made with the filter turned by
            ``g·90°``.
    """
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 1, 8, 8, generator=generator, dtype=torch.float64)
    filter_ = torch.randn(1, 1, 3, 3, generator=generator, dtype=torch.float64)
    wanted = torch.stack(
        [F.conv2d(image, torch.rot90(filter_, r, (-2, -1))) for r in range(4)], dim=2
    )
    found, trouble = _run(attempt, (image, filter_), tuple(wanted.shape))
    if found is None:
        return Verdict(False, trouble)
    right = [_same(found[:, :, g], wanted[:, :, g]) for g in range(4)]
    if all(right):
        return Verdict(True, "Four maps, one for each orientation of the filter.")
    if _same(found, wanted[:, :, [0, 3, 2, 1]]):
        said = "The filters turn clockwise. torch.rot90 with r > 0 turns counter-clockwise."
    elif _same(found, wanted[:, :, :1].expand_as(wanted)):
        said = "All four maps are the same: turn the filter before each convolution."
    elif _same(
        found, torch.stack([torch.rot90(wanted[:, :, 0], r, (-2, -1)) for r in range(4)], 2)
    ):
        said = "You turned the map that came out. Turn the filter, then convolve."
    else:
        wrong = ", ".join(str(g) for g in range(4) if not right[g])
        said = f"The maps {wrong} differ from the convolution with the filter turned g times."
    return Verdict(False, said)


def check_action(attempt: Callable[[int, Tensor], Tensor]) -> Verdict:
    """The action of P4 on regular maps: ``attempt(g, maps)``.

    Args:
        attempt: takes an element ``g`` and maps ``(B, C, 4, H, W)`` in float64; should give
            ``(g·f)(h, x) = f(g⁻¹h, g⁻¹x)``.
    """
    field = RegularMaps(P4, 2)
    maps = torch.arange(2 * 2 * 4 * 9, dtype=torch.float64).view(2, 2, 4, 3, 3)
    for g in P4.elements:
        wanted = field.act(g, maps)
        found, trouble = _run(attempt, (g, maps), tuple(wanted.shape))
        if found is None:
            return Verdict(False, f"g = {g}: {trouble}")
        if _same(found, wanted):
            continue
        if _same(found, P4.move(g, maps)):
            said = "the pixels turn, but each map stays on its channel. Permute axis 2 too."
        elif _same(found, P4.move(P4.inverse(g), wanted)):
            said = "the orientations change places, but the pixels stand still. Turn them too."
        elif _same(found, P4.move(g, maps.roll(-g, 2))):
            said = "the orientations move the wrong way: map h comes from map h − g."
        else:
            said = "the result differs from f(g⁻¹h, g⁻¹x)."
        return Verdict(False, f"g = {g}: {said}")
    return Verdict(True, "Pixels turn and orientations change places: this is the action.")


def check_repair(model: nn.Module | None, size: int = 28, *, hint: bool = False) -> Verdict:
    """A network on images ``(B, 1, size, size)`` that should be invariant under P4M.

    Args:
        model: the attempt.
        size: of the images, in pixels.
        hint: say also what `audit` says of the layer, which names a remedy.
    """
    if not isinstance(model, nn.Module):
        return Verdict(False, f"Give a torch.nn.Module; this is {type(model).__name__}.")
    x = torch.randn(2, 1, size, size, generator=torch.Generator().manual_seed(0))
    try:
        report = audit(model, x, P4M, angles=0)
    except (TypeError, ValueError, RuntimeError) as error:
        return Verdict(False, f"It does not run: {first_line(error)}")
    if report.max_error > report.exact:
        where, _, why = report.cause.partition(": ")
        said = report.cause if hint or not why else f"Look at layer {where}."
        return Verdict(False, f"Still off by {report.max_error:.1g}. {said}")
    with torch.no_grad():
        y = model(x)
        still = ScalarMaps(P4M, 1).act(1, x)
        constant = bool((y - y.mean(0)).abs().max() < 1e-6)
    if y.dim() != 2 or not torch.allclose(model(still), y, atol=1e-4):
        return Verdict(False, f"Equivariant, but not invariant: it gives {tuple(y.shape)}.")
    if constant:
        return Verdict(False, "Invariant, but it says the same of every image.")
    return Verdict(True, "Turn it, mirror it: the scores stay.")


def _run(
    attempt: Callable[..., Any], given: tuple[object, ...], shape: tuple[int, ...]
) -> tuple[Tensor | None, str]:
    """What the attempt gives, or None and what is wrong with it at first sight."""
    found, trouble = run_attempt(attempt, given)
    if trouble:
        return None, trouble
    if not isinstance(found, Tensor):
        return None, f"It should give a tensor; this is {type(found).__name__}."
    if tuple(found.shape) != shape:
        return None, f"It should have the shape {shape}; this has {tuple(found.shape)}."
    return found, ""


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool((a - b).abs().max() <= CLOSE)
