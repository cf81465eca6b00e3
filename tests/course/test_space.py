"""The checks of the exercises on space: they pass the right answer and name what broke."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from equivlab.course import check_products, check_screws, check_turn, score_screws


def parts(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    outer = a[:, :, None] * b[:, None, :]
    dot = (a * b).sum(1)
    third = dot[:, None, None] / 3 * torch.eye(3, dtype=a.dtype)
    return dot, torch.linalg.cross(a, b), (outer + outer.mT) / 2 - third


def changed(number: int, change: Any) -> Any:
    def attempt(a: Tensor, b: Tensor) -> tuple[Tensor, ...]:
        found = list(parts(a, b))
        found[number] = change(found[number], a, b)
        return tuple(found)

    return attempt


def crashes(*_: object) -> Any:
    raise KeyError("no such key")


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda R, p, v: None, "Nothing comes back"),
        (lambda R, p, v: p, "It should give 2 tensors"),
        (lambda R, p, v: (p, 1), "Result 2 should be a tensor (5, 3); this is int"),
        (lambda R, p, v: (p[:2], v), "Result 1 should be a tensor (5, 3); this is (2, 3)"),
        (lambda R, p, v: (p @ R.T, v), "the arrows keep their old direction"),
        (lambda R, p, v: (p, v @ R.T), "the points stay where they were"),
        (lambda R, p, v: (p @ R, v @ R), "the inverse rotation"),
        (lambda R, p, v: (p, v), "multiplied by R"),
        (crashes, "stops with KeyError: 'no such key'"),
    ],
)
def test_a_wrong_turn(attempt: Any, said: str) -> None:
    verdict = check_turn(attempt)
    assert not verdict.right
    assert said in repr(verdict)


def test_the_right_turn() -> None:
    assert check_turn(lambda R, p, v: (p @ R.T, v @ R.T)).right
    assert check_turn(lambda R, p, v: ((R @ p.T).T, (R @ v.T).T)).right


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (changed(0, lambda x, a, b: -x), "number should be a·b"),
        (changed(1, lambda x, a, b: -x), "b × a"),
        (changed(1, lambda x, a, b: a), "should be a × b"),
        (changed(2, lambda x, a, b: a[:, :, None] * b[:, None, :]), "not symmetric"),
        (changed(2, lambda x, a, b: x + torch.eye(3)), "has a trace"),
        (changed(2, lambda x, a, b: 2 * x), "(a bᵀ + b aᵀ)/2"),
        (lambda a, b: ..., "Nothing comes back"),
    ],
)
def test_a_wrong_product(attempt: Any, said: str) -> None:
    verdict = check_products(attempt)
    assert not verdict.right
    assert said in verdict.said


def test_the_right_product() -> None:
    assert check_products(parts).right


@pytest.mark.parametrize(
    ("irreps", "said"),
    [
        (..., "Write irreps"),
        ("1x0e", "a mirror leaves alone"),
        ("2x0e + 1x1o", "turns with the piece"),
        ("1x0q", "takes irreps such as"),
        ("0x0e", "at least one channel"),
    ],
)
def test_scores_that_do_not_do(irreps: object, said: str) -> None:
    verdict = check_screws(irreps)
    assert not verdict.right
    assert said in verdict.said


@pytest.mark.parametrize("seed", range(3))
def test_a_mirror_changes_the_sign_of_odd_scores(seed: int) -> None:
    assert check_screws("1x0o").right
    left, right = score_screws("1x0o", seed)
    assert float((left + right).abs()) < 1e-6
    assert float((left - right).abs()) > 1e-4
    left, right = score_screws("1x0e", seed)
    assert torch.allclose(left, right, rtol=1e-4)
