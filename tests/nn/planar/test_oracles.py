"""The layers against the definition, written with loops, and against an independent path."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.groups import P4, P4M, PointGroup
from equivlab.nn import (
    GroupAvgPool2d,
    GroupBatchNorm,
    GroupConv2d,
    GroupDownsample2d,
    GroupLayerNorm,
    GroupMaxPool2d,
    GroupPool,
    InvariantReadout,
    LiftingConv2d,
)
from tests.laws import BOUNDS, relative, sample
from tests.nn.oracles import oracle_of

DTYPES = pytest.mark.parametrize("dtype", BOUNDS, ids=str)
GROUPS = pytest.mark.parametrize("group", [P4, P4M], ids=str)
CENTRED = [1, 3, 5]


def place(group: PointGroup, g: int, right: int, up: int) -> tuple[int, int]:
    """Where `g` takes the point (right, up), by its matrix."""
    moved = group.matrix(g) @ torch.tensor([float(right), float(up)], dtype=torch.float64)
    return int(moved[0]), int(moved[1])


def lifting_by_definition(layer: LiftingConv2d, f: Tensor) -> Tensor:
    """out[o, g, x] = bias[o] + Σ_i Σ_y f[i, y] ψ[o, i](g⁻¹(y − x)), pixel by pixel."""
    group, k = layer.in_field.group, layer.kernel_size
    half, size = k // 2, f.shape[-1]
    out_size = size - k + 1
    out = f.new_zeros(len(f), layer.out_channels, group.order, out_size, out_size)
    for g, row, column in itertools.product(group.elements, range(out_size), range(out_size)):
        total = f.new_zeros(len(f), layer.out_channels)
        for dr, dc in itertools.product(range(-half, half + 1), repeat=2):
            right, up = place(group, group.inverse(g), dc, -dr)
            filters = layer.weight[:, :, half - up, half + right]  # (O, I)
            total += f[:, :, row + half + dr, column + half + dc] @ filters.T
        out[:, :, g, row, column] = total + layer.bias
    return out


def group_conv_by_definition(layer: GroupConv2d, f: Tensor) -> Tensor:
    """out[o, g, x] = bias[o] + Σ_i Σ_h Σ_y f[i, h, y] ψ[o, i](g⁻¹h, g⁻¹(y − x))."""
    group, k = layer.in_field.group, layer.kernel_size
    half, size = k // 2, f.shape[-1]
    out_size = size - k + 1
    weight = layer.weight.view(layer.out_channels, layer.in_channels, group.order, k, k)
    out = f.new_zeros(len(f), layer.out_channels, group.order, out_size, out_size)
    for g, row, column in itertools.product(group.elements, range(out_size), range(out_size)):
        total = f.new_zeros(len(f), layer.out_channels)
        for h, dr, dc in itertools.product(
            group.elements, range(-half, half + 1), range(-half, half + 1)
        ):
            right, up = place(group, group.inverse(g), dc, -dr)
            relative_turn = group.compose(group.inverse(g), h)
            filters = weight[:, :, relative_turn, half - up, half + right]
            total += f[:, :, h, row + half + dr, column + half + dc] @ filters.T
        out[:, :, g, row, column] = total + layer.bias
    return out


@oracle_of(LiftingConv2d)
@DTYPES
@GROUPS
@pytest.mark.parametrize("kernel_size", CENTRED)
@torch.no_grad()
def test_lifting_is_its_definition(group: PointGroup, kernel_size: int, dtype: torch.dtype) -> None:
    layer = LiftingConv2d(group, 2, 3, kernel_size, dtype=dtype)
    f = sample(layer.in_field, 7, dtype)
    assert relative(layer(f), lifting_by_definition(layer, f)) <= BOUNDS[dtype]


@oracle_of(GroupConv2d)
@DTYPES
@GROUPS
@pytest.mark.parametrize("kernel_size", CENTRED)
@torch.no_grad()
def test_group_convolution_is_its_definition(
    group: PointGroup, kernel_size: int, dtype: torch.dtype
) -> None:
    layer = GroupConv2d(group, 2, 3, kernel_size, dtype=dtype)
    f = sample(layer.in_field, 6, dtype)
    assert relative(layer(f), group_conv_by_definition(layer, f)) <= BOUNDS[dtype]


@DTYPES
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("padding", [0, 1])
def test_p4_lifting_turns_the_input_instead(
    kernel_size: int, padding: int, dtype: torch.dtype
) -> None:
    """Orientation r is: turn the input back by r, convolve with the plain filter, turn on."""
    layer = LiftingConv2d(P4, 2, 3, kernel_size, padding=padding, dtype=dtype)
    f = sample(layer.in_field, 9, dtype)
    turned = [
        torch.rot90(
            F.conv2d(torch.rot90(f, -r, (2, 3)), layer.weight, layer.bias, 1, padding), r, (2, 3)
        )
        for r in range(4)
    ]
    assert relative(layer(f), torch.stack(turned, 2)) <= BOUNDS[dtype]


@DTYPES
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("padding", [0, 1])
def test_p4_group_convolution_turns_the_input_instead(
    kernel_size: int, padding: int, dtype: torch.dtype
) -> None:
    layer = GroupConv2d(P4, 2, 3, kernel_size, padding=padding, dtype=dtype)
    f = sample(layer.in_field, 9, dtype)
    turned = []
    for r in range(4):
        back = torch.rot90(f.roll(-r, 2), -r, (3, 4)).flatten(1, 2)
        plain = F.conv2d(back, layer.weight, layer.bias, 1, padding)
        turned.append(torch.rot90(plain, r, (2, 3)))
    assert relative(layer(f), torch.stack(turned, 2)) <= BOUNDS[dtype]


@DTYPES
def test_grouped_channels_are_layers_side_by_side(dtype: torch.dtype) -> None:
    both = GroupConv2d(P4, 4, 6, 3, groups=2, dtype=dtype)
    f = sample(both.in_field, 7, dtype)
    halves = []
    for n in range(2):
        half = GroupConv2d(P4, 2, 3, 3, dtype=dtype)
        half.weight.data = both.weight.data[3 * n : 3 * n + 3]
        half.bias.data = both.bias.data[3 * n : 3 * n + 3]
        halves.append(half(f[:, 2 * n : 2 * n + 2].contiguous()))
    assert relative(both(f), torch.cat(halves, 1)) <= BOUNDS[dtype]


def test_the_full_weight_space() -> None:
    """36 numbers for each pair of P4 fields at 3×3, 72 for P4M; none is tied to another."""
    for group, numbers in ((P4, 36), (P4M, 72)):
        layer = GroupConv2d(group, 1, 1, 3, bias=False)
        assert layer.weight.numel() == numbers
        jacobian = torch.autograd.functional.jacobian(
            lambda w, layer=layer: torch.func.functional_call(
                layer, {"weight": w}, (sample(layer.in_field, 7, torch.float32),)
            ).flatten(),
            layer.weight.detach(),
        )
        assert torch.linalg.matrix_rank(jacobian.flatten(1)) == numbers


@oracle_of(GroupPool, GroupMaxPool2d, GroupAvgPool2d, GroupBatchNorm, GroupLayerNorm)
def test_norms_and_pools_against_torch() -> None:
    x = sample(GroupPool(P4M, 3).in_field, 8)
    flat = x.flatten(1, 2)
    assert torch.allclose(GroupPool(P4M, 3, "max")(x), x.max(2).values)
    assert torch.allclose(GroupPool(P4M, 3, "norm")(x), (x**2).sum(2).sqrt())
    pooled = nn.MaxPool2d(3, 2, 1)(flat).unflatten(1, (3, 8))
    assert torch.equal(GroupMaxPool2d(P4M, 3, 3, 2, 1)(x), pooled)
    averaged = nn.AvgPool2d(2, divisor_override=3)(flat).unflatten(1, (3, 8))
    assert torch.equal(GroupAvgPool2d(P4M, 3, 2, divisor_override=3)(x), averaged)
    norm = GroupBatchNorm(P4M, 3).double()
    wanted = (x - x.mean((0, 2, 3, 4), keepdim=True)) / (
        x.var((0, 2, 3, 4), keepdim=True, unbiased=False) + 1e-5
    ).sqrt()
    assert torch.allclose(norm(x), wanted)
    assert torch.allclose(norm.running_mean, 0.1 * x.mean((0, 2, 3, 4)))
    pixel = (x - x.mean((1, 2), keepdim=True)) / (
        x.var((1, 2), keepdim=True, unbiased=False) + 1e-5
    ).sqrt()
    assert torch.allclose(GroupLayerNorm(P4M, 3).double()(x), pixel)


@oracle_of(GroupDownsample2d)
@pytest.mark.parametrize(
    ("size", "stride", "taps"),
    [(9, 2, [1, 2, 1]), (8, 2, [1, 2, 2, 1]), (7, 3, [1, 2, 3, 2, 1]), (5, 1, [1])],
)
def test_downsampling_filters(size: int, stride: int, taps: list[int]) -> None:
    wanted = torch.tensor(taps, dtype=torch.float64) / sum(taps)
    assert torch.allclose(GroupDownsample2d(P4, 1, stride).blur(size), wanted)


def test_downsampling_keeps_constants_and_removes_a_chessboard() -> None:
    halve = GroupDownsample2d(P4, 1)
    assert torch.allclose(halve(torch.ones(1, 1, 4, 8, 8)), torch.ones(1, 1, 4, 4, 4))
    stripes = torch.ones(1, 1, 4, 16, 16)
    stripes[..., ::2] = -1
    assert float(halve(stripes)[..., 1:-1].abs().max()) < 1e-6


@oracle_of(InvariantReadout)
def test_read_outs_are_two_reductions() -> None:
    """Over the group first, then over space; a norm is the root of the sum of squares."""
    x = sample(GroupPool(P4M, 3).in_field, 6)
    over_group = {"max": x.amax(2), "mean": x.mean(2), "norm": x.square().sum(2).sqrt()}
    for mode, maps in over_group.items():
        for space, wanted in (("mean", maps.mean((2, 3))), ("max", maps.amax((2, 3)))):
            assert torch.allclose(InvariantReadout(P4M, 3, mode, space)(x), wanted)
