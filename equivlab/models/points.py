"""A network on points: class scores of a cloud, or the energy of a molecule.

>>> import torch
>>> from equivlab.nn.space import find_neighbours
>>> model = PointNetwork(1, cutoff=2.0, species=10, pooling="sum")
>>> water = torch.tensor([[0.0, 0.0, 0.1], [0.0, 0.8, -0.5], [0.0, -0.8, -0.5]])
>>> model(torch.tensor([8, 1, 1]), find_neighbours(water, cutoff=2.0)).shape
torch.Size([1, 1])
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from equivlab.fields.irreps import as_irreps
from equivlab.fields.space import IrrepPoints, IrrepVectors
from equivlab.nn.space_gate import IrrepGate, IrrepNorms, split_scalars
from equivlab.nn.space_neighbours import Neighbours
from equivlab.nn.space_points import PointConv
from equivlab.nn.space_pool import Pooling, check_pooling, pool_points

__all__ = ["PointNetwork"]


class PointNetwork(nn.Module):
    """A tensor field network (Thomas et al., 2018): convolutions on points, gates, a read-out.

    ``model(act(g, x), move(g, p)) == model(x, p)`` for every rotation, shift and mirror ``g``:
    what comes out are the scalars and the lengths of the last layer's features, two ordinary
    layers at each point, and their sum (energies add up), mean or maximum over each cloud.

    Args:
        outputs: numbers for each cloud: class scores, or 1 for an energy.
        cutoff: how far a point sees in each layer; `find_neighbours` must be given the same.
        hidden: the irreps between the layers.
        layers: how many convolutions.
        irreps_in: what the features at the points are.
        species: instead of features, the points have a number below this, such as the atomic
            number, and a learned vector for each.
        degree: the highest degree of the harmonics.
        radial: numbers that describe a distance.
        mean_neighbours: the usual number of neighbours.
        pooling: over the points of a cloud: ``'mean'``, ``'sum'`` or ``'max'``.

    Shape:
        Features ``(N, irreps_in.dim)``, or species ``(N,)``; the neighbours; the number of each
        point's cloud ``(N,)``, None for one cloud. Gives ``(B, outputs)``.

    Raises:
        ValueError: irreps, features or neighbours that do not fit.
    """

    def __init__(
        self,
        outputs: int,
        cutoff: float,
        hidden: str = "16x0e + 8x1o + 4x2e",
        layers: int = 3,
        irreps_in: Any = "1x0e",
        species: int | None = None,
        degree: int = 2,
        radial: int = 8,
        mean_neighbours: float = 16.0,
        pooling: Pooling = "mean",
    ) -> None:
        super().__init__()
        irreps = as_irreps(hidden, "PointNetwork")
        scalars, _ = split_scalars(irreps)
        check_pooling(pooling, "PointNetwork")
        self.pooling = pooling
        self.embedding = None if species is None else nn.Embedding(species, scalars.dim)
        before = as_irreps(irreps_in if species is None else scalars, "PointNetwork")
        self.in_field = IrrepPoints(before)
        self.out_field = IrrepVectors(f"{outputs}x0e")
        self.convolutions = nn.ModuleList()
        self.gates = nn.ModuleList()
        for _ in range(layers):
            gate = IrrepGate(_within(irreps, before, degree), IrrepPoints)
            self.convolutions.append(
                PointConv(
                    before,
                    gate.irreps_in,
                    cutoff,
                    degree,
                    radial,
                    mean_neighbours=mean_neighbours,
                )
            )
            self.gates.append(gate)
            before = gate.out_field.irreps
        self.norms = IrrepNorms(before, IrrepPoints)
        width = before.num_irreps
        self.head = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, outputs))

    def forward(self, x: Tensor, near: Neighbours, batch: Tensor | None = None) -> Tensor:
        """Numbers ``(B, outputs)`` of the clouds."""
        if self.embedding is not None:
            x = self.embedding(x)
        for conv, gate in zip(self.convolutions, self.gates, strict=True):
            x = gate(conv(x, near))
        numbers = self.head(self.norms(x))
        if batch is None:
            batch = torch.zeros(len(x), dtype=torch.long, device=x.device)
        return pool_points(numbers, batch, self.pooling, "PointNetwork")


def _within(irreps: Any, before: Any, degree: int) -> Any:
    """Those of `irreps` that harmonics up to `degree` reach from `before`."""
    kind = type(before[0].ir)
    reached = {out for _, i in before for f in range(degree + 1) for out in i * kind(f, (-1) ** f)}
    return type(irreps)([(m, irrep) for m, irrep in irreps if irrep in reached])
