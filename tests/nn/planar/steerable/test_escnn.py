"""Against escnn (Cesa, Lang & Weiler, ICLR 2022), where it is installed: it need not be.

``pip install escnn`` brings it, or a folder of it on PYTHONPATH.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from equivlab.fields import CircleIrreps
from equivlab.groups import SO2, Cyclic, PointGroup
from equivlab.nn import GroupConv2d, LiftingConv2d, SteerableConv2d
from equivlab.nn.planar.steerable import RingBasis
from tests.laws import relative

gspaces = pytest.importorskip("escnn.gspaces", reason="escnn is not installed")
escnn_nn = pytest.importorskip("escnn.nn")


def peer(source: Any, target: Any, side: int) -> Any:
    """Its layer with our rings, widths and band."""
    rows = RingBasis(side).rows
    rings = sorted({ring for _, ring in rows})
    layer = escnn_nn.R2Conv(
        source,
        target,
        side,
        bias=False,
        rings=rings,
        sigma=[0.6] * (len(rings) - 1) + [0.5],
        frequencies_cutoff=lambda r: min(int(2 * r + 1e-9), 2 if r == rings[-1] else 99),
    )
    return layer.double()


def space_of(filters: list[Tensor]) -> Tensor:
    """An orthonormal basis of the span of filters, as rows."""
    matrix = torch.stack([one.flatten() for one in filters])
    _, values, rows = torch.linalg.svd(matrix, full_matrices=False)
    return rows[values > 1e-9 * values[0]]


@pytest.mark.parametrize("lifting", [True, False], ids=["lifting", "group"])
@pytest.mark.parametrize("group", [Cyclic(3), Cyclic(8)], ids=str)
@pytest.mark.parametrize("side", [3, 5])
@torch.no_grad()
def test_the_same_filters(group: PointGroup, lifting: bool, side: int) -> None:
    """All banks of ours and all of theirs are one space; so layers give the same outputs."""
    space = gspaces.rot2dOnR2(group.turns)
    source = space.trivial_repr if lifting else space.regular_repr
    theirs = peer(*(escnn_nn.FieldType(space, [r]) for r in (source, space.regular_repr)), side)
    kind = LiftingConv2d if lifting else GroupConv2d
    ours = kind(group, 1, 1, side, bias=False, dtype=torch.float64)
    same_filters(ours.weight, ours._expand, theirs)


@pytest.mark.parametrize(("ins", "outs"), [("1x0 + 1x1", "1x0 + 1x1 + 1x2"), ("1x2", "1x1 + 1x3")])
@torch.no_grad()
def test_the_same_kernels(ins: str, outs: str) -> None:
    """Of representations of all turns, too."""
    space = gspaces.rot2dOnR2(-1, maximum_frequency=3)
    blocks = [CircleIrreps.parse(one, SO2) for one in (ins, outs)]
    source, target = (
        escnn_nn.FieldType(space, [space.irrep(one.l) for _, one in irreps]) for irreps in blocks
    )
    ours = SteerableConv2d(*blocks, 5, bias=False, dtype=torch.float64)
    same_filters(ours.weight, ours._expand, peer(source, target, 5))


def same_filters(weight: Tensor, expand: Callable[[Tensor], Tensor], theirs: Any) -> None:
    """The banks of all weights of ours and of theirs span one space."""

    def banks(weight: Tensor, expand: Any) -> list[Tensor]:
        one_by_one = torch.eye(weight.numel(), dtype=torch.float64).view(-1, *weight.shape)
        return [expand(one) for one in one_by_one]

    mine = banks(weight, expand)
    other = banks(theirs.weights, lambda w: theirs.basisexpansion(w))
    a, b = space_of(mine), space_of(other)
    assert len(a) == len(b) == weight.numel()
    assert relative(a.T @ (a @ b.T), b.T) <= 1e-5  # escnn samples its basis in float32
