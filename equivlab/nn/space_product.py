"""The tensor product of features with harmonics, channel by channel, as three matrix products.

Naively, each pair of a path (degree in, degree of the harmonics, degree out) and an edge is a
small product with Clebsch–Gordan numbers: dozens of slow little operations. Here the numbers of
*all* paths stand in one matrix. It turns the harmonics of an edge into the matrix that acts on
the neighbour's features; one batched product applies it to all channels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from equivlab.nn.space_neighbours import Neighbours

__all__ = ["ChannelProduct"]


class ChannelProduct(nn.Module):
    """Features of one irrep times harmonics, to every irrep wanted, summed over neighbours.

    ``out[p, k, u] = Σ_q w[path(k), u] · Σ_i Q[k, i] f[q, i, u]`` with
    ``Q[k, i] = Σ_s C[k, i, s] Y_s(q − p)``, the same as `e3nn.o3.TensorProduct` with ``uvu`` paths
    and ``component`` normalisation.

    Args:
        multiplicity: channels ``M`` of the input.
        irrep: what they are.
        wanted: irreps that the output may have.
        degree: the highest degree of the harmonics.
        device: where the numbers live.
        dtype: their type.

    Attributes:
        pieces: for each path its output irrep and its rows among the ``K`` rows of the output.
        weights: numbers that weigh the paths of one edge.
    """

    coupling: Tensor
    path: Tensor

    def __init__(
        self,
        multiplicity: int,
        irrep: Any,
        wanted: Any,
        degree: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.multiplicity = multiplicity
        self.irrep = irrep
        self.degree = degree
        self.pieces: list[tuple[Any, slice]] = []
        self.degrees: list[int] = []  # of the harmonics, path by path
        row = 0
        for f in range(degree + 1):
            for out in irrep * type(irrep)(f, (-1) ** f):
                if out in wanted:
                    self.pieces.append((out, slice(row, row + out.dim)))
                    self.degrees.append(f)
                    row += out.dim
        self.weights = multiplicity * len(self.pieces)
        sizes = torch.tensor([out.dim for out, _ in self.pieces], dtype=torch.long)
        path = torch.arange(len(sizes)).repeat_interleave(sizes)
        self.register_buffer("path", path.to(device=device), persistent=False)
        home = torch.empty(0, device=device, dtype=dtype)
        self.register_buffer("coupling", self._couple().to(home), persistent=False)

    def _couple(self) -> Tensor:
        """The Clebsch–Gordan numbers of all paths, ``((degree+1)², K·i)``, float64."""
        from e3nn import o3

        out = torch.zeros((self.degree + 1) ** 2, len(self.path), self.irrep.dim).double()
        for (irrep, rows), f in zip(self.pieces, self.degrees, strict=True):
            numbers = o3.wigner_3j(f, irrep.l, self.irrep.l, dtype=torch.float64)
            out[f**2 : (f + 1) ** 2, rows] = numbers * irrep.dim**0.5
        return out.flatten(1)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.coupling = self._couple().to(self.coupling)  # not the rounding of the type before
        return self

    def forward(self, x: Tensor, Y: Tensor, weights: Tensor, near: Neighbours) -> Tensor:
        """Sum over the neighbours.

        Args:
            x: features ``(N, M·i)``, components of a channel next to each other.
            Y: harmonics of each edge ``(E, (degree+1)²)``.
            weights: ``(E, P·M)``, for each path and channel.
            near: who is near whom.

        Returns:
            ``(N, K, M)``.
        """
        i, m = self.irrep.dim, self.multiplicity
        features = x.unflatten(1, (m, i)).transpose(1, 2)  # (N, i, M)
        sent = features.reshape(len(x), -1).index_select(0, near.source).view(-1, i, m)
        Q = (Y @ self.coupling).view(len(Y), len(self.path), i)  # (E, K, i)
        product = Q * sent if i == 1 else torch.bmm(Q, sent)  # (E, K, M)
        weighed = product * weights.view(len(Y), len(self.pieces), m).index_select(1, self.path)
        out = x.new_zeros(len(x), len(self.path) * m)
        return out.index_add(0, near.target, weighed.flatten(1)).view(len(x), len(self.path), m)
