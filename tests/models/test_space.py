"""Networks for shapes and molecules: their law, their size, and that they learn."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from equivlab.data import blob_grids
from equivlab.fields import rotate_voxels
from equivlab.models import PlainCNN3d, PointNetwork, SmoothSteerableCNN3d, SteerableCNN3d
from equivlab.models.space import EQUAL_WIDTH
from equivlab.nn import find_neighbors
from equivlab.so3 import SO3
from equivlab.transfer import to_plain
from tests.laws import relative

CUBE = SO3.cube_rotations()


def count(model: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("size", [9, 10])
def test_the_steerable_network_is_invariant(size: int, dtype: torch.dtype, bound: float) -> None:
    torch.manual_seed(0)
    model = SteerableCNN3d().to(dtype)
    x = torch.rand(2, 1, size, size, size, dtype=dtype)
    model(x)  # the running statistics move
    model.eval()
    with torch.no_grad():
        y = model(x)
        for g in CUBE[::3]:
            assert relative(model(model.in_field.act(g, x)), model.out_field.act(g, y)) < bound


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("size", [14, 16])
def test_the_smooth_network_is_invariant(size: int, dtype: torch.dtype, bound: float) -> None:
    torch.manual_seed(0)
    model = SmoothSteerableCNN3d().to(dtype)
    x = torch.rand(2, 1, size, size, size, dtype=dtype)
    model(x)
    model.eval()
    with torch.no_grad():
        y = model(x)
        for g in CUBE[::5]:
            assert relative(model(model.in_field.act(g, x)), y) < bound
        assert relative(to_plain(model)(x), y) < bound


def test_the_smooth_network_keeps_free_rotations() -> None:
    """Of blobs turned exactly: its numbers change by a few hundredths of their spread."""
    generator = torch.Generator().manual_seed(0)
    voxels = torch.zeros(12, 20, 20, 20)
    for n in range(12):  # boxes of random sides
        low, high = 9 - torch.randint(2, 9, (3,), generator=generator), 11
        voxels[n, low[0] : high, low[1] : high, low[2] : high] = 1
    turns = SO3.random_elements(12, generator)
    upright, turned = blob_grids(voxels, 16), blob_grids(voxels, 16, rotations=turns)
    torch.manual_seed(0)
    model = SmoothSteerableCNN3d()
    model.head = nn.Identity()
    for _ in range(30):
        model(upright)
    model.eval()
    with torch.no_grad():
        still, moved = model(upright), model(turned)
    off = (moved - still).square().mean(0).sqrt() / still.std(0)
    assert float(off.median()) < 0.05


def test_the_smooth_network_names_what_it_takes() -> None:
    with pytest.raises(ValueError, match="even size"):
        SmoothSteerableCNN3d()(torch.zeros(1, 1, 9, 9, 9))


def test_empty_space_has_no_features() -> None:
    """So that the corners of the frame leave no trace in them."""
    features = SteerableCNN3d().eval().features(torch.zeros(1, 1, 8, 8, 8))
    assert float(features.detach().abs().max()) == 0


def test_the_plain_twin_is_not() -> None:
    torch.manual_seed(0)
    model = PlainCNN3d()
    x = torch.zeros(8, 1, 9, 9, 9)
    x[:, :, 3:5] = torch.rand(8, 1, 2, 9, 9)  # plates
    for _ in range(20):  # the running statistics reach those of the batch
        model(x)
    model.eval()
    with torch.no_grad():
        turned = [model(rotate_voxels(x, g)) for g in CUBE]
    assert max(relative(y, turned[0]) for y in turned) > 1e-3


def test_the_twins_are_of_equal_size() -> None:
    steerable = count(SteerableCNN3d())
    assert abs(count(PlainCNN3d()) / steerable - 1) < 0.02
    wide = PlainCNN3d(widths=EQUAL_WIDTH)
    assert count(wide) > 20 * steerable


def test_a_free_rotation_changes_little() -> None:
    """Of a smooth shape, on a grid that holds it: the scores move less than the plain twin's."""
    at = torch.arange(18.0) - 8.5
    z, y, x = torch.meshgrid(at, at, at, indexing="ij")
    shape = torch.sigmoid(4 - torch.sqrt((x / 1.2) ** 2 + (y / 0.7) ** 2 + z**2))[None, None]
    torch.manual_seed(0)
    models = SteerableCNN3d().eval(), PlainCNN3d().eval()
    changes = []
    with torch.no_grad():
        for model in models:
            own = model(shape) - model(torch.zeros_like(shape))
            turned = [
                model(rotate_voxels(shape, g)) - model(torch.zeros_like(shape))
                for g in SO3.random_elements(3, torch.Generator().manual_seed(0))
            ]
            changes.append(max(relative(one, own) for one in turned))
    assert changes[0] < 0.05
    assert changes[0] < changes[1] / 2


def test_the_point_network_is_invariant_to_every_motion() -> None:
    torch.manual_seed(0)
    model = PointNetwork("6x0e + 4x1o + 2x2e", classes=4, cutoff=2.0, layers=2).double()
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    batch = torch.arange(40) % 3
    x = torch.ones(40, 1, dtype=torch.float64)
    y = model(x, find_neighbors(points, 2.0, batch), batch)
    assert y.shape == (3, 4)
    for g in SO3.random_elements(4, generator):
        moved = -model.in_field.move(g, points, torch.randn(3, generator=generator))  # mirrored too
        assert relative(model(x, find_neighbors(moved, 2.0, batch), batch), y) < 1e-12


def test_energies_add_up_over_molecules_that_are_far_apart() -> None:
    torch.manual_seed(0)
    model = PointNetwork(
        "8x0e + 4x1o", classes=1, cutoff=2.0, layers=2, species=10, pooling="sum"
    ).double()
    water = torch.tensor([[0.0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]]).double()
    species = torch.tensor([8, 1, 1])
    one = model(species, find_neighbors(water, 2.0))
    both = torch.cat([water, water + 50])
    together = model(species.repeat(2), find_neighbors(both, 2.0))
    assert relative(together, 2 * one) < 1e-12
    batch = torch.tensor([0, 0, 0, 1, 1, 1])
    apart = model(species.repeat(2), find_neighbors(both, 2.0, batch), batch)
    assert relative(apart, one.expand(2, 1)) < 1e-12


def test_a_mirror_image_has_the_same_energy_but_another_shape_has_not() -> None:
    torch.manual_seed(0)
    model = PointNetwork("4x0e + 4x1o + 2x2e", classes=1, cutoff=3.0, layers=2).double()
    points = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x = torch.ones(6, 1, dtype=torch.float64)
    energy = model(x, find_neighbors(points, 3.0))
    assert (
        relative(model(x, find_neighbors(points * torch.tensor([1.0, 1, -1]), 3.0)), energy) < 1e-12
    )
    assert (
        relative(model(x, find_neighbors(points * torch.tensor([1.0, 1, 1.2]), 3.0)), energy) > 1e-4
    )


def test_the_point_network_learns_what_angles_tell() -> None:
    """Three points at the same distances from the middle one, straight or bent: one step of
    distances alone cannot tell them apart within the cutoff, directions can."""
    torch.manual_seed(0)
    model = PointNetwork("8x0e + 8x1o", classes=2, cutoff=1.2, layers=1, mean_neighbors=2.0, lmax=1)
    straight = torch.tensor([[-1.0, 0, 0], [0, 0, 0], [1, 0, 0]])
    bent = torch.tensor([[-1.0, 0, 0], [0, 0, 0], [0, 1, 0]])
    turns = SO3.random_elements(16, torch.Generator().manual_seed(0)).float()
    clouds = [pair[n % 2] @ g.T for n, g in enumerate(turns) for pair in [(straight, bent)]]
    batch = torch.arange(16).repeat_interleave(3)
    near = find_neighbors(torch.cat(clouds), 1.2, batch)
    labels = torch.arange(16) % 2
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-2)
    for _ in range(60):
        optimiser.zero_grad()
        loss = F.cross_entropy(model(torch.ones(48, 1), near, batch), labels)
        loss.backward()
        optimiser.step()
    assert bool((model(torch.ones(48, 1), near, batch).argmax(1) == labels).all())


def test_the_steerable_network_learns() -> None:
    torch.manual_seed(0)
    model = SteerableCNN3d(classes=2)
    x = torch.zeros(8, 1, 9, 9, 9)
    x[::2, :, 2:7, 2:7, 2:7] = 1  # a cube
    x[1::2, :, 4, 1:8, 1:8] = 1  # a plate
    labels = torch.arange(8) % 2
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(15):
        optimiser.zero_grad()
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.2
