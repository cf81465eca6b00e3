"""The simulated camera: numbers of its own for each image, isotropy, and the shapes of showers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from equivlab.data import SHOWERS, ShowerCamera, shower_images
from equivlab.fields import HexMaps
from equivlab.groups import P6M, hexagon

#: Finer than the width of a gamma's ellipse, and no noise.
FINE = ShowerCamera(radius=40, pixel_deg=0.06)


def axes(camera: ShowerCamera) -> tuple[Tensor, Tensor]:
    axis = torch.arange(-camera.radius, camera.radius + 1, dtype=torch.float64)
    x = camera.pixel_deg * (axis + axis[:, None] / 2)
    return x, (-camera.pixel_deg * math.sqrt(3) / 2 * axis[:, None]).expand_as(x)


def ellipses(images: Tensor, camera: ShowerCamera) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Length and width of each image, the angle of its axis, and that of its place; in radians."""
    light = images[:, 0].double()
    x, y = axes(camera)
    total = light.sum((1, 2))
    mean_x, mean_y = ((light * a).sum((1, 2)) / total for a in (x, y))
    xx, yy, xy = (
        (light * a * b).sum((1, 2)) / total - m * n
        for a, b, m, n in (
            (x, x, mean_x, mean_x),
            (y, y, mean_y, mean_y),
            (x, y, mean_x, mean_y),
        )
    )
    half, off = (xx + yy) / 2, torch.hypot((xx - yy) / 2, xy)
    axis = torch.atan2(2 * xy, xx - yy)  # twice the angle
    return (half + off).sqrt(), (half - off).clamp_min(0).sqrt(), axis, torch.atan2(mean_y, mean_x)


def test_an_image_is_its_number_s_alone() -> None:
    images, labels = shower_images(range(6), seed=3)
    again, _ = shower_images([5, 2], seed=3)
    assert torch.equal(again, images[[5, 2]])
    assert labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert not torch.equal(shower_images([5], seed=4)[0], again[:1])
    assert not torch.equal(images[0], images[2])
    assert images.dtype == torch.float32
    HexMaps(P6M, 1).validate(images, finite=True)
    assert not images[..., ~hexagon(15)].any()
    assert len(SHOWERS) == 2


def test_gammas_are_narrow_and_hadrons_are_not() -> None:
    """Hillas's length and width, of the light alone."""
    images, labels = shower_images(range(300), camera=FINE, noise=False)
    length, width, _, _ = ellipses(images, FINE)
    gamma, hadron = labels == 0, labels == 1
    assert float(length[gamma].median()) == pytest.approx(0.22, rel=0.1)
    assert float(width[gamma].median()) == pytest.approx(0.09, rel=0.1)
    assert float(width[hadron].median()) > 1.3 * float(width[gamma].median())
    assert float(width[hadron].std()) > 2 * float(width[gamma].std())


def test_places_and_directions_are_isotropic() -> None:
    """Mean phases of all low frequencies vanish, as 1/√n does; also of axes against places."""
    images, labels = shower_images(range(400), camera=FINE, noise=False)
    *_, axis, place = ellipses(images, FINE)
    for label in (0, 1):
        a, p = axis[labels == label], place[labels == label]
        for angle in (a, 2 * a, 3 * a, p, 2 * p, 3 * p, a - 2 * p):
            phase = torch.polar(torch.ones_like(angle), angle).mean()
            assert float(phase.abs()) < 3.5 / math.sqrt(len(angle))


def test_the_night_sky_is_taken_off() -> None:
    """Its mean is 0, its variance that of Poisson's counts, the charge's and the amplifier's."""
    camera = ShowerCamera(radius=15, night_sky=2.0, spread=0.5, electronics=0.3)
    night = np.zeros((31, 31))
    dark = np.stack([camera.expose(night, np.random.default_rng(seed)) for seed in range(40)])
    values = dark[:, hexagon(15).numpy()]
    assert abs(values.mean()) < 4 * math.sqrt(2.6 / values.size)
    assert values.var() == pytest.approx(2 * (1 + 0.25) + 0.09, rel=0.05)


def test_photons_fall_into_the_nearest_pixel() -> None:
    camera = ShowerCamera(radius=4, pixel_deg=0.2)
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-0.6, 0.6, (2, 500))
    column, row = (a.numpy() for a in axes(camera))
    inside = hexagon(4).numpy()
    nearest = np.hypot(x[:, None] - column[inside], y[:, None] - row[inside]).argmin(1)
    wanted = np.bincount(nearest, minlength=61)
    assert np.array_equal(camera.count(x, y)[inside], wanted)
    assert camera.count(np.array([5.0]), np.array([0.0])).sum() == 0


@pytest.mark.parametrize(
    "camera", [ShowerCamera(0), ShowerCamera(pixel_deg=0.0), ShowerCamera(night_sky=-1.0)]
)
def test_cameras_that_cannot_be(camera: ShowerCamera) -> None:
    with pytest.raises(ValueError, match=r"radius of 1 or more.*Take ShowerCamera\(\)"):
        shower_images(range(2), camera=camera)


def test_no_numbers_make_no_images() -> None:
    images, labels = shower_images([])
    assert images.shape == (0, 1, 31, 31)
    assert labels.shape == (0,)
