"""The checks of the notebook on steerable filters know right from wrong, and say which wrong."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from equivlab.course import check_kernel, check_steer


def steer(coefficients: Tensor, angle: float, sense: int = 1, own: bool = True) -> Tensor:
    k = torch.arange(len(coefficients)) if own else torch.ones(len(coefficients))
    c, s = torch.cos(sense * k * angle), torch.sin(sense * k * angle)
    a, b = coefficients.T
    return torch.stack([a * c - b * s, a * s + b * c], 1)


def turn(angle: float) -> Tensor:
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s], [s, c]])


def test_the_coefficients_of_a_right_answer_are_those_of_the_turned_filter() -> None:
    """Against the values of the waves, not against the check."""
    given = torch.randn(4, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    phi, k = torch.linspace(0, 6, 7, dtype=torch.float64)[:, None], torch.arange(4)

    def values(pairs: Tensor, at: Tensor) -> Tensor:
        return (pairs[:, 0] * torch.cos(k * at) + pairs[:, 1] * torch.sin(k * at)).sum(1)

    torch.testing.assert_close(values(steer(given, 0.3), phi), values(given, phi - 0.3))
    assert check_steer(steer).right


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda x, angle: x, "Nothing has turned"),
        (lambda x, angle: steer(x, angle, sense=-1), "clockwise"),
        (lambda x, angle: steer(x, angle, own=False), "same phase"),
        (lambda x, angle: x * torch.cos(torch.arange(5) * angle)[:, None], "none is turned"),
        (lambda x, angle: steer(x, angle) + torch.eye(5, 2), "frequencies 0, 1 differ"),
        (lambda x, angle: steer(x, angle)[0], "this is (2,)"),
        (lambda x, angle: 1.0, "this is float"),
        (lambda x, angle: None, "Nothing comes back"),
        (lambda x, angle: x[9], "IndexError"),
    ],
)
def test_filters_that_are_turned_wrongly(attempt, said: str) -> None:
    verdict = check_steer(attempt)
    assert not verdict.right
    assert said in verdict.said


@pytest.mark.parametrize(
    "attempt",
    [
        lambda m, n, phi: turn((n - m) * phi),
        lambda m, n, phi: 3 * turn((n - m) * phi) @ turn(math.pi / 2),
        lambda m, n, phi: turn((n + m) * phi) @ torch.diag(torch.tensor([1.0, -1.0])),
        lambda m, n, phi: turn((n - m) * phi).double(),
    ],
    ids=["no mirror", "by a right angle", "mirror", "float64"],
)
def test_every_kernel_of_the_closed_form_passes(attempt) -> None:
    assert check_kernel(attempt).right


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda m, n, phi: torch.eye(2), "only does for m = n"),
        (lambda m, n, phi: turn((m - n) * phi), "from n to m"),
        (lambda m, n, phi: turn(n * phi), "not been turned back"),
        (lambda m, n, phi: turn((n + m) * phi), "mirror diag(1, −1)"),
        (lambda m, n, phi: torch.zeros(2, 2), "lets nothing through"),
        (lambda m, n, phi: turn(phi), "m = 1, n = 1, φ = 0.4"),
        (lambda m, n, phi: turn(phi) / 0, "not finite"),
        (lambda m, n, phi: turn(phi)[0], "this is (2,)"),
        (lambda m, n, phi: 0, "this is int"),
        (lambda m, n, phi: None, "Nothing comes back"),
        (lambda m, n, phi: turn(phi)[5], "IndexError"),
    ],
)
def test_kernels_that_break_the_constraint(attempt, said: str) -> None:
    verdict = check_kernel(attempt)
    assert not verdict.right
    assert said in verdict.said
