"""Activation of irreps: only what a rotation does not change may bend.

A ReLU on the components of a vector would depend on the axes. Scalars ``0e`` take any function;
anything else is scaled as a whole, by a learned gate or by its length. These layers look at
axis 1 alone, so they serve maps ``(B, C, D, H, W)`` and points ``(N, C)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.fields.irreps import as_irreps, is_scalar
from equivlab.fields.space import IrrepMaps, IrrepPoints
from equivlab.nn.base import FieldModule
from equivlab.nn.space.features import Features, features_of, split_features

__all__ = ["IrrepGate", "IrrepNorms", "Kind", "owners"]

Kind = type[IrrepMaps] | type[IrrepPoints]


class IrrepGate(FieldModule):
    """Gated activation: scalars by a function, all else times a gate between 0 and 1.

    ``out = activation(s)`` for each scalar ``0e`` and ``out = sigmoid(gate) · v`` for every other
    feature, each with a gate of its own among the input channels, so
    ``layer(act(g, f)) == act(g, layer(f))`` for every rotation and mirror (Weiler et al.,
    NeurIPS 2018, section 4.3).

    Args:
        irreps: what comes out. `irreps_in` is what must go in: the scalars, one more scalar
            ``0e`` for each other feature, and those features.
        field: `IrrepMaps` or `IrrepPoints`.
        activation: the function for the scalars.

    Shape:
        ``(B, irreps_in.dim, ...)`` to ``(B, irreps.dim, ...)``.

    Raises:
        ValueError: a tensor of another kind.

    >>> gate = IrrepGate("8x0e + 4x1o")
    >>> gate
    IrrepGate(IrrepMaps('8x0e+4x0e+4x1o') -> IrrepMaps('8x0e+4x1o'))
    >>> gate(torch.randn(1, gate.irreps_in.dim, 5, 5, 5)).shape
    torch.Size([1, 20, 5, 5, 5])
    """

    in_field: IrrepMaps | IrrepPoints
    out_field: IrrepMaps | IrrepPoints

    def __init__(
        self,
        irreps: Any,
        field: Kind = IrrepMaps,
        activation: Callable[[Tensor], Tensor] = F.silu,
    ) -> None:
        irreps = as_irreps(irreps, "IrrepGate")
        scalars, gated = split_scalars(irreps)
        gates = as_irreps(f"{gated.num_irreps}x0e") if gated.dim else gated
        super().__init__(field(scalars + gates + gated), field(scalars + gated))
        self.label = f"IrrepGate({self.out_field.irreps})"
        self.activation = activation
        self.sizes = [scalars.dim, gates.dim, gated.dim]
        self._gated = gated
        self._blocks = features_of(gated)

    @property
    def irreps_in(self) -> Any:
        """The irreps to feed it; give the layer before these as its ``irreps_out``."""
        return self.in_field.irreps

    def gate_of_channel(self) -> Tensor:
        """The number of the gate of each gated channel."""
        return owners(self._gated)[0]

    def forward(self, x: Tensor) -> Tensor:
        """Gate ``(B, irreps_in.dim, ...)``."""
        self.check(x)
        scalars, gates, rest = x.split(self.sizes, 1)
        out = [self.activation(scalars)] if self.sizes[0] else []
        out += _scaled(self._blocks, rest, torch.sigmoid(gates))
        return torch.cat(out, 1)


class IrrepNorms(FieldModule):
    """The invariants of each feature where it stands: scalars themselves, lengths of all else.

    ``out = s`` for ``0e`` and ``out = |v|`` for every other feature, so
    ``layer(act(g, f)) == act(g, layer(f))`` from any irreps to scalars.

    Args:
        irreps: what the channels are.
        field: `IrrepMaps` or `IrrepPoints`.

    Shape:
        ``(B, C, ...)`` to ``(B, F, ...)``, one number for each of the ``F`` features.

    Raises:
        ValueError: a tensor of another kind.
    """

    in_field: IrrepMaps | IrrepPoints

    def __init__(self, irreps: Any, field: Kind = IrrepMaps) -> None:
        irreps = as_irreps(irreps, "IrrepNorms")
        super().__init__(field(irreps), field(f"{irreps.num_irreps}x0e"))
        self.label = f"IrrepNorms({irreps})"
        self.features = features_of(irreps)

    def forward(self, x: Tensor) -> Tensor:
        """Lengths of ``(B, C, ...)``."""
        return invariants(self.features, self.check(x))


def invariants(features: tuple[Features, ...], x: Tensor) -> Tensor:
    """Scalars and lengths ``(B, F, ...)`` of features ``(B, C, ...)``; the slope at 0 is 0."""
    parts = []
    for block, part in zip(features, split_features(features, x), strict=True):
        if not block.is_scalar:
            part = torch.linalg.vector_norm(part.unflatten(1, (block.count, block.dim)), dim=2)
        parts.append(part)
    return torch.cat(parts, 1)


def split_scalars(irreps: Any) -> tuple[Any, Any]:
    """The true scalars ``0e`` of some irreps, and all else."""
    kind = type(irreps)
    scalars = kind([(m, irrep) for m, irrep in irreps if is_scalar(irrep)]).simplify()
    return scalars, kind([(m, irrep) for m, irrep in irreps if not is_scalar(irrep)])


def _scaled(features: tuple[Features, ...], x: Tensor, factors: Tensor) -> list[Tensor]:
    """Each feature of `x` ``(B, C, ...)`` times its factor ``(B, F, ...)``, block by block."""
    parts = []
    each = factors.split([block.count for block in features], 1)
    for block, part, factor in zip(features, split_features(features, x), each, strict=True):
        fields = part.unflatten(1, (block.count, block.dim))
        parts.append((fields * factor[:, :, None]).flatten(1, 2))
    return parts


def owners(irreps: Any) -> tuple[Tensor, Tensor]:
    """For each channel, the number of its feature, and whether that is a true scalar."""
    each = [irrep for m, irrep in irreps for _ in range(m)]
    owner = [number for number, irrep in enumerate(each) for _ in range(irrep.dim)]
    scalars = [is_scalar(each[number]) for number in owner]
    return torch.tensor(owner, dtype=torch.long), torch.tensor(scalars, dtype=torch.bool)
