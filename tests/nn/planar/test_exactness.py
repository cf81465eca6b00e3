"""`is_exact` against measurement: exact where it says so, far off where it does not."""

from __future__ import annotations

import itertools

import pytest
import torch

from equivlab import audit
from equivlab.groups import P4
from equivlab.nn import (
    GroupAvgPool2d,
    GroupConv2d,
    GroupDownsample2d,
    GroupMaxPool2d,
    LiftingConv2d,
)
from tests.laws import law_error, sample

STEPS = list(itertools.product([1, 2, 3, 4], [0, 1], [1, 2, 3]))  # kernel, padding, stride


@pytest.mark.parametrize(("kernel_size", "padding", "stride"), STEPS)
@pytest.mark.parametrize("dilation", [1, 2])
def test_convolutions(kernel_size: int, padding: int, stride: int, dilation: int) -> None:
    torch.manual_seed(0)
    layer = GroupConv2d(
        P4, 2, 2, kernel_size, stride, padding, dilation, bias=False, dtype=torch.float64
    )
    for size in range(8, 14):
        error = law_error(layer, sample(layer.in_field, size))
        assert layer.is_exact(size) == (error < 1e-13)
        assert layer.is_exact(size) or error > 0.1


@pytest.mark.parametrize("kernel_size", [2, 3, 4, 5])
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_same_padding_is_exact_for_odd_kernels(kernel_size: int) -> None:
    layer = LiftingConv2d(P4, 1, 2, kernel_size, padding="same", dtype=torch.float64)
    error = law_error(layer, sample(layer.in_field, 8))
    assert layer.is_exact(8) == (kernel_size % 2 == 1) == (error < 1e-13)


@pytest.mark.parametrize("kind", [GroupMaxPool2d, GroupAvgPool2d])
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(
    ("kernel_size", "padding", "stride"), [s for s in STEPS if 2 * s[1] <= s[0]]
)
def test_pools(
    kind: type[GroupMaxPool2d], kernel_size: int, padding: int, stride: int, ceil_mode: bool
) -> None:
    layer = kind(P4, 2, kernel_size, stride, padding, ceil_mode=ceil_mode)
    for size in range(8, 14):
        error = law_error(layer, sample(layer.in_field, size))
        if layer.is_exact(size):
            assert error < 1e-13
        elif not (kind is GroupMaxPool2d and ceil_mode):
            assert error > 0.05


@pytest.mark.parametrize("size", range(5, 15))
@pytest.mark.parametrize("stride", [2, 3])
def test_the_exact_alternative_is_exact_on_every_size(size: int, stride: int) -> None:
    layer = GroupDownsample2d(P4, 2, stride)
    assert layer.is_exact(size)
    assert law_error(layer, sample(layer.in_field, size)) < 1e-13


def test_the_audit_says_by_how_much_and_why() -> None:
    torch.manual_seed(0)
    spoiled = LiftingConv2d(P4, 1, 4, 3, stride=2)
    report = audit(spoiled, torch.randn(2, 1, 28, 28), P4, angles=0)
    assert 0.3 < report.max_error < 2
    assert "stride 2" in report.cause
    assert "GroupDownsample2d" in report.cause
