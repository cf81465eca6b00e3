"""Two ways to compute the same transform on SO(3), each with its adjoint.

Both take ``Z`` signals ``(Z, 2b, 2b, 2b)`` in ``β α γ`` to a padded spectrum
``(2L−1, 2L−1, Z, L)`` in ``a b z l`` (`project`), or back (`expand`, the transpose of the same
matrix). Two scalings stand beside the Wigner functions: one number for each β, one for each l.

`GemmRoute` writes the Fourier sums over α and γ and the sum over β as three large real matrix
products: fastest while the tables are small. `FftRoute` takes `torch.fft.rfft2` for the
angles and stores only the fundamental domain of the Wigner functions: at b = 64 these are
22 MB in float32, where the other's tables take 1 GB.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from equivlab.sphere.grid import dh_angles, quadrature_weights
from equivlab.sphere.wigner import angular_waves, real_tables, small_d_tables
from equivlab.tables import remembered

__all__ = ["FftRoute", "GemmRoute", "Route", "fft_route", "gemm_route"]


class Route:
    """What both ways share: the sizes."""

    @property
    def bandwidth(self) -> int:
        """``b``."""
        raise NotImplementedError

    @property
    def degrees(self) -> int:
        """``L``."""
        raise NotImplementedError

    def project(self, x: Tensor) -> Tensor:
        """``(Z, β, α, γ)`` to ``(a, b, Z, l)``: ``F_ab^l = s_l Σ_βαγ s_β D^l_ab(β, α, γ) x``."""
        raise NotImplementedError

    def expand(self, spectrum: Tensor, out: Tensor | None = None) -> Tensor:
        """The transpose, ``(a, b, Z, l)`` to ``(Z, β, α, γ)``: ``s_β Σ s_l D F``, into `out`."""
        raise NotImplementedError

    def floats(self) -> int:
        """Numbers in the largest intermediate of one signal, to choose how many go together."""
        n, K = 2 * self.bandwidth, 2 * self.degrees - 1
        return max(n * n * K, K * K * n, K * K * 2 * self.degrees)


@dataclass(frozen=True, eq=False)
class GemmRoute(Route):
    """Fourier sums as products with matrices of cosines and sines."""

    from_beta: Tensor  # (a·b, β, 2L)
    to_beta: Tensor  # (a·b, 2L, β)
    waves: Tensor  # (2L − 1, 2b)

    @property
    def bandwidth(self) -> int:
        return self.waves.shape[1] // 2

    @property
    def degrees(self) -> int:
        return (self.waves.shape[0] + 1) // 2

    def project(self, x: Tensor) -> Tensor:
        Z, n, L = len(x), 2 * self.bandwidth, self.degrees
        K = 2 * L - 1
        y = torch.mm(self.waves, x.reshape(-1, n).t())  # (b, Z·β·α)
        y = torch.mm(self.waves, y.view(-1, n).t())  # (a, b·Z·β)
        both = torch.bmm(y.view(K * K, Z, n), self.from_beta).view(K, K, Z, 2 * L)
        return both[..., :L] + both[..., L:].flip(0, 1)

    def expand(self, spectrum: Tensor, out: Tensor | None = None) -> Tensor:
        K, _, Z, L = spectrum.shape
        n = 2 * self.bandwidth
        both = torch.cat([spectrum, spectrum.flip(0, 1)], -1)  # (a, b, Z, 2L)
        y = torch.bmm(both.view(K * K, Z, 2 * L), self.to_beta)  # (a·b, Z, β)
        y = torch.mm(y.view(K, -1).t(), self.waves)  # (b·Z·β, α)
        flat = None if out is None else out.view(-1, n)
        return torch.mm(y.view(K, -1).t(), self.waves, out=flat).view(Z, n, n, n)  # (Z·β·α, γ)


@dataclass(frozen=True, eq=False)
class FftRoute(Route):
    """Fourier sums by `torch.fft`, Wigner sums over the fundamental domain.

    For ``m, n ≥ 0`` the signal enters through four numbers at each β, its sums against cosine
    and sine of ``mα + nγ`` and of ``mα − nγ``. Degree ``l`` weighs the first two by
    ``d^l_mn``, the last two by ``d^l_m,−n``; ``d_mn`` for ``m ≥ n`` gives both, and those of
    ``(n, m)``, by symmetry. All that share a ``d_mn`` are rows of one product.
    """

    packed: Tensor  # the tables d^l_mn of all orders, one after the other, see `tables`
    signs: Tensor  # (−1)^l, (L,)
    scale_beta: Tensor  # (2b,)
    scale_degree: Tensor  # (L,)

    @property
    def bandwidth(self) -> int:
        return len(self.scale_beta) // 2

    @property
    def degrees(self) -> int:
        return len(self.scale_degree)

    @property
    def tables(self) -> list[Tensor]:
        """``d^l_mn(β)`` for each ``m``, ``(n, l, β)``: views."""
        L, n = self.degrees, 2 * self.bandwidth
        shapes = [(m + 1, L - m, n) for m in range(L)]
        pieces = self.packed.split([math.prod(shape) for shape in shapes])
        return [piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)]

    def project(self, x: Tensor) -> Tensor:
        L, Z = self.degrees, len(x)
        sums = self._angular_sums(x * self.scale_beta[:, None, None])
        out = x.new_zeros(2, L, L, 2, Z, L)  # (±, m, n, cos/sin, Z, l)
        for m, table in enumerate(self.tables):
            rows = self._gather(sums, m)  # (n, 4, cos/sin, Z, β)
            value = torch.bmm(rows.view(m + 1, 8 * Z, -1), table.mT)
            self._scatter(value.view(m + 1, 4, 2, Z, L - m), out, m, m)
        out[1] *= self.signs
        return _to_real(out) * self.scale_degree

    def expand(self, spectrum: Tensor, out: Tensor | None = None) -> Tensor:
        L, Z, n = self.degrees, spectrum.shape[2], 2 * self.bandwidth
        parts = _from_real(spectrum * self.scale_degree)
        parts[1] *= self.signs
        sums = spectrum.new_empty(2, L, L, 2, Z, n)
        for m, table in enumerate(self.tables):
            rows = self._gather(parts[..., m:], m)  # (n, 4, cos/sin, Z, l)
            value = torch.bmm(rows.view(m + 1, 8 * Z, L - m), table)
            self._scatter(value.view(m + 1, 4, 2, Z, n), sums, m, 0)
        return torch.mul(self._from_angular_sums(sums), self.scale_beta[:, None, None], out=out)

    def _gather(self, parts: Tensor, m: int) -> Tensor:
        """The rows that meet ``d_mn`` for all ``n ≤ m``: ``(n, 4, cos/sin, Z, ·)``."""
        sign = (self.signs[m] * self.signs[: m + 1]).view(-1, 1, 1, 1)  # (−1)^(m−n)
        n = slice(m + 1)
        rows = [sign * parts[0, m, n], parts[0, n, m], parts[1, m, n], sign * parts[1, n, m]]
        return torch.stack(rows, 1)

    def _scatter(self, value: Tensor, parts: Tensor, m: int, start: int) -> None:
        """Write what came of the rows of `_gather` where they stood, from place `start` on."""
        n, last = slice(m + 1), slice(start, None)
        parts[0, n, m, ..., last] = value[:, 1]
        parts[1, n, m, ..., last] = value[:, 3]
        parts[0, m, n, ..., last] = value[:, 0]
        parts[1, m, n, ..., last] = value[:, 2]

    def _angular_sums(self, x: Tensor) -> Tensor:
        """Sums against ``cos, sin(mα ± nγ)``, β reversed with the minus: ``(2, m, n, 2, Z, β)``."""
        L, n = self.degrees, 2 * self.bandwidth
        waves = torch.fft.rfft2(x)[..., :L]  # (Z, β, α, γ)
        minus = (-torch.arange(L, device=x.device)) % n
        plus, other = waves[:, :, :L], waves[:, :, minus].flip(1)
        parts = [[plus.real, -plus.imag], [other.real, other.imag]]
        stacked = torch.stack([torch.stack(pair) for pair in parts])  # (2, 2, Z, β, m, n)
        return stacked.permute(0, 4, 5, 1, 2, 3).contiguous()

    def _from_angular_sums(self, sums: Tensor) -> Tensor:
        """The transpose of `_angular_sums`: ``(2, m, n, 2, Z, β)`` to ``(Z, β, α, γ)``."""
        L, n = self.degrees, 2 * self.bandwidth
        parts = sums.permute(0, 3, 4, 5, 1, 2)  # (2, cos/sin, Z, β, m, n)
        waves = torch.zeros(
            *parts.shape[2:4], n, self.bandwidth + 1,
            dtype=torch.complex(sums[:0], sums[:0]).dtype, device=sums.device,
        )  # fmt: skip
        waves[:, :, :L, :L] = torch.complex(parts[0, 0], -parts[0, 1])
        minus = (-torch.arange(L, device=sums.device)) % n
        other = torch.complex(parts[1, 0], parts[1, 1]).flip(1)
        waves[..., :L] = waves[..., :L].index_add(2, minus, other)
        waves[..., 1:] /= 2  # irfft2 counts them twice, as themselves and their conjugates
        samples: Tensor = torch.fft.irfft2(waves, s=(n, n), norm="forward")
        return samples


def _scales(bandwidth: int, degrees: int, analysis: bool) -> tuple[Tensor, Tensor]:
    """The numbers for each β and for each l, of an `analysis` or of a synthesis."""
    if analysis:
        return quadrature_weights(bandwidth) / (2 * bandwidth) ** 2, _ones(degrees)
    return _ones(2 * bandwidth), 2 * torch.arange(degrees, dtype=torch.float64) + 1


def _ones(count: int) -> Tensor:
    return torch.ones(count, dtype=torch.float64)


@remembered()
def gemm_route(
    bandwidth: int, degrees: int, analysis: bool, dtype: torch.dtype, device: torch.device
) -> GemmRoute:
    """The tables of one size, for samples to spectra (`analysis`) or back."""
    by_beta, by_degree = _scales(bandwidth, degrees, analysis)
    beta, alpha = dh_angles(bandwidth)
    same, other = real_tables(degrees, beta)
    # F_ab takes T_ab y_ab + U_ab y_−a,−b. One product gives both terms: T y_ab for F_ab,
    # and, since its U stands at (−a, −b), U y_ab for F_−a,−b.
    polar = torch.cat([same, other.flip(0, 1)], 2)  # (a, b, 2L, β)
    polar *= torch.cat([by_degree, by_degree])[:, None] * by_beta
    polar = polar.flatten(0, 1).to(device, dtype)
    waves = angular_waves(degrees, alpha).to(device, dtype)
    return GemmRoute(polar.mT.contiguous(), polar.contiguous(), waves)


@remembered()
def fft_route(
    bandwidth: int, degrees: int, analysis: bool, dtype: torch.dtype, device: torch.device
) -> FftRoute:
    """As `gemm_route`, the other way."""
    root = _ones(degrees)
    root[0] = math.sqrt(0.5)
    tables = small_d_tables(degrees, dh_angles(bandwidth)[0])
    scaled = [table * (root[m] * root[: m + 1, None, None]) for m, table in enumerate(tables)]
    packed = torch.cat([table.flatten() for table in scaled])
    signs = 1 - 2 * (torch.arange(degrees) % 2)
    parts = (packed, signs, *_scales(bandwidth, degrees, analysis))
    return FftRoute(*(part.to(device, dtype) for part in parts))


def _to_real(parts: Tensor) -> Tensor:
    """``(±, m, n, cos/sin, Z, l)`` to the real basis ``(a, b, Z, l)``."""
    L = parts.shape[1]
    (c, s), (c_, s_) = (part.unbind(2) for part in parts)  # each (m, n, Z, l)
    out = parts.new_empty(2 * L - 1, 2 * L - 1, *c.shape[2:])
    out[L - 1 :, L - 1 :] = c + c_
    out[L - 1 :, : L - 1] = (s_ - s)[:, 1:].flip(1)
    out[: L - 1, L - 1 :] = (s_ + s)[1:].flip(0)
    out[: L - 1, : L - 1] = (c - c_)[1:, 1:].flip(0, 1)
    return out


def _from_real(spectrum: Tensor) -> Tensor:
    """The transpose of `_to_real`."""
    L = spectrum.shape[-1]
    parts = spectrum.new_zeros(2, L, L, 2, *spectrum.shape[2:])
    both = spectrum[L - 1 :, L - 1 :]
    parts[0, :, :, 0] = both
    parts[1, :, :, 0] = both
    opposite = spectrum[: L - 1, : L - 1].flip(0, 1)
    parts[0, 1:, 1:, 0] += opposite
    parts[1, 1:, 1:, 0] -= opposite
    left, right = spectrum[: L - 1, L - 1 :].flip(0), spectrum[L - 1 :, : L - 1].flip(1)
    for k, sign in ((0, -1), (1, 1)):
        parts[k, 1:, :, 1] = left
        parts[k, :, 1:, 1] += sign * right
    return parts
