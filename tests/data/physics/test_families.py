"""What holds for every family: its images are reproducible, balanced, and turned any way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from equivlab.data.physics import physics_families, physics_images
from equivlab.data.physics.grids import pixel_grid

NAMES = list(physics_families())
SLOW = {"reaction_diffusion": 32, "ising": 32}  # sizes of those that take long


def test_there_are_many() -> None:
    families = physics_families()
    assert len(families) >= 8
    assert all(name == family.name for name, family in families.items())
    assert all(2 <= len(set(family.classes)) == len(family.classes) for family in families.values())
    with pytest.raises(TypeError):
        families["new"] = families["ising"]  # type: ignore[index]


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_the_same_in_any_company(name: str) -> None:
    family, size = physics_families()[name], 16
    images, labels = physics_images(name, range(6), seed=3, size=size)
    assert images.shape == (6, 1, size, size)
    assert (images.dtype, labels.dtype) == (np.float32, np.int64)
    assert labels.tolist() == [n % len(family.classes) for n in range(6)]
    assert np.isfinite(images).all()
    assert (images.std((1, 2, 3)) > 0).all()
    some, those = physics_images(name, np.array([5, 2]), seed=3, size=size)
    assert np.array_equal(some, images[[5, 2]])
    assert those.tolist() == labels[[5, 2]].tolist()
    other = physics_images(name, range(6), seed=4, size=size)[0]
    assert not np.array_equal(other, images)
    odd = physics_images(name, [1], size=19)[0]  # any size
    assert odd.shape == (1, 1, 19, 19)
    assert np.isfinite(odd).all()


def phases(images: np.ndarray, fold: int) -> np.ndarray:
    """The direction of each image ``(B, H, W)`` by its light on rings, a number of modulus 1."""
    half = images.shape[-1] / 2
    angle, radius = np.meshgrid(np.arange(96) * np.pi / 48, np.arange(1, half - 1))
    places = half - 0.5 + np.stack([radius * np.sin(angle), radius * np.cos(angle)])
    rings = [ndimage.map_coordinates(image, places, order=3) for image in images]
    moment = (np.stack(rings) * radius * np.exp(1j * fold * angle)).sum((1, 2))
    return moment / np.abs(moment)


def rayleigh(unit: np.ndarray) -> float:
    """``N R²``, which exceeds 9 once in 8000 times where directions are uniform."""
    return float(len(unit) * np.abs(unit.mean()) ** 2)


@pytest.mark.parametrize("name", NAMES)
def test_no_direction_is_preferred(name: str) -> None:
    family = physics_families()[name]
    count = 20 if name in SLOW else 150
    images = physics_images(name, range(count), seed=1, size=SLOW.get(name, 48))[0][:, 0]
    if family.stretch == "sqrt":
        images = np.sqrt(np.maximum(images, 0))
    assert rayleigh(phases(images, 2)) < 9  # lines along one axis
    if family.turns == "all":
        assert rayleigh(phases(images, 4)) < 9  # crosses along both


def test_a_preferred_direction_would_be_seen() -> None:
    x, y = pixel_grid(48)
    noise = np.random.default_rng(0).normal(0, 0.3, (60, 48, 48))
    assert rayleigh(phases(noise, 2)) < 9
    assert rayleigh(phases(np.exp(-4 * x * x - 8 * y * y) + noise, 2)) > 20


@pytest.mark.parametrize(
    ("name", "numbers", "options", "error", "words"),
    [
        ("galaxy", [0], {}, KeyError, r"the families lenses, galaxies, .*; got 'galaxy'"),
        ("ising", [0, -1], {}, ValueError, r"numbers from -1, seed=0 and size=64"),
        ("ising", [0], {"seed": -2}, ValueError, r"seed=-2"),
        ("ising", [0], {"size": 8}, ValueError, r"a size from 16; .* size=8"),
        ("ising", [0.5], {}, TypeError, "float"),
        ("ising", [0], {"size": 32.0}, TypeError, "float"),
    ],
)
def test_bad_input(name, numbers, options, error, words) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=words):
        physics_images(name, numbers, **options)


def test_no_images() -> None:
    images, labels = physics_images("tracks", [])
    assert images.shape == (0, 1, 64, 64)
    assert labels.shape == (0,)
