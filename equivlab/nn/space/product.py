"""The tensor product of features with harmonics, channel by channel, as three matrix products.

Naively, each pair of a path (degree in, degree of the harmonics, degree out) and an edge is a
small product with Clebsch–Gordan numbers: dozens of slow little operations. Here the numbers of
*all* paths stand in one matrix. It turns the harmonics of an edge into the matrix that acts on
the neighbour's features; one batched product applies it to all channels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from equivlab.fields.irreps import Irreps
from equivlab.nn.exact_tables import ExactTables
from equivlab.nn.space.features import Features
from equivlab.nn.space.neighbors import Neighbors

__all__ = ["ChannelProduct"]


class ChannelProduct(ExactTables):
    """Features of one irrep times harmonics, to every irrep wanted, summed over neighbours.

    ``out[p, k, u] = Σ_q w[path(k), u] · Σ_i Q[k, i] f[q, i, u]`` with
    ``Q[k, i] = Σ_s C[k, i, s] Y_s(q − p)``, the same as `e3nn.o3.TensorProduct` with ``uvu`` paths
    and ``component`` normalisation.

    Args:
        block: the channels of the input, ``M`` features.
        wanted: irreps that the output may have.
        lmax: the highest degree of the harmonics.
        device: where the numbers live.
        dtype: their type.

    Attributes:
        pieces: for each path degree and parity of its output, and its rows among the ``K`` rows.
        weights: numbers that weigh the paths of one edge.
    """

    coupling: Tensor
    path: Tensor

    def __init__(
        self,
        block: Features,
        wanted: Irreps,
        lmax: int,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.block = block
        self.lmax = lmax
        self.pieces: list[tuple[tuple[int, int], slice]] = []
        self.degrees: list[int] = []  # of the harmonics, path by path
        kept = {(int(irrep.l), int(irrep.p)) for _, irrep in wanted}
        row = 0
        for f in range(lmax + 1):
            parity = block.parity * (-1) ** f
            for degree in range(abs(block.degree - f), block.degree + f + 1):
                if (degree, parity) in kept:
                    rows = slice(row, row + 2 * degree + 1)
                    self.pieces.append(((degree, parity), rows))
                    self.degrees.append(f)
                    row = rows.stop
        self.weights = block.count * len(self.pieces)
        self.make_tables(torch.empty(0, device=device, dtype=dtype))

    def tables(self) -> dict[str, Tensor]:
        """The Clebsch–Gordan numbers of all paths, ``((lmax+1)², K·i)``, and each row's path."""
        from e3nn import o3

        sizes = torch.tensor([2 * degree + 1 for (degree, _), _ in self.pieces], dtype=torch.long)
        path = torch.arange(len(sizes)).repeat_interleave(sizes)
        out = torch.zeros((self.lmax + 1) ** 2, len(path), self.block.dim).double()
        for ((degree, _), rows), f in zip(self.pieces, self.degrees, strict=True):
            numbers = o3.wigner_3j(f, degree, self.block.degree, dtype=torch.float64)
            out[f**2 : (f + 1) ** 2, rows] = numbers * (2 * degree + 1) ** 0.5
        return {"coupling": out.flatten(1), "path": path}

    def forward(self, x: Tensor, Y: Tensor, weights: Tensor, near: Neighbors) -> Tensor:
        """Sum over the neighbours.

        Args:
            x: features ``(N, M·i)``, components of a channel next to each other.
            Y: harmonics of each edge ``(E, (lmax+1)²)``.
            weights: ``(E, P·M)``, for each path and channel.
            near: who is near whom.

        Returns:
            ``(N, K, M)``.
        """
        i, m = self.block.dim, self.block.count
        features = x.unflatten(1, (m, i)).transpose(1, 2)  # (N, i, M)
        sent = features.reshape(len(x), -1).index_select(0, near.source).view(-1, i, m)
        Q = (Y @ self.coupling).view(len(Y), len(self.path), i)  # (E, K, i)
        product = Q * sent if i == 1 else torch.bmm(Q, sent)  # (E, K, M)
        weighed = product * weights.view(len(Y), len(self.pieces), m).index_select(1, self.path)
        # In the type of the positions: autocast makes the products in half precision, and a sum
        # over neighbours would lose more there.
        out = Y.new_zeros(len(x), len(self.path) * m)
        summed = out.index_add(0, near.target, weighed.flatten(1).to(out.dtype))
        return summed.view(len(x), len(self.path), m)
