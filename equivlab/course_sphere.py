"""Checks for the exercises of the notebook on the sphere; see `equivlab.course`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from equivlab.course import Verdict
from equivlab.so3 import SO3
from equivlab.sphere import dh_angles, rotate_coefficients

__all__ = ["check_mean", "check_polar_turn"]


def check_mean(attempt: Callable[[Tensor, Tensor], Any]) -> Verdict:
    """The mean over the sphere of samples in β and α: ``attempt(samples, beta)``.

    Args:
        attempt: takes samples ``(2b, 2b)`` and the colatitudes of the rows ``(2b,)``, both
            float64; should give a number, right to a thousandth.
    """
    beta, _ = dh_angles(64)
    height = beta.cos()[:, None].expand(-1, 128)
    tests = ((torch.ones_like(height), 1.0), (height**2, 1 / 3), (height**4, 1 / 5))
    for samples, wanted in tests:
        try:
            found = float(attempt(samples, beta))
        except (TypeError, ValueError, RuntimeError) as error:
            return Verdict(False, f"It stops with {type(error).__name__}: {error}")
        if abs(found - wanted) < 1e-3:
            continue
        if abs(found - float(samples.mean())) < 1e-6:
            said = "every row counts the same, but the rows near the poles are short circles."
        else:
            said = f"{found:.3f}, where {wanted:.3f} is right. Divide by the sum of the weights?"
        names = ("1", "cos²β", "cos⁴β")
        name = names[[w for _, w in tests].index(wanted)]
        return Verdict(False, f"The mean of {name} over the sphere comes out wrong: {said}")
    return Verdict(True, "A row counts as much as its circle is long: sin β.")


def check_polar_turn(attempt: Callable[[Tensor, int, float], Any]) -> Verdict:
    """A turn about the pole in the spectrum: ``attempt(pair, m, angle)``.

    Args:
        attempt: takes the two coefficients of ``cos mα`` and ``sin mα``, ``(2,)`` float64, the
            order ``m > 0`` and an angle in radians; should give the two of the turned signal.
    """
    pair = torch.tensor([0.8, -0.5], dtype=torch.float64)
    for m, angle in ((1, 0.4), (3, -1.1)):
        wanted = _turned(pair, m, angle)
        try:
            returned = attempt(pair.clone(), m, angle)
            if returned is None:
                return Verdict(False, "Nothing comes back yet. End the function with return.")
            found = torch.as_tensor(returned, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError) as error:
            return Verdict(False, f"It stops with {type(error).__name__}: {error}")
        if found.shape == wanted.shape and torch.allclose(found, wanted, atol=1e-9):
            continue
        if found.shape != wanted.shape:
            said = f"It gives {tuple(found.shape)}; two numbers are wanted, cos before sin."
        elif torch.allclose(found, _turned(pair, m, -angle), atol=1e-9):
            said = "It turns the other way: f(α − angle) is the signal turned by angle."
        elif m > 1:
            said = "Right for m = 1 and not for m = 3: the wave cos mα turns by m times the angle."
        else:
            said = "Expand cos m(α − angle) and sin m(α − angle)."
        return Verdict(False, said)
    return Verdict(True, "The two waves of an order turn like a hand on a dial, m times as fast.")


def _turned(pair: Tensor, m: int, angle: float) -> Tensor:
    """By the package's own rotation of degree 3."""
    c = torch.zeros(16, dtype=torch.float64)
    c[12 + m], c[12 - m] = pair
    turned = rotate_coefficients(c, SO3.from_zyz(angle, 0.0, 0.0))
    return torch.stack([turned[12 + m], turned[12 - m]])
