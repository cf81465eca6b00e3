"""The checks of the notebook on the sphere know right from wrong, and say which wrong."""

from __future__ import annotations

import math

import torch

from equivlab.course_sphere import check_mean, check_polar_turn


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
