"""The four published recipes for lens images, and what they can be changed to.

The recipes are those of DeepLenseSim (Alexander et al., ApJ 893, 2020, and its code), without
its three defects: noise is added in every model, Hubble's camera is really Hubble's, and every
orientation (lens, shear, source, and the direction in which the source is displaced) is drawn
uniformly. ``orientation='fixed'`` brings the published orientations back, to show what they do.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from equivlab.data.lenses.observation import EUCLID_VIS, HST_F160W, MODEL_I_CAMERA, Camera
from equivlab.data.lenses.physics import Cosmology, Distances, einstein_radius

__all__ = [
    "CLASSES",
    "Lens",
    "LensRecipe",
    "Source",
    "Substructure",
    "lens_recipe",
]

CLASSES = ("no_sub", "cdm", "axion")
Pair = tuple[float, float]


@dataclass(frozen=True)
class Lens:
    """The smooth lens: a singular isothermal ellipsoid with external shear.

    Args:
        mass: solar masses inside the Einstein radius.
        theta_e: the Einstein radius itself in arc seconds; where it is given, it wins.
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
        amplitude: brightness at the half-light radius.
        magnitudes: apparent magnitudes in each channel; where they are given, they win.
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

    Args:
        subhalos: how many point masses.
        masses: the least and the largest of them.
        slope: of their distribution.
        radii: from and to which distance from the centre they lie.
        vortex_mass: of the whole line.
        vortex_points: masses on it.
        log_axion_mass: from and to which decimal logarithm of eV.
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
    cosmology: Cosmology = field(default_factory=Cosmology, kw_only=True)

    def __post_init__(self) -> None:
        if self.orientation not in ("uniform", "fixed"):
            raise ValueError(
                f"LensRecipe: orientation is 'uniform' or 'fixed'; got {self.orientation!r}."
            )
        self.radius_of(1.0)  # says what is wrong with the redshifts or the distances

    @property
    def channels(self) -> int:
        """Colours of an image, 3 for Model IV, else 1."""
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
        ValueError: another model, or less than a pixel.

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
    if pixels is not None and pixels < 1:
        raise ValueError(f"lens_recipe takes pixels of 1 or more; got {pixels}.")
    if pixels is not None:
        camera = recipe.camera
        scale = camera.pixel_scale * camera.pixels / pixels
        # Sky and readout gather in a pixel in proportion to its area, as do the photons.
        rms = camera.background_rms * scale / camera.pixel_scale
        camera = replace(camera, pixels=pixels, pixel_scale=scale, background_rms=rms)
        recipe = replace(recipe, camera=camera)
    return recipe
