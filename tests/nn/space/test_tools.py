"""Printing, saving, converting, caching: what a network of layers in space goes through."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from equivlab.fields import IrrepPoints
from equivlab.models import PointNetwork, SteerableCNN3d
from equivlab.nn import (
    IrrepAvgPool3d,
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
from equivlab.transfer import load, save, to_plain
from tests.laws import relative


def test_importing_the_layers_does_not_import_e3nn() -> None:
    """It takes a second, and the planar part does not need it."""
    code = "import equivlab.nn, equivlab.models, sys; sys.exit('e3nn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def trained(size: int) -> SteerableCNN3d:
    """A network whose every number has moved away from where it starts."""
    torch.manual_seed(0)
    model = SteerableCNN3d(in_channels=2, classes=3, size=size)
    model(torch.rand(4, 2, size, size, size))
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model.eval()


@pytest.mark.parametrize("size", [10, 11, 12])
def test_to_plain_gives_an_ordinary_network(size: int) -> None:
    model = trained(size)
    x = torch.rand(2, 2, size, size, size)
    plain = to_plain(model)
    assert relative(plain(x), model(x)) < 1e-5
    kinds = {type(module).__name__ for module in plain.modules()}
    assert {"Conv3d", "BatchNorm3d", "AvgPool3d"} <= kinds
    assert not any(kind.startswith(("Irrep", "SteerableConv")) for kind in kinds)
    assert not any(type(m).__module__.startswith("equivlab.nn") for m in plain.modules())


@pytest.mark.parametrize(
    "options",
    [
        {"padding": "same"},
        {"padding": 1, "stride": 2},
        {"dilation": 2},
        {"padding": 1, "padding_mode": "circular"},
        {"bias": False},
    ],
    ids=str,
)
def test_to_plain_keeps_every_option_of_a_convolution(options: dict[str, object]) -> None:
    layer = SteerableConv3d("1x0e + 1x1o", "2x0e + 1x1o", 3, **options)  # type: ignore[arg-type]
    if layer.bias is not None:
        nn.init.normal_(layer.bias)
    x = torch.randn(1, 4, 7, 7, 7)
    plain = to_plain(layer)
    assert type(plain) is nn.Conv3d
    assert relative(plain(x), layer(x)) < 1e-6


def test_to_plain_converts_the_other_layers() -> None:
    layers = nn.Sequential(IrrepAvgPool3d("1x0e + 1x1o", 2), IrrepNorms("1x0e + 1x1o"))
    x = torch.randn(2, 4, 6, 6, 6)
    assert relative(to_plain(layers)(x), layers(x)) < 1e-6


def test_to_plain_says_that_downsampling_needs_the_size() -> None:
    with pytest.raises(TypeError, match=r"IrrepDownsample3d\(\.\.\., size=16\)"):
        to_plain(nn.Sequential(IrrepDownsample3d("1x0e")))


def test_going_to_double_precision_does_not_keep_the_rounding_of_single() -> None:
    layer = SteerableConv3d("1x0e", "1x2e", 3)
    made = SteerableConv3d("1x0e", "1x2e", 3, dtype=torch.float64)
    assert torch.equal(layer.double().basis, made.basis)
    product = PointConv("1x0e", "1x2e", 1.0).double().products[0]
    wanted = PointConv("1x0e", "1x2e", 1.0, dtype=torch.float64).products[0]
    assert torch.equal(product.get_buffer("coupling"), wanted.get_buffer("coupling"))


def test_the_kernel_is_remembered_and_never_stale() -> None:
    layer = SteerableConv3d("1x0e", "2x0e + 1x1o", 3)
    with torch.no_grad():
        first = layer.kernel()[0]
        assert layer.kernel()[0] is first
        layer.weight.data[0] += 1  # noticed, though no hook sees it
        second = layer.kernel()[0]
        assert not torch.equal(first, second)
        layer.load_state_dict(SteerableConv3d("1x0e", "2x0e + 1x1o", 3).state_dict())
        assert not torch.equal(second, layer.kernel()[0])
    assert layer.kernel()[0].requires_grad


def test_a_copy_learns_by_itself() -> None:
    layer = SteerableConv3d("1x0e", "1x0e", 3)
    with torch.no_grad():
        before = layer.kernel()[0].clone()
    other = copy.deepcopy(layer)
    with torch.no_grad():
        other.weight.zero_()
        assert float(other.kernel()[0].abs().max()) == 0
        assert torch.equal(layer.kernel()[0], before)


def test_the_state_is_what_is_learned(tmp_path: Path) -> None:
    """Tables are made anew, so files stay small and load into any dtype."""
    layer = SteerableConv3d("1x0e", "2x0e + 1x1o", 5)
    assert set(layer.state_dict()) == {"weight", "bias"}
    model = trained(10)
    save(model, tmp_path / "weights.safetensors")
    other = load(
        SteerableCNN3d(in_channels=2, classes=3, size=10), tmp_path / "weights.safetensors"
    )
    x = torch.rand(1, 2, 10, 10, 10)
    assert torch.equal(other.eval()(x), model(x))


def test_point_networks_are_saved_too(tmp_path: Path) -> None:
    model, other = (PointNetwork("4x0e + 2x1o", classes=2, cutoff=1.5, layers=2) for _ in range(2))
    save(model, tmp_path / "weights.safetensors")
    load(other, tmp_path / "weights.safetensors")
    points = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    near = find_neighbors(points, 1.5)
    assert torch.equal(model(torch.ones(8, 1), near), other(torch.ones(8, 1), near))


def test_layers_print_their_fields() -> None:
    conv = SteerableConv3d("1x0e", "1x0e", 3, stride=2, padding=1, padding_mode="circular")
    assert repr(conv) == (
        "SteerableConv3d(IrrepMaps('1x0e') -> IrrepMaps('1x0e'), kernel_size=3, stride=2, "
        "padding=1, padding_mode='circular')"
    )
    assert "cutoff=2.0, lmax=2" in repr(PointConv("1x0e", "1x0e", 2.0))
    assert (
        repr(IrrepBatchNorm("1x1o")) == "IrrepBatchNorm(IrrepMaps('1x1o'), eps=1e-05, momentum=0.1)"
    )


def test_the_gate_takes_another_function() -> None:
    gate = IrrepGate("2x0e", activation=torch.relu)
    x = torch.randn(1, 2, 3, 3, 3)
    assert torch.equal(gate(x), torch.relu(x))


def test_neighbours_remember_only_what_has_no_gradient() -> None:
    points = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    near = find_neighbors(points, 2.0)
    assert near.harmonics(2) is near.harmonics(2)
    moving = find_neighbors(points.requires_grad_(), 2.0)
    assert moving.distance() is not moving.distance()
    assert moving.distance().requires_grad


def test_a_kernel_kept_in_inference_mode_serves_autograd_later() -> None:
    layer = SteerableConv3d("1x0e", "2x0e + 1x1o", 3).requires_grad_(False)
    x = torch.randn(1, 1, 5, 5, 5, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        layer(x)
    layer(x.requires_grad_()).sum().backward()
    assert x.grad is not None
    assert bool(torch.isfinite(x.grad).all())


KINDS = "2x0e + 2x1o + 1x2e"  # 13 channels
POINTS = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def clean_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.slow
@pytest.mark.usefixtures("clean_dynamo")
@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: SteerableConv3d(KINDS, KINDS, 3, padding=1), (1, 13, 4, 4, 4)),
        (lambda: SteerableConv3d(KINDS, KINDS, 3, profile="gaussian"), (1, 13, 5, 5, 5)),
        (lambda: IrrepGate(KINDS), (1, 16, 3, 3, 3)),
        (lambda: IrrepGate(KINDS, IrrepPoints), (5, 16)),
        (lambda: IrrepBatchNorm(KINDS), (2, 13, 3, 3, 3)),
        (lambda: IrrepNorms(KINDS), (1, 13, 3, 3, 3)),
        (lambda: IrrepLinear(KINDS, KINDS, True), (5, 13)),
        (lambda: IrrepAvgPool3d(KINDS, 2), (1, 13, 4, 4, 4)),
        (lambda: IrrepDownsample3d(KINDS), (1, 13, 5, 5, 5)),
        (lambda: IrrepReadout(KINDS), (1, 13, 3, 3, 3)),
        (lambda: IrrepReadout(KINDS, "rms"), (1, 13, 3, 3, 3)),
        (lambda: PointConv(KINDS, KINDS, 2.0), (12, 13)),
    ],
)
def test_layers_are_compiled_without_a_graph_break(
    make: Callable[[], nn.Module], shape: tuple[int, ...]
) -> None:
    layer = make()
    more = (find_neighbors(POINTS, 2.0),) if isinstance(layer, PointConv) else ()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    results = []
    for run in (layer, compiled):
        torch.manual_seed(1)
        x = torch.randn(shape, requires_grad=True)
        y = run(x, *more)
        y.square().sum().backward()
        results.append((y.detach(), x.grad))
    for found, wanted in zip(results[1], results[0], strict=True):
        assert relative(found, wanted) < 1e-5


@pytest.mark.slow
@pytest.mark.usefixtures("clean_dynamo")
def test_the_number_of_clouds_may_break_the_graph_but_not_the_call() -> None:
    layer, batch = IrrepPointReadout(KINDS), torch.tensor([0, 0, 1, 1, 1])
    x = torch.randn(5, 13, generator=torch.Generator().manual_seed(0))
    compiled = torch.compile(layer, backend="aot_eager")
    torch.testing.assert_close(compiled(x, batch), layer(x, batch))


def layers_on_points() -> Callable[[Tensor], Tensor]:
    """Two convolutions with a gate between, on fixed points."""
    torch.manual_seed(0)
    gate = IrrepGate(KINDS, IrrepPoints)
    first, second = PointConv("4x0e", gate.irreps_in, 2.0), PointConv(KINDS, "3x0e + 1x1o", 2.0)
    near = find_neighbors(POINTS, 2.0)

    def run(x: Tensor) -> Tensor:
        y: Tensor = second(gate(first(x, near)), near)
        return y

    return run


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_points_under_autocast(dtype: torch.dtype) -> None:
    """Products in half precision, sums over neighbours in that of the positions."""
    run = layers_on_points()
    x = torch.randn(12, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    with torch.autocast("cpu", dtype):
        low = run(x)
    low.float().square().sum().backward()
    assert bool(torch.isfinite(x.grad).all())
    off = relative(low, run(x))
    assert 0 < off < 0.03


def test_downsampling_in_one_mode_leaves_nothing_for_the_next() -> None:
    """What the blur remembers are numbers, so a first call on meta or in an export is harmless."""
    layer = IrrepDownsample3d("1x0e", 3)
    x = torch.randn(1, 1, 13, 13, 13, generator=torch.Generator().manual_seed(0))
    with torch.device("meta"):
        assert layer(x.to("meta")).is_meta
    exported = torch.export.export(layer, (x,)).module()
    with torch.inference_mode():
        layer(x)
    y = layer(x.requires_grad_())
    y.sum().backward()
    assert bool(torch.isfinite(x.grad).all())
    torch.testing.assert_close(exported(x), y)
