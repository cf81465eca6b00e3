"""Pictures onto hexagons and back: functions by their formula, and what is lost."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from equivlab.data import digit_images
from equivlab.equivariance.curve import disc
from equivlab.fields import HexMaps
from equivlab.groups import P6, hexagon
from equivlab.projection import from_hexagons, to_hexagons
from tests.laws import relative


def blob(x: Tensor, y: Tensor, right: float, up: float, width: float = 2.0) -> Tensor:
    return torch.exp(-((x - right) ** 2 + (y - up) ** 2) / (2 * width**2))


def picture(side: int, right: float, up: float) -> Tensor:
    at = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    return blob(at, -at[:, None], right, up)


def cells(radius: int, spacing: float, right: float, up: float) -> Tensor:
    axis = torch.arange(-radius, radius + 1, dtype=torch.float64)
    x = spacing * (axis + axis[:, None] / 2)
    y = -spacing * math.sqrt(3) / 2 * axis[:, None]
    return blob(x, y, right, up) * hexagon(radius)


@pytest.mark.parametrize("side", [28, 33])
@pytest.mark.parametrize("radius", [14, 20])
def test_a_blob_by_its_formula(side: int, radius: int) -> None:
    spacing = (side - 1) / (math.sqrt(3) * radius)
    found = to_hexagons(picture(side, -3.0, 4.0), radius)
    assert relative(found, cells(radius, spacing, -3.0, 4.0)) < 0.01
    back = from_hexagons(cells(radius, spacing, -3.0, 4.0), side)
    assert relative(back * disc(side), picture(side, -3.0, 4.0) * disc(side)) < 0.01


def test_a_spacing_of_ones_own() -> None:
    found = to_hexagons(picture(28, 2.0, 1.0), 11, spacing=1.2)
    assert relative(found, cells(11, 1.2, 2.0, 1.0)) < 0.01
    back = from_hexagons(found, (28, 28), spacing=1.2)
    near = picture(28, 2.0, 1.0)
    assert relative(back, near) < 0.01


def test_a_turn_there_is_the_turn_here() -> None:
    c, s = math.cos(math.pi / 3), math.sin(math.pi / 3)
    here = to_hexagons(picture(28, 5.0, 2.0), 16)
    there = to_hexagons(picture(28, 5 * c - 2 * s, 5 * s + 2 * c), 16)
    assert relative(P6.move(1, here), there) < 0.01


@pytest.mark.parametrize(("radius", "lost"), [(14, 0.0096), (16, 0.0082), (24, 0.0076)])
def test_digits_there_and_back(radius: int, lost: float) -> None:
    """The errors that the docstring states."""
    digits = digit_images()[0][:200].double()
    inside = disc(28)
    back = from_hexagons(to_hexagons(digits, radius), 28)
    error = relative(back * inside, digits * inside)
    assert 0.9 * lost < error < lost


def test_coarser_hexagons_do_not_alias() -> None:
    """A chessboard, which cells of 4 pixels cannot hold, is gone; noise is averaged."""
    at = np.indices((64, 64)).sum(0) % 2
    board = torch.from_numpy(2.0 * at - 1)
    found = to_hexagons(board, 8, spacing=4.0)
    middle = found[..., 4:-4, 4:-4]
    assert float(middle.abs().max()) < 0.02
    fine = torch.rand(1, 65, 65, generator=torch.Generator().manual_seed(0))
    noise = HexMaps(P6, 1).mask(2 * fine - 1)  # deviation 0.58; one pixel holds 55 cells
    coarse = from_hexagons(noise, 9)
    assert float(coarse[..., 2:-2, 2:-2].std()) < 1.3 * 0.58 / math.sqrt(55)


def test_constants_and_dtypes() -> None:
    ones = torch.ones(2, 3, 20, 30, requires_grad=True)
    there = to_hexagons(ones, 5)
    assert there.shape == (2, 3, 11, 11)
    assert there.dtype == torch.float32
    assert torch.allclose(there[..., 2:-2, 2:-2][..., hexagon(3)], torch.tensor(1.0))
    assert not there[..., ~hexagon(5)].any()
    there.sum().backward()
    assert float(ones.grad.abs().max()) > 0
    back = from_hexagons(HexMaps(P6, 3).mask(torch.ones(2, 3, 11, 11)), (20, 30))
    assert torch.allclose(back[..., 8:12, 10:20], torch.tensor(1.0))
    assert float(back[..., 0, 0].abs().max()) == 0


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: to_hexagons(np.zeros((8, 8)), 4), TypeError, "got ndarray. Convert"),
        (lambda: to_hexagons(torch.zeros(8, 8, dtype=torch.uint8), 4), TypeError, "uint8.*255"),
        (lambda: to_hexagons(torch.zeros(8), 4), ValueError, r"images \(\.\.\., H, W\); got \(8,"),
        (lambda: to_hexagons(torch.zeros(0, 8, 8), 4), ValueError, "got .0, 8, 8."),
        (lambda: to_hexagons(torch.zeros(8, 8), 0), ValueError, "radius and a size of 1 or more"),
        (lambda: to_hexagons(torch.zeros(8, 8), 4, spacing=-1.0), ValueError, "spacing in pixels"),
        (lambda: to_hexagons(torch.zeros(8, 8), 4, spacing=math.nan), ValueError, "spacing in"),
        (lambda: from_hexagons(torch.zeros(8, 8), 4), ValueError, r"got \(8, 8\). Make them"),
        (lambda: from_hexagons(torch.zeros(9, 9), 0), ValueError, "a size of 1 or more"),
    ],
)
def test_refusals(call: object, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        call()  # type: ignore[operator]
