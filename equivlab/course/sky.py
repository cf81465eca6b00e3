"""Checks for the exercises on a sky: a spectrum behind a mask, and numbers in a turned frame."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from equivlab.course.verdict import Verdict, run_attempt

__all__ = ["check_frame", "check_masked_spectrum"]

CLOSE = 1e-9
DEGREES = 6


def check_masked_spectrum(attempt: Callable[[Tensor, Tensor], Any]) -> Verdict:
    """The spectrum of a sky of which a part was seen: ``attempt(c, seen)``.

    Args:
        attempt: takes the coefficients ``(L²,)`` of the masked map, degree after degree, float64,
            and which pixels were seen, ``(P,)`` bool; should give ``(L,)``, the mean square of the
            ``2l + 1`` numbers of each degree, divided by the share of the sky that was seen.
    """
    generator = torch.Generator().manual_seed(0)
    c = 1 + torch.randn(DEGREES**2, generator=generator, dtype=torch.float64)
    seen = torch.arange(48) % 8 < 5  # five eighths
    found, trouble = run_attempt(attempt, (c.clone(), seen.clone()))
    if trouble:
        return Verdict(False, trouble)
    shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
    if shape != (DEGREES,):
        return Verdict(
            False, f"It should give one number for each degree, ({DEGREES},); got {shape}."
        )
    degrees = c.split([2 * degree + 1 for degree in range(DEGREES)])
    squares = torch.stack([one.square().sum() for one in degrees])
    orders = torch.tensor([float(len(one)) for one in degrees], dtype=torch.float64)
    share = float(seen.double().mean())
    wanted = squares / orders / share
    if _same(found, wanted):
        return Verdict(True, "Each degree has 2l + 1 numbers; what was not seen has no power.")
    if _same(found, squares / orders):
        said = "Too little: behind the mask the map is zero. Divide by the share that was seen."
    elif _same(found, wanted * share**2):
        said = "Multiplied by the share: the power is too small already. Divide."
    elif _same(found, wanted * orders) or _same(found, squares):
        said = "The sum over a degree grows with its 2l + 1 numbers. Take their mean."
    elif _same(found, wanted / share):
        said = "Divided twice: the power goes like the share itself, not like its square."
    elif _same(found, torch.stack([one.mean() for one in degrees]) / share):
        said = "The mean of the numbers is about zero on any sky. Take the mean of their squares."
    else:
        said = f"Degree 1 has {float(found[1]):.3f}, where {float(wanted[1]):.3f} is right."
    return Verdict(False, said)


def check_frame(attempt: Callable[[Tensor, float, int], Any]) -> Verdict:
    """Two numbers of a spin in a turned frame: ``attempt(v, angle, spin)``.

    Args:
        attempt: takes numbers ``(N, 2)`` in float64 in the frame (south, east), the angle by which
            the frame turns from south towards east, and the spin: 1 for an arrow, 2 for an axis
            (its Q and U). Should give the numbers ``(N, 2)`` in the turned frame.
    """
    generator = torch.Generator().manual_seed(0)
    v, angle = torch.randn(4, 2, generator=generator, dtype=torch.float64), 0.7
    for spin, name in ((1, "An arrow"), (2, "An axis")):
        found, trouble = run_attempt(attempt, (v.clone(), angle, spin))
        if trouble:
            return Verdict(False, f"{name}: {trouble}")
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        if shape != (4, 2):
            return Verdict(False, f"{name}: it should give a tensor (4, 2); got {shape}.")
        if _same(found, _in_frame(v, spin * angle)):
            continue
        if _same(found, v):
            said = "the numbers stay as they are. That is so for spin 0 only."
        elif _same(found, _in_frame(v, -spin * angle)):
            said = "that turns the arrow. The frame turns, and the numbers go the other way."
        elif _same(found, _in_frame(v, angle)):
            said = "it is itself again after half a turn, so its numbers turn twice as fast."
        else:
            wanted = _in_frame(v, spin * angle)[0]
            said = f"it gives {_pair(found[0])}, where {_pair(wanted)} is right."
        return Verdict(False, f"{name}: {said}")
    return Verdict(True, "Arrows once, axes twice: that is what the spin counts.")


def _in_frame(v: Tensor, angle: float) -> Tensor:
    """Numbers ``(N, 2)`` in a frame that is turned by `angle`."""
    c, s = math.cos(angle), math.sin(angle)
    return torch.stack([c * v[:, 0] + s * v[:, 1], c * v[:, 1] - s * v[:, 0]], 1)


def _pair(v: Tensor) -> str:
    return f"({float(v[0]):.2f}, {float(v[1]):.2f})"


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool((a - b).abs().max() <= CLOSE)
