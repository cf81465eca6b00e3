"""Simulated strong lenses in three classes of dark matter: none, subhalos, an axion vortex.

>>> recipe = lens_recipe("II")
>>> images, labels = simulate(recipe, range(6), seed=0)
>>> images.shape, labels.tolist()
((6, 1, 64, 64), [0, 1, 2, 0, 1, 2])

Image number ``n`` of a seed is always the same image, whoever makes it and in whatever company,
so sets can be made in parallel and continued. Rays are shot by the closed forms of
`equivlab.data.lenses.physics`; `render_with_lenstronomy` makes the same image by lenstronomy, one
at a time: the oracle of the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equivlab.data.lenses.physics import (
    SersicShape,
    point_mass_deflection,
    sersic_brightness,
    shear_deflection,
    sie_deflection,
    stamp_brightness,
)
from equivlab.data.lenses.recipes import CLASSES, LensRecipe, lens_recipe
from equivlab.data.lenses.scenes import Scene, draw_scene
from equivlab.imports import needs_extra

__all__ = [
    "CLASSES",
    "LensRecipe",
    "lens_recipe",
    "render",
    "render_with_lenstronomy",
    "simulate",
]

Array = NDArray[np.float64]
Stamps = NDArray[np.floating[Any]]
# The lens galaxy of Model IV: a compact and a wide Sérsic profile; the second is faint.
LENS_LIGHT = (SersicShape(0.4, 2.3, 0.0, 0.05), SersicShape(1.5, 1.2, 0.0, 0.3))
WIDE_MAGNITUDE = 28.0


def simulate(
    recipe: LensRecipe,
    numbers: Sequence[int],
    seed: int = 0,
    stamps: Stamps | None = None,
    noise: bool = True,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Make the images with these numbers.

    Args:
        recipe: what to make; `lens_recipe` has the published ones.
        numbers: which images of the endless set of this seed; number ``n`` has class ``n % 3``,
            so any run of numbers is balanced.
        seed: of everything random here.
        stamps: real galaxies as sources ``(N, S, S)``, their sky at zero; without, a Sérsic
            profile.
        noise: add it; False gives the expected flux.

    Returns:
        Images ``(B, C, H, W)`` in flux (`Camera` says in which units), and labels ``(B,)``.

    Raises:
        ValueError: `stamps` of another shape, not finite, or without light.
    """
    galaxies = _check_stamps(stamps)
    side = recipe.camera.pixels
    images = np.empty((len(numbers), recipe.channels, side, side), np.float32)
    labels = np.array([n % len(CLASSES) for n in numbers], np.int64)
    for image, label, number in zip(images, labels, numbers, strict=True):
        rng = np.random.default_rng([seed, int(number)])
        scene = draw_scene(recipe, int(label), rng, 0 if galaxies is None else len(galaxies))
        flux = render(recipe, scene, galaxies)  # (C, H, W)
        image[...] = recipe.camera.add_noise(flux, scene.exposure, rng) if noise else flux
    return images, labels


def _check_stamps(stamps: Stamps | None) -> Array | None:
    if stamps is None:
        return None
    if np.ma.isMaskedArray(stamps) or np.iscomplexobj(stamps):
        raise ValueError(
            "simulate takes stamps of plain real numbers; got a masked or complex array. Fill it "
            "(.filled(0)), or take its real part."
        )
    galaxies = np.asarray(stamps, np.float64)
    if galaxies.ndim != 3 or not np.isfinite(galaxies).all() or (galaxies.sum((1, 2)) <= 0).any():
        raise ValueError(
            f"simulate takes stamps (N, S, S), finite and each with light; got {galaxies.shape} "
            "of which some may be NaN or sum to zero. Subtract the sky, and drop empty stamps."
        )
    return galaxies


def deflection(scene: Scene, x: Array, y: Array) -> tuple[Array, Array]:
    """``α(θ)`` of all that lies in the lens plane, arc seconds."""
    parts = [
        sie_deflection(x, y, scene.theta_e, *scene.lens_e),
        shear_deflection(x, y, *scene.shear),
    ]
    if len(scene.masses):
        parts.append(point_mass_deflection(x, y, scene.masses, scene.places))
    return sum(part[0] for part in parts), sum(part[1] for part in parts)  # type: ignore[return-value]


def render(recipe: LensRecipe, scene: Scene, stamps: Array | None = None) -> Array:
    """The expected flux of a scene, ``(C, H, W)``, without noise."""
    camera, source = recipe.camera, recipe.source
    x, y = camera.grid
    a_x, a_y = deflection(scene, x, y)
    if scene.stamp is None or stamps is None:
        seen = sersic_brightness(x - a_x, y - a_y, scene.source, scene.source_at)
        light = scene.source.flux
    else:
        stamp = stamps[scene.stamp]
        angle = scene.source_angle
        seen = stamp_brightness(x - a_x, y - a_y, stamp, source.stamp_scale, angle, scene.source_at)
        light = float(stamp.sum()) * source.stamp_scale**2
    amplitudes = [camera.flux_of(m) / light for m in source.magnitudes] or [source.amplitude]
    planes = np.stack([a * seen for a in amplitudes])
    if recipe.lens.light:
        near, wide = (sersic_brightness(x, y, shape) / shape.flux for shape in LENS_LIGHT)
        faint = camera.flux_of(WIDE_MAGNITUDE)
        planes += np.stack([camera.flux_of(m) * near + faint * wide for m in recipe.lens.light])
    return camera.expose(planes)


def render_with_lenstronomy(recipe: LensRecipe, scene: Scene, stamps: Array | None = None) -> Array:
    """What `render` computes, by lenstronomy (Birrer & Amara, 2018), ``(C, H, W)``.

    Raises:
        ModuleNotFoundError: lenstronomy is not installed (``pip install "equivlab[data]"``).
    """
    with needs_extra("data", "render_with_lenstronomy"):
        from lenstronomy.SimulationAPI.sim_api import SimAPI  # late: it is slow to load

    camera = recipe.camera
    band = {
        "pixel_scale": camera.pixel_scale,
        "exposure_time": scene.exposure,
        "magnitude_zero_point": camera.zero_point,
        "background_noise": camera.background_rms,
        "seeing": camera.psf_fwhm,
        "truncation": camera.truncation,
    }
    real = scene.stamp is not None and stamps is not None
    model = {
        "lens_model_list": ["SIE", "SHEAR", *["POINT_MASS"] * len(scene.masses)],
        "source_light_model_list": ["INTERPOL" if real else "SERSIC_ELLIPSE"],
        "lens_light_model_list": ["SERSIC_ELLIPSE"] * 2 if recipe.lens.light else [],
    }
    lens = _lens_arguments(scene)
    source = _source_arguments(recipe, scene, stamps)
    planes = []
    for channel in range(recipe.channels):
        api = SimAPI(camera.pixels, band, model)
        near = recipe.lens.light[channel : channel + 1]
        light = [_sersic_arguments(shape) for shape in LENS_LIGHT] if near else []
        for entry, magnitude in zip(light, [*near, WIDE_MAGNITUDE], strict=bool(light)):
            entry["magnitude"] = magnitude
        here = dict(source)
        if recipe.source.magnitudes:
            here["magnitude"] = recipe.source.magnitudes[channel]
            light, (here,), _ = api.magnitude2amplitude(light, [here])
        else:
            here["amp"] = recipe.source.amplitude
        numerics = {"supersampling_factor": camera.supersampling}
        planes.append(api.image_model_class(numerics).image(lens, [here], light))
    return np.stack(planes)


def _lens_arguments(scene: Scene) -> list[dict[str, float]]:
    smooth = {"theta_E": scene.theta_e, "e1": scene.lens_e[0], "e2": scene.lens_e[1]}
    shear = {"gamma1": scene.shear[0], "gamma2": scene.shear[1]}
    points = [
        {"theta_E": float(np.sqrt(mass)), "center_x": float(px), "center_y": float(py)}
        for mass, (px, py) in zip(scene.masses, scene.places, strict=True)
    ]
    return [smooth, shear, *points]


def _sersic_arguments(shape: SersicShape) -> dict[str, Any]:
    return {"R_sersic": shape.radius, "n_sersic": shape.index, "e1": shape.e1, "e2": shape.e2}


def _source_arguments(recipe: LensRecipe, scene: Scene, stamps: Array | None) -> dict[str, Any]:
    centre = {"center_x": scene.source_at[0], "center_y": scene.source_at[1]}
    if scene.stamp is None or stamps is None:
        return _sersic_arguments(scene.source) | centre
    return {
        "image": stamps[scene.stamp],
        "scale": recipe.source.stamp_scale,
        "phi_G": scene.source_angle,
    } | centre
