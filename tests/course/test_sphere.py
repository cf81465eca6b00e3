"""The checks of the notebook on the sphere know right from wrong, and say which wrong."""

from __future__ import annotations

import math

import torch

from equivlab.course import check_group_mean, check_mean, check_outer, check_polar_turn


def test_means() -> None:
    def right(samples, beta):
        return (samples.mean(1) * beta.sin()).sum() / beta.sin().sum()

    assert check_mean(right).right
    assert "short circles" in check_mean(lambda samples, beta: samples.mean()).said
    half = check_mean(lambda samples, beta: (samples.mean(1) * beta.sin()).mean())
    assert "0.637, where 1.000" in half.said
    assert "TypeError" in check_mean(lambda samples, beta: None).said
    assert not check_mean(lambda samples, beta: samples[0, 0]).right


def test_polar_turns() -> None:
    def turn(pair, m, angle):
        c, s = math.cos(m * angle), math.sin(m * angle)
        return torch.stack([c * pair[0] - s * pair[1], s * pair[0] + c * pair[1]])

    assert check_polar_turn(turn).right
    assert "other way" in check_polar_turn(lambda pair, m, angle: turn(pair, m, -angle)).said
    assert "m = 3" in check_polar_turn(lambda pair, m, angle: turn(pair, 1, angle)).said
    assert "Expand" in check_polar_turn(lambda pair, m, angle: pair).said
    assert "(3,)" in check_polar_turn(lambda pair, m, angle: torch.zeros(3)).said
    assert "Nothing comes back" in check_polar_turn(lambda pair, m, angle: None).said
    assert "It stops" in check_polar_turn(lambda pair, m, angle: pair.view(3, 3)).said


def test_outer_products() -> None:
    def outer(f, psi):
        return torch.einsum("bim,ion->bomn", f, psi)

    assert check_outer(outer).right
    assert "still there" in check_outer(lambda f, p: torch.einsum("bim,ion->biomn", f, p)).said
    assert "exchanged" in check_outer(lambda f, p: outer(f, p).mT).said
    assert "averaged" in check_outer(lambda f, p: outer(f, p) / f.shape[1]).said
    assert "numbers are not" in check_outer(lambda f, p: 2 * outer(f, p)).said
    assert "(2, 3, 5)" in check_outer(lambda f, p: f).said
    assert "Nothing comes back" in check_outer(lambda f, p: None).said
    assert "others" in check_outer(lambda f, p: outer(f, p) * (f.shape[-1] == 5)).said


def test_group_means() -> None:
    def mean(x, beta):
        return (x.mean((-2, -1)) * beta.sin()).sum(-1) / beta.sin().sum()

    assert check_group_mean(mean).right
    assert "fewer rotations" in check_group_mean(lambda x, beta: x.mean((-3, -2, -1))).said
    half = check_group_mean(lambda x, beta: (x.mean((-2, -1)) * beta.sin()).mean(-1))
    assert "0.637" in half.said
    last = check_group_mean(lambda x, beta: mean(x.transpose(-3, -1), beta))
    assert "last axis" in last.said
    assert "(B, C)" in check_group_mean(lambda x, beta: x.mean()).said
    assert "1/3" in check_group_mean(lambda x, beta: x.amax((-3, -2, -1)) / 2).said
