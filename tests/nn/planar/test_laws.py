"""The law for every planar layer, element, kernel size and precision; gradients too."""

from __future__ import annotations

import pytest
import torch

from equivlab.groups import P4, P4M, PointGroup
from equivlab.nn import (
    GroupConv2d,
    GroupDropout,
    LiftingConv2d,
)
from tests.laws import BOUNDS, assert_law, gradient_law_error, law_error, sample
from tests.nn.oracles import oracle_of
from tests.nn.planar.layers import OTHERS, Make

DTYPES = pytest.mark.parametrize("dtype", BOUNDS, ids=str)
GROUPS = pytest.mark.parametrize("group", [P4, P4M], ids=str)
CONVOLUTIONS = pytest.mark.parametrize("make", [LiftingConv2d, GroupConv2d])


@DTYPES
@GROUPS
@CONVOLUTIONS
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("padded", [False, True])
def test_convolutions(
    make: Make, group: PointGroup, kernel_size: int, padded: bool, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    padding = kernel_size // 2 if padded else 0
    layer = make(group, 3, 4, kernel_size, padding=padding, dtype=dtype)
    for size in (9, 10):
        x = sample(layer.in_field, size, dtype)
        assert_law(layer, x)
        assert gradient_law_error(layer, x) <= BOUNDS[dtype]


OPTIONS = [
    {"stride": 2},
    {"stride": 3, "padding": 1},
    {"dilation": 2},
    {"dilation": 3, "padding": "same"},
    {"padding": "same"},
    {"padding": "valid", "bias": False},
    {"groups": 2},
    {"groups": 2, "padding": 1, "stride": 2},
    *({"padding": 1, "padding_mode": mode} for mode in ("reflect", "replicate", "circular")),
]


@DTYPES
@GROUPS
@CONVOLUTIONS
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_of_convolutions(
    make: Make, group: PointGroup, options: dict[str, object], dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    layer = make(group, 2, 4, 3, dtype=dtype, **options)
    sizes = [size for size in range(9, 13) if layer.is_exact(size)]
    assert sizes
    for size in sizes[:2]:
        x = sample(layer.in_field, size, dtype)
        assert_law(layer, x)
        assert gradient_law_error(layer, x) <= BOUNDS[dtype]


@DTYPES
@GROUPS
@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("training", [True, False])
def test_other_layers(name: str, training: bool, group: PointGroup, dtype: torch.dtype) -> None:
    layer = OTHERS[name](group, 3).to(dtype).train(training)
    generator = torch.Generator().manual_seed(2)
    for values in layer.state_dict().values():
        if values.is_floating_point():  # learned numbers and statistics, positive as variances are
            values.copy_(torch.rand(values.shape, generator=generator) + 0.5)
    exact = getattr(layer, "is_exact", lambda size: True)
    sizes = [size for size in (8, 9, 11) if exact(size)]
    assert sizes
    for size in sizes:
        x = sample(layer.in_field, size, dtype)
        assert_law(layer, x)
        assert gradient_law_error(layer, x) <= BOUNDS[dtype]


@oracle_of(GroupDropout)
@GROUPS
def test_dropout_obeys_the_law_for_the_same_coins(group: PointGroup) -> None:
    layer = GroupDropout(group, 8, p=0.5)
    x = sample(layer.in_field, 5)

    def with_the_same_coins(x: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(3)
        return layer(x)

    dropped = with_the_same_coins(x)
    fields = dropped.flatten(2).abs().sum(2)
    assert 0 < int((fields == 0).sum()) < fields.numel()
    assert torch.equal(dropped[fields != 0], 2 * x[fields != 0])
    for g in group.elements:
        assert torch.equal(
            with_the_same_coins(layer.in_field.act(g, x)), layer.in_field.act(g, dropped)
        )
    assert torch.equal(layer.eval()(x), x)


def test_the_law_can_fail() -> None:
    """A layer whose orientations are not tied is caught by the same yardstick."""
    layer = LiftingConv2d(P4, 1, 2, 3, dtype=torch.float64)
    layer.filter_index[:9] = layer.filter_index[9:18].clone()
    assert law_error(layer, sample(layer.in_field, 8)) > 0.1
