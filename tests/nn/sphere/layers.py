"""The spherical layers that obey their law exactly, with signals and rotations to test them by."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from equivlab.fields import Field, SphereMaps, SpinMaps
from equivlab.nn.sphere.activation import SO3Activation
from equivlab.nn.sphere.conv import S2Conv, SO3Conv
from equivlab.nn.sphere.moments import S2Moments, SO3Integrate, SO3Moments
from equivlab.nn.sphere.norm import NormedConv, SO3BatchNorm, SpinBatchNorm
from equivlab.nn.sphere.spin import SpinConv
from equivlab.so3 import SO3
from equivlab.sphere import (
    s2_equatorial_grid,
    s2_ifft,
    so3_equatorial_grid,
    so3_ifft,
    so3_near_identity_grid,
    spin_ifft,
)
from tests.sphere.spectra import random_spectrum

ROTATIONS = SO3.random_elements(2, torch.Generator().manual_seed(8))


def white(field: Field, dtype: torch.dtype) -> Tensor:
    """Full-band signals with as much power in every degree, of unit variance."""
    generator = torch.Generator().manual_seed(0)
    lead, b = (2, field.channels), field.bandwidth
    if isinstance(field, SpinMaps):
        x = spin_ifft(random_spectrum(lead, b, field.orders))
    elif isinstance(field, SphereMaps):
        x = s2_ifft(torch.randn(*lead, b * b, generator=generator, dtype=torch.float64))
    else:
        sides = range(1, 2 * b, 2)
        x = so3_ifft([
            torch.randn(*lead, n, n, generator=generator, dtype=torch.float64) / n for n in sides
        ])  # fmt: skip
    return (x / x.std()).to(dtype)


LINEAR: dict[str, Callable[[], nn.Module]] = {
    "S2Conv to fewer degrees": lambda: S2Conv(2, 3, 8, 5),
    "S2Conv around the equator": lambda: S2Conv(2, 3, 6, 6, s2_equatorial_grid()),
    "S2Conv to more": lambda: S2Conv(2, 3, 4, 6),
    "SO3Conv": lambda: SO3Conv(2, 3, 6, 4),
    "SO3Conv around the equator": lambda: SO3Conv(2, 3, 5, 5, so3_equatorial_grid()),
    "SO3Conv on a large grid": lambda: SO3Conv(1, 1, 26, 26),
    "SO3Conv on half the degrees": lambda: SO3Conv(2, 3, 6, 6, lmax=2),
    "SO3BatchNorm": lambda: SO3BatchNorm(3, 5),
    "NormedConv": lambda: NormedConv(SO3Conv(2, 3, 5, 4)),
    "square": lambda: SO3Activation(3, 6, torch.square, 1.5),
    "cube": lambda: SO3Activation(3, 6, lambda x: x**3, 2),
    "SO3Integrate": lambda: SO3Integrate(3, 5),
    "SO3Moments": lambda: SO3Moments(3, 5),
    "S2Moments": lambda: S2Moments(3, 5),
    "SpinConv, lifting": lambda: SpinConv(2, 3, 8, 5, orders_out=2),
    "SpinConv, isotropic": lambda: SpinConv(2, 3, 6, 6),
    "SpinConv to fewer orders": lambda: SpinConv(2, 3, 6, 5, 2, 1),
    "SpinConv to none": lambda: SpinConv(2, 3, 6, 8, 3, 0, lmax=3),
    "SpinConv of points on SO(3)": lambda: SpinConv(2, 2, 5, 5, 1, 2, so3_near_identity_grid()),
    "SpinBatchNorm": lambda: SpinBatchNorm(3, 5, 2),
    "SpinBatchNorm on the sphere": lambda: SpinBatchNorm(3, 5, 0),
    "NormedConv of SpinConv": lambda: NormedConv(SpinConv(2, 3, 5, 4, 1, 2)),
}
