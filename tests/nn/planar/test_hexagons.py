"""Planar layers on hexagons: the law of every element, sums over cells, and what is refused."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from equivlab.fields import HexMaps, RegularMaps
from equivlab.groups import P4, P6, P6M, PointGroup, hexagon
from equivlab.nn import (
    FieldModule,
    GroupAvgPool2d,
    GroupBatchNorm,
    GroupConv2d,
    GroupDouble2d,
    GroupDownsample2d,
    GroupDropout,
    GroupLayerNorm,
    GroupMaxPool2d,
    GroupPool,
    GroupUpsample2d,
    InvariantReadout,
    LiftingConv2d,
)
from equivlab.nn.planar.hexagons import blur
from tests.laws import BOUNDS, assert_law, gradient_law_error, law_error, relative, sample

DTYPES = pytest.mark.parametrize("dtype", BOUNDS, ids=str)
GROUPS = pytest.mark.parametrize("group", [P6, P6M], ids=str)
CONVOLUTIONS = pytest.mark.parametrize("make", [LiftingConv2d, GroupConv2d])
TO_ROUNDING = {torch.float32: 2e-6, torch.float64: 1e-12}

OPTIONS: list[tuple[int, dict[str, Any], int]] = [  # kernel, options, radius that comes of 6
    (1, {}, 6),
    (3, {}, 5),
    (5, {}, 4),
    (7, {}, 3),
    (3, {"padding": "same", "dilation": 2}, 6),
    (5, {"padding": 3, "bias": False}, 7),
    (7, {"padding": "same"}, 6),
    (3, {"stride": 2, "padding": 1}, 3),
    (7, {"stride": 3, "padding": 3}, 2),
    (1, {"stride": 2}, 3),
    (5, {"groups": 2, "padding": "valid"}, 4),
]


@DTYPES
@GROUPS
@CONVOLUTIONS
@pytest.mark.parametrize(("kernel_size", "options", "radius"), OPTIONS)
def test_convolutions(
    make: Callable[..., FieldModule],
    group: PointGroup,
    kernel_size: int,
    options: dict[str, Any],
    radius: int,
    dtype: torch.dtype,
) -> None:
    """All numbers, also those outside, which are zero after the layer, whatever it was given."""
    torch.manual_seed(0)
    layer = make(group, 2, 4, kernel_size, dtype=dtype, **options)
    x = sample(layer.in_field, 13, dtype)
    with torch.no_grad():
        y = layer(x)
        assert y.shape == (2, 4, group.order, 2 * radius + 1, 2 * radius + 1)
        assert torch.equal(y, layer.out_field.mask(y))
        assert layer.is_exact(13)
        assert law_error(layer, x) <= TO_ROUNDING[dtype]
        outside = ~hexagon(6)
        assert torch.equal(layer(x + 3.0 * outside), y)


@GROUPS
@CONVOLUTIONS
def test_gradients_of_convolutions(make: Callable[..., FieldModule], group: PointGroup) -> None:
    torch.manual_seed(0)
    layer = make(group, 2, 2, 5, stride=2, padding=2, dtype=torch.float64)
    assert gradient_law_error(layer, sample(layer.in_field, 9)) <= 1e-12


OTHERS: dict[str, Callable[[PointGroup], FieldModule]] = {
    "batch norm": lambda g: GroupBatchNorm(g, 3),
    "batch norm, plain": lambda g: GroupBatchNorm(g, 3, affine=False, track_running_stats=False),
    "batch norm, all batches": lambda g: GroupBatchNorm(g, 3, momentum=None),
    "layer norm": lambda g: GroupLayerNorm(g, 3),
    "max pool": lambda g: GroupMaxPool2d(g, 3, 3, 2, 1),
    "max pool of 19": lambda g: GroupMaxPool2d(g, 3, 5, 3, 2),
    "max pool dilated": lambda g: GroupMaxPool2d(g, 3, 3, 1, dilation=2),
    "average pool": lambda g: GroupAvgPool2d(g, 3, 3, 2, 1),
    "average pool of what is there": lambda g: GroupAvgPool2d(
        g, 3, 3, 1, 1, count_include_pad=False
    ),
    "average pool by 3": lambda g: GroupAvgPool2d(g, 3, 5, 2, 2, divisor_override=3),
    "downsample 2": lambda g: GroupDownsample2d(g, 3),
    "downsample 4": lambda g: GroupDownsample2d(g, 3, 4),
    "downsample 3": lambda g: GroupDownsample2d(g, 3, 3),
    "double": lambda g: GroupDouble2d(g, 3),
    "group pool": lambda g: GroupPool(g, 3, "norm"),
    "read-out mean": lambda g: InvariantReadout(g, 3, "norm", "mean"),
    "read-out max": lambda g: InvariantReadout(g, 3, "mean", "max"),
}


@DTYPES
@GROUPS
@pytest.mark.parametrize("name", OTHERS)
def test_other_layers(name: str, group: PointGroup, dtype: torch.dtype) -> None:
    layer = OTHERS[name](group).to(dtype)
    generator = torch.Generator().manual_seed(2)
    for values in layer.state_dict().values():
        if values.is_floating_point():
            values.copy_(torch.rand(values.shape, generator=generator) + 0.5)
    x = sample(layer.in_field, 13, dtype)
    filled = x + 2.0 * ~hexagon(6)
    for training in (True, False):
        layer.train(training)
        with torch.no_grad():
            y = layer(x)
            assert law_error(layer, x) <= TO_ROUNDING[dtype]
            assert relative(layer(filled), layer(x)) == 0 or "all batches" in name
            assert y.dim() == 2 or torch.equal(y, layer.out_field.mask(y))
    if dtype == torch.float64:
        assert gradient_law_error(layer, x) <= 1e-12


def cells(radius: int) -> list[tuple[int, int]]:
    """Axial coordinates."""
    around = range(-radius, radius + 1)
    return [(q, r) for q, r in itertools.product(around, repeat=2) if abs(q + r) <= radius]


@cache
def moved(group: PointGroup, g: int, cell: tuple[int, int]) -> tuple[int, int]:
    """Where `g` takes a cell, by its matrix."""
    q, r = cell
    place = torch.tensor([q + r / 2, -math.sqrt(3) / 2 * r], dtype=torch.float64)
    right, up = (group.matrix(g) @ place).tolist()
    row = round(-2 / math.sqrt(3) * up)
    return round(right - row / 2), row


@DTYPES
@GROUPS
@CONVOLUTIONS
@pytest.mark.parametrize(
    ("kernel_size", "options"), [(3, {}), (5, {"padding": 3, "stride": 2}), (7, {"padding": 1})]
)
@torch.no_grad()
def test_a_convolution_is_the_sum_over_cells(
    make: Callable[..., FieldModule],
    group: PointGroup,
    kernel_size: int,
    options: dict[str, int],
    dtype: torch.dtype,
) -> None:
    """out[o, g, x] = bias[o] + Σ_i Σ_h Σ_y f[i, h, y] ψ[o, i](g⁻¹h, g⁻¹(y − x)), cell by cell."""
    layer = make(group, 2, 3, kernel_size, dtype=dtype, **options)
    regular = isinstance(layer.in_field, RegularMaps)
    x = sample(layer.in_field, 7, dtype, batch=1)
    f = {c: x[0, ..., c[1] + 3, c[0] + 3].flatten() for c in cells(3)}
    weight = layer.weight.unflatten(1, (2, group.order)) if regular else layer.weight[:, :, None]
    taps = {
        c: weight[..., n] for n, c in enumerate(sorted(cells(kernel_size // 2), key=rows_first))
    }
    step, pad = options.get("stride", 1), options.get("padding", 0)
    radius = (3 + pad - kernel_size // 2) // step
    wanted = torch.zeros(1, 3, group.order, 2 * radius + 1, 2 * radius + 1, dtype=dtype)
    for g, at in itertools.product(group.elements, cells(radius)):
        back = group.inverse(g)
        total = layer.bias.clone()
        for y, values in f.items():
            tap = taps.get(moved(group, back, (y[0] - step * at[0], y[1] - step * at[1])))
            if tap is not None:
                turned = [group.compose(back, h) for h in group.elements] if regular else [0]
                total += tap[:, :, turned].flatten(1) @ values
        wanted[0, :, g, at[1] + radius, at[0] + radius] = total
    assert relative(layer(x), wanted) <= TO_ROUNDING[dtype]


def rows_first(cell: tuple[int, int]) -> tuple[int, int]:
    return cell[1], cell[0]


@GROUPS
def test_batch_norm_counts_cells_alone(group: PointGroup) -> None:
    """Against NumPy over the cells: what it gives, and what it remembers."""
    torch.manual_seed(0)
    norm = GroupBatchNorm(group, 3, momentum=0.3).double()
    with torch.no_grad():
        norm.weight.copy_(torch.rand(3) + 0.5)
        norm.bias.copy_(torch.rand(3))
    x = sample(norm.in_field, 7) + 1.5 * hexagon(3)
    found = norm(x).detach().numpy()
    inside = hexagon(3).numpy()
    values = x.numpy()[..., inside]  # (B, C, G, cells)
    mean, var = values.mean((0, 2, 3)), values.var((0, 2, 3))
    each = (3, 1, 1)
    wanted = (values - mean.reshape(each)) / np.sqrt(var.reshape(each) + norm.eps)
    wanted = wanted * norm.weight.detach().numpy().reshape(each)
    assert np.allclose(found[..., inside], wanted + norm.bias.detach().numpy().reshape(each))
    assert not found[..., ~inside].any()
    n = values.size / 3
    assert np.allclose(norm.running_mean, 0.3 * mean)
    assert np.allclose(norm.running_var, 0.7 + 0.3 * var * n / (n - 1))
    assert int(norm.num_batches_tracked) == 1


def test_batch_norm_in_half_precision_counts_in_single() -> None:
    norm = GroupBatchNorm(P6, 2)
    x = sample(norm.in_field, 9, torch.float32) + 100.0 * hexagon(4)
    half = norm(x.bfloat16())
    assert half.dtype == torch.bfloat16
    assert relative(half, norm(x.bfloat16().float())) < 1e-2


@pytest.mark.parametrize(("stride", "padding"), [(2, 1), (3, 0), (1, 1)])
def test_pools_are_loops_over_cells(stride: int, padding: int) -> None:
    """Maximum and mean of the cells that are there, 7 by 7."""
    radius = 4
    field = RegularMaps(P6, 2)
    x = sample(field, 9)
    out = (radius + padding - 1) // stride
    peak, all_seven, known = (
        torch.zeros(2, 2, 6, 2 * out + 1, 2 * out + 1).double() for _ in "abc"
    )
    for q, r in cells(out):
        near = [(stride * q + a, stride * r + b) for a, b in cells(1)]
        seen = torch.stack([x[..., b + 4, a + 4] for a, b in near if (a, b) in cells(radius)])
        peak[..., r + out, q + out] = seen.amax(0)
        all_seven[..., r + out, q + out] = seen.sum(0) / 7
        known[..., r + out, q + out] = seen.mean(0)
    assert torch.equal(GroupMaxPool2d(P6, 2, 3, stride, padding)(x), peak)
    average = GroupAvgPool2d(P6, 2, 3, stride, padding)
    assert torch.allclose(average(x), all_seven)
    average.count_include_pad = False
    assert torch.allclose(average(x), known)


def test_a_maximum_shares_its_gradient_among_equals() -> None:
    x = torch.zeros(1, 1, 6, 3, 3, requires_grad=True)
    GroupMaxPool2d(P6, 1, 3)(x).sum().backward()
    assert torch.allclose(x.grad, hexagon(1) / 7)


def test_downsampling_keeps_constants_and_removes_stripes() -> None:
    assert torch.equal(8 * blur(2), torch.tensor([[0, 1, 1], [1, 2, 1], [1, 1, 0]]).double())
    for stride in (1, 2, 3, 5):
        taps = blur(stride)
        assert float(taps.sum()) == pytest.approx(1)
        for g in P6M.elements:
            assert torch.allclose(P6M.move(g, taps), taps)
        for row, column in itertools.product(range(stride), repeat=2):  # each coset weighs as much
            assert float(taps[row::stride, column::stride].sum()) == pytest.approx(1 / stride**2)
    halve = GroupDownsample2d(P6, 1).double()
    kept = halve(torch.ones(1, 1, 6, 13, 13).double())
    assert kept.shape[-1] == 7
    assert torch.allclose(kept[..., 1:-1, 1:-1][..., hexagon(2)], torch.tensor(1.0).double())
    assert GroupDownsample2d(P6, 1)(torch.ones(1, 1, 6, 11, 11)).shape[-1] == 7  # radius 5 to 3


@pytest.mark.parametrize("ring", [0, 1])
def test_doubling_puts_means_between_cells(ring: int) -> None:
    x = sample(RegularMaps(P6, 2), 5)
    side = 9 - 2 * ring
    found = GroupDouble2d(P6, 2)(x, (side, side))
    for q, r in cells(side // 2):
        ends = {(math.floor(q / 2), math.ceil(r / 2)), (math.ceil(q / 2), math.floor(r / 2))}
        wanted = torch.stack([x[..., b + 2, a + 2] for a, b in ends]).mean(0)
        assert torch.allclose(found[..., r + side // 2, q + side // 2], wanted)
    assert torch.equal(found, RegularMaps(P6, 2).mask(found))
    with pytest.raises(ValueError, match=r"radius of 2 to 4 or 3, arrays of 9 or 7 .*\(8, 8\)"):
        GroupDouble2d(P6, 2)(x, (8, 8))


def test_read_outs_are_over_the_cells() -> None:
    x = sample(RegularMaps(P6M, 3), 7) - 9.0
    values = x[..., hexagon(3)]
    assert torch.allclose(InvariantReadout(P6M, 3, "max", "mean")(x), values.amax(2).mean(-1))
    assert torch.allclose(InvariantReadout(P6M, 3, "mean", "max")(x), values.mean(2).amax(-1))


def test_a_filter_has_as_many_numbers_as_cells() -> None:
    for kernel_size, count in ((1, 1), (3, 7), (5, 19), (7, 37)):
        assert LiftingConv2d(P6, 2, 3, kernel_size).weight.shape == (3, 2, count)
        assert GroupConv2d(P6M, 2, 3, kernel_size).weight.shape == (3, 24, count)
    layer = GroupConv2d(P6M, 2, 3, 5)
    bank, _ = layer.filter_bank()
    laid_out = torch.zeros(3, 2, 12, 5, 5)
    laid_out[..., hexagon(2)] = layer.weight.detach().unflatten(1, (2, 12))
    for g in P6M.elements:
        assert torch.equal(bank[g::12], layer.in_field.act(g, laid_out).flatten(1, 2))


def test_the_kernel_leaves_hexagons_to_conv2d() -> None:
    layer = GroupConv2d(P6, 8, 8, 3, padding=1)
    assert layer.route(sample(layer.in_field, 17, torch.float32)).startswith("conv2d: ")


def test_channels_last_weights_give_the_same() -> None:
    torch.manual_seed(0)
    layer = GroupConv2d(P6M, 2, 3, 3)
    x = sample(layer.in_field, 9, torch.float32)
    wanted = layer(x)
    assert relative(layer.to(memory_format=torch.channels_last)(x), wanted) <= 1e-6


def test_the_same_constant_outside_is_no_square_image() -> None:
    """As standardising leaves it: not looked at."""
    lift = LiftingConv2d(P6, 1, 2, 3)
    x = sample(lift.in_field, 9, torch.float32)
    assert torch.equal(lift(x - 0.5), lift(lift.in_field.mask(x - 0.5)))


def test_nan_outside_is_not_looked_at() -> None:
    x = sample(RegularMaps(P6, 2), 9, torch.float32)
    spoiled = x.masked_fill(~hexagon(4), math.nan)
    for layer in (GroupConv2d(P6, 2, 2, 3), GroupBatchNorm(P6, 2), GroupMaxPool2d(P6, 2, 3)):
        assert bool(torch.isfinite(layer(spoiled)).all())


MISTAKES: list[tuple[Callable[[], object], str]] = [
    (lambda: LiftingConv2d(P6, 1, 2, 4), "kernel_size is odd: 3, 5, 7 are 7, 19, 37 .*got 4. Use"),
    (lambda: GroupMaxPool2d(P6, 1, 2), "kernel_size=3, stride=2, padding=1"),
    (lambda: GroupAvgPool2d(P6M, 1, 4), "got 4. Use kernel_size=5"),
    (
        lambda: GroupConv2d(P6, 1, 2, 3, padding=1, padding_mode="circular"),
        "got padding_mode='circular'. Use padding_mode='zeros'",
    ),
    (lambda: LiftingConv2d(P6, 1, 2, 3, padding=1, padding_mode="reflect"), "there are zeros"),
    (lambda: GroupDownsample2d(P6, 1, 2, "replicate"), "Use padding_mode='zeros'"),
    (lambda: GroupDownsample2d(P6, 1, 2, "edge"), "padding_mode is one of"),
    (lambda: GroupUpsample2d(P6, 1, scale_factor=2), r"Use GroupDouble2d\(P6, 1\)"),
    (lambda: LiftingConv2d(P6, 1, 2, (3, 5)), "kernel_size must be one number or an equal pair"),
    (lambda: HexMaps(P4, 1), r"P6 or P6M; got P4, .*ScalarMaps\(P4, 1\)"),
]


@pytest.mark.parametrize(("make", "words"), MISTAKES)
def test_layers_that_cannot_be(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("layer", "x", "words"),
    [
        (LiftingConv2d(P6, 1, 2, 3), torch.zeros(2, 1, 28, 28), "to_hexagons.image, radius=14."),
        (LiftingConv2d(P6, 1, 2, 3), torch.zeros(2, 1, 9, 11), "hexagons of radius R"),
        (LiftingConv2d(P6, 1, 2, 3), torch.rand(2, 1, 29, 29), "those of a square image do"),
        (LiftingConv2d(P6, 1, 2, 5), torch.zeros(2, 1, 3, 3), "5 pixels a side or more"),
        (GroupConv2d(P6, 3, 4, 3, 3, 1), torch.zeros(2, 3, 6, 9, 9), "Use a radius of 3 or 6"),
        (GroupConv2d(P6, 3, 4, 3), torch.zeros(2, 3, 4, 9, 9), "4 group elements and P6 has 6"),
        (GroupConv2d(P6M, 3, 4, 3), torch.zeros(2, 3, 12, 8, 9), "hexagons of radius R"),
        (GroupDropout(P6, 3), torch.zeros(2, 3, 6, 8, 8), "to_hexagons"),
    ],
)
def test_wrong_tensors(layer: FieldModule, x: Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        layer(x)


def test_the_law_can_fail() -> None:
    layer = GroupConv2d(P6, 1, 2, 3, dtype=torch.float64)
    layer.filter_index[3], layer.filter_index[4] = 4, 3
    with pytest.raises(AssertionError, match=r"60°: relative error .*broken"):
        assert_law(layer, sample(layer.in_field, 7))
