"""The checks of the exercises: they pass the right answer and name what broke in a wrong one."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.course import check_action, check_lift, check_repair
from equivlab.groups import P4M
from equivlab.nn import GroupConv2d, GroupPool, InvariantReadout, LiftingConv2d


def lift(image: Tensor, filter_: Tensor, sense: int = 1) -> Tensor:
    turned = [torch.rot90(filter_, sense * r, (-2, -1)) for r in range(4)]
    return torch.stack([F.conv2d(image, one) for one in turned], dim=2)


def turned_maps(image: Tensor, filter_: Tensor) -> Tensor:
    y = F.conv2d(image, filter_)
    return torch.stack([torch.rot90(y, r, (-2, -1)) for r in range(4)], dim=2)


def crashes(*_: object) -> Tensor:
    raise KeyError


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda image, filter_: None, "Nothing comes back"),
        (lambda image, filter_: 1, "this is int"),
        (lambda image, filter_: image, "this has (1, 1, 8, 8)"),
        (lambda image, filter_: lift(image, filter_, -1), "clockwise"),
        (lambda image, filter_: lift(image, filter_, 0), "same"),
        (lambda image, filter_: lift(image, filter_) * torch.tensor(2.0), "maps 0, 1, 2, 3"),
        (turned_maps, "Turn the filter"),
        (crashes, "KeyError"),
    ],
)
def test_lift_says_what_broke(attempt: object, said: str) -> None:
    verdict = check_lift(attempt)
    assert not verdict.right
    assert said in verdict.said


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda g, f: None, "Nothing comes back"),
        (lambda g, f: f.rot90(g, (-2, -1)), "Permute axis 2"),
        (lambda g, f: f.roll(g, 2), "pixels stand still"),
        (lambda g, f: f.rot90(g, (-2, -1)).roll(-g, 2), "wrong way"),
        (lambda g, f: f.rot90(g, (-2, -1)).roll(2 * g, 2), "differs"),
    ],
)
def test_action_says_what_broke(attempt: object, said: str) -> None:
    verdict = check_action(attempt)
    assert not verdict.right
    assert said in verdict.said


def test_right_answers_pass() -> None:
    assert check_lift(lift).right
    assert check_action(lambda g, f: f.rot90(g, (-2, -1)).roll(g, 2)).right
    head = InvariantReadout(P4M, 4)
    assert check_repair(nn.Sequential(LiftingConv2d(P4M, 1, 4, 3), head).eval()).right


class Constant(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.ones(len(x), 3)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (None, "NoneType"),
        (nn.Conv2d(1, 2, 3), "Still off"),
        (nn.Conv2d(2, 2, 3), "does not run"),
        (nn.Sequential(LiftingConv2d(P4M, 1, 4, 3), GroupPool(P4M, 4)), "not invariant"),
        (Constant(), "same of every image"),
    ],
)
def test_repair_says_what_is_left(model: nn.Module | None, said: str) -> None:
    verdict = check_repair(model)
    assert not verdict.right
    assert said in verdict.said


def test_the_remedy_is_told_only_where_a_hint_is_asked_for() -> None:
    broken = nn.Sequential(
        LiftingConv2d(P4M, 1, 4, 3, padding=1),
        GroupConv2d(P4M, 4, 4, 3, stride=2, padding=1),
        InvariantReadout(P4M, 4),
    ).eval()
    said = check_repair(broken).said
    assert said.endswith("Look at layer 1.")
    assert "GroupDownsample2d" not in said
    assert "GroupDownsample2d" in check_repair(broken, hint=True).said
