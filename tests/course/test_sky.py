"""The checks of the notebook on a sky know right from wrong, and say which wrong."""

from __future__ import annotations

import cmath
import math

import pytest
import torch
from torch import Tensor

from equivlab.course import check_frame, check_masked_spectrum


def degrees(c: Tensor) -> list[Tensor]:
    return [c[l * l : (l + 1) ** 2] for l in range(math.isqrt(len(c)))]  # noqa: E741


def spectrum(c: Tensor) -> Tensor:
    return torch.stack([one.square().mean() for one in degrees(c)])


def share(seen: Tensor) -> float:
    return float(seen.double().mean())


def test_a_spectrum_behind_a_mask() -> None:
    assert check_masked_spectrum(lambda c, seen: spectrum(c) * len(seen) / seen.sum()).right


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda c, seen: spectrum(c), "Divide by the share that was seen"),
        (lambda c, seen: spectrum(c) * share(seen), "Multiplied by the share"),
        (lambda c, seen: spectrum(c) / share(seen) ** 2, "Divided twice"),
        (lambda c, seen: torch.stack([one.square().sum() for one in degrees(c)]), "its 2l + 1"),
        (
            lambda c, seen: torch.stack([one.square().sum() for one in degrees(c)]) / share(seen),
            "its 2l + 1",
        ),
        (
            lambda c, seen: torch.stack([one.mean() for one in degrees(c)]) / share(seen),
            "mean of their squares",
        ),
        (lambda c, seen: spectrum(c).sqrt(), "is right"),
        (lambda c, seen: c, "(6,); got (36,)"),
        (lambda c, seen: None, "Nothing comes back yet"),
    ],
)
def test_spectra_that_are_wrong(attempt, said: str) -> None:
    verdict = check_masked_spectrum(attempt)
    assert not verdict.right
    assert said in verdict.said


def turned(v: Tensor, angle: float) -> Tensor:
    """By a complex number."""
    numbers = torch.complex(v[:, 0], v[:, 1]) * cmath.exp(-1j * angle)
    return torch.view_as_real(numbers)


def test_a_frame() -> None:
    assert check_frame(lambda v, angle, spin: turned(v, spin * angle)).right


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda v, angle, spin: v, "An arrow: the numbers stay as they are"),
        (lambda v, angle, spin: turned(v, -spin * angle), "An arrow: that turns the arrow"),
        (lambda v, angle, spin: turned(v, angle), "An axis: it is itself again after half a turn"),
        (lambda v, angle, spin: turned(v, spin * angle) * 2, "is right"),
        (lambda v, angle, spin: v.T, "got (2, 4)"),
        (lambda v, angle, spin: v.no_such, "It stops with AttributeError"),
    ],
)
def test_frames_that_are_wrong(attempt, said: str) -> None:
    verdict = check_frame(attempt)
    assert not verdict.right
    assert said in verdict.said
