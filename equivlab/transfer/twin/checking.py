"""The law, measured on a new twin before anyone gets it: node by node, in double precision.

A copy of the twin, with all its parameters shaken (a layer scale of 1e-6 would hide what it
scales) and its statistics measured, gets a batch of one image in several orientations. Every node
must hold the same fields in those orientations, and maps as large as the plain network's.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

from equivlab.equivariance import equivariance_error
from equivlab.fields import Field, Invariant, RegularMaps, ScalarMaps
from equivlab.groups import PointGroup
from equivlab.nn.running import batch_norms
from equivlab.transfer.twin.refusing import ConversionError
from equivlab.transfer.twin.values import Value

__all__ = ["Sizes", "check", "field_of"]

EXACT = 1e-8  # in double precision; broken laws are off by more than 1e-3

Sizes = tuple[int, int] | None


def field_of(group: PointGroup, value: Value) -> Field[int]:
    """What a value is in the twin."""
    if value.kind == "numbers":
        return Invariant(group, value.width)
    return (ScalarMaps if value.kind == "image" else RegularMaps)(group, value.width)


def generators(group: PointGroup) -> list[int]:
    """Elements of which all others are products."""
    return [1, group.turns][: 1 + group.has_mirror] if group.turns > 1 else [group.order - 1]


def check(
    network: fx.GraphModule,
    group: PointGroup,
    image: tuple[int, ...],
    values: Mapping[str, tuple[Value, Sizes]],
) -> float:
    """Measure the law of a new twin.

    Args:
        network: the twin's graph, untouched.
        group: that acts.
        image: the shape of an image ``(B, C, H, W)``.
        values: what nodes hold, by name, and rows and columns of it in the plain network.

    Returns:
        The largest relative error of what it gives.

    Raises:
        ConversionError: a node breaks the law, or has another size than in the plain network.
    """
    shaken = _shaken(network)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn((1, *image[1:]), generator=generator, dtype=torch.float64)
    field = ScalarMaps(group, image[1])
    batch = torch.cat([x, *(field.act(g, x) for g in generators(group))])
    look = _Look(shaken, group, values)
    with torch.no_grad():
        look.run(batch)
    return look.error


def _shaken(network: fx.GraphModule) -> nn.Module:
    """A copy in double precision whose parameters all matter."""
    shaken = copy.deepcopy(network).cpu().double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in shaken.parameters():
            if value.dim() < 2:
                value.copy_(0.5 + torch.rand(value.shape, generator=generator))
            elif not bool(value.any()):
                value.copy_(torch.randn(value.shape, generator=generator))
    shaken.eval()
    for norm in batch_norms(shaken).values():  # of this batch, which is alike in all orientations
        norm.train()
    return shaken


class _Look(fx.Interpreter):
    """Runs the graph and looks at each value."""

    def __init__(
        self, network: nn.Module, group: PointGroup, values: Mapping[str, tuple[Value, Sizes]]
    ) -> None:
        super().__init__(network)
        self.group, self.values = group, values
        self.error = 0.0

    def run_node(self, n: fx.Node) -> Any:
        found = super().run_node(n)
        known = self.values.get(n.name)
        if known is None or not isinstance(found, Tensor) or len(found) == 1:
            return found
        value, size = known
        field = field_of(self.group, value)
        if size and value.kind != "numbers" and tuple(found.shape[-2:]) != size:
            raise ConversionError(
                str(n.target), "", f"maps of {tuple(found.shape[-2:])} pixels where the plain "
                f"network has {size}",
                "That is a fault of equivlab: please report the network.",
            )  # fmt: skip
        if value.layout == "plane":
            return found
        wanted = [field.act(g, found[:1]) for g in generators(self.group)]
        error = equivariance_error(found[1:], torch.cat(wanted))
        self.error = max(self.error, error)
        if not error <= EXACT:
            raise ConversionError(
                str(n.target), "", f"breaks the law by {error:.1e}, also on the group",
                "Replace it: pool and pad alike on all sides, and use no numbers that differ from "
                "place to place.",
            )  # fmt: skip
        return found
