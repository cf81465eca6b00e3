"""Checks for the exercises on filters that turn by any angle; see `equivlab.course`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from equivlab.course.verdict import Verdict, run_attempt
from equivlab.groups import SO2

__all__ = ["check_kernel", "check_steer"]

CLOSE = 1e-5  # a reader may compute in single precision


def check_steer(attempt: Callable[[Tensor, float], Tensor]) -> Verdict:
    """A filter turned by its coefficients: ``attempt(coefficients, angle)``.

    Args:
        attempt: takes coefficients ``(K + 1, 2)``, the ``a`` and ``b`` of ``a cos kφ + b sin kφ``
            for the frequencies ``k`` from 0 to ``K`` (float64), and an angle in radians; should
            give those of the filter turned counter-clockwise by it, ``f(φ − angle)``.
    """
    given = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    given[0, 1] = 0.0  # sin 0φ is no wave
    angle = 0.7
    found, trouble = run_attempt(attempt, (given.clone(), angle))
    if trouble:
        return Verdict(False, trouble)
    if not isinstance(found, Tensor) or tuple(found.shape) != (5, 2):
        said = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        return Verdict(False, f"It should give a tensor (5, 2), as what it took; this is {said}.")
    right = _steered(given, angle)
    if _same(found, right):
        return Verdict(True, "Each frequency turns by its own phase, k times the angle.")
    k = torch.arange(5, dtype=torch.float64)
    if _same(found, given):
        said = "Nothing has turned."
    elif _same(found, _steered(given, -angle)):
        said = "It turns clockwise: this is f(φ + angle), and f(φ − angle) is wanted."
    elif _same(found, given @ SO2.from_angle(angle).mT):
        said = "All frequencies turn by the same phase. A wave that goes round k times needs k·α."
    elif _same(found, given * torch.cos(k * angle)[:, None]):
        said = "Each wave is made smaller, and none is turned: the cosines must mix with the sines."
    else:
        wrong = [i for i in range(5) if not _same(found[i], right[i])]
        said = f"The frequencies {', '.join(map(str, wrong))} differ from those of f(φ − angle)."
    return Verdict(False, said)


def check_kernel(attempt: Callable[[int, int, float], Tensor]) -> Verdict:
    """A kernel between two frequencies: ``attempt(m, n, phi)``.

    Args:
        attempt: takes the frequency `m` of what goes in, `n` of what comes out (both 1 or more)
            and the direction `phi` in radians; should give a matrix ``(2, 2)`` with
            ``K(φ + α) = R(nα) K(φ) R(−mα)``. Every solution but 0 is right.
    """
    directions = [0.0, 0.4, 1.9, -2.5]
    kernels: dict[tuple[int, int, float], Tensor] = {}
    for m, n in ((1, 1), (1, 2), (3, 1)):
        for phi in directions:
            found, trouble = run_attempt(attempt, (m, n, phi))
            if trouble:
                return Verdict(False, trouble)
            if not isinstance(found, Tensor) or tuple(found.shape) != (2, 2):
                said = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
                return Verdict(False, f"It should give a matrix (2, 2); this is {said}.")
            kernels[m, n, phi] = found.double()
    if not all(bool(torch.isfinite(K).all()) for K in kernels.values()):
        return Verdict(False, "There are numbers that are not finite.")
    first = {key: kernels[key[0], key[1], 0.0] for key in kernels}
    if all(float(K.abs().max()) < CLOSE for K in kernels.values()):
        return Verdict(False, "0 obeys the constraint, and lets nothing through.")
    if all(_same(K, _turn(n * phi) @ first[m, n, phi] @ _turn(-m * phi))
           for (m, n, phi), K in kernels.items()):  # fmt: skip
        return Verdict(True, "Turn the direction, and the kernel turns from both sides.")

    def is_(made: Callable[[int, int, float], float]) -> bool:
        """Whether the attempt is the turn by this angle."""
        return all(_same(K, _turn(made(*key))) for key, K in kernels.items())

    if all(_same(K, first[key]) for key, K in kernels.items()):
        said = "It is the same in all directions, which only does for m = n."
    elif is_(lambda m, n, phi: (m - n) * phi):
        said = "The sense is the wrong one: this is the way from n to m."
    elif is_(lambda m, n, phi: n * phi):
        said = "It turns with what comes out, and what goes in has not been turned back."
    elif is_(lambda m, n, phi: (n + m) * phi):
        said = "n + m belongs to the other family, which has a mirror diag(1, −1) on its right."
    else:
        m, n, phi = next(
            key for key, K in kernels.items()
            if not _same(K, _turn(key[1] * key[2]) @ first[key] @ _turn(-key[0] * key[2]))
        )  # fmt: skip
        said = f"m = {m}, n = {n}, φ = {phi}: K(φ) is not R(nφ) K(0) R(−mφ)."
    return Verdict(False, said)


def _steered(coefficients: Tensor, angle: float) -> Tensor:
    turned = [SO2.from_angle(k * angle) @ pair for k, pair in enumerate(coefficients)]
    turned[0] = coefficients[0]
    return torch.stack(turned)


def _turn(angle: float) -> Tensor:
    return SO2.from_angle(angle)


def _same(a: Any, b: Tensor) -> bool:
    return bool((a.double() - b).abs().max() <= CLOSE)
