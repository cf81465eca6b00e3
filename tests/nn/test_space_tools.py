"""Printing, saving, converting, caching: what a network of layers in space goes through."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from equivlab.models import PointNetwork, SteerableCNN3d
from equivlab.nn import (
    IrrepAvgPool3d,
    IrrepBatchNorm,
    IrrepDownsample3d,
    IrrepGate,
    IrrepNorms,
    PointConv,
    SteerableConv3d,
    find_neighbours,
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
    model = SteerableCNN3d(3, in_channels=2, size=size)
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
    other = load(SteerableCNN3d(3, in_channels=2, size=10), tmp_path / "weights.safetensors")
    x = torch.rand(1, 2, 10, 10, 10)
    assert torch.equal(other.eval()(x), model(x))


def test_point_networks_are_saved_too(tmp_path: Path) -> None:
    model, other = (PointNetwork(2, 1.5, "4x0e + 2x1o", 2) for _ in range(2))
    save(model, tmp_path / "weights.safetensors")
    load(other, tmp_path / "weights.safetensors")
    points = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    near = find_neighbours(points, 1.5)
    assert torch.equal(model(torch.ones(8, 1), near), other(torch.ones(8, 1), near))


def test_layers_print_their_fields() -> None:
    conv = SteerableConv3d("1x0e", "1x0e", 3, stride=2, padding=1, padding_mode="circular")
    assert repr(conv) == (
        "SteerableConv3d(IrrepMaps('1x0e') -> IrrepMaps('1x0e'), kernel_size=3, stride=2, "
        "padding=1, padding_mode='circular')"
    )
    assert "cutoff=2.0, degree=2" in repr(PointConv("1x0e", "1x0e", 2.0))
    assert (
        repr(IrrepBatchNorm("1x1o")) == "IrrepBatchNorm(IrrepMaps('1x1o'), eps=1e-05, momentum=0.1)"
    )


def test_the_gate_takes_another_function() -> None:
    gate = IrrepGate("2x0e", activation=torch.relu)
    x = torch.randn(1, 2, 3, 3, 3)
    assert torch.equal(gate(x), torch.relu(x))


def test_neighbours_remember_only_what_has_no_gradient() -> None:
    points = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    near = find_neighbours(points, 2.0)
    assert near.harmonics(2) is near.harmonics(2)
    moving = find_neighbours(points.requires_grad_(), 2.0)
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
