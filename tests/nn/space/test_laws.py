"""The law for every layer in space: the 24 rotations of the cube on voxels, all on points."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from equivlab.fields import IrrepMaps, IrrepPoints
from equivlab.nn import (
    FieldModule,
    IrrepBatchNorm,
    IrrepDownsample3d,
    IrrepGate,
    IrrepLinear,
    IrrepNorms,
    IrrepPointReadout,
    IrrepReadout,
    PointConv,
    SteerableConv3d,
    find_neighbors,
)
from equivlab.so3 import SO3
from tests.laws import SPACE_BOUNDS as BOUNDS
from tests.laws import relative
from tests.nn.space.layers import (
    ALL_PARITIES,
    CUBE,
    MAP_LAYERS,
    POINT_BOUND,
    cloud,
    cube_error,
    maps,
)

DTYPES = pytest.mark.parametrize("dtype", BOUNDS, ids=str)


def conv(kernel: int, dtype: torch.dtype, **options: object) -> SteerableConv3d:
    """A convolution between all parities, with a bias that is not 0."""
    torch.manual_seed(kernel)
    layer = SteerableConv3d(
        ALL_PARITIES, "2x0e + 1x0o + 1x1o + 1x1e + 1x2e + 1x3o", kernel, dtype=dtype, **options
    )
    assert layer.bias is not None
    nn.init.normal_(layer.bias)
    return layer


@DTYPES
@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_convolution(kernel: int, stride: int, dtype: torch.dtype) -> None:
    layer = conv(kernel, dtype, stride=stride, padding=kernel // 2)
    size = 7  # odd: stride 2 is exact there
    assert layer.is_exact(size)
    assert cube_error(layer, maps(layer.in_field.channels, size, dtype)) < BOUNDS[dtype]


@DTYPES
@pytest.mark.parametrize(
    ("kernel", "size", "options"),
    [
        (3, 7, {"padding": 1}),
        (5, 7, {"padding": "same", "width": 0.8}),
        (7, 7, {"padding": 3, "stride": 2}),
        (14, 16, {"padding": 6, "stride": 2, "width": 2.0}),
        (5, 7, {"padding": 2, "padding_mode": "reflect"}),
        (3, 7, {"padding": "same", "dilation": 2}),
    ],
    ids=str,
)
def test_convolution_with_smooth_kernels(
    kernel: int, size: int, options: dict[str, object], dtype: torch.dtype
) -> None:
    layer = conv(kernel, dtype, profile="gaussian", **options)
    assert layer.is_exact(size)
    x = maps(layer.in_field.channels, size, dtype)
    assert cube_error(layer, x) < BOUNDS[dtype]


def test_smooth_kernels_keep_free_rotations_of_what_the_grid_resolves() -> None:
    """A blob turned freely: the vectors turn along, to a part in a thousand."""
    at = torch.arange(17, dtype=torch.float64) - 8
    z, y, x = torch.meshgrid(at, at, at, indexing="ij")
    places = torch.stack([x, y, z], -1)
    spots = torch.tensor([[2.0, 0, 0], [-1, 2, 0.5], [0, -1, -2], [1, 1, 1]], dtype=torch.float64)
    turn = SO3.random_element(torch.Generator().manual_seed(0))

    def blobs(at: Tensor) -> Tensor:
        distance = torch.cdist(places.view(-1, 3), at)
        return torch.exp(-(distance**2) / 2).sum(1).view(1, 1, 17, 17, 17)

    def error(**options: object) -> float:
        torch.manual_seed(0)
        layer = SteerableConv3d("1x0e", "4x1o + 4x2e", 7, padding=3, dtype=torch.float64, **options)
        norms = IrrepReadout(layer.out_field.irreps)
        return relative(norms(layer(blobs(spots @ turn.T))), norms(layer(blobs(spots))))

    smooth = error(profile="gaussian")
    assert smooth < 1e-3
    assert smooth < error()


@DTYPES
@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        (1, {}),
        (2, {}),
        (4, {"padding": 1}),
        (3, {"padding": "same", "padding_mode": "circular"}),
        (3, {"padding": 1, "padding_mode": "reflect"}),
        (3, {"padding": 1, "padding_mode": "replicate"}),
        (3, {"dilation": 2, "padding": "same"}),
        (5, {"padding": "valid", "width": 0.9, "lmax": 1}),
        (3, {"bias": True, "padding": 2, "stride": 2}),
    ],
    ids=str,
)
def test_convolution_with_options(
    kernel: int, options: dict[str, object], dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    out = "1x0e + 2x1o" if kernel == 1 else "1x0e + 2x1o + 1x1e"  # one voxel knows no direction
    layer = SteerableConv3d("2x0e + 1x1o", out, kernel, dtype=dtype, **options)
    size = 7
    assert layer.is_exact(size)
    assert cube_error(layer, maps(5, size, dtype)) < BOUNDS[dtype]


@pytest.mark.parametrize(("size", "padding"), [(8, 1), (6, 1)])
def test_a_stride_on_the_wrong_parity_is_said_to_be_inexact_and_is(size: int, padding: int) -> None:
    layer = SteerableConv3d("1x0e", "1x0e + 1x1o", 3, stride=2, padding=padding)
    assert not layer.is_exact(size)
    assert cube_error(layer, maps(1, size, torch.float32)) > 0.1


@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_convolution_commutes_with_the_inversion_of_space(kernel: int) -> None:
    layer = conv(kernel, torch.float64, padding=kernel // 2)
    x = maps(layer.in_field.channels, 7, torch.float64)

    def inverted(field: IrrepMaps, f: Tensor) -> Tensor:
        signs = [torch.full((m * irrep.dim,), irrep.p) for m, irrep in field.irreps]
        return f.flip(2, 3, 4) * torch.cat(signs)[:, None, None, None]

    assert relative(layer(inverted(layer.in_field, x)), inverted(layer.out_field, layer(x))) < 1e-12


def test_gradients_obey_the_law() -> None:
    layer = conv(3, torch.float64, padding=1)
    x = maps(layer.in_field.channels, 5, torch.float64)
    v = maps(layer.out_field.channels, 5, torch.float64)

    def gradients(x: Tensor, v: Tensor) -> list[Tensor]:
        x = x.clone().requires_grad_()
        return list(torch.autograd.grad((layer(x) * v).sum(), [x, *layer.parameters()]))

    of_x, *of_weights = gradients(x, v)
    for g in CUBE[[3, 11, 20]]:
        x_too, *weights_too = gradients(layer.in_field.act(g, x), layer.out_field.act(g, v))
        assert relative(x_too, layer.in_field.act(g, of_x)) < 1e-12
        assert max(map(relative, weights_too, of_weights)) < 1e-12


def test_a_free_rotation_of_smooth_features_costs_about_what_interpolation_does() -> None:
    """Not exact on a grid: the error stays beside that of turning there and back."""
    torch.manual_seed(0)
    layer = SteerableConv3d("1x0e", "4x0e + 2x1o + 1x2e", 5, padding="same", bias=False).double()
    at = torch.arange(25, dtype=torch.float64) - 12
    z, y, x = torch.meshgrid(at, at, at, indexing="ij")
    blob = torch.exp(-((x - 3) ** 2 + (y + 2) ** 2 + 0.5 * z**2) / 12)[None, None]
    inside = (x**2 + y**2 + z**2 <= 10**2).double()
    for g in SO3.random_elements(3, torch.Generator().manual_seed(0)):
        turned = layer.in_field.act(g, blob)
        there_and_back = layer.in_field.act(SO3.inverse(g), turned)
        baseline = relative(there_and_back * inside, blob * inside)
        error = relative(layer(turned) * inside, layer.out_field.act(g, layer(blob)) * inside)
        assert 1e-4 < error < 2 * baseline + 0.02


@DTYPES
@pytest.mark.parametrize("layer", MAP_LAYERS, ids=repr)
@pytest.mark.parametrize("size", [6, 8])
def test_the_other_layers_on_voxels(layer: FieldModule, size: int, dtype: torch.dtype) -> None:
    layer = layer.to(dtype).eval()
    assert cube_error(layer, maps(layer.in_field.channels, size, dtype)) < BOUNDS[dtype]


@pytest.mark.parametrize("size", [7, 9, 10])
@pytest.mark.parametrize("stride", [2, 3, 4])
def test_downsampling_is_exact_on_every_size(size: int, stride: int) -> None:
    layer = IrrepDownsample3d("1x0e + 1x1o", stride)
    x = maps(4, size, torch.float64)
    assert layer.is_exact(size)
    assert layer(x).shape[2:] == 3 * (math.ceil(size / stride),)
    assert cube_error(layer, x) < 1e-12


def test_batch_norm_obeys_the_law_in_training() -> None:
    """The statistics of a turned batch are those of the batch, so both normalise alike."""
    layer = IrrepBatchNorm(ALL_PARITIES, dtype=torch.float64)
    x = 3 * maps(layer.in_field.channels, 4, torch.float64, batch=3) + 1
    y = layer(x)
    for g in CUBE[[1, 5, 17]]:
        turned = IrrepBatchNorm(ALL_PARITIES, dtype=torch.float64)
        assert relative(turned(layer.in_field.act(g, x)), layer.out_field.act(g, y)) < 1e-12
        assert relative(turned.var, layer.var) < 1e-12


@DTYPES
@pytest.mark.parametrize("degree", [1, 3])
def test_point_convolution_under_every_motion(degree: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = PointConv(ALL_PARITIES, ALL_PARITIES, 2.0, degree, dtype=dtype)
    points, batch = cloud(dtype)
    x = torch.randn(60, layer.in_field.channels, dtype=dtype)
    y = layer(x, find_neighbors(points, 2.0, batch))
    generator = torch.Generator().manual_seed(1)
    for g in SO3.random_elements(5, generator):
        shift = 3 * torch.randn(3, generator=generator)
        moved = layer.in_field.move(g, points, shift)
        turned = layer(layer.in_field.act(g, x), find_neighbors(moved, 2.0, batch))
        assert relative(turned, layer.out_field.act(g, y)) < POINT_BOUND


def test_point_convolution_commutes_with_mirrors() -> None:
    torch.manual_seed(0)
    layer = PointConv(ALL_PARITIES, ALL_PARITIES, 2.0, 2, dtype=torch.float64)
    points, batch = cloud(torch.float64)
    x = torch.randn(60, layer.in_field.channels, dtype=torch.float64)
    signs = torch.cat([torch.full((m * i.dim,), i.p) for m, i in layer.in_field.irreps])
    mirrored = layer(x * signs, find_neighbors(-points, 2.0, batch))
    assert relative(mirrored, signs * layer(x, find_neighbors(points, 2.0, batch))) < 1e-12


def test_point_convolution_does_not_care_about_the_order_of_points() -> None:
    layer = PointConv("2x0e + 1x1o", "2x0e + 2x1o", 2.0, dtype=torch.float64)
    points, batch = cloud(torch.float64)
    x = torch.randn(60, 5, dtype=torch.float64)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    y = layer(x, find_neighbors(points, 2.0, batch))
    shuffled = layer(x[order], find_neighbors(points[order], 2.0, batch[order]))
    assert relative(shuffled, y[order]) < 1e-12


def test_forces_turn_with_the_points() -> None:
    """Minus the gradient of an invariant in the positions is a vector at each point."""
    torch.manual_seed(0)
    layer = PointConv("2x0e", "2x0e + 1x1o", 2.0, dtype=torch.float64)
    energy = IrrepNorms("2x0e + 1x1o", IrrepPoints)
    x = torch.ones(60, 2, dtype=torch.float64)

    def forces(points: Tensor) -> Tensor:
        points = points.clone().requires_grad_()
        near = find_neighbors(points, 2.0)
        return torch.autograd.grad(-energy(layer(x, near)).sum(), points)[0]

    points, _ = cloud(torch.float64)
    g = SO3.random_element(torch.Generator().manual_seed(2))
    assert relative(forces(points @ g.T), forces(points) @ g.T) < 1e-10


@DTYPES
def test_the_other_layers_on_points(dtype: torch.dtype) -> None:
    x = torch.randn(12, IrrepPoints(ALL_PARITIES).channels).to(dtype)
    batch = torch.tensor([0] * 5 + [1] * 7)
    layers: list[FieldModule] = [
        IrrepGate(ALL_PARITIES, IrrepPoints),
        IrrepBatchNorm(ALL_PARITIES, IrrepPoints, dtype=dtype),
        IrrepNorms(ALL_PARITIES, IrrepPoints),
        IrrepLinear(ALL_PARITIES, "3x0e + 2x1o + 1x2o", bias=True, dtype=dtype),
    ]
    for g in SO3.random_elements(3, torch.Generator().manual_seed(0)):
        for layer in layers:
            f = torch.randn(12, layer.in_field.channels).to(dtype)
            layer.eval()
            turned = layer(layer.in_field.act(g, f))
            assert relative(turned, layer.out_field.act(g, layer(f))) < BOUNDS[dtype]
        for space in ("mean", "sum", "max"):
            readout = IrrepPointReadout(ALL_PARITIES, space)
            found = readout(readout.in_field.act(g, x), batch)
            assert relative(found, readout(x, batch)) < BOUNDS[dtype]
