"""The transform of few orders in γ against the one on SO(3), its adjoint, and rotations."""

from __future__ import annotations

import re

import pytest
import torch

from equivlab.so3 import SO3
from equivlab.sphere import (
    rotate_so3,
    rotate_spin,
    s2_fft,
    so3_fft,
    so3_ifft,
    spin_fft,
    spin_ifft,
)
from tests.sphere.spectra import on_so3, random_spectrum

ROUND_TRIP = {torch.float32: 1e-6, torch.float64: 5e-13}
DTYPES = pytest.mark.parametrize("dtype", list(ROUND_TRIP))


@pytest.mark.parametrize(
    ("degrees", "bandwidth", "top"), [(5, 5, 0), (5, 7, 2), (2, 4, 3), (6, 6, 5)]
)
def test_is_the_transform_on_so3(degrees: int, bandwidth: int, top: int) -> None:
    F = random_spectrum((2, 3), degrees, top)
    blocks = []
    for degree in range(degrees):
        block = F.new_zeros(2, 3, 2 * degree + 1, 2 * degree + 1)
        n = min(top, degree)
        rows = F[..., top - n : top + n + 1, degree**2 : (degree + 1) ** 2]
        block[..., degree - n : degree + n + 1] = rows.mT
        blocks.append(block)
    x = spin_ifft(F, bandwidth)
    assert x.shape == (2, 3, 2 * top + 1, 2 * bandwidth, 2 * bandwidth)
    wanted = so3_ifft(blocks, bandwidth)
    assert float((on_so3(x) - wanted).abs().max()) < 1e-11
    found = spin_fft(x, lmax=degrees - 1)
    for degree, block in enumerate(so3_fft(wanted, lmax=degrees - 1)):
        n = min(top, degree)
        rows = found[..., top - n : top + n + 1, degree**2 : (degree + 1) ** 2]
        assert float((rows.mT - block[..., degree - n : degree + n + 1]).abs().max()) < 1e-13


def test_order_zero_is_the_sphere() -> None:
    """But for the scale: ``F^l_m0 = f_lm / √(4π(2l+1))``."""
    x = torch.randn(2, 12, 12, dtype=torch.float64)
    degree = torch.arange(36).sqrt().floor()
    wanted = s2_fft(x) / torch.sqrt(4 * torch.pi * (2 * degree + 1))
    assert torch.allclose(spin_fft(x[:, None])[:, 0], wanted, atol=1e-14)


@DTYPES
@pytest.mark.parametrize(("bandwidth", "top"), [(1, 0), (4, 1), (22, 2), (64, 1)])
def test_round_trip(bandwidth: int, top: int, dtype: torch.dtype) -> None:
    F = random_spectrum((2,), bandwidth, top).to(dtype)
    back = spin_fft(spin_ifft(F))
    assert back.dtype == dtype
    assert float((back - F).abs().max() / F.abs().max()) <= ROUND_TRIP[dtype]


def test_gradients_twice() -> None:
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: spin_fft(x, lmax=1), x)
    assert torch.autograd.gradgradcheck(lambda x: spin_fft(x, lmax=1).square(), x)
    F = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda F: spin_ifft(F, 3).square(), F)


def test_rotation_is_that_of_so3() -> None:
    x = spin_ifft(random_spectrum((2, 1), 5, 2))
    R = SO3.random_elements(2, torch.Generator().manual_seed(0))
    turned = rotate_spin(x, R)
    assert float((on_so3(turned) - rotate_so3(on_so3(x), R)).abs().max()) < 1e-11
    back = rotate_spin(turned, SO3.inverse(R))
    assert float((back - x).abs().max()) < 1e-11


def test_half_precision_is_computed_in_float32() -> None:
    x = torch.randn(1, 3, 8, 8, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        assert spin_fft(x).dtype == torch.float32
        assert torch.equal(spin_ifft(spin_fft(x)), spin_ifft(spin_fft(x.float())))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spin_fft(torch.zeros(2, 8, 8)), r"odd number.*\(2, 8, 8\).*None, :, :\]"),
        (lambda: spin_fft(torch.zeros(8, 8)), "one map for each order"),
        (lambda: spin_fft(torch.zeros(3, 7, 7)), "Driscoll–Healy"),
        (lambda: spin_fft(torch.zeros(3, 8, 8), lmax=4), "lmax=4"),
        (lambda: spin_ifft(torch.zeros(2, 9)), r"odd number.*None, :\]"),
        (lambda: spin_ifft(torch.zeros(3, 8)), "no square number"),
        (lambda: spin_ifft(torch.zeros(3, 9), 2), "bandwidth=3"),
        (lambda: rotate_spin(torch.zeros(2, 3, 8, 8), SO3.random_elements(3)), "3 rotations"),
    ],
)  # fmt: skip
def test_bad_input(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=re.compile(message, re.DOTALL)):
        call()  # type: ignore[operator]
