"""What does not fit is refused, with what was given, what is wanted, and how to get there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from equivlab.nn.sphere.activation import SO3Activation
from equivlab.nn.sphere.conv import S2Conv, SO3Conv
from equivlab.nn.sphere.moments import SO3Integrate, SO3Moments
from equivlab.nn.sphere.norm import SO3BatchNorm

LIFT, CONV = S2Conv(2, 3, 6, 4), SO3Conv(3, 2, 4, 4)


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (LIFT, (1, 2, 8, 8), r"Bandwidth 6 means 12 samples.*s2_ifft\(s2_fft\(x, lmax=3\), 6\)"),
        (LIFT, (1, 2, 11, 11), "same even number"),
        (LIFT, (1, 1, 12, 12), "1 channels, not 2"),
        (LIFT, (2, 12, 12), r"x\[None\]"),
        (LIFT, (0, 2, 12, 12), "empty"),
        (CONV, (1, 3, 8, 8), r"S2Conv\(3, ...\)"),
        (CONV, (1, 3, 6, 6, 6), "bandwidth_in=3"),
        (SO3Integrate(3, 4), (1, 2, 8, 8, 8), "2 channels, not 3"),
        (SO3Moments(3, 4), (1, 3, 6, 6, 6), "Bandwidth 4"),
        (SO3BatchNorm(3, 4), (1, 3, 6, 6, 6), "Bandwidth 4"),
        (SO3Activation(3, 4), (1, 3, 6, 6, 6), "Bandwidth 4"),
    ],
)
def test_shapes(layer: torch.nn.Module, shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        layer(torch.zeros(shape))


def test_dtypes_and_kinds() -> None:
    with pytest.raises(ValueError, match=r"weights of torch\.float32.*model\.to\(torch\.float64\)"):
        LIFT(torch.zeros(1, 2, 12, 12, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"weights of torch\.float32.*model\.to\(torch\.float64\)"):
        SO3Moments(3, 2, tilts=(1.0,))(torch.zeros(1, 3, 4, 4, 4, dtype=torch.float64))
    with pytest.raises(TypeError, match=r"x\.float\(\)"):
        LIFT(torch.zeros(1, 2, 12, 12, dtype=torch.long))
    with pytest.raises(TypeError, match=r"torch\.Tensor"):
        CONV([1, 2])


def test_spectra() -> None:
    with pytest.raises(ValueError, match=r"\(B, 2, L²\).*healpix_sht"):
        LIFT.from_spectrum(torch.zeros(1, 3, 36))
    with pytest.raises(ValueError, match="square number"):
        LIFT.from_spectrum(torch.zeros(1, 2, 35))
    with pytest.raises(ValueError, match="so3_fft"):
        CONV.from_spectrum([torch.zeros(1, 2, 1, 1)])
    with pytest.raises(ValueError, match="dtype"):
        CONV.from_spectrum([torch.zeros(1, 3, 1, 1), torch.zeros(1, 3, 3, 3).double()])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: S2Conv(0, 1, 4, 4), "in_channels must be 1 or more"),
        (lambda: S2Conv(1, 1, 4, 0), "bandwidth_out must be 1 or more"),
        (lambda: S2Conv(1, 1, 4, 4, lmax=4), "bandwidth_out=5"),
        (lambda: S2Conv(1, 1, 4, 4, torch.zeros(3, 3)), r"\(P, 2\).*s2_near_identity_grid"),
        (lambda: SO3Conv(1, 1, 4, 4, torch.zeros(0, 3)), r"\(P, 3\).*so3_near_identity_grid"),
        (lambda: SO3Conv(1, 1, 4, 4, torch.full((2, 3), -0.1)), "outside"),
        (lambda: SO3Conv(1, 1, 4, 4, torch.full((2, 3), torch.nan)), "no number"),
        (lambda: SO3Activation(1, 4, oversampling=0.5), "1 or more"),
        (lambda: S2Conv(1, 1, 0, 4), "bandwidth_in must be 1 or more"),
    ],
)
def test_arguments(make: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_half_a_bandwidth_is_none() -> None:
    with pytest.raises(TypeError, match=r"bandwidth must be a whole number; got 2\.5"):
        SO3BatchNorm(1, 2.5)  # type: ignore[arg-type]
    norm = SO3BatchNorm(1, np.int64(2))  # type: ignore[arg-type]
    assert norm(torch.randn(2, 1, 4, 4, 4)).shape == (2, 1, 4, 4, 4)


def test_nan_is_found_on_demand() -> None:
    """A transform spreads a NaN over its whole signal, and over no other of the batch."""
    x = torch.randn(2, 2, 12, 12)
    x[0, 0, 3, 4] = torch.nan
    y = LIFT(x)
    assert not bool(torch.isfinite(y[0]).any())
    assert bool(torch.isfinite(y[1]).all())
    with pytest.raises(ValueError, match="1 NaN"):
        LIFT.in_field.validate(x, finite=True)


def test_printing_says_what_it_is() -> None:
    assert repr(LIFT) == (
        "S2Conv(SphereMaps(2, bandwidth=6) -> RotationMaps(3, bandwidth=4), points=24)"
    )
    assert "lmax=1, bias=False" in repr(SO3Conv(1, 1, 4, 4, lmax=1, bias=False))
    assert "relu, oversampling=2.0" in repr(SO3Activation(1, 4))
    assert "momentum=0.1" in repr(SO3BatchNorm(1, 4))
