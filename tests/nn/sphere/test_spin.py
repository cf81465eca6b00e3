"""Layers of few orders in γ: the layers on SO(3) as an oracle, norms, activations, bad input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from equivlab.fields.sphere import SphereMaps
from equivlab.models import spin_digit_cnn
from equivlab.nn import (
    NormedConv,
    S2Conv,
    S2Moments,
    SO3Conv,
    SO3Moments,
    SpinActivation,
    SpinBatchNorm,
    SpinConv,
)
from equivlab.nn.sphere.spin import spin_field
from equivlab.sphere import (
    quadrature_weights,
    s2_near_identity_grid,
    so3_near_identity_grid,
    spin_fft,
    spin_ifft,
    spin_kernel_grid,
)
from equivlab.sphere.spin import project
from tests.laws import relative
from tests.nn.oracles import oracle_of
from tests.nn.sphere.layers import ROTATIONS, white
from tests.sphere.spectra import on_so3, random_spectrum

EXACT = torch.float64


def test_lifting_is_the_s2_convolution() -> None:
    """Up to the scale of its weights, and to the orders that are not kept."""
    grid = s2_near_identity_grid(0.6)
    wide = S2Conv(2, 3, 6, 4, grid, dtype=torch.float64)
    ours = SpinConv(
        2, 3, 6, 4, 0, 3, torch.cat([grid, torch.zeros(len(grid), 1)], 1), dtype=torch.float64
    )
    with torch.no_grad():
        ours.kernel.copy_(wide.kernel)
        wide.bias.uniform_()
        ours.bias.copy_(wide.bias)
    x = white(ours.in_field, EXACT)
    found, wanted = on_so3(ours(x)), wide(x)
    bias = wide.bias[:, None, None, None]
    ratio = float(((found - bias).norm() / (wanted - bias).norm()).detach())
    assert relative(found - bias, ratio * (wanted - bias)) < 1e-13


@oracle_of(SpinConv)
def test_with_all_orders_it_is_the_so3_convolution() -> None:
    grid = so3_near_identity_grid(n_alpha=4, n_beta=2)
    wide = SO3Conv(2, 3, 4, 4, grid, bias=False, dtype=torch.float64)
    ours = SpinConv(2, 3, 4, 4, 3, 3, grid, bias=False, dtype=torch.float64)
    ours.kernel.data.copy_(wide.kernel)
    x = white(ours.in_field, EXACT)
    found, wanted = on_so3(ours(x)), wide(on_so3(x))
    ratio = float((found.norm() / wanted.norm()).detach())
    assert relative(found, ratio * wanted) < 1e-13


def test_fewer_orders_are_columns_of_more() -> None:
    """What the kernel makes of orders up to 1 does not depend on how many others are kept."""
    grid = spin_kernel_grid(3, 3)
    many = SpinConv(2, 3, 5, 5, 3, 3, grid, dtype=torch.float64)
    few = SpinConv(2, 3, 5, 5, 1, 1, grid, dtype=torch.float64)
    few.load_state_dict(many.state_dict())
    x = white(few.in_field, EXACT)
    padded = F.pad(x, (0, 0, 0, 0, 2, 2))
    assert relative(few(x), many(padded)[:, :, 2:-2]) < 1e-13


@pytest.mark.parametrize(("orders_in", "orders_out"), [(0, 0), (0, 2), (1, 1), (2, 1), (2, 0)])
def test_the_default_points_say_all_that_the_kernel_can(orders_in: int, orders_out: int) -> None:
    """No weight repeats what others say, and no further angle would say more."""
    layer = SpinConv(1, 1, 12, 12, orders_in, orders_out, dtype=torch.float64)
    assert torch.linalg.matrix_rank(layer.basis) == len(layer.kernel_grid)
    more = layer.kernel_grid.clone()
    more[:, 1] += 0.4
    more[:, 2] += 0.3
    other = SpinConv(1, 1, 12, 12, orders_in, orders_out, more, dtype=torch.float64)
    assert torch.linalg.matrix_rank(torch.cat([layer.basis, other.basis])) == len(more)


def test_from_spectrum() -> None:
    """What `transform` gives, and no degree above `lmax`."""
    layer = SpinConv(2, 3, 6, 6, 1, 2, lmax=3, dtype=torch.float64)
    x = white(layer.in_field, EXACT)
    assert torch.equal(layer.from_spectrum(layer.transform(x)), layer(x))
    assert relative(layer.from_spectrum(project(x, 6)), layer(x)) < 1e-14
    few = SpinConv(2, 3, 3, 6, 1, 2, lmax=3, dtype=torch.float64)  # a spectrum of 3 degrees
    few.load_state_dict(layer.state_dict())
    low = spin_ifft(spin_fft(x, lmax=2), 6)
    assert relative(few(spin_ifft(spin_fft(x, lmax=2))), layer(low)) < 1e-13


@oracle_of(SpinActivation)
def test_activation_is_the_pointwise_function_on_so3() -> None:
    """Evaluated at many angles it gives the orders of the function's values on SO(3)."""
    layer = SpinActivation(2, 6, 2, 2, torch.tanh, angles=12)
    x = white(layer.in_field, EXACT)
    wide = torch.tanh(on_so3(x))  # 12 angles, too
    for n, found in zip(range(-2, 3), layer.double()(x).unbind(2), strict=True):
        gamma = torch.arange(12, dtype=torch.float64) * (torch.pi / 6)
        wave = torch.sin(-n * gamma) if n < 0 else torch.cos(n * gamma)
        wanted = (wide * wave).mean(-1) * (2 if n else 1)
        assert relative(found, wanted) < 1e-13


@torch.no_grad()
def test_law_of_the_activation() -> None:
    """A square exactly, with room and angles enough; SiLU nearly; with too few angles not."""

    def error(layer: SpinActivation) -> float:
        small = random_spectrum((2, 3), 5, 2)  # half the degrees that the grid holds
        x = spin_ifft(small, 10)
        x = x / x.std()
        y = layer.double()(layer.in_field.act(ROTATIONS, x))
        wanted = layer.out_field.act(ROTATIONS, layer(x))
        if not layer.orders_out:
            y, wanted = y[:, :, None], wanted[:, :, None]
        return relative(
            spin_fft(y, lmax=4), spin_fft(wanted, lmax=4)
        )  # what the next layer looks at

    assert error(SpinActivation(3, 10, 2, 2, torch.square, angles=7)) < 1e-13
    assert error(SpinActivation(3, 10, 2, 2, torch.square, angles=6)) > 1e-2
    assert error(SpinActivation(3, 10, 2, 0, torch.square, angles=5)) < 1e-13
    assert error(SpinActivation(3, 10, 2)) < 2e-2
    assert error(SpinActivation(3, 10, 2, angles=12)) < 3e-3


def test_normed_conv_is_conv_and_norm() -> None:
    torch.manual_seed(0)
    for orders in (0, 2):
        together = NormedConv(SpinConv(2, 3, 6, 6, 1, orders, lmax=3)).double()
        norm = SpinBatchNorm(3, 6, orders).double()
        apart = nn.Sequential(together.conv, norm)
        nn.init.uniform_(together.norm.weight)
        nn.init.uniform_(together.norm.bias)
        norm.load_state_dict(together.norm.state_dict())
        x = white(together.in_field, EXACT) * 3
        assert relative(together(x), apart(x)) < 1e-12
        assert relative(together.norm.running_var, norm.running_var) < 1e-12
        assert int(together.norm.num_batches_tracked) == 1
        together.eval(), apart.eval()
        assert relative(together(x), apart(x)) < 1e-12


@oracle_of(SpinBatchNorm)
def test_norm_normalises() -> None:
    """Mean 0 of order zero, and variance 1 over SO(3)."""
    norm = SpinBatchNorm(3, 6, 2).double()
    x = white(norm.in_field, EXACT) * 5
    x[:, :, 2] += 7
    y = on_so3(norm(x)).detach()
    weights = quadrature_weights(6)[:, None, None] / 144
    assert float((y * weights).sum((0, 2, 3, 4)).abs().max()) < 1e-12
    variance = (y.square() * weights).sum((0, 2, 3, 4)) / len(y)
    assert float((variance - 1).abs().max()) < 1e-5  # eps


@oracle_of(S2Moments)
def test_moments_on_the_sphere_are_those_on_so3() -> None:
    """Of the same signal, constant in γ."""
    x = white(SphereMaps(3, 5), EXACT)
    wide = x[..., None].expand(*x.shape, 10)
    ours, theirs = S2Moments(3, 5, tilts=(1.0,)).double(), SO3Moments(3, 5, tilts=(1.0,)).double()
    assert relative(ours(x), theirs(wide)) < 1e-12


def test_weights_through_a_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, again = spin_digit_cnn(bandwidth=12), spin_digit_cnn(bandwidth=12).eval()
    x = torch.randn(2, 1, 24, 24)
    net(x)  # running statistics
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    again.load_state_dict(load_file(tmp_path / "net.safetensors"))
    assert torch.equal(again(x), net.eval()(x))


def test_casting_keeps_float64_exact() -> None:
    layer = SpinActivation(2, 4, 1).float().double()
    assert torch.equal(layer.up, SpinActivation(2, 4, 1).double().up)
    assert float((layer.up - SpinActivation(2, 4, 1).up.double()).abs().max()) > 0
    assert not list(layer.state_dict())


CONV = SpinConv(2, 3, 4, 4, 1, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: CONV(torch.zeros(1, 2, 8, 8)), r"SpinConv\(2"),
        (lambda: CONV(torch.zeros(1, 2, 5, 8, 8)), "Orders up to 1 are 3 maps"),
        (lambda: CONV(torch.zeros(1, 2, 3, 6, 6)), "Bandwidth 4 means"),
        (lambda: CONV(torch.zeros(1, 5, 3, 8, 8)), "channels"),
        (lambda: CONV(torch.zeros(0, 2, 3, 8, 8)), "empty"),
        (lambda: CONV(torch.zeros(2, 3, 8)), "5 axes"),
        (lambda: CONV(torch.zeros(1, 2, 3, 8, 8, dtype=torch.float64)), "float64"),
        (lambda: SpinActivation(2, 4, 1)(torch.zeros(1, 2, 3, 8, 8).double()), "float64"),
        (lambda: CONV.from_spectrum(torch.zeros(7, 5, 1, 2, 4)), r"\(2L−1, 3, B, 2, L\)"),
        (lambda: SpinConv(1, 1, 4, 4, -1), "orders_in must be 0 or more; got -1"),
        (lambda: SpinConv(1, 0, 4, 4), "out_channels must be 1 or more"),
        (lambda: SpinConv(1, 1, 4, 4, lmax=4), "bandwidth_out=5"),
        (lambda: SpinConv(1, 1, 4, 4, 0, 1, torch.zeros(3, 2)), r"\(P, 3\)"),
        (lambda: SpinActivation(1, 4, 2, angles=4), "need 5 or more"),
        (lambda: spin_field(1, 4, -2), "orders=-2"),
    ],
)
def test_bad_input(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_repr() -> None:
    assert "SpinMaps(2, bandwidth=4, orders=1)" in repr(CONV)
    assert "orders=2), silu, angles=8" in repr(SpinActivation(3, 5, 2))
