"""What a layer in space cannot take or be: each refusal names the remedy; what it does allow."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from equivlab.fields import IrrepMaps, IrrepPoints, IrrepVectors, rotate_voxels
from equivlab.models import PlainCNN3d, PointNetwork, SteerableCNN3d
from equivlab.nn import (
    IrrepAvgPool3d,
    IrrepBatchNorm,
    IrrepDownsample3d,
    IrrepGate,
    IrrepLinear,
    IrrepPointReadout,
    IrrepReadout,
    PointConv,
    SteerableConv3d,
    find_neighbors,
)
from equivlab.so3 import SO3

IRREPS = [
    ("8x", "such as '8x0e \\+ 4x1o'"),
    ("8", "got '8'. Plain channels are scalars: '8x0e'"),
    ("4x1", "e even, o odd"),
    ("hello", "got 'hello'"),
    ("", "at least one channel"),
    ("0x0e", "at least one channel"),
    (8, "Plain channels are scalars"),
    (None, "Plain channels are scalars"),
]


@pytest.mark.parametrize(("irreps", "message"), IRREPS)
@pytest.mark.parametrize("make", [IrrepMaps, IrrepPoints, IrrepVectors, IrrepGate])
def test_irreps_that_are_none(
    make: Callable[[object], object], irreps: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(irreps)


CONV = SteerableConv3d("1x0e + 1x1o", "2x0e", 3)
CALLS = [
    (CONV, torch.zeros(4, 9, 9, 9), r"takes \(B, 4, D, H, W\); got \(4, 9, 9, 9\). Add the batch"),
    (CONV, torch.zeros(2, 4), "It wants 5 axes, not 2"),
    (CONV, torch.zeros(2, 3, 9, 9, 9), r"3 channels; the irreps 1x0e\+1x1o need 4"),
    (CONV, torch.zeros(0, 4, 9, 9, 9), "empty. Skip empty batches"),
    (CONV, torch.zeros(1, 4, 2, 9, 9), "3 voxels a side or more; got .* Use padding=1 with"),
    (CONV, torch.zeros(1, 4, 9, 9, 9).double(), "float64. Convert"),
    (CONV, torch.zeros(1, 4, 9, 9, 9, device="meta"), "weights on cpu; got an input on meta"),
    (
        SteerableConv3d("1x0e", "1x0e", 3, padding=2, padding_mode="reflect"),
        torch.zeros(1, 1, 2, 2, 2),
        "3 voxels a side or more",
    ),
    (IrrepGate("1x0e + 1x1o"), torch.zeros(1, 4, 3, 3, 3), "need 5"),
    (IrrepGate("1x1o", IrrepPoints), torch.zeros(2, 3, 4), "x.flatten"),
    (IrrepBatchNorm("1x1o"), torch.zeros(1, 2, 3, 3, 3), "need 3"),
    (IrrepBatchNorm("1x1o"), torch.zeros(1, 3, 3, 3, 3).double(), "float64"),
    (IrrepAvgPool3d("1x1o", 4), torch.zeros(1, 3, 3, 3, 3), "Use a smaller kernel_size"),
    (IrrepDownsample3d("1x0e", size=8), torch.zeros(1, 1, 9, 9, 9), "size=8; got"),
    (IrrepReadout("1x0e"), torch.zeros(1, 1), "5 axes, not 2"),
    (IrrepLinear("1x0e", "1x0e"), torch.zeros(2, 2), "need 1"),
    (IrrepLinear("1x0e", "1x0e"), torch.zeros(2, 1).double(), "float64"),
]


@pytest.mark.parametrize(("layer", "x", "message"), CALLS)
def test_tensors_that_do_not_fit(
    layer: Callable[[Tensor], Tensor], x: Tensor, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        layer(x)


def test_integers_are_refused() -> None:
    with pytest.raises(TypeError, match=r"x\.float\(\)"):
        CONV(torch.zeros(1, 4, 9, 9, 9, dtype=torch.uint8))


MAKERS: list[tuple[Callable[[], object], str]] = [
    (lambda: SteerableConv3d("1x0e", "1x0e", (3, 3, 5)), "three equal ones; got .* kernel_size=3"),
    (lambda: SteerableConv3d("1x0e", "1x0e", 0), "kernel_size must be 1 or more; got 0"),
    (lambda: SteerableConv3d("1x0e", "1x0e", 3, stride=0), "stride must be 1 or more"),
    (lambda: SteerableConv3d("1x0e", "1x0e", 3, padding=-1), "padding must be 0 or more"),
    (lambda: SteerableConv3d("1x0e", "1x0e", 3, padding="full"), "'same' or 'valid'; got 'full'"),
    (lambda: SteerableConv3d("1x0e", "1x0e", 3, 2, "same"), "use IrrepDownsample3d"),
    (lambda: SteerableConv3d("1x0e", "1x0e", 3, padding_mode="wrap"), "one of 'zeros', 'reflect'"),
    (lambda: SteerableConv3d("1x0e", "1x0e", 3, width=0.0), "width must be more than 0"),
    (lambda: SteerableConv3d("1x0e", "1x1e", 3), "leads to 1e, so it would stay 0"),
    (lambda: SteerableConv3d("1x0e", "1x0e + 1x1o", 1), "Use a larger kernel_size"),
    (lambda: SteerableConv3d("1x0e", "1x3o", 3), "leads to 3o"),
    (lambda: IrrepDownsample3d("1x0e", 0), "stride must be 1 or more"),
    (lambda: IrrepAvgPool3d("1x0e", 3, padding=2), "padding up to half"),
    (lambda: SteerableConv3d("1x0e", "1x0e", 3, profile="box"), "one of 'shells', 'gaussian'"),  # type: ignore[arg-type]
    (
        lambda: SteerableConv3d("1x0e", "1x4e", 7, profile="gaussian"),
        "no kernel of size 7 leads to 4e",
    ),
    (lambda: IrrepReadout("1x0e", "sum"), "one of mean, max, rms; got 'sum'"),  # type: ignore[arg-type]
    (lambda: IrrepPointReadout("1x0e", "min"), "got 'min'"),  # type: ignore[arg-type]
    (lambda: PointConv("1x0e", "1x0e", -1.0), "cutoff must be above 0; got -1"),
    (lambda: PointConv("1x0e", "1x0e", math.nan), "cutoff must be above 0"),
    (lambda: PointConv("1x0e", "1x0e", 1.0, lmax=-1), "lmax must be 0 or more; got -1"),
    (lambda: PointConv("1x0e", "1x3o", 1.0), "leads to 3o, so it would stay 0. Raise lmax"),
    (lambda: PointNetwork(classes=1, cutoff=1.0, pooling="min"), "got 'min'"),  # type: ignore[arg-type]
    (lambda: SteerableCNN3d(("4x0e",)), "one kernel size for each stage"),
    (lambda: PlainCNN3d(widths=(4, 4)), "one kernel size for each stage"),
]


@pytest.mark.parametrize(("make", "message"), MAKERS)
def test_layers_that_cannot_be(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


POINTS = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
BATCH = torch.zeros(10, dtype=torch.long)
CLOUDS: list[tuple[Callable[[], object], str]] = [
    (lambda: find_neighbors(torch.zeros(0, 3), 1.0), r"got \(0, 3\). .* leave empty clouds out"),
    (lambda: find_neighbors(torch.zeros(5, 2), 1.0), r"positions \(N, 3\)"),
    (lambda: find_neighbors(torch.zeros(2, 5, 3), 1.0), "Put a batch of clouds in one list"),
    (
        lambda: find_neighbors(torch.full((2, 3), math.nan), 1.0),
        "NaN or infinity in 2 of 2 points",
    ),
    (lambda: find_neighbors(torch.tensor([[0, 0, math.inf]]), 1.0), "Drop them"),
    (lambda: find_neighbors(POINTS, 0.0), "cutoff above 0; got 0"),
    (lambda: find_neighbors(POINTS, math.inf), "cutoff above 0; got inf"),
    (lambda: find_neighbors(POINTS, 1e-3), "joins none of 10 points: the nearest two .* apart"),
    (lambda: find_neighbors(POINTS, 1.0, BATCH[:5]), r"\(10,\) integers; got \(5,\)"),
    (lambda: find_neighbors(POINTS, 1.0, BATCH.float()), "got .* of torch.float32"),
    (lambda: find_neighbors(POINTS, 1.0, BATCH.to("meta")), "batch is on meta. Move"),
    (lambda: find_neighbors(POINTS, 1.0, cell=torch.zeros(3, 3)), "with a volume"),
    (lambda: find_neighbors(POINTS, 1.0, cell=torch.eye(2)), r"rows, \(3, 3\)"),
    (lambda: find_neighbors(POINTS, 1.0, cell=math.nan * torch.eye(3)), "finite and with a volume"),
    (
        lambda: find_neighbors(POINTS, 1.0, cell=torch.diag(torch.tensor([4.0, 4.0, 0.0]))),
        "where nothing repeats give an edge longer than",
    ),
    (lambda: find_neighbors(POINTS, 1.0, cell=torch.arange(9.0).view(3, 3)), "with a volume"),
]


@pytest.mark.parametrize(("find", "message"), CLOUDS)
def test_clouds_that_are_none(find: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find()


@pytest.mark.parametrize("points", [[[0.0, 0, 0]], torch.zeros(2, 3, dtype=torch.long)])
def test_positions_of_another_kind(points: object) -> None:
    with pytest.raises(TypeError, match=r"torch\.as_tensor"):
        find_neighbors(points, 1.0)  # type: ignore[arg-type]


def test_point_convolution_says_what_does_not_fit() -> None:
    layer, near = PointConv("2x0e", "1x0e", 1.5), find_neighbors(POINTS, 1.5)
    with pytest.raises(ValueError, match="one feature for each point; got 9 features"):
        layer(torch.ones(9, 2), near)
    with pytest.raises(ValueError, match=r"find_neighbors\(positions, cutoff=1.5\)"):
        layer(torch.ones(10, 2), find_neighbors(POINTS, 1.6))
    with pytest.raises(ValueError, match=r"positions of torch.float64"):
        layer(torch.ones(10, 2), find_neighbors(POINTS.double(), 1.5))
    with pytest.raises(ValueError, match="weights on cpu; got an input on meta"):
        layer(torch.ones(10, 2, device="meta"), near)


def test_a_cloud_number_without_points_is_refused() -> None:
    with pytest.raises(ValueError, match="cloud 1 of 3 has no points"):
        IrrepPointReadout("2x0e")(torch.ones(4, 2), torch.tensor([0, 0, 2, 2]))
    numbers = torch.tensor([0, 0, 1, 1])
    for batch in (numbers[:, None], numbers[:3], numbers.float()):
        with pytest.raises(ValueError, match=r"each point's cloud, \(4,\) integers; got"):
            IrrepPointReadout("2x0e")(torch.ones(4, 2), batch)
    with pytest.raises(ValueError, match=r"are numbered 0, 1, 2, …; got -1"):
        IrrepPointReadout("2x0e")(torch.ones(4, 2), numbers - 1)
    for kind in (torch.uint8, torch.int16, torch.int32):
        assert IrrepPointReadout("2x0e")(torch.ones(4, 2), numbers.to(kind)).shape == (2, 2)


def test_a_last_cloud_without_points_is_not_lost() -> None:
    """Its number stands nowhere in `batch`; the number of clouds tells."""
    x, batch = torch.ones(4, 2), torch.tensor([0, 0, 1, 1])
    layer = IrrepPointReadout("2x0e")
    assert layer(x, batch, clouds=2).shape == (2, 2)
    with pytest.raises(ValueError, match=r"cloud 2 of 3 has no points\. Leave"):
        layer(x, batch, clouds=3)
    with pytest.raises(ValueError, match=r"was told of clouds=1; batch numbers 2\."):
        layer(x, batch, clouds=1)
    near = find_neighbors(torch.arange(12.0).view(4, 3), 20.0, batch)
    network = PointNetwork("4x0e + 2x1o", "2x0e", 3, cutoff=20.0, layers=1)
    with pytest.raises(ValueError, match="PointNetwork: cloud 2 of 3 has no points"):
        network(x, near, batch, clouds=3)


def test_an_isolated_point_keeps_its_own_features_alone() -> None:
    points = torch.cat([POINTS, torch.tensor([[100.0, 0, 0]])])
    layer = PointConv("2x0e", "2x0e + 1x1o", 1.5)
    x = torch.randn(11, 2)
    y = layer(x, find_neighbors(points, 1.5))
    assert layer.own is not None
    assert torch.equal(y[10], layer.own(x)[10])
    assert float(y[10, 2:].detach().abs().max()) == 0
    assert bool(torch.isfinite(y).all())


def test_a_single_point_is_a_cloud() -> None:
    near = find_neighbors(torch.zeros(1, 3), 1.0)
    assert len(near) == 0
    assert PointConv("1x0e", "2x0e", 1.0)(torch.ones(1, 1), near).shape == (1, 2)


def test_features_that_lead_nowhere_are_left_out() -> None:
    layer = PointConv("1x0e + 1x3o", "2x0e", 1.5, lmax=1)
    near, x = find_neighbors(POINTS, 1.5), torch.randn(10, 8)
    other = torch.cat([x[:, :1], torch.randn(10, 7)], 1)
    assert torch.equal(layer(x, near), layer(other, near))


def test_coincident_points_exchange_scalars_only_and_gradients_stay_finite() -> None:
    points = torch.zeros(2, 3, requires_grad=True)
    near = find_neighbors(points, 1.0)
    assert len(near) == 2
    layer = PointConv("2x0e", "2x0e + 2x1o", 1.0)
    y = layer(torch.randn(2, 2), near)
    assert float(y[:, 2:].detach().abs().max()) == 0
    y.sum().backward()
    assert points.grad is not None
    assert bool(torch.isfinite(points.grad).all())


def test_rotations_that_voxels_cannot_take() -> None:
    free = SO3.random_element(torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match=r"cubic grids .* got \(1, 1, 4, 5, 5\)"):
        rotate_voxels(torch.zeros(1, 1, 4, 5, 5), free)
    with pytest.raises(ValueError, match="one for each of the 2 samples"):
        rotate_voxels(torch.zeros(2, 1, 4, 4, 4), free.expand(3, 3, 3))
    with pytest.raises(ValueError, match="or a reflection"):
        rotate_voxels(torch.zeros(2, 1, 4, 4, 4), -torch.eye(3))
    with pytest.raises(ValueError, match=r"x\[None\]"):
        rotate_voxels(torch.zeros(4, 4, 4), free)
