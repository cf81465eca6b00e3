"""What is drawn for each lens image, and the four published recipes.

The recipes are those of DeepLenseSim (Alexander et al., ApJ 893, 2020, and its code), without
its three defects: noise is added in every model, Hubble's camera is really Hubble's, and every
orientation (lens, shear, source, and the direction in which the source is displaced) is drawn
uniformly. ``orientation='fixed'`` brings the published orientations back, to show what they do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from equivlab.data.lens_models import Cosmology, Distances, SersicShape, einstein_radius
from equivlab.data.lens_observation import EUCLID_VIS, HST_F160W, MODEL_I_CAMERA, Camera

__all__ = [
    "CLASSES",
    "Lens",
    "LensRecipe",
    "Scene",
    "Source",
    "Substructure",
    "draw_scene",
    "lens_recipe",
]

Array = NDArray[np.float64]
CLASSES = ("no_sub", "cdm", "axion")
Pair = tuple[float, float]


@dataclass(frozen=True)
class Lens:
    """The smooth lens: a singular isothermal ellipsoid with external shear.

    Args:
        mass: solar masses inside the Einstein radius; or
        theta_e: the Einstein radius itself in arc seconds, which wins.
        ellipticity: ``(1 − q)/(1 + q)``.
        shear: strength ``γ``.
        light: magnitudes of the lens galaxy in each channel; empty for no light.
    """

    mass: float = 1e12
    theta_e: float | None = None
    ellipticity: float = 0.1
    shear: float = 0.05
    light: tuple[float, ...] = ()


@dataclass(frozen=True)
class Source:
    """The galaxy behind the lens.

    Args:
        radius: half-light radius of the Sérsic profile, arc seconds.
        index: its Sérsic index.
        ellipticity: its two components at the published orientation.
        reach: the centre is uniform in ± this on each axis, arc seconds.
        amplitude: brightness at the half-light radius; or
        magnitudes: apparent magnitudes in each channel, which win.
        stamp_scale: arc seconds in a pixel of the real galaxies, where stamps are given.
    """

    radius: float = 0.25
    index: float = 1.0
    ellipticity: Pair = (-0.1, 0.1)
    reach: float = 0.35
    amplitude: float = 20.0
    magnitudes: tuple[float, ...] = ()
    stamp_scale: float = 0.03


@dataclass(frozen=True)
class Substructure:
    """The dark matter that the classes are about; solar masses and arc seconds.

    ``cdm``: point masses with ``dN/dm ∝ m^slope`` (−0.9 as DeepLenseSim's code has it, −1.9 as
    it is documented), the distance from the centre uniform, the direction too. ``axion``: a
    vortex, equal point masses on a line through the centre at a random angle; for an axion of
    mass ``m`` (eV) its half-length is ``0.06/(2m) · 10⁻²²``.
    """

    subhalos: int = 25
    masses: Pair = (1e6, 1e10)
    slope: float = -0.9
    radii: Pair = (0.25, 2.0)
    vortex_mass: float = 3e10
    vortex_points: int = 100
    log_axion_mass: Pair = (-24.0, -22.0)


@dataclass(frozen=True)
class LensRecipe:
    """Everything that a set of lens images follows from, beside the seed.

    Args:
        name: for people and manifests.
        camera: pixels, point spread function, noise.
        lens: the smooth lens.
        source: the galaxy behind it.
        substructure: what tells the classes apart.
        orientation: ``'uniform'``: every one its own angle; ``'fixed'``: as published, with the
            lens along x in every image.
        distances: which Einstein radius a mass has; see `einstein_radius`.
        redshifts: of the lens and of the source.
        cosmology: H0 70 and Ωm 0.3.
    """

    name: str
    camera: Camera
    lens: Lens = field(default_factory=Lens)
    source: Source = field(default_factory=Source)
    substructure: Substructure = field(default_factory=Substructure)
    orientation: Literal["uniform", "fixed"] = "uniform"
    distances: Distances = "published"
    redshifts: Pair = (0.5, 1.0)
    cosmology: Cosmology = field(default_factory=Cosmology)

    def __post_init__(self) -> None:
        if self.orientation not in ("uniform", "fixed"):
            raise ValueError(
                f"LensRecipe: orientation is 'uniform' or 'fixed'; got {self.orientation!r}."
            )
        self.radius_of(1.0)  # says what is wrong with the redshifts or the distances

    @property
    def channels(self) -> int:
        """Colours of an image: 3 for Model IV, else 1."""
        return max(len(self.source.magnitudes), len(self.lens.light), 1)

    def radius_of(self, mass: Any) -> Any:
        """The Einstein radius in arc seconds of a mass in solar masses."""
        return einstein_radius(mass, *self.redshifts, self.distances, self.cosmology)


def lens_recipe(model: str = "I", pixels: int | None = None, **changes: Any) -> LensRecipe:
    """One of the published recipes, perhaps changed.

    Args:
        model: ``'I'`` (150×150 at 0.05″, Gaussian noise and photons), ``'II'`` (Euclid, 64×64),
            ``'III'`` (Hubble, 64×64) or ``'IV'`` (Euclid, three channels, round lens of 1.5″
            with its light; the source a real galaxy where stamps are given).
        pixels: another size of image; the field of view stays, the pixels change.
        changes: other fields of `LensRecipe`, for example ``orientation='fixed'``.

    Model IV follows the published magnitudes in its three channels (source 22, 19, 18; lens 17,
    18, 19). Its published substructure comes from pyHalo; here it is that of the other models,
    so call results "Model IV-style".

    Raises:
        ValueError: another model.

    >>> lens_recipe("II").camera.pixels
    64
    """
    recipes = {
        "I": LensRecipe("Model I", MODEL_I_CAMERA),
        "II": LensRecipe("Model II", EUCLID_VIS, source=Source(magnitudes=(20.0,))),
        "III": LensRecipe("Model III", HST_F160W, source=Source(magnitudes=(20.0,))),
        "IV": LensRecipe(
            "Model IV-style",
            EUCLID_VIS,
            Lens(theta_e=1.5, ellipticity=0.0, light=(17.0, 18.0, 19.0)),
            Source(reach=0.3, magnitudes=(22.0, 19.0, 18.0)),
        ),
    }
    if model not in recipes:
        raise ValueError(f"lens_recipe has the models {', '.join(recipes)}; got {model!r}.")
    recipe = replace(recipes[model], **changes)
    if pixels is not None:
        camera = recipe.camera
        scale = camera.pixel_scale * camera.pixels / pixels
        # Sky and readout gather in a pixel in proportion to its area, as do the photons.
        rms = camera.background_rms * scale / camera.pixel_scale
        camera = replace(camera, pixels=pixels, pixel_scale=scale, background_rms=rms)
        recipe = replace(recipe, camera=camera)
    return recipe


@dataclass(frozen=True)
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
        label,
        theta_e,
        _spin_two(lens.ellipticity, lens_angle),
        _spin_two(lens.shear, shear_angle),
        masses,
        places,
        SersicShape(recipe.source.radius, recipe.source.index, float(e1), float(e2)),
        (float(source_at[0]), float(source_at[1])),
        stamp_angle,
        stamp,
        exposure,
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
