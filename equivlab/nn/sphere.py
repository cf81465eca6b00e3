"""Convolutions on the sphere and on SO(3): correlate a signal with a kernel in all its poses.

`S2Conv` takes signals on the sphere to signals on SO(3), `SO3Conv` goes on there, and
`SO3Integrate` ends in invariant numbers. All commute with rotations to rounding, for
band-limited signals (``rotate_s2``, ``rotate_so3`` act exactly): 5e-7 in float32 and 1e-14 in
float64 for a stack of the two. What breaks the law is the non-linearity between them, which
makes frequencies that the grid cannot hold: see `equivlab.nn.sphere_activation`.

Cohen, Geiger, Köhler & Welling, *Spherical CNNs* (ICLR 2018).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from equivlab.fields.sphere import RotationInvariant, RotationMaps, SphereMaps, SphericalField
from equivlab.nn.base import FieldModule, check_home
from equivlab.nn.sphere_conv import SphericalConv
from equivlab.so3 import SO3
from equivlab.sphere.grid import (
    s2_near_identity_grid,
    sample_weights,
    so3_near_identity_grid,
)
from equivlab.sphere.s2 import degree_slice, degrees_of, s2_fft
from equivlab.sphere.so3_transform import blocks_degrees, so3_fft
from equivlab.sphere.wigner import wigner_D

__all__ = ["S2Conv", "S2Moments", "SO3Conv", "SO3Integrate", "SO3Moments"]


class S2Conv(SphericalConv):
    """Correlate signals on the sphere with kernels in every pose: sphere to SO(3).

    ``out[o](R) = bias[o] + Σ_i ∫ ψ[i, o](R⁻¹x) f[i](x) dx``, which obeys
    ``layer(act(R, f)) == act(R, layer(f))`` (paper, equation 4 and section 4). In the spectrum
    it is an outer product for each degree, ``F^l_mn ∝ f_lm ψ_ln``.

    Args:
        in_channels: signals ``I``.
        out_channels: signals ``O`` on SO(3).
        bandwidth_in: ``b`` of the input grid.
        bandwidth_out: ``b'`` of the output grid.
        kernel_grid: where the kernel has its weights: β, α of each point, ``(P, 2)``; by default
            `s2_near_identity_grid()`, three rings of eight points around the pole.
        degrees: of the kernels, and so of the output; by default all ``b'`` that its grid
            holds. Half as many make the grid fine enough for a ReLU to follow.
        bias: add one learned number to each output.
        device: where the weights live.
        dtype: their type.

    Shape:
        ``(B, I, 2b, 2b)`` to ``(B, O, 2b', 2b', 2b')``; `from_spectrum` takes ``(B, I, L²)``.

    Raises:
        ValueError: a shape, dtype or device that does not fit; the message says what would.

    >>> S2Conv(1, 20, bandwidth_in=30, bandwidth_out=10)
    S2Conv(SphereMaps(1, bandwidth=30) -> RotationMaps(20, bandwidth=10), points=24)
    """

    in_field: SphereMaps
    angles = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bandwidth_in: int,
        bandwidth_out: int,
        kernel_grid: Tensor | None = None,
        degrees: int | None = None,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        grid = s2_near_identity_grid() if kernel_grid is None else kernel_grid
        maps = SphereMaps(in_channels, bandwidth_in)
        out = RotationMaps(out_channels, bandwidth_out)
        super().__init__(maps, out, grid, degrees, bias, device, dtype)

    def kernel_basis(self) -> Tensor:
        b_in, b_out, P = self.in_field.bandwidth, self.degrees, len(self.kernel_grid)
        beta, alpha = self.kernel_grid.unbind(1)
        D = wigner_D(SO3.from_zyz(alpha, beta, 0.0), b_out)
        # The paper's code measures the sphere as 1, our coefficients as 4π: 1/√(4π(2l+1)).
        columns = [d[..., d.shape[-1] // 2] / math.sqrt(4 * math.pi * d.shape[-1]) for d in D]
        scale = 2 * b_out / math.sqrt(P * self.in_channels * b_out**4 / b_in**2)
        return torch.cat(columns, -1) * scale

    def transform(self, x: Tensor) -> Tensor:
        """Coefficients ``(B, I, L²)`` of an input ``(B, I, 2b, 2b)``."""
        return s2_fft(x, min(self.in_field.bandwidth, self.degrees))

    def correlate(self, coefficients: Tensor) -> list[Tensor]:
        """Blocks ``(B, O, 2l+1, 2l+1)`` of the output from coefficients ``(B, I, L²)``.

        They may come from a HEALPix map, too; the scale of the weights stays `bandwidth_in`'s.
        """
        degrees = min(degrees_of(coefficients, self.label), self.degrees)
        if coefficients.dim() != 3 or coefficients.shape[1] != self.in_channels:
            raise ValueError(
                f"{self.label} takes coefficients (B, {self.in_channels}, L²); got "
                f"{tuple(coefficients.shape)}. Make them with s2_fft(x) or healpix_sht(x)"
            )
        check_home(coefficients, self.kernel, self.label)
        kernels = self.kernel_spectrum().view(self.in_channels, self.out_channels, -1)
        cuts = [degree_slice(degree) for degree in range(degrees)]
        rows = [coefficients[..., cut].transpose(1, 2) for cut in cuts]  # (B, m, I)
        columns = [kernels[..., cut].flatten(1) for cut in cuts]  # (I, O·n)
        return self.products(rows, columns)


class SO3Conv(SphericalConv):
    """Correlate signals on SO(3) with kernels on SO(3) in every pose.

    ``out[o](R) = bias[o] + Σ_i ∫ ψ[i, o](R⁻¹Q) f[i](Q) dQ``, which obeys
    ``layer(act(R, f)) == act(R, layer(f))`` (paper, equation 6). In the spectrum it is a matrix
    product for each degree, ``F^l ψ^lᵀ``.

    Args:
        in_channels: signals ``I``.
        out_channels: signals ``O``.
        bandwidth_in: ``b`` of the input grid.
        bandwidth_out: ``b'`` of the output grid.
        kernel_grid: where the kernel has its weights: β, α, γ of each point, ``(P, 3)``; by
            default `so3_near_identity_grid()`.
        degrees: of the kernels, and so of the output; by default all ``b'`` that its grid
            holds. Half as many make the grid fine enough for a ReLU to follow.
        bias: add one learned number to each output.
        device: where the weights live.
        dtype: their type.

    Shape:
        ``(B, I, 2b, 2b, 2b)`` to ``(B, O, 2b', 2b', 2b')``.

    Raises:
        ValueError: a shape, dtype or device that does not fit; the message says what would.

    >>> SO3Conv(20, 40, bandwidth_in=10, bandwidth_out=6)
    SO3Conv(RotationMaps(20, bandwidth=10) -> RotationMaps(40, bandwidth=6), points=192)
    """

    in_field: RotationMaps

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bandwidth_in: int,
        bandwidth_out: int,
        kernel_grid: Tensor | None = None,
        degrees: int | None = None,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        grid = so3_near_identity_grid() if kernel_grid is None else kernel_grid
        maps = RotationMaps(in_channels, bandwidth_in)
        out = RotationMaps(out_channels, bandwidth_out)
        super().__init__(maps, out, grid, degrees, bias, device, dtype)

    def kernel_basis(self) -> Tensor:
        b_in, b_out, P = self.in_field.bandwidth, self.degrees, len(self.kernel_grid)
        beta, alpha, gamma = self.kernel_grid.unbind(1)
        D = wigner_D(SO3.from_zyz(alpha, beta, gamma), b_out)
        scale = 1 / math.sqrt(P * self.in_channels * b_out**3 / b_in**3)
        return torch.cat([d.mT.flatten(1) for d in D], -1) * scale  # (P, Σ k·n): transposed

    def transform(self, x: Tensor) -> list[Tensor]:
        """Blocks ``(B, I, 2l+1, 2l+1)`` of an input ``(B, I, 2b, 2b, 2b)``."""
        return so3_fft(x, min(self.in_field.bandwidth, self.degrees))

    def correlate(self, blocks: list[Tensor]) -> list[Tensor]:
        """Blocks ``(B, O, 2l+1, 2l+1)`` of the output from those of the input."""
        degrees = min(blocks_degrees(blocks, self.label), self.degrees)
        if blocks[0].dim() != 4 or blocks[0].shape[1] != self.in_channels:
            raise ValueError(
                f"{self.label} takes blocks (B, {self.in_channels}, 2l+1, 2l+1); got "
                f"{tuple(blocks[0].shape)} at l = 0. Make them with so3_fft(x)"
            )
        check_home(blocks[0], self.kernel, self.label)
        sides = [2 * degree + 1 for degree in range(self.degrees)]
        spectra = self.kernel_spectrum().split([side**2 for side in sides], 1)[:degrees]
        kernels = [
            spectrum.view(self.in_channels, self.out_channels, side, side)
            .transpose(1, 2)
            .reshape(self.in_channels * side, -1)
            for side, spectrum in zip(sides, spectra, strict=False)
        ]  # (I·k, O·n)
        rows = [block.transpose(1, 2).flatten(2) for block in blocks[:degrees]]  # (B, m, I·k)
        return self.products(rows, kernels)


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
    out_field: RotationInvariant

    def __init__(self, channels: int, bandwidth: int) -> None:
        super().__init__(RotationMaps(channels, bandwidth), RotationInvariant(channels))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, 2b, 2b, 2b)`` to ``(B, C)``."""
        return _mean(self.check(x).flatten(3))


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

    Shape:
        ``(B, C, 2b, 2b, 2b)`` to ``(B, (2 + T) C)``: all means, then all deviations, then, for
        each of the ``T`` tilts, how far the tilted means lie above the means.
    """

    in_field: SphericalField
    out_field: RotationInvariant
    tilt: Tensor | None
    field: ClassVar[type[SphericalField]] = RotationMaps

    def __init__(
        self, channels: int, bandwidth: int, eps: float = 1e-6, tilts: Sequence[float] = ()
    ) -> None:
        invariants = RotationInvariant((2 + len(tilts)) * channels)
        super().__init__(self.field(channels, bandwidth), invariants)
        self.eps = eps
        start = torch.tensor(tilts, dtype=torch.get_default_dtype())
        self.tilt = nn.Parameter(start[:, None].repeat(1, channels)) if len(tilts) else None

    def forward(self, x: Tensor) -> Tensor:
        """Samples to ``(B, (2 + T) C)``."""
        x = self.check(x).flatten(3)  # (B, C, 2b, angles)
        mean = _mean(x)
        risen = x - mean[..., None, None]
        deviation = (_mean(risen.square()) + self.eps).sqrt()
        found = [mean, deviation]
        if self.tilt is not None:
            check_home(x, self.tilt, self.label)
            areas = _weights(x).log()[:, None]
            for tilt in self.tilt:
                logits = (tilt / deviation)[..., None, None] * risen + areas
                found.append((logits.flatten(2).softmax(-1) * risen.flatten(2)).sum(-1))
        return torch.cat(found, -1)


class S2Moments(SO3Moments):
    """`SO3Moments` of signals on the sphere: ``(B, C, 2b, 2b)`` to ``(B, (2 + T) C)``."""

    field = SphereMaps


def _mean(x: Tensor) -> Tensor:
    """Over the sphere or SO(3), of samples ``(B, C, 2b, angles)``."""
    return (x.sum(-1) * _weights(x)).sum(-1)  # no matrix product: autocast would round it


def _weights(x: Tensor) -> Tensor:
    """Weights ``(2b,)`` of samples ``(B, C, 2b, angles)``; all samples' weights have sum 1."""
    rings, angles = x.shape[2:]
    return sample_weights(rings // 2, angles, x.dtype, x.device)
