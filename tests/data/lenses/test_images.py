"""The lens simulator: against lenstronomy image by image, and against closed forms."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest

from equivlab.data.lenses.images import (
    CLASSES,
    lens_recipe,
    render,
    render_with_lenstronomy,
    simulate,
)
from equivlab.data.lenses.physics import (
    Cosmology,
    SersicShape,
    einstein_radius,
    point_mass_deflection,
    sersic_brightness,
    sie_deflection,
    stamp_brightness,
)
from equivlab.data.lenses.scenes import draw_scene

MODELS = ("I", "II", "III", "IV")


def galaxies(count: int = 3, side: int = 31) -> np.ndarray:
    """Round blobs off the middle, as stamps."""
    y, x = np.mgrid[:side, :side] - side // 2
    return np.stack([np.exp(-((x - n) ** 2 + (y + 2 * n) ** 2) / 20.0) for n in range(count)])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("label", range(3))
def test_every_image_is_lenstronomys(model: str, label: int) -> None:
    pytest.importorskip("lenstronomy")
    recipe = lens_recipe(model)
    recipe = replace(recipe, camera=replace(recipe.camera, pixels=48, supersampling=1 + label))
    for stamps in (None, galaxies()):
        rng = np.random.default_rng([label, 5])
        scene = draw_scene(recipe, label, rng, 0 if stamps is None else len(stamps))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = render_with_lenstronomy(recipe, scene, stamps)
        found = render(recipe, scene, stamps)
        assert found.shape == (recipe.channels, 48, 48)
        assert np.abs(found - wanted).max() < 1e-7 * np.abs(wanted).max()


def test_distances_are_astropys() -> None:
    cosmology = pytest.importorskip("astropy.cosmology")
    theirs = cosmology.FlatLambdaCDM(H0=67.0, Om0=0.31)
    for z in (0.1, 0.5, 1.0, 3.0):
        wanted = theirs.comoving_distance(z).value
        assert Cosmology(67.0, 0.31).comoving_distance(z) == pytest.approx(wanted, rel=1e-10)


def test_einstein_radius_in_both_conventions() -> None:
    assert einstein_radius(1e12) == pytest.approx(1.281, abs=5e-4)
    assert einstein_radius(1e12, distances="angular") == pytest.approx(1.665, abs=5e-4)
    assert einstein_radius(4e12) == pytest.approx(2 * einstein_radius(1e12))  # like sqrt(M)
    with pytest.raises(ValueError, match="Put the source behind the lens"):
        einstein_radius(1e12, 1.0, 0.5)
    with pytest.raises(ValueError, match="'published' or 'angular'; got 'luminosity'"):
        einstein_radius(1e12, distances="luminosity")  # type: ignore[arg-type]


def test_einstein_radius_of_the_ellipsoid() -> None:
    """The critical curve is the ellipse κ = 1/2 and encloses π θ_E²; a round one is a circle."""
    theta_e, e1, e2 = 1.3, 0.12, 0.07
    q = (1 - math.hypot(e1, e2)) / (1 + math.hypot(e1, e2))
    phi = math.atan2(e2, e1) / 2
    angles = np.linspace(0, 2 * math.pi, 2001)[:-1]
    u, v = theta_e * np.cos(angles) / math.sqrt(q), theta_e * np.sin(angles) * math.sqrt(q)
    x, y = u * np.cos(phi) - v * np.sin(phi), u * np.sin(phi) + v * np.cos(phi)
    h = 1e-5
    xx = sie_deflection(x + h, y, theta_e, e1, e2)[0] - sie_deflection(x - h, y, theta_e, e1, e2)[0]
    xy, yy = (
        a - b
        for a, b in zip(
            sie_deflection(x, y + h, theta_e, e1, e2),
            sie_deflection(x, y - h, theta_e, e1, e2),
            strict=True,
        )
    )
    xx, xy, yy = xx / (2 * h), xy / (2 * h), yy / (2 * h)
    assert np.allclose((xx + yy) / 2, 0.5, atol=1e-7)
    assert np.allclose((1 - xx) * (1 - yy) - xy**2, 0, atol=1e-7)  # infinite magnification
    # Gauss: the flux of α through the curve is 2 ∫κ, and the mean of κ inside it is 1.
    a_x, a_y = sie_deflection(x, y, theta_e, e1, e2)
    dx, dy = np.gradient(x), np.gradient(y)
    dx[[0, -1]], dy[[0, -1]] = (x[1] - x[-1]) / 2, (y[1] - y[-1]) / 2
    dx[-1], dy[-1] = (x[0] - x[-2]) / 2, (y[0] - y[-2]) / 2
    assert (a_x * dy - a_y * dx).sum() == pytest.approx(2 * math.pi * theta_e**2, rel=1e-5)
    round_x, round_y = sie_deflection(x, y, theta_e, 0.0, 0.0)
    assert np.allclose(np.hypot(round_x, round_y), theta_e, atol=1e-7)


def test_the_middle_of_the_lens_is_finite() -> None:
    zero = np.zeros((3, 3))
    assert all((part == 0).all() for part in sie_deflection(zero, zero, 1.0, 0.1, 0.0))
    pulls = point_mass_deflection(zero, zero, np.ones(1), np.zeros((1, 2)))
    assert all((part == 0).all() for part in pulls)


def test_total_mass_of_the_substructure() -> None:
    """By Gauss's law from the deflection, and on average as the mass function has it."""
    recipe = lens_recipe("I")
    angles = np.linspace(0, 2 * math.pi, 721)[:-1]
    x, y = 20 * np.cos(angles), 20 * np.sin(angles)
    totals = {"cdm": [], "axion": []}
    for seed in range(150):
        for name, found in totals.items():
            scene = draw_scene(recipe, CLASSES.index(name), np.random.default_rng(seed))
            a_x, a_y = point_mass_deflection(x, y, scene.masses, scene.places)
            flux = (a_x * np.cos(angles) + a_y * np.sin(angles)).mean() * 20  # Σ θ_k²
            found.append(1e12 * flux / recipe.radius_of(1e12) ** 2)
    assert np.allclose(totals["axion"], 3e10, rtol=1e-9)
    low, high = 1e6, 1e10
    mean = 0.1 / 1.1 * (high**1.1 - low**1.1) / (high**0.1 - low**0.1)  # of dN/dm ∝ m^-0.9
    spread = np.std(totals["cdm"]) / math.sqrt(len(totals["cdm"]))
    assert abs(np.mean(totals["cdm"]) - 25 * mean) < 4 * spread
    assert spread < 0.05 * 25 * mean
    none = draw_scene(recipe, 0, np.random.default_rng(0))
    assert len(none.masses) == 0


def test_the_length_of_the_vortex() -> None:
    recipe = lens_recipe("I")
    halves = []
    for seed in range(200):
        places = draw_scene(recipe, 2, np.random.default_rng(seed)).places
        halves.append(np.hypot(*places[0]))
        assert np.allclose(places.mean(0), 0)
        assert np.linalg.matrix_rank(places, tol=1e-9) == 1
    assert 0.03 <= min(halves) < 0.05
    assert 2.0 < max(halves) <= 3.0


def test_magnification_of_a_point_source() -> None:
    """A point lens makes a small source brighter by (u² + 2)/(u sqrt(u² + 4))."""
    theta_e, side, scale = 1.0, 1400, 0.005
    along = (np.arange(side) - (side - 1) / 2) * scale
    x, y = along[None], along[:, None]
    a_x, a_y = point_mass_deflection(x, y, np.array([theta_e**2]), np.zeros((1, 2)))
    small = SersicShape(0.02, 0.5)
    for u in (0.6, 1.0):
        seen = sersic_brightness(x - a_x, y - a_y, small, (u, 0.0)).sum() * scale**2
        wanted = (u * u + 2) / (u * math.sqrt(u * u + 4))
        assert seen / small.flux == pytest.approx(wanted, rel=3e-3)


def test_flux_of_a_sersic_profile() -> None:
    along = (np.arange(2001) - 1000) * 0.004
    for shape in (SersicShape(0.25, 1.0, -0.1, 0.1), SersicShape(0.4, 0.7)):
        total = sersic_brightness(along[None], along[:, None], shape).sum() * 0.004**2
        assert total == pytest.approx(shape.flux, rel=1e-3)


def test_a_turned_stamp_is_turned() -> None:
    stamp = galaxies()[1]
    along = (np.arange(31) - 15) * 0.03
    x, y = along[None], along[:, None]
    upright = stamp_brightness(x, y, stamp, 0.03, 0.0, (0.0, 0.0))
    assert np.allclose(upright, stamp)
    quarter = stamp_brightness(x, y, stamp, 0.03, math.pi / 2, (0.0, 0.0))
    assert np.allclose(quarter, np.rot90(stamp, -1))  # rows grow with y: first row at the bottom


def test_variance_of_the_noise() -> None:
    camera = lens_recipe("I").camera
    flux = np.repeat([0.0, 0.05, 0.2], 60_000)
    noisy = camera.add_noise(flux, 1500.0, np.random.default_rng(0))
    for level in (0.0, 0.05, 0.2):
        found = noisy[flux == level]
        wanted = level / 1500 + camera.background_rms**2
        assert found.var() == pytest.approx(wanted, rel=0.02)  # 3.5 deviations
        assert found.mean() == pytest.approx(level, abs=4 * math.sqrt(wanted / 60_000))


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_noisy(model: str) -> None:
    """The published code forgot the noise of Models II and III."""
    recipe = lens_recipe(model)
    noisy, _ = simulate(recipe, [0], seed=3)
    clean, _ = simulate(recipe, [0], seed=3, noise=False)
    corner = (noisy - clean)[..., :12, :12].astype(np.float64)
    assert corner.std() > 0.8 * recipe.camera.background_rms
    assert noisy.shape == (1, 3 if model == "IV" else 1, *2 * (recipe.camera.pixels,))


def test_hubble_is_not_euclid() -> None:
    """The published code never set Hubble up. The numbers are those of lenstronomy."""
    configurations = pytest.importorskip("lenstronomy.SimulationAPI.ObservationConfig.HST")
    euclid = pytest.importorskip("lenstronomy.SimulationAPI.ObservationConfig.Euclid")
    api = pytest.importorskip("lenstronomy.SimulationAPI.observation_api")
    bands = {
        "II": euclid.Euclid("VIS", coadd_years=6),
        "III": configurations.HST("WFC3_F160W", psf_type="GAUSSIAN"),
    }
    for model, band in bands.items():
        camera, settings = lens_recipe(model).camera, band.kwargs_single_band()
        theirs = api.SingleBand(**settings)
        assert camera.pixel_scale == settings["pixel_scale"]
        assert camera.psf_fwhm == settings["seeing"]
        assert camera.exposure[0] == pytest.approx(theirs.exposure_time)
        assert camera.background_rms == pytest.approx(theirs.background_noise)
        assert camera.flux_of(20.0) == pytest.approx(theirs.magnitude2cps(20.0))
    assert lens_recipe("III").camera != lens_recipe("II").camera


def test_classes_are_balanced_and_images_are_their_own() -> None:
    recipe = lens_recipe("II", pixels=16)
    images, labels = simulate(recipe, range(12), seed=1)
    assert np.bincount(labels).tolist() == [4, 4, 4]
    alone, label = simulate(recipe, [7], seed=1)
    assert np.array_equal(alone[0], images[7])
    assert label[0] == labels[7]
    assert not np.array_equal(simulate(recipe, [7], seed=2)[0], alone)


def test_orientations_are_uniform_and_can_be_fixed() -> None:
    """Rayleigh's test on every angle; with fixed orientations it fails for each."""
    free, fixed = lens_recipe("I"), lens_recipe("I", orientation="fixed")
    for recipe in (free, fixed):
        angles = []
        for seed in range(500):
            scene = draw_scene(recipe, 0, np.random.default_rng(seed))
            spins = (scene.lens_e, scene.shear, (scene.source.e1, scene.source.e2))
            angles.append([math.atan2(two, one) for one, two in spins])
            assert math.hypot(*scene.lens_e) == pytest.approx(0.1)
            assert math.hypot(*scene.shear) == pytest.approx(0.05)
        phases = np.exp(1j * np.array(angles))  # (500, 3)
        strength = len(phases) * np.abs(phases.mean(0)) ** 2  # exponential with mean 1
        assert (strength < 9).all() if recipe is free else (strength > 400).all()
        pairs = np.abs((phases[:, :1] * phases[:, 1:].conj()).mean(0)) ** 2 * len(phases)
        assert (pairs < 9).all() or recipe is fixed  # no angle follows from another


def test_images_are_isotropic() -> None:
    """The images have no common quadrupole or octupole; with published orientations they have."""

    def anisotropy(orientation: str) -> float:
        recipe = lens_recipe("II", pixels=24, orientation=orientation)
        images, _ = simulate(recipe, range(0, 2700, 3), seed=0, noise=False)
        along = (np.arange(24) - 11.5) / 12
        z = along[None] + 1j * along[:, None]
        inside = (np.abs(z) < 1) * images[:, 0]  # (N, H, W)
        moments = [(inside * z**m).sum((-2, -1)) for m in (2, 4)]
        each = np.array(moments) / images.sum((1, 2, 3))  # (2, N)
        parts = np.concatenate([each.real, each.imag])
        return float(np.abs(parts.mean(1) / parts.std(1)).max() * math.sqrt(len(images)))

    assert anisotropy("uniform") < 4
    assert anisotropy("fixed") > 7


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="models I, II, III, IV; got 'V'"):
        lens_recipe("V")
    with pytest.raises(ValueError, match="pixels of 1 or more; got 0"):
        lens_recipe("II", pixels=0)
    with pytest.raises(ValueError, match="'uniform' or 'fixed'; got 'random'"):
        lens_recipe("I", orientation="random")
    with pytest.raises(ValueError, match=r"stamps \(N, S, S\), finite and each with light"):
        simulate(lens_recipe("IV"), [0], stamps=np.zeros((2, 5, 5)))
