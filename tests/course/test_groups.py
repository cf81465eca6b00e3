"""The checks of the notebook on groups know right from wrong, and say which wrong."""

from __future__ import annotations

import pytest
import torch

from equivlab.course import check_compose, check_orbit


def compose(g: int, h: int) -> int:
    (m, r), (n, s) = divmod(g, 4), divmod(h, 4)
    return 4 * (m ^ n) + (r + (-s if m else s)) % 4


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda g, h: compose(h, g), "this is h·g"),
        (lambda g, h: 4 * (g // 4 ^ h // 4) + (g + h) % 4, "no mirror stood between"),
        (lambda g, h: (g + h) % 8, "circle of eight"),
        (lambda g, h: g + h, "0 to 7; this is 8"),
        (lambda g, h: 0, "the product is 1, 90°"),
        (lambda g, h: None, "Nothing comes back"),
        (lambda g, h: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_products_that_are_wrong(attempt, said: str) -> None:
    verdict = check_compose(attempt)
    assert not verdict.right
    assert said in verdict.said


def copies(x: torch.Tensor, mirrors: int = 2) -> list[torch.Tensor]:
    return [torch.rot90(y, r) for y in (x, x.flip(-1))[:mirrors] for r in range(4)]


def distinct(pictures: list[torch.Tensor]) -> list[torch.Tensor]:
    return [y for n, y in enumerate(pictures) if not any(torch.equal(y, z) for z in pictures[:n])]


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (copies, "The arrow: 8 pictures, of which only 4 differ"),
        (lambda x: distinct(copies(x, 1)), "mirrored ones are missing"),
        (lambda x: distinct(copies(x))[1:], "itself is missing"),
        (lambda x: distinct(copies(x))[:2], "has 8 pictures; these are 2"),
        (lambda x: [x + 1], "no turn and no mirror"),
        (lambda x: x, "got Tensor"),
        (lambda x: None, "Nothing comes back"),
    ],
)
def test_orbits_that_are_wrong(attempt, said: str) -> None:
    verdict = check_orbit(attempt)
    assert not verdict.right
    assert said in verdict.said


def test_right_answers_pass() -> None:
    assert check_compose(compose).right
    assert check_orbit(lambda x: distinct(copies(x))).right
