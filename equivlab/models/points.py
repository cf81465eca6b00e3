"""A network on points: class scores of a cloud, or the energy of a molecule.

>>> import torch
>>> from equivlab.nn import find_neighbors
>>> model = PointNetwork(classes=1, cutoff=2.0, species=10, pooling="sum")
>>> water = torch.tensor([[0.0, 0.0, 0.1], [0.0, 0.8, -0.5], [0.0, -0.8, -0.5]])
>>> model(torch.tensor([8, 1, 1]), find_neighbors(water, cutoff=2.0)).shape
torch.Size([1, 1])
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from equivlab.fields.invariant import Invariant
from equivlab.fields.irreps import as_irreps
from equivlab.fields.space import IrrepPoints
from equivlab.models.placing import place
from equivlab.nn.space.clouds import POOLINGS, Pooling, pool_points
from equivlab.nn.space.gate import IrrepGate, IrrepNorms, split_scalars
from equivlab.nn.space.neighbors import Neighbors
from equivlab.nn.space.points import PointConv
from equivlab.nn.space.pool import check_pooling
from equivlab.so3 import SO3

__all__ = ["PointNetwork"]


class PointNetwork(nn.Module):
    """A tensor field network (Thomas et al., 2018): convolutions on points, gates, a read-out.

    ``model(act(g, x), move(g, p)) == model(x, p)`` for every rotation, shift and mirror ``g``:
    what comes out are the scalars and the lengths of the last layer's features, two ordinary
    layers at each point, and their sum (energies add up), mean or maximum over each cloud.

    Args:
        irreps: of the features between the layers.
        irreps_in: what the features at the points are.
        classes: numbers for each cloud: class scores, or 1 for an energy.
        cutoff: how far a point sees in each layer; `find_neighbors` must be given the same.
        layers: how many convolutions.
        species: instead of features, the points have a number below this, such as the atomic
            number, and a learned vector for each.
        lmax: the highest degree of the harmonics.
        radial: numbers that describe a distance.
        mean_neighbors: the usual number of neighbours.
        pooling: over the points of a cloud: ``'mean'``, ``'sum'`` or ``'max'``.
        device: where it lives.
        dtype: of its parameters.

    Shape:
        Features ``(N, irreps_in.dim)``, or species ``(N,)``; the neighbours; the number of each
        point's cloud ``(N,)``, None for one cloud; and how many clouds there are, which an
        exporter must be told. Gives ``(B, classes)``.

    Raises:
        ValueError: irreps, features or neighbours that do not fit.
    """

    def __init__(
        self,
        irreps: Any = "16x0e + 8x1o + 4x2e",
        irreps_in: Any = "1x0e",
        classes: int = 10,
        *,
        cutoff: float,
        layers: int = 3,
        species: int | None = None,
        lmax: int = 2,
        radial: int = 8,
        mean_neighbors: float = 16.0,
        pooling: Pooling = "mean",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        irreps = as_irreps(irreps, "PointNetwork")
        scalars, _ = split_scalars(irreps)
        check_pooling(pooling, "PointNetwork", POOLINGS)
        self.pooling = pooling
        self.embedding = None if species is None else nn.Embedding(species, scalars.dim)
        before = as_irreps(irreps_in if species is None else scalars, "PointNetwork")
        self.in_field = IrrepPoints(before)
        self.out_field = Invariant(SO3, classes)
        self.convolutions = nn.ModuleList()
        self.gates = nn.ModuleList()
        for _ in range(layers):
            gate = IrrepGate(_within(irreps, before, lmax), IrrepPoints)
            self.convolutions.append(
                PointConv(
                    before,
                    gate.irreps_in,
                    cutoff,
                    lmax,
                    radial,
                    mean_neighbors=mean_neighbors,
                )
            )
            self.gates.append(gate)
            before = gate.out_field.irreps
        self.norms = IrrepNorms(before, IrrepPoints)
        width = before.num_irreps
        self.head = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, classes))
        place(self, device, dtype)

    def forward(
        self, x: Tensor, near: Neighbors, batch: Tensor | None = None, clouds: int | None = None
    ) -> Tensor:
        """Numbers ``(B, classes)`` of the clouds; `clouds` says how many, should one be empty."""
        if self.embedding is not None:
            x = self.embedding(x)
        for conv, gate in zip(self.convolutions, self.gates, strict=True):
            x = gate(conv(x, near))
        numbers = self.head(self.norms(x))
        return pool_points(numbers, batch, self.pooling, "PointNetwork", clouds)


def _within(irreps: Any, before: Any, lmax: int) -> Any:
    """Those of `irreps` that harmonics up to `lmax` reach from `before`."""
    kind = type(before[0].ir)
    reached = {out for _, i in before for f in range(lmax + 1) for out in i * kind(f, (-1) ** f)}
    return type(irreps)([(m, irrep) for m, irrep in irreps if irrep in reached])
