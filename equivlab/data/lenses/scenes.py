"""One lens, drawn at random by a recipe: where its masses lie, how its source looks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equivlab.data.lenses.physics import SersicShape
from equivlab.data.lenses.recipes import CLASSES, LensRecipe

__all__ = ["Scene", "draw_scene"]

Array = NDArray[np.float64]
Pair = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One drawn lens: all that a renderer needs. Arc seconds and radians.

    Attributes:
        label: index into `CLASSES`.
        theta_e: Einstein radius of the smooth lens.
        lens_e: its ellipticity.
        shear: its external shear.
        masses: Einstein radii squared of the point masses, ``(K,)``.
        places: their positions, ``(K, 2)``.
        source: the shape of the source.
        source_at: its centre.
        source_angle: the angle by which a real galaxy is turned.
        stamp: which real galaxy, or None.
        exposure: seconds of the exposure.
    """

    label: int
    theta_e: float
    lens_e: Pair
    shear: Pair
    masses: Array
    places: Array
    source: SersicShape
    source_at: Pair
    source_angle: float
    stamp: int | None
    exposure: float


def draw_scene(recipe: LensRecipe, label: int, rng: np.random.Generator, stamps: int = 0) -> Scene:
    """Draw one lens of class `label`; `stamps` is how many real galaxies there are."""
    free = recipe.orientation == "uniform"
    lens_angle, shear_angle, source_angle = rng.uniform(0, math.pi, 3) if free else (0.0, 0.0, 0.0)
    source_at = rng.uniform(-recipe.source.reach, recipe.source.reach, 2)
    if free:  # the square of centres has corners; turning each centre makes it round
        source_at = _turned(source_at, rng.uniform(0, 2 * math.pi))
    stamp_angle = rng.uniform(-math.pi, math.pi)
    stamp = int(rng.integers(stamps)) if stamps else None
    exposure = recipe.camera.draw_exposure(rng)
    masses, places = _substructure(recipe, label, rng)
    lens = recipe.lens
    theta_e = float(recipe.radius_of(lens.mass)) if lens.theta_e is None else lens.theta_e
    e1, e2 = _turned(np.array(recipe.source.ellipticity), 2 * source_angle)
    return Scene(
        label=label,
        theta_e=theta_e,
        lens_e=_spin_two(lens.ellipticity, lens_angle),
        shear=_spin_two(lens.shear, shear_angle),
        masses=masses,
        places=places,
        source=SersicShape(recipe.source.radius, recipe.source.index, float(e1), float(e2)),
        source_at=(float(source_at[0]), float(source_at[1])),
        source_angle=stamp_angle,
        stamp=stamp,
        exposure=exposure,
    )


def _substructure(recipe: LensRecipe, label: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Einstein radii squared ``(K,)`` and positions ``(K, 2)`` of the point masses."""
    sub = recipe.substructure
    if CLASSES[label] == "cdm":
        power = sub.slope + 1
        low, high = sub.masses[0] ** power, sub.masses[1] ** power
        masses = (low + (high - low) * rng.uniform(size=sub.subhalos)) ** (1 / power)
        radii = rng.uniform(*sub.radii, sub.subhalos)
        angles = rng.uniform(0, 2 * math.pi, sub.subhalos)
    elif CLASSES[label] == "axion":
        half = 0.06 / 2 * 10 ** (-22 - rng.uniform(*sub.log_axion_mass))
        masses = np.full(sub.vortex_points, sub.vortex_mass / sub.vortex_points)
        radii = np.linspace(-half, half, sub.vortex_points)
        angles = np.full(sub.vortex_points, rng.uniform(0, 2 * math.pi))
    else:
        return np.zeros(0), np.zeros((0, 2))
    places = np.stack([radii * np.cos(angles), radii * np.sin(angles)], -1)
    return np.asarray(recipe.radius_of(masses)) ** 2, places


def _turned(vector: Array, angle: float) -> Array:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s], [s, c]]) @ vector


def _spin_two(size: float, angle: float) -> Pair:
    """An ellipticity or a shear whose axis lies at `angle`."""
    return size * math.cos(2 * angle), size * math.sin(2 * angle)
