"""The checks of the notebook on dense prediction know right from wrong, and say which wrong."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.course import check_halve, check_place
from equivlab.groups import P4
from equivlab.nn import GroupDownsample2d


def halve(x: Tensor) -> Tensor:
    even = x.shape[-1] % 2 == 0
    return F.avg_pool2d(x, 2) if even else F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)


def blur(x: Tensor) -> Tensor:
    return GroupDownsample2d(P4, x.shape[1])(x[:, :, None].expand(-1, -1, 4, -1, -1))[:, :, 0]


def flat(x: Tensor) -> Tensor:
    half = -(-x.shape[-1] // 2)
    return x.mean((-2, -1), keepdim=True).expand(-1, -1, half, half)


def half_size(x: Tensor) -> tuple[int, int]:
    return (-(-x.shape[-1] // 2),) * 2


@pytest.mark.parametrize(
    "attempt",
    [
        halve,
        blur,
        lambda x: F.adaptive_avg_pool2d(x, half_size(x)),
        lambda x: F.adaptive_max_pool2d(x, half_size(x)),
    ],
)
def test_halvings(attempt) -> None:
    assert check_halve(attempt).right, check_halve(attempt)


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda x: F.max_pool2d(x, 2), "never see row 9"),
        (lambda x: F.max_pool2d(x, 2, ceil_mode=True), "hangs over the edge"),
        (lambda x: F.avg_pool2d(x, 2, ceil_mode=True), "hangs over the edge"),
        (lambda x: x[..., ::2, ::2], "8×8: pixels 0, 2, 4, 6 are kept"),
        (lambda x: F.max_pool2d(x, 3, 2, 1), "8×8: 90°: turned, then halved"),
        (flat, "come from those at its place"),
        (lambda x: torch.zeros_like(halve(x)), "come from those at its place"),
        (lambda x: x, "it should give (2, 3, 5, 5); got (2, 3, 9, 9)"),
        (lambda x: 1, "got int"),
        (lambda x: ..., "Nothing comes back yet"),
        (lambda x: x.half_size, "It stops with AttributeError"),
    ],
)
def test_halvings_that_are_wrong(attempt, said: str) -> None:
    verdict = check_halve(attempt)
    assert not verdict.right
    assert said in verdict.said


def from_corner(heat: Tensor) -> Tensor:
    row = torch.arange(heat.shape[-1], dtype=heat.dtype)
    return torch.stack([(heat.sum(1) * row).sum(1), (heat.sum(2) * row).sum(1)], 1)


def place(heat: Tensor) -> Tensor:
    return from_corner(heat) - (heat.shape[-1] - 1) / 2


def peak(heat: Tensor) -> Tensor:
    size, at = heat.shape[-1], heat.flatten(1).argmax(1)
    return torch.stack([at % size, at // size], 1)


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (from_corner, "counted from the corner"),
        (peak, "counted from the corner"),
        (lambda heat: peak(heat) - (heat.shape[-1] - 1) / 2, "the largest pixel alone"),
        (lambda heat: from_corner(heat) - heat.shape[-1] / 2, "off by half a pixel"),
        (lambda heat: from_corner(heat) - heat.shape[-1] // 2, "8×8: off by half a pixel"),
        (lambda heat: place(heat).flip(1), "down comes before right"),
        (lambda heat: place(heat) * torch.tensor([1, -1]), "rows run downwards"),
        (lambda heat: 2 * place(heat), "is right"),
        (lambda heat: heat.sum(1), "got (3, 9)"),
        (lambda heat: None, "Nothing comes back yet"),
    ],
)
def test_places_that_are_wrong(attempt, said: str) -> None:
    verdict = check_place(attempt)
    assert not verdict.right
    assert said in verdict.said


def test_a_place_turns_with_its_heat_map() -> None:
    assert check_place(place).right
    heat = torch.rand(2, 7, 7, generator=torch.Generator().manual_seed(0))
    right, down = place(heat / heat.sum((1, 2), keepdim=True)).T
    turned = place(heat.rot90(1, (-2, -1)) / heat.sum((1, 2), keepdim=True))
    torch.testing.assert_close(turned, torch.stack([down, -right], 1))
