"""From signals to invariant numbers: means, deviations and tilted means over all rotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from equivlab.fields.invariant import Invariant
from equivlab.fields.sphere import RotationMaps, SphereMaps, SphericalField
from equivlab.nn.base import FieldModule, check_home, integer
from equivlab.so3 import SO3
from equivlab.sphere.grid import sample_weights
from equivlab.sphere.s2 import at_least_single

__all__ = ["S2Moments", "SO3Integrate", "SO3Moments"]


class SO3Integrate(FieldModule):
    """The mean over all rotations: ``out[c] = ∫ f[c](R) dR``, invariant.

    Exact for band-limited signals, by the quadrature of the grid, where the plain mean of the
    samples would weigh the poles too much.

    Args:
        channels: signals ``C``.
        bandwidth: ``b`` of their grid.

    Shape:
        ``(B, C, 2b, 2b, 2b)`` to ``(B, C)``.
    """

    in_field: RotationMaps
    out_field: Invariant[Tensor]

    def __init__(self, channels: int, bandwidth: int) -> None:
        channels = integer(channels, "channels", type(self).__name__)
        bandwidth = integer(bandwidth, "bandwidth", type(self).__name__)
        super().__init__(RotationMaps(channels, bandwidth), Invariant(SO3, channels))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, 2b, 2b, 2b)`` to ``(B, C)``."""
        return _mean(at_least_single(self.check(x)).flatten(3)).to(x.dtype)


class SO3Moments(FieldModule):
    """Mean and standard deviation over all rotations, and tilted means: invariants of a signal.

    The mean alone forgets how far a feature rises above it. Mean and deviation are exact for
    band-limited signals, as in `SO3Integrate`: the quadrature of the grid integrates their
    squares too. A mean that is tilted by ``t`` weighs each rotation by ``exp(t f̂(R))``, where
    ``f̂`` is the signal less its mean, in units of its deviation: with ``t`` large it is the
    maximum, with ``-t`` the minimum, and it obeys the law as well as the grid holds that
    exponential. Each signal learns its own ``t``.

    Args:
        channels: signals ``C``.
        bandwidth: ``b`` of their grid.
        eps: added to the variance, for the gradient of a constant signal.
        tilts: where each ``t`` starts, one tilted mean of each signal for each; 1 to 3 find
            what stands out somewhere and are smooth.
        device: where the tilts live.
        dtype: their type.

    Shape:
        ``(B, C, 2b, 2b, 2b)`` to ``(B, (2 + T) C)``: all means, then all deviations, then, for
        each of the ``T`` tilts, how far the tilted means lie above the means.
    """

    in_field: SphericalField
    out_field: Invariant[Tensor]
    tilt: Tensor | None
    field: ClassVar[type[SphericalField]] = RotationMaps

    def __init__(
        self,
        channels: int,
        bandwidth: int,
        eps: float = 1e-6,
        tilts: Sequence[float] = (),
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        channels = integer(channels, "channels", type(self).__name__)
        bandwidth = integer(bandwidth, "bandwidth", type(self).__name__)
        invariants = Invariant(SO3, (2 + len(tilts)) * channels)
        super().__init__(self.field(channels, bandwidth), invariants)
        self.eps = eps
        self.tilt = None
        if len(tilts):
            start = torch.tensor([float(tilt) for tilt in tilts], device=device, dtype=dtype)
            self.tilt = nn.Parameter(start[:, None].repeat(1, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Samples to ``(B, (2 + T) C)``."""
        self.check(x)
        if self.tilt is not None:
            check_home(x, self.tilt, self.label)
        samples = at_least_single(x).flatten(3)  # (B, C, 2b, angles)
        mean = _mean(samples)
        risen = samples - mean[..., None, None]
        deviation = (_mean(risen.square()) + self.eps).sqrt()
        found = [mean, deviation]
        if self.tilt is not None:
            areas = _weights(samples).log()[:, None]
            for tilt in self.tilt:
                logits = (tilt / deviation)[..., None, None] * risen + areas
                found.append((logits.flatten(2).softmax(-1) * risen.flatten(2)).sum(-1))
        return torch.cat(found, -1).to(x.dtype)


class S2Moments(SO3Moments):
    """`SO3Moments` of signals on the sphere: ``(B, C, 2b, 2b)`` to ``(B, (2 + T) C)``.

    Arguments as `SO3Moments`.
    """

    field = SphereMaps


def _mean(x: Tensor) -> Tensor:
    """Over the sphere or SO(3), of samples ``(B, C, 2b, angles)``."""
    return (x.sum(-1) * _weights(x)).sum(-1)  # no matrix product: autocast would round it


def _weights(x: Tensor) -> Tensor:
    """Weights ``(2b,)`` of samples ``(B, C, 2b, angles)``; all samples' weights have sum 1."""
    rings, angles = x.shape[2:]
    return sample_weights(rings // 2, angles, x.dtype, x.device)
