"""The law of the spherical layers under random rotations, exact in the spectral domain."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.fields import Field
from equivlab.nn.sphere.activation import SO3Activation
from equivlab.nn.sphere.conv import S2Conv, SO3Conv
from equivlab.nn.sphere.moments import SO3Integrate, SO3Moments
from equivlab.nn.sphere.norm import NormedConv, SO3BatchNorm
from equivlab.so3 import SO3
from equivlab.sphere import (
    rotate_s2,
    so3_ifft,
)
from tests.laws import SPACE_BOUNDS as BOUNDS
from tests.laws import law_error, relative
from tests.nn.sphere.layers import LINEAR, ROTATIONS, white

DTYPES = pytest.mark.parametrize("dtype", list(BOUNDS))


def white_error(layer: nn.Module, dtype: torch.dtype, fields: tuple[Field, Field]) -> float:
    """Relative error on white signals, with one random rotation for each sample."""
    return law_error(layer, white(fields[0], dtype), [ROTATIONS], fields)


@DTYPES
@pytest.mark.parametrize("name", LINEAR)
@torch.no_grad()
def test_law(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = LINEAR[name]().to(dtype)
    x = white(layer.in_field, dtype)
    y = layer.out_field.act(ROTATIONS, layer(x))
    assert relative(layer(layer.in_field.act(ROTATIONS, x)), y) <= BOUNDS[dtype]


@DTYPES
@torch.no_grad()
def test_law_of_the_linear_stack_at_the_papers_sizes(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    stack = nn.Sequential(S2Conv(1, 20, 30, 10), SO3Conv(20, 40, 10, 6)).to(dtype)
    assert white_error(stack, dtype, (stack[0].in_field, stack[1].out_field)) <= BOUNDS[dtype]


@torch.no_grad()
def test_what_an_activation_costs() -> None:
    """On white features: folding back without oversampling, little with it, less if smooth."""

    def error(function: Callable[[Tensor], Tensor], oversampling: float) -> float:
        layer = SO3Activation(4, 10, function, oversampling)
        return white_error(layer, torch.float32, (layer.in_field, layer.out_field))

    assert error(torch.relu, 1) > 0.1
    assert error(torch.relu, 2) <= 2e-2
    assert error(F.softplus, 2) <= 1e-3
    assert error(F.silu, 2) <= 1e-3
    assert error(torch.square, 1) > 0.1  # 1.5 times is needed, and enough: see test_law


@torch.no_grad()
def test_half_the_degrees_is_oversampling_twice() -> None:
    """A layer that leaves half its grid free, then a ReLU, then a layer that looks at less."""
    torch.manual_seed(0)
    full = nn.Sequential(S2Conv(1, 4, 12, 5), nn.ReLU(), SO3Conv(4, 4, 5, 4))
    free = nn.Sequential(S2Conv(1, 4, 12, 10, lmax=4), nn.ReLU(), SO3Conv(4, 4, 10, 4))
    free.load_state_dict(full.state_dict())
    errors = [white_error(net, torch.float32, (net[0].in_field, net[2].out_field))
              for net in (full, free)]  # fmt: skip
    assert errors[1] < 1e-2 < 5 * errors[1] < errors[0]


@torch.no_grad()
def test_batch_norm_of_torch_breaks_the_law() -> None:
    """Its mean over samples weighs the poles: the reason for `SO3BatchNorm`."""
    plain, ours = nn.BatchNorm3d(3).double(), SO3BatchNorm(3, 5).double()
    assert white_error(plain, torch.float64, (ours.in_field, ours.out_field)) > 1e-3


def test_moments_of_a_constant_have_a_gradient() -> None:
    x = torch.full((1, 1, 6, 6, 6), 0.7, requires_grad=True)
    SO3Moments(1, 3, tilts=(1.0,))(x).sum().backward()
    assert x.grad is not None
    assert bool(torch.isfinite(x.grad).all())


def test_tilted_means_need_room() -> None:
    """The exponential has degrees without end: each finer grid holds more of it."""
    torch.manual_seed(0)
    spectrum = [torch.randn(2, 3, k, k, dtype=torch.float64) / k for k in (1, 3, 5)]
    errors = []
    for b in (4, 8, 16):
        layer = SO3Moments(3, b, tilts=(2.0,)).double()
        x = so3_ifft(spectrum, b)
        tilted = [layer(z)[:, 6:].detach() for z in (x, layer.in_field.act(ROTATIONS, x))]
        errors.append(relative(tilted[1], tilted[0]))
    assert errors[0] < 0.2
    assert errors[2] < errors[1] / 30 < errors[0] / 900


def test_moments_have_their_gradients() -> None:
    torch.manual_seed(0)
    layer = SO3Moments(2, 2, tilts=(2.0, -1.0)).double()
    x = torch.randn(2, 2, 4, 4, 4, dtype=torch.float64, requires_grad=True)
    tilt = layer.tilt
    assert torch.autograd.gradcheck(
        lambda x, tilt: torch.func.functional_call(layer, {"tilt": tilt}, (x,)), (x, tilt)
    )


def test_autocast_does_not_reach_the_spectrum() -> None:
    """Training in bfloat16 keeps the law of the convolutions, and finite gradients."""
    torch.manual_seed(0)
    net = nn.Sequential(NormedConv(S2Conv(1, 3, 6, 5)), NormedConv(SO3Conv(3, 2, 5, 4)))
    fields = net[0].in_field, net[1].out_field
    with torch.autocast("cpu", torch.bfloat16):
        assert white_error(net, torch.float32, fields) <= BOUNDS[torch.float32]
        mean = SO3Integrate(2, 4)(net(white(fields[0], torch.bfloat16)))
    mean.square().sum().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in net.parameters())


@torch.no_grad()
def test_a_turn_by_a_grid_step_proves_nothing() -> None:
    """Even a ReLU with all its folding back commutes with it to rounding."""
    x = white(S2Conv(1, 1, 6, 6).in_field, torch.float64)
    turn = SO3.from_zyz(math.pi / 6, 0.0, 0.0)
    assert relative(F.relu(rotate_s2(x, turn)), rotate_s2(x, turn).relu()) == 0
    assert relative(F.relu(rotate_s2(x, turn)), F.relu(x).roll(1, -1)) < 1e-12
