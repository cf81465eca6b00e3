"""Fields on the sphere and on SO(3), sampled on equiangular grids; rotations act exactly.

>>> import torch
>>> maps = SphereMaps(channels=3, bandwidth=8)
>>> maps
SphereMaps(3, bandwidth=8)
>>> R = maps.random_element(torch.Generator().manual_seed(0))
>>> maps.act(R, torch.randn(2, 3, 16, 16)).shape
torch.Size([2, 3, 16, 16])
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from equivlab.fields.base import Field
from equivlab.so3 import SO3, RotationGroup
from equivlab.sphere import rotate_s2, rotate_so3, rotate_spin

__all__ = ["RotationMaps", "SphereMaps", "SphericalField", "SpinMaps"]


@dataclass(frozen=True, repr=False)
class SphericalField(Field[Tensor]):
    """Samples of bandwidth `bandwidth` on the sphere or on SO(3), with SO(3) acting.

    Args:
        channels: the size of axis 1, ``C``.
        bandwidth: ``b``; every further axis has ``2b`` samples.
    """

    channels: int
    bandwidth: int
    group: RotationGroup = field(default=SO3, init=False)
    axes: ClassVar[int]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.channels}, bandwidth={self.bandwidth})"

    @property
    def shape(self) -> str:
        return f"(B, {self.channels}" + self.axes * f", {2 * self.bandwidth}" + ")"

    @abstractmethod
    def act(self, g: Tensor, x: Tensor) -> Tensor:
        """The rotation `g` ``(3, 3)``, or one for each sample ``(B, 3, 3)``, acting on `x`.

        Exact on band-limited signals, by the spectrum; what lies above the bandwidth is lost.
        """

    def _mismatch(self, x: Tensor) -> str | None:
        wanted = self.axes + 2
        if x.dim() == wanted - 1:
            return "Add the batch axis, x[None], or that of the channels, x[:, None]."
        if x.dim() != wanted:
            return self._wrong_rank(x)
        side = 2 * self.bandwidth
        if any(size != side for size in x.shape[2:]):
            return (
                f"Bandwidth {self.bandwidth} means {side} samples on each axis, not "
                f"{tuple(x.shape[2:])}. {self._resample(x)}"
            )
        return self._wrong_channels(x)

    def _resample(self, x: Tensor) -> str:
        sizes = set(x.shape[2:])
        size = sizes.pop()
        if sizes or size % 2:
            return "A Driscoll–Healy grid has the same even number of samples on every axis."
        name = "s2" if self.axes == 2 else "so3"
        lmax = min(size // 2, self.bandwidth) - 1
        return (
            f"Change the bandwidth: {name}_ifft({name}_fft(x, lmax={lmax}), {self.bandwidth}), or "
            f"make the layer with bandwidth_in={size // 2}."
        )

    @abstractmethod
    def _wrong_rank(self, x: Tensor) -> str:
        """The remedy for a wrong number of axes."""


@dataclass(frozen=True, repr=False)
class SphereMaps(SphericalField):
    """Signals on the sphere, ``(B, C, 2b, 2b)`` in ``β α``: ``(R·f)(x) = f(R⁻¹x)``.

    Args:
        channels: the size of axis 1, ``C``.
        bandwidth: ``b``; every further axis has ``2b`` samples.
    """

    axes = 2

    def act(self, g: Tensor, x: Tensor) -> Tensor:
        return rotate_s2(x, g)

    def _wrong_rank(self, x: Tensor) -> str:
        if x.dim() == 5:
            return f"These look like signals on SO(3): SO3Conv({x.shape[1]}, ...) takes them."
        return f"It wants 4 axes, not {x.dim()}: batch, channels, β, α."


@dataclass(frozen=True, repr=False)
class RotationMaps(SphericalField):
    """Signals on SO(3), ``(B, C, 2b, 2b, 2b)`` in ``β α γ``: ``(R·f)(Q) = f(R⁻¹Q)``.

    Args:
        channels: the size of axis 1, ``C``.
        bandwidth: ``b``; every further axis has ``2b`` samples.
    """

    axes = 3

    def act(self, g: Tensor, x: Tensor) -> Tensor:
        return rotate_so3(x, g)

    def _mismatch(self, x: Tensor) -> str | None:
        if x.dim() == 4 and x.shape[-1] == x.shape[-2]:
            return f"Lift signals on the sphere first: S2Conv({x.shape[1]}, ...)"
        return super()._mismatch(x)

    def _wrong_rank(self, x: Tensor) -> str:
        return f"It wants 5 axes, not {x.dim()}: batch, channels, β, α, γ."


@dataclass(frozen=True, repr=False)
class SpinMaps(SphericalField):
    """Signals on SO(3) of few orders in γ, ``(B, C, 2N+1, 2b, 2b)`` in ``n β α``.

    ``(R·f)(Q) = f(R⁻¹Q)``; `equivlab.sphere.spin` says what the maps are.

    Args:
        channels: the size of axis 1, ``C``.
        bandwidth: ``b``; the last two axes have ``2b`` samples.
        orders: the highest order ``N``; axis 2 has the maps ``n = −N…N``.

    >>> SpinMaps(8, bandwidth=10, orders=2).shape
    '(B, 8, 5, 20, 20)'
    """

    orders: int

    axes = 3

    def __repr__(self) -> str:
        return f"SpinMaps({self.channels}, bandwidth={self.bandwidth}, orders={self.orders})"

    @property
    def shape(self) -> str:
        side = 2 * self.bandwidth
        return f"(B, {self.channels}, {2 * self.orders + 1}, {side}, {side})"

    def act(self, g: Tensor, x: Tensor) -> Tensor:
        return rotate_spin(x, g)

    def _mismatch(self, x: Tensor) -> str | None:
        maps, side = 2 * self.orders + 1, 2 * self.bandwidth
        if x.dim() == 4 and x.shape[-1] == x.shape[-2]:
            return f"Lift signals on the sphere first: SpinConv({x.shape[1]}, ...)"
        if x.dim() != 5:
            return self._wrong_rank(x)
        if x.shape[2] != maps:
            return f"Orders up to {self.orders} are {maps} maps n = −N…N, not {x.shape[2]}."
        if tuple(x.shape[3:]) != (side, side):
            return f"Bandwidth {self.bandwidth} means {side} β and α, not {tuple(x.shape[3:])}."
        return self._wrong_channels(x)

    def _wrong_rank(self, x: Tensor) -> str:
        return f"It wants 5 axes, not {x.dim()}: batch, channels, n, β, α."
