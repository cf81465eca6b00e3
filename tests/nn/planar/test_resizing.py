"""Layers that change the size of maps, and norms of one sample, against torch and definitions."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.groups import P4, P4M, PointGroup
from equivlab.nn import (
    FieldModule,
    GroupAdaptiveAvgPool2d,
    GroupAdaptiveMaxPool2d,
    GroupAlign2d,
    GroupAvgPool2d,
    GroupBlockNorm,
    GroupConv2d,
    GroupConvTranspose2d,
    GroupLinear,
    GroupMaxPool2d,
    GroupPad2d,
    GroupStripConv2d,
    GroupUpsample2d,
    LiftingConv2d,
    LiftingStripConv2d,
    OrientedLayerNorm,
)
from tests.laws import BOUNDS, assert_law, relative, sample
from tests.nn.oracles import oracle_of

GROUPS = pytest.mark.parametrize("group", [P4, P4M], ids=str)


@oracle_of(GroupAdaptiveAvgPool2d, GroupAdaptiveMaxPool2d, GroupUpsample2d)
def test_each_map_is_what_torch_makes_of_it() -> None:
    x = sample(GroupAdaptiveAvgPool2d(P4M, 3).in_field, 11)
    flat = x.flatten(1, 2)
    pairs: list[tuple[FieldModule, nn.Module]] = [
        (GroupAdaptiveAvgPool2d(P4M, 3, 4), nn.AdaptiveAvgPool2d(4)),
        (GroupAdaptiveMaxPool2d(P4M, 3, (4, 4)), nn.AdaptiveMaxPool2d(4)),
        (GroupUpsample2d(P4M, 3, scale_factor=3), nn.Upsample(scale_factor=3)),
        (GroupUpsample2d(P4M, 3, 17, mode="bicubic"), nn.Upsample(17, mode="bicubic")),
    ]
    for layer, plain in pairs:
        assert torch.equal(layer(x).flatten(1, 2), plain(flat))


def test_to_the_size_of_another() -> None:
    x = sample(GroupUpsample2d(P4, 3).in_field, 5)
    layer = GroupUpsample2d(P4, 3, mode="bilinear")
    assert layer(x, torch.zeros(1, 9, 4, 12, 8)).shape == (2, 3, 4, 12, 8)
    with pytest.raises(ValueError, match="call it with like="):
        layer(x)
    with pytest.raises(ValueError, match="a size or a scale_factor; got both"):
        GroupUpsample2d(P4, 3, 4, 2)
    with pytest.raises(ValueError, match="mode is one of 'nearest'"):
        GroupUpsample2d(P4, 3, 4, mode="linear")
    assert GroupUpsample2d(P4, 3, scale_factor=1.5).is_exact(5)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic", "area"])
@pytest.mark.parametrize("how", [{"size": 8}, {"size": (4, 4)}, {"scale_factor": 1.5}], ids=str)
def test_uneven_enlarging_asks_every_corner(mode: str, how: dict[str, float]) -> None:
    layer = GroupUpsample2d(P4M, 3, mode=mode, **how)  # type: ignore[arg-type]
    x = sample(layer.in_field, 5)
    assert_law(layer, x)
    flat = x.flatten(1, 2)
    each = [
        F.interpolate(flat.flip(axes), **how, mode=mode).flip(axes)  # type: ignore[arg-type]
        for axes in ([], [2], [3], [2, 3])
    ]
    assert relative(layer(x).flatten(1, 2), torch.stack(each).mean(0)) < 1e-12
    if mode == "nearest":
        assert relative(each[0], each[3]) > 1e-2


WINDOWS = [
    (k, s, p, d)
    for k, s, p, d in itertools.product((1, 2, 3, 7), (2, 3, 4), (0, 1, 3), (1, 2))
    if 2 * p <= k
]


@oracle_of(GroupAlign2d)
@pytest.mark.parametrize("ceil", [False, True], ids=["floor", "ceil"])
def test_after_it_every_window_is_exact_and_the_size_is_torchs(ceil: bool) -> None:
    """For every window and size, maxima have the size that torch's own pooling gives."""
    for k, s, p, d in WINDOWS:
        align = GroupAlign2d(P4, 1, k, s, p, d, ceil)
        pool = GroupMaxPool2d(P4, 1, k, s, p, d)
        for size in range(13, 21):
            x = torch.arange(size * 4.0 * size).view(1, 1, 4, size, size)
            aligned = align(x)
            assert pool.is_exact(aligned.shape[-1])
            wanted = F.max_pool2d(x[:, 0], k, s, p, d, ceil_mode=ceil).shape
            assert pool(aligned)[:, 0].shape == wanted, (k, s, p, d, size)
            if pool.is_exact(size):
                assert aligned.data_ptr() == x.data_ptr() or torch.equal(aligned, x)


@GROUPS
@pytest.mark.parametrize("size", [8, 9])
def test_an_aligned_stride_is_exact_on_every_size(group: PointGroup, size: int) -> None:
    for follows in (
        GroupConv2d(group, 3, 2, 3, 2, 1),
        GroupConv2d(group, 3, 2, 1, 2),
        GroupMaxPool2d(group, 3, 3, 2, 1),
        GroupAvgPool2d(group, 3, 2),
    ):
        align = GroupAlign2d(group, 3, follows.kernel_size, 2, follows.padding)
        both = nn.Sequential(align, follows.double())
        both.in_field, both.out_field = align.in_field, follows.out_field  # type: ignore[assignment]
        assert_law(both, sample(align.in_field, size))  # type: ignore[arg-type]


@oracle_of(GroupPad2d)
def test_padding() -> None:
    x = sample(GroupPad2d(P4, 2, 0).in_field, 6)
    flat = x.flatten(1, 2)
    even = GroupPad2d(P4, 2, 4, "reflect")(x).flatten(1, 2)
    assert torch.equal(even, F.pad(flat, (2, 2, 2, 2), "reflect"))
    assert torch.equal(GroupPad2d(P4, 2, -2)(x), x[..., 1:-1, 1:-1])
    odd = GroupPad2d(P4, 2, 1, value=3.0)(x).flatten(1, 2)
    above, below = (F.pad(flat, sides, value=3.0) for sides in ((0, 1, 0, 1), (1, 0, 1, 0)))
    left, right = (F.pad(flat, sides, value=3.0) for sides in ((0, 1, 1, 0), (1, 0, 0, 1)))
    assert torch.allclose(odd, (above + below + left + right) / 4)
    assert torch.equal(GroupPad2d(P4, 2, 0)(x), x)
    with pytest.raises(ValueError, match="padding_mode is one of"):
        GroupPad2d(P4, 2, 1, "edge")
    with pytest.raises(TypeError, match="total must be a whole number"):
        GroupPad2d(P4, 2, 1.5)  # type: ignore[arg-type]


@oracle_of(GroupConvTranspose2d)
@GROUPS
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "groups"),
    [(3, 1, 1, 1, 1), (2, 2, 0, 1, 1), (4, 2, 1, 1, 2), (3, 2, 1, 2, 2)],
)
def test_it_is_the_adjoint_of_a_group_convolution(
    group: PointGroup, kernel: int, stride: int, padding: int, dilation: int, groups: int
) -> None:
    """``⟨T f, h⟩ = ⟨f, C h⟩`` for the group convolution `C` whose filters look back.

    The filter of `C` from field ``o`` to ``i`` is that of `T` from ``i`` to ``o`` at the inverse
    element, turned along: ``ψ_C[i, o](h, y) = ψ_T[o, i](h⁻¹, h⁻¹y)``.
    """
    torch.manual_seed(0)
    rest = (stride, padding, dilation, groups)
    layer = GroupConvTranspose2d(group, 4, 6, kernel, *rest, bias=False).double()
    adjoint = GroupConv2d(group, 6, 4, kernel, *rest, bias=False).double()
    wide = (groups, 6 // groups, 4 // groups, group.order, kernel, kernel)
    given = layer.weight.detach().view(wide)
    turned = torch.stack(
        [group.move(h, given[:, :, :, group.inverse(h)]) for h in group.elements], 3
    )
    adjoint.weight.data = turned.transpose(1, 2).reshape(adjoint.weight.shape)
    f = sample(layer.in_field, 5)
    out = layer(f)
    h = sample(layer.out_field, out.shape[-1])
    assert relative((out * h).sum(), (f * adjoint(h)).sum()) < 1e-12


def test_transposed_bias_and_refusals() -> None:
    layer = GroupConvTranspose2d(P4, 2, 3, 2, 2)
    without = layer(torch.zeros(1, 2, 4, 3, 3))
    assert torch.allclose(without, layer.bias.view(1, 3, 1, 1, 1).expand_as(without))
    assert "padding=1" in repr(GroupConvTranspose2d(P4, 2, 3, 4, 2, padding=1))
    with pytest.raises(ValueError, match=r"cuts padding=2 from every side.*smaller padding"):
        GroupConvTranspose2d(P4, 2, 3, 3, padding=2)(torch.zeros(1, 2, 4, 1, 1))
    assert layer.route(torch.zeros(1, 2, 4, 3, 3)) == "conv2d: transposed"


@oracle_of(LiftingStripConv2d, GroupStripConv2d)
@GROUPS
@pytest.mark.parametrize("sides", [(1, 3), (3, 1), (2, 4)])
def test_strips_are_square_filters_with_zeros(group: PointGroup, sides: tuple[int, int]) -> None:
    side = max(sides)
    padding = tuple((n - 1) // 2 for n in sides)
    for strip_kind, kind in (
        (LiftingStripConv2d, LiftingConv2d), (GroupStripConv2d, GroupConv2d),
    ):  # fmt: skip
        strip = strip_kind(group, 2, 3, sides, padding=padding, dtype=torch.float64)
        square = kind(group, 2, 3, side, padding=(side - 1) // 2, dtype=torch.float64)
        top, left = (side - sides[0]) // 2, (side - sides[1]) // 2
        square.weight.data.zero_()
        square.weight.data[..., top : top + sides[0], left : left + sides[1]] = strip.weight.data
        square.bias.data = strip.bias.data
        x = sample(strip.in_field, 9)
        assert relative(strip(x), square(x)) <= BOUNDS[torch.float64]
        assert strip.route(x).startswith("conv2d")


def test_the_first_orientation_of_a_strip_is_the_plain_one() -> None:
    strip = LiftingStripConv2d(P4, 2, 3, (1, 5), padding=(0, 2), dtype=torch.float64)
    x = sample(strip.in_field, 9)
    plain = F.conv2d(x, strip.weight, strip.bias, padding=(0, 2))
    assert torch.allclose(strip(x)[:, :, 0], plain)
    for sides, padding in (((1, 4), (0, 2)), ((1, 3), (0, 0))):
        with pytest.raises(ValueError, match=r"differ by an even number.*as \(1, 7\)"):
            LiftingStripConv2d(P4, 2, 3, sides, padding=padding)


@oracle_of(GroupLinear)
@GROUPS
def test_a_linear_layer_sees_the_map_turned_back(group: PointGroup) -> None:
    """Its orientation ``g`` is a plain linear layer on what ``g⁻¹`` makes of the map."""
    layer = GroupLinear(group, 2, 3, 4, dtype=torch.float64)
    x = sample(layer.in_field, 4)
    for g in group.elements:
        permuted = torch.stack([x[:, :, group.compose(g, h)] for h in group.elements], 2)
        back = group.move(group.inverse(g), permuted)
        wanted = F.linear(back.flatten(1), layer.weight.flatten(1), layer.bias)
        assert torch.allclose(layer(x)[:, :, g, 0, 0], wanted)
    with pytest.raises(ValueError, match=r"takes maps of 4×4 pixels; got \(5, 5\)"):
        layer(sample(layer.in_field, 5))


def normalised(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    mean, var = x.mean(axes, keepdim=True), x.var(axes, keepdim=True, unbiased=False)
    return (x - mean) / (var + 1e-5).sqrt()


@oracle_of(GroupBlockNorm, OrientedLayerNorm)
@GROUPS
def test_norms_of_one_sample(group: PointGroup) -> None:
    x = sample(GroupBlockNorm(group, 4).in_field, 6)
    weight, bias = torch.rand(2, 4, dtype=torch.float64)
    blocks = x.unflatten(1, (2, 2))
    for layer, wanted in (
        (GroupBlockNorm(group, 4, 2), normalised(blocks, (2, 3, 4, 5)).flatten(1, 2)),
        (GroupBlockNorm(group, 4, 2, oriented=True), normalised(blocks, (2, 4, 5)).flatten(1, 2)),
        (OrientedLayerNorm(group, 4), normalised(x, (1,))),
    ):
        layer.double().load_state_dict({"weight": weight, "bias": bias})
        assert torch.allclose(layer(x), wanted * weight.view(4, 1, 1, 1) + bias.view(4, 1, 1, 1))
    assert GroupBlockNorm(group, 4, affine=False).weight is None
    with pytest.raises(ValueError, match="blocks=3 must divide channels=4"):
        GroupBlockNorm(group, 4, 3)
