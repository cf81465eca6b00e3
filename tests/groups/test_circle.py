"""SO(2) and O(2): elements, the fields on which they act, and names."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from equivlab.fields import CircleIrreps, CircleMaps, RegularMaps, rotate_maps
from equivlab.groups import O2, P4, P4M, P6, SO2, CircleGroup, Cyclic, Dihedral, group_of
from equivlab.models import ResNet18
from equivlab.nn import (
    CircleActivation,
    GroupBatchNorm,
    GroupConv2d,
    LiftingConv2d,
    SteerableConv2d,
)
from tests.laws import relative

BOTH = pytest.mark.parametrize("group", [SO2, O2], ids=str)


@BOTH
def test_elements(group: CircleGroup) -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(8):
        g, h = group.random_element(generator), group.random_element(generator)
        assert torch.allclose(group.compose(g, group.inverse(g)), group.identity, atol=1e-14)
        mirror, angle = group.split(g)
        assert torch.allclose(group.from_angle(angle, mirror), g, atol=1e-14)
        for k in range(4):  # a representation
            both = group.harmonic(group.compose(g, h), k)
            assert torch.allclose(both, group.harmonic(g, k) @ group.harmonic(h, k), atol=1e-12)
    assert len(group.quarter_turns) == (8 if group.has_mirror else 4)


@pytest.mark.parametrize("points", [Cyclic(8), Dihedral(6)], ids=str)
def test_harmonics_are_those_of_points(points: object) -> None:
    """Y(g·p) = D(g) Y(p), of both kinds of group."""
    circle = O2 if points.has_mirror else SO2
    p = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def waves(p: torch.Tensor, k: int) -> torch.Tensor:
        phi = torch.atan2(p[:, 1], p[:, 0])
        return torch.stack([torch.cos(k * phi), torch.sin(k * phi)], 1)

    for g in points.elements:
        matrix = points.matrix(g)
        for k in range(5):
            for D in (points.harmonic(g, k), circle.harmonic(matrix, k)):
                assert torch.allclose(waves(p @ matrix.T, k), waves(p, k) @ D.T, atol=1e-12)


def test_what_is_no_element() -> None:
    with pytest.raises(TypeError, match=r"int.*SO2\.from_angle"):
        SO2.check(1)
    with pytest.raises(ValueError, match=r"matrix \(2, 2\); got \(3, 3\)"):
        SO2.check(torch.eye(3))
    with pytest.raises(ValueError, match=r"determinant 1.*a mirror"):
        SO2.check(O2.from_angle(0.3, mirror=True))
    with pytest.raises(ValueError, match="no mirrors; O2 has"):
        SO2.from_angle(0.3, mirror=True)


@BOTH
def test_acting_is_an_action(group: CircleGroup) -> None:
    maps = CircleMaps("2x0 + 1x1 + 1x3" if group is SO2 else "1x0e + 1x0o + 1x1 + 1x2", group)
    x = torch.randn(2, maps.channels, 5, 6, dtype=torch.float64)
    for g in group.quarter_turns:
        for h in group.quarter_turns:
            assert relative(maps.act(g, maps.act(h, x)), maps.act(group.compose(g, h), x)) <= 1e-14


def test_arrows_turn_with_the_picture() -> None:
    """A pair of frequency 1 is an arrow: (to the right, upwards)."""
    maps, x = CircleMaps("1x1"), torch.zeros(1, 2, 3, 3)
    x[0, 0, 1, 2] = 1.0  # at the right, to the right
    turned = maps.act(SO2.from_angle(math.pi / 2), x)
    wanted = torch.zeros(1, 2, 3, 3)
    wanted[0, 1, 0, 1] = 1.0  # at the top, upwards
    assert torch.allclose(turned, wanted, atol=1e-7)
    mirrored = CircleMaps("1x1", O2).act(O2.from_angle(0, mirror=True), x)
    assert mirrored[0, 0, 1, 0] == -1.0


def test_turning_each_sample() -> None:
    maps = CircleMaps("1x0 + 1x2")
    x = torch.randn(3, 3, 9, 9, dtype=torch.float64)
    angles = torch.tensor([0.3, math.pi / 2, 2.0])
    together = maps.rotate(angles, x)
    for n, angle in enumerate(angles.tolist()):
        one = maps.act(SO2.from_angle(angle), x[n : n + 1])
        assert relative(together[n : n + 1], one) <= 1e-6
    assert relative(together[:, :1], rotate_maps(x[:, :1], angles)) <= 1e-12


@pytest.mark.parametrize("text", ["4x", "x0", "4x0e", "", "4x0 - 1x1", "2x1e", "0x0", "4y0"])
def test_what_names_no_representations(text: str) -> None:
    with pytest.raises(ValueError, match=r"4x0|must have a channel"):
        CircleMaps(text)


def test_names_of_representations() -> None:
    irreps = CircleIrreps.parse("4x0e + 2x0o+1 + 3x2", O2)
    assert str(irreps) == "4x0e+2x0o+1x1+3x2"
    assert (irreps.dim, irreps.num_irreps, len(irreps)) == (14, 10, 4)
    assert str(CircleIrreps.parse("4x0 + 0x1 + 2x3", SO2)) == "4x0+2x3"
    assert [cut.start for cut in irreps.slices()] == [0, 4, 6, 8]


@pytest.mark.parametrize("group", [P4, P4M, P6, SO2, O2, Cyclic(8), Dihedral(16), None], ids=str)
def test_groups_by_name(group: object) -> None:
    assert group_of("none" if group is None else str(group)) == group


@pytest.mark.parametrize("name", ["c8", "C0", "C", "P5", "", "C-8", "C08", None, 8, "C99999"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match=r"such as C8 and D8; got"):
        group_of(name)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LiftingConv2d("P4", 1, 2, 3), r"text 'P4'. A name becomes .*group_of\('P4'\)"),
        (lambda: GroupBatchNorm("C8", 2), r"group_of\('C8'\)"),
        (lambda: GroupConv2d(SO2, 1, 2, 3), r"every angle. Its layers are SteerableConv2d"),
        (lambda: SteerableConv2d("1x0", "1x0", 3, group=P4), r"LiftingConv2d\(P4, \.\.\.\)"),
        (lambda: CircleActivation(2, 1, group="O2"), r"SO2 or O2; got the text 'O2'"),
        (lambda: ResNet18("D8"), r"A network .* takes a group.*group_of\('D8'\)"),
        (lambda: RegularMaps(8, 1), r"takes a group, such as P4 or Cyclic\(8\); got 8\."),
    ],
)
def test_what_is_no_group_of_a_layer_is_told(make: Callable[[], object], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        make()
