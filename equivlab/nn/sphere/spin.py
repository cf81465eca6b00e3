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
from equivlab.nn.base import FieldModule, check_home, integer
from equivlab.nn.exact_tables import ExactTables
from equivlab.nn.sphere.base import SphericalConv
from equivlab.nn.sphere.kernel import spin_basis
from equivlab.sphere.grid import spin_kernel_grid
from equivlab.sphere.s2 import at_least_single, no_autocast
from equivlab.sphere.spin import constant_term, expand, gamma_waves, project

__all__ = ["SpinActivation", "SpinConv", "spin_field"]


def spin_field(channels: int, bandwidth: int, orders: int) -> SphereMaps | SpinMaps:
    """The field of such features: `SphereMaps` where the only order is 0, else `SpinMaps`."""
    if orders < 0:
        raise ValueError(f"The highest order in γ is 0 or more; got orders={orders}.")
    return SpinMaps(channels, bandwidth, orders) if orders else SphereMaps(channels, bandwidth)


class SpinConv(SphericalConv[Tensor, Tensor]):
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
        lmax: highest degree of the kernels, and so of the output; by default ``b' − 1``, all that
            its grid holds. Less makes the grid fine enough for a non-linearity to follow.
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
        lmax: int | None = None,
        *,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.orders_in = integer(orders_in, "orders_in", "SpinConv", least=0)
        self.orders_out = integer(orders_out, "orders_out", "SpinConv", least=0)
        super().__init__(
            in_channels,
            out_channels,
            bandwidth_in,
            bandwidth_out,
            kernel_grid,
            lmax,
            bias=bias,
            device=device,
            dtype=dtype,
        )

    def fields(self, bandwidth_in: int) -> tuple[SphereMaps | SpinMaps, SphereMaps | SpinMaps]:
        return (
            spin_field(self.in_channels, bandwidth_in, self.orders_in),
            spin_field(self.out_channels, self.bandwidth_out, self.orders_out),
        )

    def usual_grid(self) -> Tensor:
        return spin_kernel_grid(self.orders_in, self.orders_out)

    def kernel_basis(self) -> Tensor:
        basis = spin_basis(self.kernel_grid, self.lmax + 1, self.orders_in, self.orders_out)
        # Weights from U(−1, 1) have variance 1/3: the output is at most as large as the input.
        return basis * math.sqrt(3 / (len(self.kernel_grid) * self.in_channels))

    def transform(self, x: Tensor) -> Tensor:
        """The spectrum ``(m, k, B, I, l)`` of an input; 0 where ``l < |m|`` or ``l < |k|``."""
        return project(at_least_single(x), min(self.in_field.bandwidth, self.lmax + 1))

    def correlate(self, spectrum: Tensor) -> Tensor:
        """The spectrum ``(m, n, B, O, l)`` of the output from that of the input."""
        wanted = (2 * self.orders_in + 1, self.in_channels)
        if spectrum.dim() != 5 or (spectrum.shape[1], spectrum.shape[3]) != wanted:
            raise ValueError(
                f"{self.label} takes a spectrum (2L−1, {wanted[0]}, B, {wanted[1]}, L); got "
                f"{tuple(spectrum.shape)}. Make it with layer.transform(x)"
            )
        check_home(spectrum, self.basis, self.label)
        L = min(spectrum.shape[-1], self.lmax + 1)
        beyond = spectrum.shape[-1] - L
        spectrum = spectrum[beyond : beyond + 2 * L - 1, ..., :L]
        M, maps, B, ins, _ = spectrum.shape
        rows = spectrum.permute(4, 0, 2, 1, 3).reshape(L, M * B, maps * ins)
        kernels = self.kernel_spectrum().view(ins, self.out_channels, self.lmax + 1, maps, -1)
        columns = kernels[:, :, :L].permute(2, 3, 0, 4, 1).reshape(L, maps * ins, -1)  # (n, O)
        out = torch.bmm(rows, columns).view(L, M, B, -1, self.out_channels)
        out = out.permute(1, 3, 2, 4, 0)  # (m, n, B, O, l)
        if self.bias is not None:
            constant_term(out).add_(self.bias)
        return out

    def samples(self, spectrum: Tensor) -> Tensor:
        """The output from its spectrum ``(m, n, B, O, l)``."""
        return expand(spectrum, self.bandwidth_out).to(self.kernel.dtype)


class SpinActivation(ExactTables, FieldModule):
    """A pointwise function on SO(3), of a signal of few orders, and as few orders of the result.

    ``out = P(activation(f))``: the signal is evaluated at some angles γ, the function applied,
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
        activation: any pointwise function of a tensor, or a module.
        angles: how many γ; by default ``2N + N' + 2``.
        device: where the tables live.
        dtype: their type; float32 at least.

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
    in_half = False

    def __init__(
        self,
        channels: int,
        bandwidth: int,
        orders_in: int,
        orders_out: int | None = None,
        activation: Callable[[Tensor], Tensor] = F.silu,
        angles: int | None = None,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        channels = integer(channels, "channels", "SpinActivation")
        bandwidth = integer(bandwidth, "bandwidth", "SpinActivation")
        orders_in = integer(orders_in, "orders_in", "SpinActivation", least=0)
        orders_out = orders_in if orders_out is None else orders_out
        orders_out = integer(orders_out, "orders_out", "SpinActivation", least=0)
        super().__init__(
            spin_field(channels, bandwidth, orders_in), spin_field(channels, bandwidth, orders_out)
        )
        wanted = 2 * max(orders_in, orders_out) + 1
        usual = 2 * orders_in + orders_out + 2
        self.angles = usual if angles is None else integer(angles, "angles", "SpinActivation")
        if self.angles < wanted:
            raise ValueError(
                f"SpinActivation: orders up to {max(orders_in, orders_out)} need {wanted} or more "
                f"angles; got {angles}. Leave it out for {usual}."
            )
        self.orders_in, self.orders_out = orders_in, orders_out
        self.activation = activation
        self.make_tables(torch.empty(0, device=device, dtype=dtype))

    def tables(self) -> dict[str, Tensor]:
        """From orders to angles, and back."""
        up = gamma_waves(self.orders_in, self.angles).t()
        down = gamma_waves(self.orders_out, self.angles) * (2 / self.angles)
        down[self.orders_out] /= 2
        return {"up": up.contiguous(), "down": down}

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate, apply, project."""
        self.check(x)
        if not self.orders_in and not self.orders_out:
            return self.activation(x)
        check_home(at_least_single(x), self.up, self.label)
        flat = x.movedim(2, 0) if self.orders_in else x[None]  # n first, as it stands in memory
        lead = flat.shape[1:]
        with no_autocast(x):  # half precision would cost the law three digits
            rows = flat.reshape(len(flat), -1).to(self.up.dtype)
            y = self.down @ self.activation(self.up @ rows)
        maps = y.to(x.dtype).view(-1, *lead).movedim(0, 2)
        return maps if self.orders_out else maps[:, :, 0]

    def extra_repr(self) -> str:
        """The fields, the function and the angles, for `print(model)`."""
        same = self.in_field == self.out_field
        name = getattr(self.activation, "__name__", repr(self.activation))
        fields = str(self.in_field) if same else super().extra_repr()
        return f"{fields}, {name}, angles={self.angles}"
