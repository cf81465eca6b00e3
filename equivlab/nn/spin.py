"""Spin-weighted spherical layers: SO(3) features with few orders in γ, at the price of the sphere.

`S2Conv` and `SO3Conv` keep features on all of SO(3), ``(2b)³`` numbers each. Most of what a
feature says about a place is said by its lowest orders in γ: a number (``n = 0``), a direction
(``n = ±1``), an axis (``n = ±2``). `SpinConv` keeps ``2N + 1`` maps on the sphere: for ``N = 2``
and ``b = 18`` a seventh of the numbers. With all orders it is the `SO3Conv`. From signals to
signals on the sphere, ``N = 0`` on both sides, it is the isotropic convolution of Esteves et al.
(*Learning SO(3) equivariant representations with spherical CNNs*, ECCV 2018); in between, the
spin-weighted one of Esteves, Makadia & Daniilidis (*Spin-weighted spherical CNNs*, NeurIPS 2020).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.fields.sphere import SphereMaps, SpinMaps
from equivlab.nn.base import FieldModule, check_home
from equivlab.nn.sphere_conv import SphericalConv
from equivlab.so3 import SO3
from equivlab.sphere.grid import spin_kernel_grid
from equivlab.sphere.s2 import at_least_single, no_autocast
from equivlab.sphere.spin import constant_term, expand, gamma_waves, project
from equivlab.sphere.wigner import wigner_D

__all__ = ["SpinActivation", "SpinConv", "spin_field"]


def spin_field(channels: int, bandwidth: int, orders: int) -> SphereMaps | SpinMaps:
    """The field of such features: `SphereMaps` where the only order is 0, else `SpinMaps`."""
    if orders < 0:
        raise ValueError(f"The highest order in γ is 0 or more; got orders={orders}.")
    return SpinMaps(channels, bandwidth, orders) if orders else SphereMaps(channels, bandwidth)


class SpinConv(SphericalConv):
    """Correlate signals of few orders in γ with kernels in every pose.

    ``out[o](R) = bias[o] + Σ_i ∫ ψ[i, o](R⁻¹Q) f[i](Q) dQ`` as in `SO3Conv`, for ``f`` and the
    output of orders up to ``N`` and ``N'``; obeys ``layer(act(R, f)) == act(R, layer(f))``. In
    the spectrum it is one matrix product for each degree.

    Args:
        in_channels: signals ``I``.
        out_channels: signals ``O``.
        bandwidth_in: ``b`` of the input grid.
        bandwidth_out: ``b'`` of the output grid.
        orders_in: highest order ``N`` of the input; 0 takes signals on the sphere.
        orders_out: highest order ``N'`` of the output; 0 gives signals on the sphere.
        kernel_grid: where the kernel has its weights: β, α, γ of each point, ``(P, 3)``; by
            default `spin_kernel_grid` of the orders: all that the kernel can tell apart.
        degrees: of the kernels, and so of the output; by default all ``b'`` that its grid
            holds. Fewer make the grid fine enough for a non-linearity to follow.
        bias: add one learned number to each output.
        device: where the weights live.
        dtype: their type.

    Shape:
        ``(B, I, 2N+1, 2b, 2b)`` to ``(B, O, 2N'+1, 2b', 2b')``, without the axis of the orders
        where the highest is 0.

    Raises:
        ValueError: a shape, dtype or device that does not fit; the message says what would.

    >>> SpinConv(1, 10, 30, 18, orders_out=2)
    SpinConv(SphereMaps(1, bandwidth=30) -> SpinMaps(10, bandwidth=18, orders=2), points=11)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bandwidth_in: int,
        bandwidth_out: int,
        orders_in: int = 0,
        orders_out: int = 0,
        kernel_grid: Tensor | None = None,
        degrees: int | None = None,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        fields = (
            spin_field(in_channels, bandwidth_in, orders_in),
            spin_field(out_channels, bandwidth_out, orders_out),
        )
        self.orders_in, self.orders_out = orders_in, orders_out
        grid = spin_kernel_grid(orders_in, orders_out) if kernel_grid is None else kernel_grid
        super().__init__(*fields, grid, degrees, bias, device, dtype)

    def kernel_basis(self) -> Tensor:
        N, N_out, P = self.orders_in, self.orders_out, len(self.kernel_grid)
        beta, alpha, gamma = self.kernel_grid.unbind(1)
        basis = torch.zeros(P, self.degrees, 2 * N + 1, 2 * N_out + 1, dtype=torch.float64)
        for degree, D in enumerate(wigner_D(SO3.from_zyz(alpha, beta, gamma), self.degrees)):
            k, n = min(degree, N), min(degree, N_out)
            columns, rows = slice(degree - k, degree + k + 1), slice(degree - n, degree + n + 1)
            into = basis[:, degree, N - k : N + k + 1, N_out - n : N_out + n + 1]
            into.copy_(D[:, rows, columns].mT)  # as in `SO3Conv`: transposed
        # Weights from U(−1, 1) have variance 1/3: the output is at most as large as the input.
        return basis.flatten(1) * math.sqrt(3 / (P * self.in_channels))

    def transform(self, x: Tensor) -> Tensor:
        """The spectrum ``(m, k, B, I, l)`` of an input, see `equivlab.sphere.spin.project`."""
        return project(at_least_single(x), min(self.in_field.bandwidth, self.degrees))

    def correlate(self, spectrum: Tensor) -> Tensor:
        """The spectrum ``(m, n, B, O, l)`` of the output from that of the input."""
        wanted = (2 * self.orders_in + 1, self.in_channels)
        if spectrum.dim() != 5 or (spectrum.shape[1], spectrum.shape[3]) != wanted:
            raise ValueError(
                f"{self.label} takes a spectrum (2L−1, {wanted[0]}, B, {wanted[1]}, L); got "
                f"{tuple(spectrum.shape)}. Make it with layer.transform(x)"
            )
        check_home(spectrum, self.kernel, self.label)
        L = min(spectrum.shape[-1], self.degrees)
        beyond = spectrum.shape[-1] - L
        spectrum = spectrum[beyond : beyond + 2 * L - 1, ..., :L]
        M, maps, B, ins, _ = spectrum.shape
        rows = spectrum.permute(4, 0, 2, 1, 3).reshape(L, M * B, maps * ins)
        kernels = self.kernel_spectrum().view(ins, self.out_channels, self.degrees, maps, -1)
        columns = kernels[:, :, :L].permute(2, 3, 0, 4, 1).reshape(L, maps * ins, -1)  # (n, O)
        out = torch.bmm(rows, columns).view(L, M, B, -1, self.out_channels)
        out = out.permute(1, 3, 2, 4, 0)  # (m, n, B, O, l)
        if self.bias is not None:
            constant_term(out).add_(self.bias)
        return out

    def samples(self, spectrum: Tensor) -> Tensor:
        """The output from its spectrum ``(m, n, B, O, l)``."""
        return expand(spectrum, self.bandwidth_out)


class SpinActivation(FieldModule):
    """A pointwise function on SO(3), of a signal of few orders, and as few orders of the result.

    ``out = P(function(f))``: the signal is evaluated at some angles γ, the function applied,
    and the orders up to ``N'`` of the result kept. It obeys the law as far as the samples hold
    what the function makes: in γ a square of orders up to ``N`` exactly from ``2N + N' + 1``
    angles on; in β and α as `SO3Activation` says, so leave degrees free. On white signals of
    orders up to 2 and unit variance a SiLU errs by 8e-2 with 6 angles, 5e-3 with 8 and 1.5e-3 with
    10 (`benchmarks/sphere.py`).

    Args:
        channels: signals ``C``.
        bandwidth: ``b`` of their grid.
        orders_in: highest order ``N`` of the input.
        orders_out: highest order ``N'`` of the output; by default as `orders_in`.
        function: any pointwise function of a tensor.
        angles: how many γ; by default ``2N + N' + 2``.

    Shape:
        ``(B, C, 2N+1, 2b, 2b)`` to ``(B, C, 2N'+1, 2b, 2b)``, without the axis of the orders
        where the highest is 0.

    Raises:
        ValueError: too few `angles`, or a tensor of another kind.

    >>> SpinActivation(10, 18, orders_in=2)
    SpinActivation(SpinMaps(10, bandwidth=18, orders=2), silu, angles=8)
    """

    up: Tensor
    down: Tensor

    def __init__(
        self,
        channels: int,
        bandwidth: int,
        orders_in: int,
        orders_out: int | None = None,
        function: Callable[[Tensor], Tensor] = F.silu,
        angles: int | None = None,
    ) -> None:
        orders_out = orders_in if orders_out is None else orders_out
        super().__init__(
            spin_field(channels, bandwidth, orders_in), spin_field(channels, bandwidth, orders_out)
        )
        wanted = 2 * max(orders_in, orders_out) + 1
        self.angles = (2 * orders_in + orders_out + 2) if angles is None else angles
        if self.angles < wanted:
            raise ValueError(
                f"SpinActivation: orders up to {max(orders_in, orders_out)} need {wanted} or more "
                f"angles; got {angles}. Leave it out for {2 * orders_in + orders_out + 2}."
            )
        self.orders_in, self.orders_out = orders_in, orders_out
        self.function = function
        self._make_tables(None, None)

    def _make_tables(self, device: torch.device | None, dtype: torch.dtype | None) -> None:
        up = gamma_waves(self.orders_in, self.angles).t()
        down = gamma_waves(self.orders_out, self.angles) * (2 / self.angles)
        down[self.orders_out] /= 2
        dtype = dtype or torch.get_default_dtype()
        self.register_buffer("up", up.contiguous().to(device, dtype), persistent=False)
        self.register_buffer("down", down.to(device, dtype), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> SpinActivation:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._make_tables(self.up.device, self.up.dtype)  # from float64 again, as SphericalConv
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate, apply, project."""
        self.check(x)
        if not self.orders_in and not self.orders_out:
            return self.function(x)
        check_home(x, self.up, self.label)
        flat = x.movedim(2, 0) if self.orders_in else x[None]  # n first, as it stands in memory
        lead = flat.shape[1:]
        with no_autocast(x):  # half precision would cost the law three digits
            rows = flat.reshape(len(flat), -1).to(self.up.dtype)
            y = self.down @ self.function(self.up @ rows)
        maps = y.view(-1, *lead).movedim(0, 2)
        return maps if self.orders_out else maps[:, :, 0]

    def extra_repr(self) -> str:
        """The fields, the function and the angles, for `print(model)`."""
        same = self.in_field == self.out_field
        name = getattr(self.function, "__name__", repr(self.function))
        fields = str(self.in_field) if same else super().extra_repr()
        return f"{fields}, {name}, angles={self.angles}"
