"""The checks of the exercises on transfer: they pass the right answer and name what broke."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from equivlab.course import check_freeze, check_group_filter
from equivlab.transfer import freeze


def by_hand(model: nn.Sequential) -> None:
    def stay(module: nn.Module, inputs: Any) -> None:
        module.eval()

    model[:-1].requires_grad_(False)
    model[1].register_forward_pre_hook(stay)


def gradients_only(model: nn.Sequential) -> None:
    model[:-1].requires_grad_(False)


def eval_once(model: nn.Sequential) -> None:
    model[:-1].requires_grad_(False).eval()


def no_momentum(model: nn.Sequential) -> None:
    model[:-1].requires_grad_(False)
    model[1].momentum = 0.0


def not_the_norm(model: nn.Sequential) -> None:
    model[0].requires_grad_(False)


def head_too(model: nn.Sequential) -> None:
    model.requires_grad_(False)


def head_instead(model: nn.Sequential) -> None:
    by_hand(model)
    model[-1].requires_grad_(False)
    model[0].requires_grad_(True)


def crashes(model: nn.Sequential) -> None:
    raise AttributeError("no such stage")


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda model: None, "0.weight, 0.bias, 1.weight, 1.bias still learns"),
        (not_the_norm, "1.weight, 1.bias still learns"),
        (gradients_only, "they have no gradient"),
        (eval_once, "model.train() put it back"),
        (no_momentum, "takes those of the batch"),
        (head_too, "Nothing learns any more"),
        (head_instead, "0.weight, 0.bias still learns"),
        (crashes, "It stops with AttributeError: no such stage"),
    ],
)
def test_a_network_that_is_not_frozen(attempt: Any, said: str) -> None:
    verdict = check_freeze(attempt)
    assert not verdict.right
    assert said in repr(verdict)


def test_a_frozen_network() -> None:
    assert check_freeze(by_hand).right
    assert check_freeze(lambda model: freeze(model)).right


def at(place: int, filters: Tensor) -> Tensor:
    out = torch.zeros(*filters.shape[:2], 4, *filters.shape[2:], dtype=filters.dtype)
    out[:, :, place] = filters
    return out


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda filters: ..., "Nothing comes back yet"),
        (lambda filters: filters, "got (3, 2, 3, 3)"),
        (lambda filters: 1, "got int"),
        (lambda filters: at(3, filters), "Map 0 looks at map 3"),
        (lambda filters: filters[:, :, None].repeat(1, 1, 4, 1, 1), "looks at all four"),
        (lambda filters: filters[:, :, None].repeat(1, 1, 4, 1, 1) / 4, "looks at all four"),
        (lambda filters: 2 * at(0, filters), "not what the ordinary filter makes"),
    ],
)
def test_a_wrong_filter(attempt: Any, said: str) -> None:
    verdict = check_group_filter(attempt)
    assert not verdict.right
    assert said in repr(verdict)


def test_the_right_filter() -> None:
    assert check_group_filter(lambda filters: at(0, filters)).right
