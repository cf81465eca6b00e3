"""Banks of groups that turn by any fraction of a circle, and what the layers make of them."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from equivlab import audit
from equivlab.equivariance import assert_equivariant
from equivlab.fields import RegularMaps, ScalarMaps, rotate_maps
from equivlab.groups import P4, P4M, Cyclic, Dihedral, PointGroup
from equivlab.nn import (
    GroupBatchNorm,
    GroupConv2d,
    GroupDownsample2d,
    GroupInduce,
    GroupPool,
    GroupRestrict,
    InvariantReadout,
    LiftingConv2d,
)
from equivlab.transfer import to_plain
from tests.laws import BOUNDS, relative, sample
from tests.nn.oracles import oracle_of

GROUPS = pytest.mark.parametrize(
    "group", [Cyclic(1), Cyclic(4), Cyclic(5), Cyclic(8), Dihedral(1), Dihedral(8)], ids=str
)
DTYPES = pytest.mark.parametrize("dtype", BOUNDS, ids=str)


@oracle_of(LiftingConv2d, GroupConv2d)
@GROUPS
@torch.no_grad()
def test_the_bank_is_the_definition(group: PointGroup) -> None:
    """ψ[o, i](g⁻¹h, g⁻¹x) by loops over everything."""
    for kind in (LiftingConv2d, GroupConv2d):
        layer = kind(group, 2, 3, 5, dtype=torch.float64)
        bank, bias = layer.filter_bank()
        basis = layer.filters.basis.turned(group)  # (G, N, k·k), see test_rings
        n = group.order if kind is GroupConv2d else 1
        weight = layer.weight.view(3, 2, n, -1)
        for o in range(3):
            for g in group.elements:
                assert bias[o * group.order + g] == layer.bias[o]
                for i in range(2):
                    for h in range(n):
                        source = group.compose(group.inverse(g), h) if n > 1 else 0
                        wanted = weight[o, i, source] @ basis[g]
                        found = bank[o * group.order + g, i * n + h].flatten()
                        assert torch.allclose(found, wanted, atol=1e-14)


@GROUPS
@DTYPES
def test_exact_where_pixels_are_permuted(group: PointGroup, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        LiftingConv2d(group, 2, 3, 5, padding=2),
        GroupBatchNorm(group, 3),
        nn.ReLU(),
        GroupDownsample2d(group, 3),
        GroupConv2d(group, 3, 4, 3, stride=2),
        nn.ReLU(),
        InvariantReadout(group, 4),
    ).to(dtype)
    x = sample(ScalarMaps(group, 2), 13, dtype)
    assert_equivariant(net, x, group=group, tolerance=2e-6 if dtype is torch.float32 else 1e-12)


def galaxy(size: int = 33) -> torch.Tensor:
    """A smooth picture without any symmetry, dark at its frame."""
    at = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    up, right = torch.meshgrid(-at, at, indexing="ij")

    def blob(x: float, y: float, wide: float, high: float) -> torch.Tensor:
        return torch.exp(-(((right - x) / wide) ** 2 + ((up - y) / high) ** 2) / 2)

    return (blob(3, 1, 4, 2) - 0.7 * blob(-4, 3, 2, 3) + 0.5 * blob(1, -6, 2, 2))[None, None]


@pytest.mark.parametrize("group", [Cyclic(8), Dihedral(8), Cyclic(5)], ids=str)
@pytest.mark.parametrize("kernel_size", [3, 5, 7])
@torch.no_grad()
def test_between_quarter_turns_it_is_near(group: PointGroup, kernel_size: int) -> None:
    """On a smooth picture a layer is off by less than turning the picture there and back."""
    torch.manual_seed(0)
    layer = LiftingConv2d(group, 1, 4, kernel_size, padding="same", dtype=torch.float64)
    curve = audit(layer, galaxy(), group).curve
    at_own = curve[(curve.angle_deg * group.turns / 360).round(9) % 1 == 0]
    assert len(at_own) == group.turns
    inexact = at_own[at_own.baseline > 1e-9]
    assert (inexact.error <= 2 * inexact.baseline).all()
    assert (inexact.error > 1e-6).all()  # it is not exact, and says so
    pixel = LiftingConv2d(P4, 1, 4, kernel_size, padding="same", dtype=torch.float64)
    rough = audit(pixel, galaxy(), P4, angles=[math.pi / 4]).curve.error.item()
    assert rough > 2 * inexact.error.max()


def test_acting_resamples_between_quarter_turns() -> None:
    c8, x = Cyclic(8), torch.randn(2, 3, 8, 9, 9)
    turned = RegularMaps(c8, 3).act(1, x)
    assert torch.equal(turned, rotate_maps(x.roll(1, 2), math.pi / 4))
    mirrored = ScalarMaps(Dihedral(8), 3).act(9, x[:, :, 0])  # mirror, 45°
    assert torch.equal(mirrored, rotate_maps(x[:, :, 0].flip(-1), math.pi / 4))
    with pytest.raises(ValueError, match="square"):
        ScalarMaps(c8, 3).act(1, torch.zeros(1, 3, 8, 9))
    assert ScalarMaps(c8, 3).act(2, torch.zeros(1, 3, 8, 9)).shape == (1, 3, 9, 8)


@pytest.mark.parametrize(
    ("group", "subgroup"),
    [
        (Cyclic(8), P4),
        (Cyclic(8), Cyclic(4)),
        (Dihedral(8), Cyclic(8)),
        (Dihedral(8), P4M),
        (Dihedral(4), Cyclic(1)),
        (Cyclic(6), Cyclic(3)),
    ],
    ids=str,
)
def test_restricting_and_inducing(group: PointGroup, subgroup: PointGroup) -> None:
    index = group.order // subgroup.order
    x = sample(RegularMaps(group, 3), 8)
    down = GroupRestrict(group, subgroup, 3)
    up = GroupInduce(subgroup, group, 3 * index)
    assert_equivariant(down, x, group=subgroup, tolerance=0)
    assert_equivariant(up, down(x), group=subgroup, tolerance=0)
    assert torch.equal(up(down(x)), x)


@oracle_of(GroupRestrict, GroupInduce)
def test_cosets_by_hand() -> None:
    x = torch.arange(8.0).view(1, 1, 8, 1, 1)
    found = GroupRestrict(Cyclic(8), P4, 1)(x)
    assert found.flatten(2).tolist() == [[[0, 2, 4, 6], [1, 3, 5, 7]]]
    assert torch.equal(GroupInduce(P4, Cyclic(8), 2)(found), x)


def test_what_is_no_subgroup() -> None:
    with pytest.raises(ValueError, match=r"P4 is no subgroup of C6: 4 does not divide 6.*1, 2, 3"):
        GroupRestrict(Cyclic(6), P4, 1)
    with pytest.raises(ValueError, match="it has mirrors"):
        GroupRestrict(Cyclic(8), P4M, 1)
    with pytest.raises(ValueError, match="multiple of 2; got 3"):
        GroupInduce(P4, Cyclic(8), 3)


def test_from_sixteen_turns_to_four() -> None:
    torch.manual_seed(0)
    fine = Cyclic(16)
    net = nn.Sequential(
        LiftingConv2d(fine, 1, 2, 5, padding=2),
        nn.ReLU(),
        GroupRestrict(fine, P4, 2),
        GroupConv2d(P4, 8, 3, 3),
        nn.ReLU(),
        GroupPool(P4, 3),
    ).double()
    x = sample(ScalarMaps(P4, 1), 11)
    report = audit(net, x, P4, angles=0)
    assert report.max_error <= 1e-12
    with torch.no_grad():
        assert relative(to_plain(net)(x), net(x)) <= 1e-12
    other = copy.deepcopy(net)
    for weight in other.parameters():
        nn.init.normal_(weight)
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(x), net(x))


def test_pictures_that_are_not_square_are_fine_in_a_layer() -> None:
    layer = LiftingConv2d(Cyclic(8), 1, 2, 3)
    assert layer(torch.randn(1, 1, 8, 11)).shape == (1, 2, 8, 6, 9)
