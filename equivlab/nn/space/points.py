"""Convolution on points: neighbours speak through spherical harmonics of their direction.

The continuous twin of `SteerableConv3d`: the same kernels, radial function × harmonics ×
Clebsch–Gordan, evaluated where the neighbours are; so the law holds for *every* rotation.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from equivlab.fields.irreps import Irreps
from equivlab.fields.space import IrrepPoints
from equivlab.nn.base import FieldModule, Home, check_home, integer
from equivlab.nn.space.features import features_of
from equivlab.nn.space.linear import IrrepLinear
from equivlab.nn.space.neighbors import Neighbors
from equivlab.nn.space.product import ChannelProduct

__all__ = ["PointConv", "RadialBasis"]


class RadialBasis(nn.Module):
    """Distances as numbers between 0 and 1: Gaussian bumps that fade out at the cutoff.

    ``out[n] = exp(−(d − r_n)² / 2s²) · ½(1 + cos(πd / cutoff))`` with `size` centres ``r_n`` evenly
    from 0 to the cutoff and ``s`` their spacing; 0 beyond.

    Args:
        size: how many.
        cutoff: where they end.
        device: where the centres live.
        dtype: their type.
    """

    centres: Tensor

    def __init__(
        self,
        size: int,
        cutoff: float,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.spacing = cutoff / max(size - 1, 1)
        centres = torch.linspace(0, cutoff, size, device=device, dtype=dtype)
        self.register_buffer("centres", centres)

    def forward(self, distance: Tensor) -> Tensor:
        """Distances ``(E,)`` to ``(E, size)``."""
        bumps = torch.exp(-((distance[:, None] - self.centres) ** 2) / (2 * self.spacing**2))
        return bumps * self.envelope(distance)[:, None]

    def envelope(self, distance: Tensor) -> Tensor:
        """1 at distance 0, 0 from the cutoff on, with a slope of 0 at both, ``(E,)``."""
        return 0.5 * (1 + torch.cos(math.pi * (distance / self.cutoff).clamp(max=1)))


class PointConv(FieldModule):
    """Convolve features on points over their neighbours, for every rotation and shift.

    ``out(p) = W · Σ_q R(|q − p|) · C f(q) Y(q − p) / √n + W' f(p)``: each channel of a neighbour
    is multiplied with spherical harmonics of its direction (tensor product, channel by channel),
    weighed by a small network ``R`` of the distance, added up, and mixed with learned weights
    ``W``. ``layer(act(g, f), move(g, p)) == act(g, layer(f, p))`` (Thomas et al., *Tensor field
    networks*, 2018; channel-wise as in Batzner et al., *NequIP*, 2022).

    Args:
        irreps_in: what the input channels are.
        irreps_out: what the output channels are.
        cutoff: how far a point sees; the neighbours must be made with the same.
        lmax: the highest degree of the harmonics.
        radial: numbers that describe a distance: Gaussian bumps, evenly from 0 to the cutoff,
            where they fade out.
        hidden: width of the radial network's hidden layer.
        mean_neighbors: the usual number ``n`` of neighbours; it scales the sum.
        self_interaction: add the mixed features of the point itself.
        device: where the weights live.
        dtype: their type.

    Shape:
        ``(N, irreps_in.dim)`` and `Neighbors` to ``(N, irreps_out.dim)``. A point without
        neighbours gets its own features only. Coincident points exchange scalars and what is
        made of them without a direction: harmonics of a zero vector are 0 for ``l > 0``.

    Raises:
        ValueError: irreps that nothing leads to, another cutoff, shape, dtype or device.

    >>> from equivlab.nn import find_neighbors
    >>> points = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    >>> layer = PointConv("4x0e", "8x0e + 4x1o", cutoff=2.0)
    >>> layer(torch.ones(20, 4), find_neighbors(points, cutoff=2.0)).shape
    torch.Size([20, 20])
    """

    in_field: IrrepPoints
    out_field: IrrepPoints

    def __init__(
        self,
        irreps_in: Irreps | str,
        irreps_out: Irreps | str,
        cutoff: float,
        lmax: int = 2,
        radial: int = 8,
        hidden: int = 32,
        mean_neighbors: float = 16.0,
        self_interaction: bool = True,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(IrrepPoints(irreps_in), IrrepPoints(irreps_out))
        into, out = self.in_field.irreps, self.out_field.irreps
        self.label = f"PointConv({into} -> {out})"
        self.cutoff = float(cutoff)
        self.lmax = integer(lmax, "lmax", self.label, least=0)
        self.mean_neighbors = mean_neighbors
        radial, hidden = (
            integer(radial, "radial", self.label),
            integer(hidden, "hidden", self.label),
        )
        if not (math.isfinite(self.cutoff) and self.cutoff > 0):
            raise ValueError(f"{self.label}: cutoff must be above 0; got {cutoff}.")
        if not self.mean_neighbors > 0:
            raise ValueError(f"{self.label}: mean_neighbors must be above 0; got {mean_neighbors}.")
        home: Home = {"device": device, "dtype": dtype}
        blocks, self.features = features_of(into), features_of(out)
        products = [ChannelProduct(block, out, self.lmax, **home) for block in blocks]
        self.products = nn.ModuleList(products)
        self._cuts = [block.cut for block in blocks]
        self._targets = self._lead_to(products, self_interaction)
        self._sizes = [product.weights for product in products]
        self.basis = RadialBasis(radial, self.cutoff, **home)
        self.radial = nn.Sequential(
            nn.Linear(radial, hidden, **home),
            nn.SiLU(),
            nn.Linear(hidden, sum(self._sizes), False, **home),
        )
        fans = [sum(blocks[number].count for number, _ in pieces) for pieces in self._targets]
        self.mix = nn.ParameterList(
            torch.empty(fan, made.count, **home)
            for fan, made in zip(fans, self.features, strict=True)
        )
        self.own = IrrepLinear(into, out, bias=True, **home) if self_interaction else None
        self.reset_parameters()

    def _lead_to(self, products: list[ChannelProduct], own: bool) -> list[list[tuple[int, slice]]]:
        """For each output irrep: which products make it, and in which of their rows."""
        targets = []
        for _, irrep in self.out_field.irreps:
            pieces = [
                (number, rows)
                for number, product in enumerate(products)
                for made, rows in product.pieces
                if made == (irrep.l, irrep.p)
            ]
            if not pieces and not (own and irrep in self.in_field.irreps):
                raise ValueError(
                    f"{self.label}: nothing of degree up to {self.lmax} leads to {irrep}, so it "
                    f"would stay 0. Raise lmax, leave {irrep} out, or give the input more "
                    "degrees (mind the parity, e and o)."
                )
            targets.append(pieces)
        return targets

    def reset_parameters(self) -> None:
        """Draw the weights so that features of variance 1 give features of about variance 1."""
        last = self.get_parameter("radial.2.weight")
        nn.init.normal_(self.get_parameter("radial.0.weight"))
        nn.init.zeros_(self.get_parameter("radial.0.bias"))
        nn.init.normal_(last, 0, 2 / math.sqrt(last.shape[1]))
        for weight in self.mix:
            nn.init.normal_(weight, 0, 1 / math.sqrt(max(len(weight), 1)))
        if self.own is not None:
            self.own.reset_parameters()

    def forward(self, x: Tensor, near: Neighbors) -> Tensor:
        """Convolve features ``(N, irreps_in.dim)`` over their neighbours."""
        self.check(x)
        check_home(x, self.mix[0], self.label)
        self._check_neighbors(x, near)
        Y = near.harmonics(self.lmax)
        weights = self.radial(self.basis(near.distance()))  # (E, weights)
        split = weights.split(self._sizes, 1)
        messages = [
            product(x[:, cut], Y, own, near)
            for product, cut, own in zip(self.products, self._cuts, split, strict=True)
        ]
        return self._mixed(x, messages)

    def _mixed(self, x: Tensor, messages: list[Tensor]) -> Tensor:
        """Sums over neighbours ``(N, K, M)`` of each product to ``(N, irreps_out.dim)``."""
        parts = []
        for pieces, weight, made in zip(self._targets, self.mix, self.features, strict=True):
            if not pieces:
                parts.append(x.new_zeros(len(x), made.channels))
                continue
            fields = torch.cat([messages[number][:, rows] for number, rows in pieces], 2)
            parts.append((fields @ weight).transpose(1, 2).flatten(1))
        out = torch.cat(parts, 1) / math.sqrt(self.mean_neighbors)
        return out if self.own is None else out + self.own(x)

    def _check_neighbors(self, x: Tensor, near: Neighbors) -> None:
        if near.count != len(x):
            raise ValueError(
                f"{self.label} takes one feature for each point; got {len(x)} features and the "
                f"neighbours of {near.count} points."
            )
        if near.cutoff != self.cutoff:
            raise ValueError(
                f"{self.label} was made for cutoff={self.cutoff}; got neighbours within "
                f"{near.cutoff}. Make them: find_neighbors(positions, cutoff={self.cutoff})"
            )
        other_type = near.vector.dtype != x.dtype and not torch.is_autocast_enabled(x.device.type)
        if near.vector.device != x.device or other_type:
            raise ValueError(
                f"{self.label} got features of {x.dtype} on {x.device} and positions of "
                f"{near.vector.dtype} on {near.vector.device}. Convert one of them: "
                f"positions.to(x)"
            )

    def extra_repr(self) -> str:
        """The fields and the reach, for `print(model)`."""
        return f"{super().extra_repr()}, cutoff={self.cutoff}, lmax={self.lmax}"
