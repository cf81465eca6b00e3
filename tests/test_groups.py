"""The group tables against matrices and against the pixels themselves."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from equivlab.groups import P4, P4M, PointGroup

GROUPS = [P4, P4M]


@pytest.fixture(params=GROUPS, ids=str)
def group(request: pytest.FixtureRequest) -> PointGroup:
    return request.param


def test_products_are_those_of_the_matrices(group: PointGroup) -> None:
    for g, h in itertools.product(group.elements, repeat=2):
        product = group.compose(g, h)
        assert torch.equal(group.matrix(product), group.matrix(g) @ group.matrix(h))
        assert group.product_table[g, h] == product


def test_inverses(group: PointGroup) -> None:
    for g in group.elements:
        assert group.compose(g, group.inverse(g)) == 0
        assert group.compose(group.inverse(g), g) == 0
        assert group.inverse_table[g] == group.inverse(g)


def test_group_is_associative_and_only_p4_commutes(group: PointGroup) -> None:
    table = group.product_table
    for a, b, c in itertools.product(group.elements, repeat=3):
        assert table[table[a, b], c] == table[a, table[b, c]]
    assert torch.equal(table, table.T) == (group is P4)


def test_moving_pixels_is_an_action(group: PointGroup) -> None:
    x = torch.arange(2 * 5 * 5).view(2, 5, 5)
    for g, h in itertools.product(group.elements, repeat=2):
        assert torch.equal(group.move(g, group.move(h, x)), group.move(group.compose(g, h), x))


def test_pixels_move_as_the_matrix_says(group: PointGroup) -> None:
    """The pixel at (x, y) goes to matrix @ (x, y); x to the right, y upwards."""
    side = 5
    middle = side // 2
    for g in group.elements:
        for row, column in itertools.product(range(side), repeat=2):
            x = torch.zeros(side, side, dtype=torch.float64)
            x[row, column] = 1
            place = torch.tensor([column - middle, middle - row], dtype=torch.float64)
            right, up = (group.matrix(g) @ place).long().tolist()
            assert group.move(g, x)[middle - up, middle + right] == 1


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
        complex_type = group is P4 and rho.shape[1] == 2
        assert norm == pytest.approx(2 if complex_type else 1)


def test_irreps_make_up_the_regular_representation(group: PointGroup) -> None:
    for g in group.elements:
        copies = {name: rho.shape[1] for name, rho in group.irreps.items()}
        if group is P4:
            copies["E"] = 1  # of complex type: once over the reals
        total = sum(copies[name] * float(rho[g].trace()) for name, rho in group.irreps.items())
        assert total == pytest.approx(float(group.regular_representation(g).trace()))


def test_different_irreps_are_orthogonal(group: PointGroup) -> None:
    for a, b in itertools.combinations(group.irreps.values(), 2):
        characters = [rho.diagonal(dim1=1, dim2=2).sum(1) for rho in (a, b)]
        assert float((characters[0] * characters[1]).sum()) == pytest.approx(0)


def test_turn_representation_meets_the_regular_one_at_quarter_turns(group: PointGroup) -> None:
    for r in range(4):
        exact = group.regular_representation(r)
        assert torch.allclose(group.turn_representation(r * math.pi / 2), exact, atol=1e-12)


def test_names_and_angles() -> None:
    assert [P4.element_name(g) for g in P4.elements] == ["0°", "90°", "180°", "270°"]
    assert P4M.element_name(6) == "mirror, 180°"
    assert P4M.angle(7) == pytest.approx(3 * math.pi / 2)
    assert (repr(P4), repr(P4M), P4.order, P4M.order) == ("P4", "P4M", 4, 8)


@pytest.mark.parametrize("bad", [4, -1, 1.0, True, "1", None])
def test_what_is_no_element_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="P4 has the elements 0 to 3; got"):
        P4.check(bad)  # type: ignore[arg-type]
