"""A row of the table of layers: how a layer is made, what it takes, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from equivlab.fields import CircleMaps, Field, HealpixMaps, IrrepMaps, IrrepPoints
from equivlab.fields.planar import PlanarField
from equivlab.nn import FieldModule
from equivlab.sphere import healpix_isht
from tests.laws import SPACE_BOUNDS, sample
from tests.nn.space.layers import maps
from tests.nn.sphere.layers import white

Refusals = tuple[tuple[Any, str], ...]  # a shape of zeros, or what else is given; the words
CONVERTED = ""  # what `Case.plain` is where `to_plain` gives the same function


@dataclass(frozen=True)
class Case:
    """One layer, small enough for every test, with settings at which its law is exact.

    Attributes:
        make: the layer, in single precision on the CPU.
        bad: what it refuses, and words of the message: pairs of a shape, or anything else but a
            tuple, and a pattern. What every layer refuses need not be said again.
        plain: words of the message with which `to_plain` refuses it, or `CONVERTED`.
        size: pixels, voxels or points a side; grids on the sphere have that of their field.
        first: its first input, where random numbers of full band on its field are too rough.
        more: its further inputs.
        bounds: the largest relative error of the law in each precision.
    """

    make: Callable[[], FieldModule]
    bad: Refusals = ()
    plain: str | None = None
    size: int = 8
    first: Callable[[torch.dtype], Tensor] | None = None
    more: Callable[[torch.dtype], tuple[Any, ...]] | None = None
    bounds: Mapping[torch.dtype, float] | None = None

    def build(self, dtype: torch.dtype = torch.float32, seed: int = 0) -> FieldModule:
        """The layer after a step: biases and statistics are not those of a new one."""
        torch.manual_seed(seed)
        layer = self.make().to(dtype)
        with torch.no_grad():
            for value in layer.parameters():
                if value.dim() == 1:
                    value += torch.rand(value.shape).to(value)
            layer.train()(*self.given(dtype))
        return layer

    def given(self, dtype: torch.dtype = torch.float32) -> tuple[Any, ...]:
        """All that it takes, the same each time."""
        more = self.more(dtype) if self.more is not None else ()
        if self.first is not None:
            return (self.first(dtype), *more)
        return (signal(self.make().in_field, dtype, self.size), *more)

    def bound(self, dtype: torch.dtype) -> float:
        return (self.bounds or SPACE_BOUNDS)[dtype]


def signal(field: Field[Any], dtype: torch.dtype = torch.float32, size: int = 8) -> Tensor:
    """Random numbers on a field of any kind, of full band where it has one."""
    if isinstance(field, PlanarField | CircleMaps):
        return sample(field, size, dtype)
    if isinstance(field, IrrepMaps):
        return maps(field.channels, size, dtype, batch=2)
    generator = torch.Generator().manual_seed(size)
    if isinstance(field, IrrepPoints):
        return torch.randn(size, field.channels, generator=generator, dtype=torch.float64).to(dtype)
    if isinstance(field, HealpixMaps):
        shape = (2, field.channels, (field.lmax + 1) ** 2)
        spectrum = torch.randn(shape, generator=generator, dtype=torch.float64)
        return healpix_isht(spectrum, field.nside).to(dtype)
    return white(field, dtype)
