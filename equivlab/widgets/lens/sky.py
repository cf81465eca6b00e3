"""A piece of sky with a lens in it, as a hand moves its parts.

All is turned and moved before rays are shot, so nothing is interpolated: the sky turned by 30° is
the picture that a camera turned by −30° would take.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from contourpy import contour_generator  # matplotlib draws by it too
from numpy.typing import NDArray

from equivlab.data.lenses import CLASSES, Camera, LensRecipe, Scene, draw_scene, render
from equivlab.data.lenses.images import deflection

__all__ = ["LIMITS", "Pose", "Sky", "lines_of"]

Array = NDArray[np.float64]
Pair = tuple[float, float]

GRID = 96  # points on a side on which critical curves are looked for
NO_CLUMP = 7.0  # the decimal logarithm of a mass that bends nothing

#: What each number of a pose may be: lowest, highest, step.
LIMITS: dict[str, tuple[float, float, float]] = {
    "source_x": (-1.5, 1.5, 0.05),
    "source_y": (-1.5, 1.5, 0.05),
    "lens_x": (-1.5, 1.5, 0.05),
    "lens_y": (-1.5, 1.5, 0.05),
    "theta_e": (0.5, 2.0, 0.05),
    "ellipticity": (0.0, 0.5, 0.02),
    "axis_deg": (0.0, 180.0, 5.0),
    "shear": (0.0, 0.2, 0.01),
    "shear_deg": (0.0, 180.0, 5.0),
    "amount": (0.0, 3.0, 0.1),
    "clump_mass": (NO_CLUMP, 11.0, 0.1),
    "clump_x": (-2.5, 2.5, 0.05),
    "clump_y": (-2.5, 2.5, 0.05),
    "angle_deg": (0.0, 360.0, 5.0),
}


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Where everything is, before the whole is turned. Arc seconds; degrees where the name says so.

    Attributes:
        source_x: of the galaxy behind, to the right,
        source_y: and upwards.
        lens_x: of the deflector,
        lens_y: and upwards.
        theta_e: its Einstein radius.
        ellipticity: ``(1 − q)/(1 + q)``.
        axis_deg: of its major axis, counter-clockwise from the right.
        shear: external.
        shear_deg: its direction.
        amount: the masses of the substructure are those that were drawn, times this.
        clump_mass: decimal logarithm of one more mass, in suns; 7 for none.
        clump_x: where that is, to the right.
        clump_y: and upwards.
        angle_deg: by which all of it is turned, counter-clockwise.
        kind: of the substructure: ``'no_sub'``, ``'cdm'`` or ``'axion'``.
        draw: the number of the draw of it, of the source's own axis and of the exposure.
        noise: whether the picture has noise.
    """

    source_x: float
    source_y: float
    theta_e: float
    ellipticity: float
    axis_deg: float
    shear: float
    shear_deg: float
    lens_x: float = 0.0
    lens_y: float = 0.0
    amount: float = 1.0
    clump_mass: float = NO_CLUMP
    clump_x: float = 1.0
    clump_y: float = 1.0
    angle_deg: float = 0.0
    kind: str = "no_sub"
    draw: int = 0
    noise: bool = True

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Pose:
        """From what a page says; numbers beyond their limits are taken back, angles begin anew."""
        found: dict[str, Any] = {}
        for name in (field.name for field in fields(cls)):
            value = values[name]
            if name in LIMITS:
                low, high, _ = LIMITS[name]
                if not math.isfinite(float(value)):
                    raise ValueError(f"{name} is a number from {low:g} to {high:g}; got {value}.")
                whole = float(value) % high if name.endswith("_deg") else float(value)
                value = min(max(whole, low), high)
            found[name] = value
        if found["kind"] not in CLASSES:
            raise ValueError(f"kind is one of {', '.join(CLASSES)}; got {found['kind']!r}.")
        found |= {"draw": max(0, int(found["draw"])), "noise": bool(found["noise"])}
        return cls(**found)


@dataclass(frozen=True)
class Aimed(Camera):
    """A camera whose middle looks beside the lens: the lens stands at `lens_at` in its picture."""

    lens_at: Pair = (0.0, 0.0)

    @cached_property
    def grid(self) -> tuple[Array, Array]:
        """Where rays are seen, arc seconds from the *lens*."""
        x, y = super().grid
        return x - self.lens_at[0], y - self.lens_at[1]


class Sky:
    """Pictures of one recipe's lenses, posed by hand.

    Args:
        recipe: camera, source and substructure.
    """

    def __init__(self, recipe: LensRecipe) -> None:
        self.recipe = recipe
        self.half = recipe.camera.pixels * recipe.camera.pixel_scale / 2  # arc seconds
        self._drawn: dict[tuple[int, int], Scene] = {}

    def rest(self) -> Pose:
        """The pose in which one begins: the recipe's own lens, the source a little beside it."""
        lens = self.recipe.lens
        theta_e = float(self.recipe.radius_of(lens.mass)) if lens.theta_e is None else lens.theta_e
        return Pose(
            source_x=0.2,
            source_y=0.1,
            theta_e=round(theta_e, 3),
            ellipticity=lens.ellipticity,
            axis_deg=30.0,
            shear=lens.shear,
            shear_deg=0.0,
        )

    def scene(self, pose: Pose) -> tuple[Scene, Pair]:
        """All that a renderer needs, in the frame of the lens, and where that is in the picture."""
        turn = cmath.exp(1j * math.radians(pose.angle_deg))
        lens_at = complex(pose.lens_x, pose.lens_y)
        base = self._draw(CLASSES.index(pose.kind), pose.draw)
        masses, places = base.masses * pose.amount, base.places @ np.array([1, 1j])
        if pose.clump_mass > NO_CLUMP:
            own = float(self.recipe.radius_of(10**pose.clump_mass)) ** 2
            masses = np.append(masses, own)
            places = np.append(places, complex(pose.clump_x, pose.clump_y) - lens_at)
        places = places * turn
        shape = complex(base.source.e1, base.source.e2) * turn**2
        source = replace(base.source, e1=shape.real, e2=shape.imag)
        scene = replace(
            base,
            theta_e=pose.theta_e,
            lens_e=_spin_two(pose.ellipticity, pose.axis_deg + pose.angle_deg),
            shear=_spin_two(pose.shear, pose.shear_deg + pose.angle_deg),
            masses=masses,
            places=np.stack([places.real, places.imag], -1),
            source=source,
            source_at=_pair((complex(pose.source_x, pose.source_y) - lens_at) * turn),
        )
        return scene, _pair(lens_at * turn)

    def picture(self, pose: Pose) -> Array:
        """What the camera sees, ``(C, H, W)`` in flux; the first row is the lowest.

        Noise has the variance of photons and background, but stands still while one drags, and
        turns along by quarter turns: one draw of a normal distribution for each pixel.
        """
        scene, lens_at = self.scene(pose)
        camera = Aimed(**vars_of(self.recipe.camera), lens_at=lens_at)
        flux = render(replace(self.recipe, camera=camera), scene)
        if not pose.noise:
            return flux
        rms = self.recipe.camera.background_rms
        luck = np.random.default_rng([pose.draw, 1]).standard_normal(flux.shape)
        luck = np.rot90(luck, -round(pose.angle_deg / 90), (-2, -1))  # rows grow upwards
        return np.asarray(flux + luck * np.sqrt(np.maximum(flux, 0) / scene.exposure + rms**2))

    def curves(self, pose: Pose) -> tuple[list[Array], list[Array]]:
        """Critical curves in the picture, and caustics behind it, before the turn: ``(n, 2)`` each.

        Critical curves are where ``det(1 − ∂α/∂θ) = 0``; caustics are where their rays come from
        (Schneider, Ehlers & Falco, *Gravitational Lenses*, 1992, section 5.1).
        """
        scene, _ = self.scene(replace(pose, angle_deg=0.0))
        middle = np.array([pose.lens_x, pose.lens_y])
        along = np.linspace(-self.half, self.half, GRID)
        area = area_ratio(scene, along[None] - middle[0], along[:, None] - middle[1])
        smallest = 3 * (along[1] - along[0])  # smaller ones are not told apart from the grid
        found: Any = contour_generator(along, along, area).lines(0.0)
        critical = [line for line in found if np.ptp(line, 0).max() > smallest]
        caustics = []
        for line in critical:
            u, v = (line - middle).T
            caustics.append(line - np.stack(deflection(scene, u, v), -1))
        return critical, caustics

    def magnification(self, pose: Pose) -> float:
        """How much more light of the source arrives than without the lens."""
        still = replace(pose, noise=False)
        scene, lens_at = self.scene(still)
        camera = Aimed(**vars_of(self.recipe.camera), lens_at=lens_at)
        recipe = replace(self.recipe, camera=camera, lens=replace(self.recipe.lens, light=()))
        seen = float(render(recipe, scene)[-1].sum())
        bare = replace(scene, theta_e=1e-9, shear=(0.0, 0.0), masses=scene.masses[:0],
                       places=scene.places[:0])  # fmt: skip
        return seen / float(render(recipe, bare)[-1].sum())

    def _draw(self, label: int, number: int) -> Scene:
        """A draw of the recipe, for its substructure, source and exposure."""
        key = (label, number)
        if key not in self._drawn:
            rng = np.random.default_rng(number)  # one galaxy for all kinds of dark matter
            self._drawn[key] = draw_scene(self.recipe, label, rng)
        return self._drawn[key]


def area_ratio(scene: Scene, x: Array, y: Array) -> Array:
    """``det(1 − ∂α/∂θ)``: the area of a small piece of the source, by that of its image.

    An isothermal deflection is the same along each ray from the lens, so its one derivative is
    ``2κ``, across the ray. Those of shear and of point masses have no trace.
    """
    e1, e2 = scene.lens_e
    q = (1 - math.hypot(e1, e2)) / (1 + math.hypot(e1, e2))
    phi = math.atan2(e2, e1) / 2
    z = x + 1j * y
    own = z * cmath.exp(-1j * phi)
    radius = np.sqrt(q * own.real**2 + own.imag**2 / q)
    kappa = scene.theta_e / 2 / np.maximum(radius, 1e-9)
    bent = -kappa * np.exp(2j * np.angle(z)) + complex(*scene.shear)
    for squared, (p_x, p_y) in zip(scene.masses, scene.places, strict=True):
        away = np.where(z == complex(p_x, p_y), 1e-9, z - complex(p_x, p_y))
        bent -= squared / np.conj(away) ** 2
    return np.asarray((1 - kappa) ** 2 - np.abs(bent) ** 2)


def vars_of(camera: Camera) -> dict[str, Any]:
    return {field.name: getattr(camera, field.name) for field in fields(Camera)}


def lines_of(lines: list[Array]) -> bytes:
    """Curves as a page reads them: float32 pairs, NaN between two."""
    gap = np.full((1, 2), np.nan)
    parts = [part for line in lines for part in (line, gap)]
    return np.concatenate([np.zeros((0, 2)), *parts]).astype("<f4").tobytes()


def _spin_two(size: float, axis_deg: float) -> Pair:
    """An ellipticity or a shear whose axis lies there."""
    return _pair(cmath.rect(size, 2 * math.radians(axis_deg)))


def _pair(z: complex) -> Pair:
    return z.real, z.imag
