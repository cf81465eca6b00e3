"""Fields on hexagons: the action, turns by any angle, masks, pictures, and what is refused."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from scipy.interpolate import LinearNDInterpolator

from equivlab.fields import (
    HexMaps,
    PlanarField,
    RegularMaps,
    ScalarMaps,
    draw_hexagons,
    scalar_maps,
)
from equivlab.groups import P4, P6, P6M, Cyclic, hexagon
from tests.laws import relative, sample

FIELDS = [kind(group, 2) for kind in (HexMaps, RegularMaps) for group in (P6, P6M)]
EACH = pytest.mark.parametrize("field", FIELDS, ids=repr)


def middles(radius: int) -> np.ndarray:
    """To the right and upwards, ``(cells, 2)``."""
    row, column = np.nonzero(hexagon(radius).numpy())
    q, r = column - radius, row - radius
    return np.stack([q + r / 2, -math.sqrt(3) / 2 * r], -1)


@EACH
def test_act_is_an_action(field: PlanarField) -> None:
    x = sample(field, 7)
    for g, h in itertools.product(field.group.elements, repeat=2):
        both = field.act(field.group.compose(g, h), x)
        assert torch.equal(field.act(g, field.act(h, x)), both)
    assert torch.equal(field.act(0, x + 1), field.mask(x + 1))


@EACH
def test_rotate_is_act_at_sixth_turns(field: PlanarField) -> None:
    x = sample(field, 7)
    for r in range(-6, 8):
        assert relative(field.rotate(r * math.pi / 3, x), field.act(r % 6, x)) < 1e-13
    angles = torch.tensor([math.pi / 3, 0.4])
    together = field.rotate(angles, x)
    for n, angle in enumerate(angles.tolist()):
        assert torch.allclose(together[n : n + 1], field.rotate(angle, x[n : n + 1]), atol=1e-6)


@pytest.mark.parametrize("angle", [0.2, -0.5, 2.0])
def test_between_them_it_is_linear_on_triangles(angle: float) -> None:
    """As SciPy interpolates on Delaunay's triangles, which are those of the lattice."""
    x = sample(HexMaps(P6, 1), 11, batch=1)
    points, values = middles(5), x[0, 0][hexagon(5)].numpy()
    c, s = math.cos(angle), math.sin(angle)
    back = points @ np.array([[c, -s], [s, c]])
    rest = angle - round(angle / (math.pi / 3)) * math.pi / 3  # only that much is resampled
    assert abs(rest) > 0.05
    found = HexMaps(P6, 1).rotate(angle, x)[0, 0][hexagon(5)].numpy()
    wanted = LinearNDInterpolator(points, values)(back)
    inside = np.hypot(*points.T) < 4  # beyond the rim there are zeros, and SciPy has nothing
    assert np.abs(found - wanted)[inside].max() < 1e-12
    nearest = HexMaps(P6, 1).rotate(angle, x, "nearest")[0, 0][hexagon(5)].numpy()
    distances = np.linalg.norm(back[:, None] - points, axis=-1)
    clear = inside & (np.diff(np.sort(distances)[:, :2])[:, 0] > 1e-6)
    assert np.array_equal(nearest[clear], values[distances.argmin(1)][clear])


def test_there_and_back_is_near_on_smooth_maps() -> None:
    points = torch.from_numpy(middles(12))
    x = torch.zeros(1, 1, 25, 25, dtype=torch.float64)
    x[..., hexagon(12)] = torch.exp(-(points - torch.tensor([2.0, 1.0])).square().sum(1) / 18)
    field = HexMaps(P6, 1)
    assert relative(field.rotate(-0.5, field.rotate(0.5, x)), x) < 0.03


def test_masks() -> None:
    x = torch.ones(2, 1, 5, 5)
    assert torch.equal(HexMaps(P6, 1).mask(x), x * hexagon(2))
    assert ScalarMaps(P4, 1).mask(x) is x
    spoiled = x.masked_fill(~hexagon(2), math.nan)
    assert torch.equal(HexMaps(P6, 1).mask(spoiled), x * hexagon(2))


def test_scalar_maps_of_any_group() -> None:
    assert scalar_maps(P6, 3) == HexMaps(P6, 3)
    assert scalar_maps(Cyclic(6), 3) == ScalarMaps(Cyclic(6), 3)


@pytest.mark.parametrize(
    ("field", "x", "words"),
    [
        (HexMaps(P6, 3), torch.zeros(3, 9, 9), r"Add the batch axis: x\[None\]"),
        (HexMaps(P6, 3), torch.zeros(2, 3, 6, 9, 9), r"GroupPool\(P6, 3\)"),
        (HexMaps(P6, 3), torch.zeros(2, 1, 9, 9), "holds 1 channels, not 3"),
        (
            HexMaps(P6, 1),
            torch.zeros(2, 1, 28, 28),
            r"2R \+ 1, 2R \+ 1\); got .*to_hexagons\(image",
        ),
        (HexMaps(P6, 1), torch.rand(2, 1, 29, 29), r"outside .*radius=14\); or.*HexMaps\(P6, 1\)"),
        (HexMaps(P6, 1), torch.zeros(0, 1, 9, 9), "empty"),
        (RegularMaps(P6, 1), torch.zeros(2, 1, 9, 9), r"LiftingConv2d\(P6, 1"),
        (RegularMaps(P6, 1), torch.zeros(2, 1, 6, 9, 11), "to_hexagons"),
        (RegularMaps(P6M, 1), torch.zeros(2, 1, 6, 9, 9), "6 group elements and P6M has 12"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_remedy(
    field: PlanarField, x: torch.Tensor, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        field.validate(x)


def test_turns_that_are_refused() -> None:
    field = HexMaps(P6, 1)
    with pytest.raises(ValueError, match="bilinear, nearest; got 'fourier'"):
        field.rotate(0.1, torch.zeros(1, 1, 5, 5), "fourier")
    with pytest.raises(ValueError, match="one for each of the 2 samples"):
        field.rotate(torch.zeros(3), torch.zeros(2, 1, 5, 5))
    with pytest.raises(ValueError, match="P6 moves hexagons"):
        field.rotate(0.1, torch.zeros(2, 1, 4, 4))


def test_pictures() -> None:
    """Regular hexagons, each where its cell is, with the colour of its number."""
    x = sample(HexMaps(P6, 1), 7, torch.float32)[0, 0]
    cells = draw_hexagons(x, Figure().subplots(), limits=(-3, 3))
    corners = np.stack([path.vertices[:6] for path in cells.get_paths()])
    assert np.allclose(corners.mean(1), middles(3))
    assert np.allclose(np.linalg.norm(corners - corners.mean(1, keepdims=True), axis=2), 3**-0.5)
    assert np.array_equal(cells.get_array(), x[hexagon(3)].numpy())
    assert cells.get_clim() == (-3, 3)
    for bad in (torch.zeros(1, 5, 5), torch.zeros(4, 4), torch.zeros(3, 5)):
        with pytest.raises(ValueError, match=r"one map .*images\[0, 0\]"):
            draw_hexagons(bad, Figure().subplots())
