"""Convolutions on the sphere and on SO(3): correlate a signal with a kernel in all its poses.

`S2Conv` takes signals on the sphere to signals on SO(3), `SO3Conv` goes on there, and
`SO3Integrate` ends in invariant numbers. All commute with rotations to rounding, for
band-limited signals (``rotate_s2``, ``rotate_so3`` act exactly): 5e-7 in float32 and 1e-14 in
float64 for a stack of the two. What breaks the law is the non-linearity between them, which
makes frequencies that the grid cannot hold: see `equivlab.nn.sphere.activation`.

Cohen, Geiger, Köhler & Welling, *Spherical CNNs* (ICLR 2018).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

from torch import Tensor

from equivlab.fields.sphere import RotationMaps, SphereMaps
from equivlab.nn.base import check_home
from equivlab.nn.sphere.base import SphericalConv
from equivlab.nn.sphere.kernel import s2_basis, so3_basis
from equivlab.sphere.grid import s2_near_identity_grid, so3_near_identity_grid
from equivlab.sphere.s2 import degree_slice, degrees_of, s2_fft
from equivlab.sphere.so3_transform import blocks_degrees, so3_fft, so3_ifft

__all__ = ["S2Conv", "SO3Conv"]

Seen = TypeVar("Seen")  # the spectrum of the input


class _ToRotations(SphericalConv[Seen, list[Tensor]]):
    """What gives signals on SO(3), from blocks ``(B, O, 2l+1, 2l+1)``."""

    def samples(self, spectrum: list[Tensor]) -> Tensor:
        """The output from its spectrum."""
        return so3_ifft(spectrum, self.bandwidth_out).to(self.kernel.dtype)

    def products(self, rows: Sequence[Tensor], kernels: Sequence[Tensor]) -> list[Tensor]:
        """One matrix product for each degree, and the bias.

        Args:
            rows: input ``(B, m, I·k)``; ``k`` is 1 on the sphere, the order on SO(3).
            kernels: ``(I·k, O·n)``.

        Returns:
            Blocks ``(B, O, m, n)``, in memory ``B m O n``.
        """
        blocks: list[Tensor] = []
        for row, kernel in zip(rows, kernels, strict=True):
            product = row.flatten(0, 1) @ kernel  # (B·m, O·n)
            block = product.view(*row.shape[:2], self.out_channels, -1)
            if not blocks and self.bias is not None:  # a constant is all degree 0
                block = block + self.bias[:, None]
            blocks.append(block.transpose(1, 2))
        return blocks


class S2Conv(_ToRotations[Tensor]):
    """Correlate signals on the sphere with kernels in every pose: sphere to SO(3).

    ``out[o](R) = bias[o] + Σ_i ∫ ψ[i, o](R⁻¹x) f[i](x) dx``, which obeys
    ``layer(act(R, f)) == act(R, layer(f))`` (Cohen, Geiger, Köhler & Welling, ICLR 2018, equation 4
    and section 4). In the spectrum it is an outer product for each degree, ``F^l_mn ∝ f_lm ψ_ln``.

    Args:
        in_channels: signals ``I``.
        out_channels: signals ``O`` on SO(3).
        bandwidth_in: ``b`` of the input grid.
        bandwidth_out: ``b'`` of the output grid.
        kernel_grid: where the kernel has its weights: β, α of each point, ``(P, 2)``; by default
            `s2_near_identity_grid()`, three rings of eight points around the pole.
        lmax: highest degree of the kernels, and so of the output; by default ``b' − 1``, all that
            its grid holds. Half of it makes the grid fine enough for a ReLU to follow.
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
    out_field: RotationMaps
    angles = 2

    def fields(self, bandwidth_in: int) -> tuple[SphereMaps, RotationMaps]:
        gives = RotationMaps(self.out_channels, self.bandwidth_out)
        return SphereMaps(self.in_channels, bandwidth_in), gives

    def usual_grid(self) -> Tensor:
        return s2_near_identity_grid()

    def kernel_basis(self) -> Tensor:
        b_in, L, P = self.in_field.bandwidth, self.lmax + 1, len(self.kernel_grid)
        scale = 2 * L / math.sqrt(P * self.in_channels * L**4 / b_in**2)
        return s2_basis(self.kernel_grid, L) * scale

    def transform(self, x: Tensor) -> Tensor:
        """Coefficients ``(B, I, L²)`` of an input ``(B, I, 2b, 2b)``."""
        return s2_fft(x, lmax=min(self.in_field.bandwidth - 1, self.lmax))

    def correlate(self, coefficients: Tensor) -> list[Tensor]:
        """Blocks ``(B, O, 2l+1, 2l+1)`` of the output from coefficients ``(B, I, L²)``.

        They may come from a HEALPix map, too; the scale of the weights stays `bandwidth_in`'s.
        """
        degrees = min(degrees_of(coefficients, self.label), self.lmax + 1)
        if coefficients.dim() != 3 or coefficients.shape[1] != self.in_channels:
            raise ValueError(
                f"{self.label} takes coefficients (B, {self.in_channels}, L²); got "
                f"{tuple(coefficients.shape)}. Make them with s2_fft(x) or healpix_sht(x)"
            )
        check_home(coefficients, self.basis, self.label)
        kernels = self.kernel_spectrum().view(self.in_channels, self.out_channels, -1)
        cuts = [degree_slice(degree) for degree in range(degrees)]
        rows = [coefficients[..., cut].transpose(1, 2) for cut in cuts]  # (B, m, I)
        columns = [kernels[..., cut].flatten(1) for cut in cuts]  # (I, O·n)
        return self.products(rows, columns)


class SO3Conv(_ToRotations[list[Tensor]]):
    """Correlate signals on SO(3) with kernels on SO(3) in every pose.

    ``out[o](R) = bias[o] + Σ_i ∫ ψ[i, o](R⁻¹Q) f[i](Q) dQ``, which obeys
    ``layer(act(R, f)) == act(R, layer(f))`` (Cohen, Geiger, Köhler & Welling, ICLR 2018, equation
    6). In the spectrum it is a matrix product for each degree, ``F^l ψ^lᵀ``.

    Args:
        in_channels: signals ``I``.
        out_channels: signals ``O``.
        bandwidth_in: ``b`` of the input grid.
        bandwidth_out: ``b'`` of the output grid.
        kernel_grid: where the kernel has its weights: β, α, γ of each point, ``(P, 3)``; by
            default `so3_near_identity_grid()`.
        lmax: highest degree of the kernels, and so of the output; by default ``b' − 1``, all that
            its grid holds. Half of it makes the grid fine enough for a ReLU to follow.
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
    out_field: RotationMaps

    def fields(self, bandwidth_in: int) -> tuple[RotationMaps, RotationMaps]:
        gives = RotationMaps(self.out_channels, self.bandwidth_out)
        return RotationMaps(self.in_channels, bandwidth_in), gives

    def usual_grid(self) -> Tensor:
        return so3_near_identity_grid()

    def kernel_basis(self) -> Tensor:
        b_in, L, P = self.in_field.bandwidth, self.lmax + 1, len(self.kernel_grid)
        scale = 1 / math.sqrt(P * self.in_channels * L**3 / b_in**3)
        return so3_basis(self.kernel_grid, L) * scale

    def transform(self, x: Tensor) -> list[Tensor]:
        """Blocks ``(B, I, 2l+1, 2l+1)`` of an input ``(B, I, 2b, 2b, 2b)``."""
        return so3_fft(x, lmax=min(self.in_field.bandwidth - 1, self.lmax))

    def correlate(self, blocks: list[Tensor]) -> list[Tensor]:
        """Blocks ``(B, O, 2l+1, 2l+1)`` of the output from those of the input."""
        degrees = min(blocks_degrees(blocks, self.label), self.lmax + 1)
        if blocks[0].dim() != 4 or blocks[0].shape[1] != self.in_channels:
            raise ValueError(
                f"{self.label} takes blocks (B, {self.in_channels}, 2l+1, 2l+1); got "
                f"{tuple(blocks[0].shape)} at l = 0. Make them with so3_fft(x)"
            )
        check_home(blocks[0], self.basis, self.label)
        sides = [2 * degree + 1 for degree in range(self.lmax + 1)]
        spectra = self.kernel_spectrum().split([side**2 for side in sides], 1)[:degrees]
        kernels = [
            spectrum.view(self.in_channels, self.out_channels, side, side)
            .transpose(1, 2)
            .reshape(self.in_channels * side, -1)
            for side, spectrum in zip(sides, spectra, strict=False)
        ]  # (I·k, O·n)
        rows = [block.transpose(1, 2).flatten(2) for block in blocks[:degrees]]  # (B, m, I·k)
        return self.products(rows, kernels)
