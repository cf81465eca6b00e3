"""Fields in space: which axis is which, and that `act` is a group action."""

from __future__ import annotations

import math

import pytest
import torch

from equivlab.fields import IrrepMaps, IrrepPoints, IrrepVectors, rotate_voxels
from equivlab.fields.irreps import degree_matrix, harmonics
from equivlab.so3 import SO3
from tests.laws import relative

CUBE = SO3.cube_rotations()
AXES = {"x": 4, "y": 3, "z": 2}  # the tensor axis of each


@pytest.mark.parametrize(
    ("about", "before", "after"), [("z", "x", "y"), ("x", "y", "z"), ("y", "z", "x")]
)
def test_a_quarter_turn_takes_one_axis_to_the_next(about: str, before: str, after: str) -> None:
    """A voxel on the positive half of one axis moves to that of the next, right-handed."""
    axis = torch.eye(3, dtype=torch.float64)["xyz".index(about)]
    g = SO3.from_axis_angle(axis, math.pi / 2)
    x = torch.zeros(1, 1, 5, 5, 5)
    here, there = [0, 0, 2, 2, 2], [0, 0, 2, 2, 2]
    here[AXES[before]] = there[AXES[after]] = 4
    x[tuple(here)] = 1
    assert rotate_voxels(x, g).nonzero().tolist() == [there]


def test_voxels_turn_as_points_do() -> None:
    points = torch.tensor([[2.0, 1, 0], [0, -1, 2]], dtype=torch.float64)  # x y z
    for g in CUBE:
        x, wanted = torch.zeros(1, 1, 5, 5, 5), torch.zeros(1, 1, 5, 5, 5)
        for p in points:
            w, h, d = (p + 2).long().tolist()
            x[0, 0, d, h, w] = 1
            w, h, d = (IrrepPoints("1x0e").move(g, p[None])[0].round() + 2).long().tolist()
            wanted[0, 0, d, h, w] = 1
        assert torch.equal(rotate_voxels(x, g), wanted)


def test_a_box_that_is_no_cube_turns_with_its_sides() -> None:
    x = torch.randn(2, 1, 3, 4, 5)
    quarter = SO3.from_zyz(math.pi / 2, 0, 0)  # about z: the rows and columns change places
    assert rotate_voxels(x, quarter).shape == (2, 1, 3, 5, 4)
    assert torch.equal(rotate_voxels(x, quarter)[:, :, 0], torch.rot90(x[:, :, 0], -1, (-2, -1)))


@pytest.mark.parametrize("irreps", ["2x0e + 1x0o", "2x1o + 1x1e", "1x2e + 1x3o"])
def test_act_is_a_group_action_on_maps(irreps: str) -> None:
    field = IrrepMaps(irreps)
    x = torch.randn(2, field.channels, 4, 4, 4, dtype=torch.float64)
    assert relative(field.act(SO3.identity, x), x) < 1e-13
    for g, h in zip(CUBE[::5], CUBE.flip(0)[::5], strict=True):
        assert relative(field.act(g, field.act(h, x)), field.act(SO3.compose(g, h), x)) < 1e-12


@pytest.mark.parametrize("field", [IrrepPoints("2x0e + 1x1o + 1x2e"), IrrepVectors("1x0o + 2x1e")])
def test_act_is_a_group_action_for_every_rotation(field: IrrepPoints | IrrepVectors) -> None:
    x = torch.randn(7, field.channels, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        g, h = field.random_element(generator), field.random_element(generator)
        assert relative(field.act(g, field.act(h, x)), field.act(SO3.compose(g, h), x)) < 1e-12
        assert relative(field.act(g, x).norm(), x.norm()) < 1e-12


def test_a_vector_feature_turns_as_an_arrow() -> None:
    """Components (y, z, x) of a degree-1 feature, wherever it stands."""
    arrow = torch.tensor([0.3, -1.2, 0.5], dtype=torch.float64)  # x y z
    g = SO3.random_element(torch.Generator().manual_seed(1))
    turned = IrrepVectors("1x1o").act(g, arrow[None, [1, 2, 0]])
    assert relative(turned[0, [2, 0, 1]], g @ arrow) < 1e-12


def test_one_rotation_for_each_sample() -> None:
    field = IrrepMaps("1x0e + 1x1o")
    x = torch.randn(3, 4, 6, 6, 6, dtype=torch.float64)
    turns = SO3.random_elements(3, torch.Generator().manual_seed(0))
    together = field.act(turns, x)
    for n in range(3):
        assert relative(together[n : n + 1], field.act(turns[n], x[n : n + 1])) < 1e-12


def test_a_free_rotation_at_a_quarter_turn_is_the_exact_one() -> None:
    """The two ways to turn voxels, permutation and interpolation, agree where both can."""
    x = torch.randn(1, 2, 5, 5, 5, dtype=torch.float64)
    for g in CUBE:
        almost = SO3.compose(g, SO3.from_axis_angle(torch.tensor([1.0, 2, 3]), 1e-7))
        assert (
            relative(
                rotate_voxels(x, almost)[..., 1:4, 1:4, 1:4],
                rotate_voxels(x, g)[..., 1:4, 1:4, 1:4],
            )
            < 1e-5
        )


def test_wigner_d_is_good_at_the_poles_and_a_homomorphism() -> None:
    points = torch.randn(9, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for beta in (0.0, 1e-9, 1e-4, math.pi - 1e-9, math.pi):
        g = SO3.from_zyz(0.7, beta, -0.4)
        for degree in range(5):
            D = degree_matrix(degree, g)
            assert (
                relative(harmonics(degree, points @ g.T), harmonics(degree, points) @ D.T) < 1e-12
            )
            assert relative(D @ D.T, torch.eye(2 * degree + 1, dtype=torch.float64)) < 1e-12


def test_fields_are_values() -> None:
    assert IrrepMaps("2x0e + 1x1o") == IrrepMaps("2x0e+1x1o")
    assert IrrepMaps("2x0e") != IrrepPoints("2x0e")
    assert repr(IrrepMaps("2x0e + 0x1o + 1x2e")) == "IrrepMaps('2x0e+1x2e')"
    assert IrrepMaps("2x0e + 1x1o").shape == "(B, 5, D, H, W)"
    assert len({IrrepPoints("1x0e"), IrrepPoints("1x0e")}) == 1


def test_float32_and_gradients_pass_through() -> None:
    field = IrrepMaps("1x1o")
    x = torch.randn(1, 3, 4, 4, 4, requires_grad=True)
    y = field.act(SO3.random_element(torch.Generator().manual_seed(0)), x)
    assert y.dtype == torch.float32
    y.square().sum().backward()
    assert x.grad is not None
