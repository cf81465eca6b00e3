"""The group tables against matrices and against the pixels themselves."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from equivlab.groups import P4, P4M, P6, P6M, Cyclic, Dihedral, PointGroup, hexagon

SQUARE = [P4, P4M]
#: Every group on hexagons, the trivial one and those of thirds and half turns too.
HEXAGONAL = [P6, P6M, *(PointGroup(f"p{n}", n, n == 3, "hexagonal") for n in (1, 2, 3))]
GROUPS = [*SQUARE, P6, P6M, *map(Cyclic, (1, 2, 3, 8)), *map(Dihedral, (1, 2, 5, 8))]


@pytest.fixture(params=GROUPS, ids=str)
def group(request: pytest.FixtureRequest) -> PointGroup:
    return request.param


def test_products_are_those_of_the_matrices(group: PointGroup) -> None:
    for g, h in itertools.product(group.elements, repeat=2):
        product = group.compose(g, h)
        assert torch.allclose(group.matrix(product), group.matrix(g) @ group.matrix(h), atol=1e-12)
        assert group.product_table[g, h] == product


def test_inverses(group: PointGroup) -> None:
    for g in group.elements:
        assert group.compose(g, group.inverse(g)) == 0
        assert group.compose(group.inverse(g), g) == 0
        assert group.inverse_table[g] == group.inverse(g)


def test_group_is_associative_and_only_turns_commute(group: PointGroup) -> None:
    table = group.product_table
    for a, b, c in itertools.product(group.elements, repeat=3):
        assert table[table[a, b], c] == table[a, table[b, c]]
    assert torch.equal(table, table.T) == (not group.has_mirror or group.turns <= 2)


@pytest.mark.parametrize("group", [*SQUARE, *HEXAGONAL], ids=str)
def test_moving_pixels_is_an_action(group: PointGroup) -> None:
    x = torch.arange(2 * 5 * 5).view(2, 5, 5)
    for g, h in itertools.product(group.elements, repeat=2):
        assert torch.equal(group.move(g, group.move(h, x)), group.move(group.compose(g, h), x))


@pytest.mark.parametrize("group", [*SQUARE, Cyclic(8), Dihedral(12), Cyclic(6)], ids=str)
def test_pixels_move_as_the_matrix_says(group: PointGroup) -> None:
    """The pixel at (x, y) goes to matrix @ (x, y); x to the right, y upwards."""
    side = 5
    middle = side // 2
    for g in filter(group.permutes, group.elements):
        for row, column in itertools.product(range(side), repeat=2):
            x = torch.zeros(side, side, dtype=torch.float64)
            x[row, column] = 1
            place = torch.tensor([column - middle, middle - row], dtype=torch.float64)
            right, up = (group.matrix(g) @ place).long().tolist()
            assert group.move(g, x)[middle - up, middle + right] == 1


@pytest.mark.parametrize("group", HEXAGONAL, ids=str)
def test_cells_move_as_the_matrix_says(group: PointGroup) -> None:
    """A cell's middle at ``x = q + r/2`` and, upwards, ``−√3 r/2`` goes to matrix @ (x, y)."""
    radius = 3
    inside = hexagon(radius)
    places = [(q, r) for q, r in itertools.product(range(-3, 4), repeat=2) if abs(q + r) <= 3]
    assert int(inside.sum()) == len(places) == 37
    for g in group.elements:
        for q, r in places:
            x = torch.zeros(7, 7)
            x[r + radius, q + radius] = 1
            middle = torch.tensor([q + r / 2, -math.sqrt(3) / 2 * r], dtype=torch.float64)
            right, up = (group.matrix(g) @ middle).tolist()
            row = round(-2 / math.sqrt(3) * up)
            column = round(right - row / 2)
            moved = group.move(g, x)
            assert moved[row + radius, column + radius] == 1
            assert moved.sum() == 1
        assert torch.equal(group.move(g, torch.ones(7, 7)), inside.float())


@pytest.mark.parametrize("shape", [(7,), (4, 4), (3, 5)])
def test_what_is_no_hexagon_is_not_moved(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"P6 moves hexagons .*Resample .*to_hexagons\(image"):
        P6.move(0, torch.zeros(shape))


def test_first_turn_is_counter_clockwise_and_the_mirror_is_left_right() -> None:
    x = torch.tensor([[1, 2], [3, 4]])
    assert P4.move(1, x).tolist() == [[2, 4], [1, 3]]
    assert P4M.move(4, x).tolist() == [[2, 1], [4, 3]]


def test_regular_representation_is_one(group: PointGroup) -> None:
    rho = [group.regular_representation(g) for g in group.elements]
    for g, h in itertools.product(group.elements, repeat=2):
        assert torch.equal(rho[g] @ rho[h], rho[group.compose(g, h)])
    f = torch.randn(group.order, dtype=torch.float64)
    for g, h in itertools.product(group.elements, repeat=2):
        assert (rho[g] @ f)[h] == f[group.compose(group.inverse(g), h)]


def test_irreps_are_representations_and_irreducible(group: PointGroup) -> None:
    for rho in group.irreps.values():
        for g, h in itertools.product(group.elements, repeat=2):
            assert torch.allclose(rho[g] @ rho[h], rho[group.compose(g, h)])
        norm = float((rho.diagonal(dim1=1, dim2=2).sum(1) ** 2).mean())
        complex_type = not group.has_mirror and rho.shape[1] == 2
        assert norm == pytest.approx(2 if complex_type else 1)


def test_irreps_make_up_the_regular_representation(group: PointGroup) -> None:
    for g in group.elements:
        copies = {name: rho.shape[1] for name, rho in group.irreps.items()}
        if not group.has_mirror:
            copies = dict.fromkeys(copies, 1)  # of complex type: once over the reals
        total = sum(copies[name] * float(rho[g].trace()) for name, rho in group.irreps.items())
        assert total == pytest.approx(float(group.regular_representation(g).trace()))


def test_different_irreps_are_orthogonal(group: PointGroup) -> None:
    for a, b in itertools.combinations(group.irreps.values(), 2):
        characters = [rho.diagonal(dim1=1, dim2=2).sum(1) for rho in (a, b)]
        assert float((characters[0] * characters[1]).sum()) == pytest.approx(0, abs=1e-12)


def test_turn_representation_meets_the_regular_one_at_the_group_s_angles(group: PointGroup) -> None:
    for r in range(group.turns):
        exact = group.regular_representation(r)
        assert torch.allclose(group.turn_representation(group.angle(r)), exact, atol=1e-12)


def test_names_and_angles() -> None:
    assert [P4.element_name(g) for g in P4.elements] == ["0°", "90°", "180°", "270°"]
    assert P4M.element_name(6) == "mirror, 180°"
    assert P4M.angle(7) == pytest.approx(3 * math.pi / 2)
    assert (repr(P4), repr(P4M), P4.order, P4M.order) == ("P4", "P4M", 4, 8)
    assert [P6M.element_name(g) for g in (1, 8)] == ["60°", "mirror, 120°"]
    assert (repr(Cyclic(8)), repr(Dihedral(3)), Dihedral(3).order) == ("C8", "D3", 6)
    assert Cyclic(16).element_name(1) == "22.5°"
    assert Cyclic(8) == Cyclic(8) != Dihedral(8)


def test_the_elements_of_p4_are_those_of_c4() -> None:
    x = torch.randn(2, 5, 5)
    for mine, its in ((P4, Cyclic(4)), (P4M, Dihedral(4))):
        assert torch.equal(mine.product_table, its.product_table)
        for g in mine.elements:
            assert torch.equal(mine.move(g, x), its.move(g, x))
            assert torch.equal(mine.matrix(g), its.matrix(g))


def test_only_lattice_groups_move_every_grid() -> None:
    assert [g for g in Cyclic(8).elements if Cyclic(8).permutes(g)] == [0, 2, 4, 6]
    assert [g for g in Dihedral(3).elements if Dihedral(3).permutes(g)] == [0, 3]
    with pytest.raises(ValueError, match="C8: the turn by 45° does not map square pixels"):
        Cyclic(8).move(1, torch.zeros(3, 3))
    assert all(P6M.permutes(g) for g in P6M.elements)


@pytest.mark.parametrize("make", [Cyclic, Dihedral])
def test_how_many_turns(make: Callable[[int], PointGroup]) -> None:
    assert make(np.int64(8)) == make(8)
    with pytest.raises(ValueError, match="takes 1 turn or more; got 0"):
        make(0)
    for bad in (True, 8.0, "8"):
        with pytest.raises(TypeError, match="takes the number of turns, a whole number; got"):
            make(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [4, -1, 1.0, True, "1", None])
def test_what_is_no_element_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="P4 has the elements 0 to 3; got"):
        P4.check(bad)  # type: ignore[arg-type]
