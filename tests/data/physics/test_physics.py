"""Is it the physics that the docstrings say? Against closed forms, SciPy and healpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, ndimage, special

from equivlab.data.physics import diffraction, microwave_sky, physics_images, tracks
from equivlab.data.physics.air_showers import cherenkov_angle_deg
from equivlab.data.physics.galaxies import spiral_disc
from equivlab.data.physics.grids import deposit, pixel_grid
from equivlab.data.physics.ising import CRITICAL, spins_at
from equivlab.data.physics.reaction_diffusion import RATES, STEP, grown, laplacian
from equivlab.data.physics.vortices import CORE, velocity

ANGLES = np.linspace(0, np.pi / 2, 40)


def radial_power(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean power at ``|k|`` in radians a pixel, 4 bins a mode, of windowed images ``(B, H, W)``."""
    size = images.shape[-1]
    hann = np.hanning(size + 2)[1:-1]
    window = np.outer(hann, hann) / np.sqrt((hann**2).mean() ** 2) / size
    power = (np.abs(np.fft.fft2(images * window)) ** 2).mean(0)
    k = np.fft.fftfreq(size) * 2 * np.pi
    radius = np.hypot(k[:, None], k)
    which = np.round(radius / (2 * np.pi / size)).astype(int)
    total = np.bincount(which.ravel())
    mean = np.bincount(which.ravel(), power.ravel()) / total
    return np.arange(len(mean)) * 2 * np.pi / size, mean


def circle_through(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> tuple[float, float, float]:
    """Middle and radius of the circle that fits best (Kåsa, 1976)."""
    rows = np.stack([x, y, np.ones_like(x)], 1) * weight[:, None]
    a, b, c = np.linalg.lstsq(rows, (x**2 + y**2) * weight, rcond=None)[0]
    return a / 2, b / 2, math.sqrt(c + (a**2 + b**2) / 4)


def test_rings_have_the_einstein_radius() -> None:
    images, labels = physics_images("lenses", range(120))
    mean = images[labels == 0, 0].mean(0)
    x, y = pixel_grid(64)
    radius = np.round(np.hypot(x, y) * 32).astype(int)
    profile = np.bincount(radius.ravel(), mean.ravel()) / np.bincount(radius.ravel()).clip(1)
    assert profile[:30].argmax() * 0.1 == pytest.approx(1.28, abs=0.15)  # pixels of 0.1″


@pytest.mark.parametrize("hand", [1.0, -1.0])
@pytest.mark.parametrize("pitch_deg", [10, 25])
def test_arms_have_their_pitch_angle(pitch_deg: float, hand: float) -> None:
    r, phi = np.meshgrid(np.linspace(0.3, 0.9, 60), np.arange(360) * np.pi / 180, indexing="ij")
    pitch = math.radians(pitch_deg)
    light = spiral_disc(r * np.cos(phi), r * np.sin(phi), 0.4, pitch, 0.8, hand=hand, inner=0.12)
    ridge = -np.unwrap(np.angle((light * np.exp(-2j * phi)).sum(1))) / 2  # minus: e^{-2iφ₀}
    slope = np.polyfit(np.log(r[:, 0]), ridge, 1)[0]
    assert math.degrees(math.atan(1 / abs(slope))) == pytest.approx(pitch_deg, abs=0.2)
    assert np.sign(slope) == hand
    smooth = spiral_disc(r * np.cos(phi), r * np.sin(phi), 0.4, pitch, 0.0, hand=hand, inner=0.12)
    assert np.allclose(light.mean(1), smooth.mean(1), rtol=1e-3)  # arms move light, and make none


def test_ellipticals_are_the_most_concentrated_and_discs_have_arms() -> None:
    images, labels = physics_images("galaxies", range(200))
    x, y = pixel_grid(64)
    inner = np.hypot(x, y) < 0.25
    share = (images[:, 0] * inner).sum((1, 2)) / images[:, 0].sum((1, 2))
    means = [share[labels == k].mean() for k in range(4)]
    assert means[0] > max(means[1], means[2]) + 0.1


@pytest.mark.parametrize("index", range(4))
def test_fields_have_their_spectral_index(index: int) -> None:
    images, labels = physics_images("gaussian_fields", range(index, 240, 4), size=64)
    assert set(labels) == {index}
    k, power = radial_power(images[:, 0])
    fit = slice(4, 24)
    slope = np.polyfit(np.log(k[fit]), np.log(power[fit]), 1)[0]
    assert slope == pytest.approx(-index, abs=0.12)
    assert images.std() == pytest.approx(1, rel=0.15)


def test_the_sky_has_the_variance_of_its_spectrum() -> None:
    healpy = pytest.importorskip("healpy")
    beam = healpy.gauss_beam(math.radians(10 / 60), 1800)
    images = physics_images("microwave_sky", range(0, 900, 3))[0][:, 0]
    side = 64 * math.radians(6 / 60)
    multipole = np.arange(2.0, 1801)
    across = [
        np.sinc(np.outer(multipole, f(ANGLES)) * side / (2 * np.pi)) for f in (np.cos, np.sin)
    ]
    own_mean = ((across[0] * across[1]) ** 2).mean(1)  # what a patch cannot see
    modes = (2 * multipole + 1) / (2 * multipole * (multipole + 1))  # of D, (2ℓ + 1)/4π of C
    seen = microwave_sky.power(0, multipole) * beam[2:] ** 2 * (1 - own_mean)
    wanted = float((modes * seen).sum())
    ours = (images - images.mean((1, 2), keepdims=True)).var()
    assert ours - microwave_sky.NOISE**2 == pytest.approx(wanted, rel=0.04)


@pytest.mark.parametrize(("label", "first_peak"), [(0, 220.6), (1, 397)])
def test_the_first_peak_stands_where_space_puts_it(label: int, first_peak: float) -> None:
    images = physics_images("microwave_sky", range(label, 900, 3))[0][:, 0]
    k, power = radial_power(images)
    multipole = k / microwave_sky.PIXEL
    curve = power * multipole**2 * np.exp(multipole**2 * microwave_sky.BEAM**2)
    middle = int(curve[2:14].argmax()) + 2
    near = slice(middle - 1, middle + 2)
    bend, slope, _ = np.polyfit(multipole[near], curve[near], 2)
    assert -slope / (2 * bend) == pytest.approx(first_peak, rel=0.12)


def onsager_energy(temperature: float) -> float:
    """Energy of a spin in the infinite lattice (Onsager, 1944)."""
    k = 1 / temperature
    modulus = 2 * math.sinh(2 * k) / math.cosh(2 * k) ** 2
    rest = 2 * math.tanh(2 * k) ** 2 - 1
    return -(1 + 2 / math.pi * rest * special.ellipk(modulus**2)) / math.tanh(2 * k)


@pytest.mark.parametrize("temperature", [2.0, 2.15, 2.7])
def test_spins_have_onsagers_energy_and_yangs_magnetisation(temperature: float) -> None:
    spins = np.stack(
        [spins_at(temperature, np.random.default_rng(n), 48) for n in range(24)]
    ).astype(float)
    bonds = spins * (np.roll(spins, 1, 1) + np.roll(spins, 1, 2))
    assert -bonds.mean() == pytest.approx(onsager_energy(temperature), abs=0.02)
    magnetised = np.abs(spins.mean((1, 2))).mean()
    if temperature < CRITICAL:
        wanted = (1 - math.sinh(2 / temperature) ** -4) ** (1 / 8)
        assert magnetised == pytest.approx(wanted, abs=0.015)
    else:
        assert magnetised < 0.15


def test_both_signs_are_as_likely() -> None:
    images = physics_images("ising", range(0, 180, 3), size=16)[0]
    up = int((images.mean((1, 2, 3)) > 0).sum())
    assert 15 < up < 45


def test_the_laplacian_is_round() -> None:
    size = 64
    i, j = np.mgrid[:size, :size]
    for turns in ((4, 0), (0, 4), (3, 3), (4, 2)):
        k = 2 * np.pi * np.array(turns) / size
        wave = np.cos(k[0] * i + k[1] * j)
        padded = np.zeros((size + 2, size + 2), np.float32)
        padded[1:-1, 1:-1] = wave
        square = (k**2).sum()
        # −k² (1 − k²/12), whatever the direction: the nine points' own first error.
        wanted = -square * (1 - square / 12)
        assert np.abs(laplacian(padded) - wanted * wave).max() < 2e-3 * square


def test_reactions_follow_the_equations() -> None:
    feed, kill = RATES[1]
    steps = 30
    found = grown(feed, kill, np.random.default_rng(0), 24, steps)
    began = grown(feed, kill, np.random.default_rng(0), 24, 0)
    stencil = np.array([[1, 4, 1], [4, -20, 4], [1, 4, 1]]) / 6

    def rates(_: float, state: np.ndarray) -> np.ndarray:
        u, v = state.reshape(2, 24, 24)
        eaten = u * v * v
        du = 0.16 * ndimage.convolve(u, stencil, mode="wrap") - eaten + feed * (1 - u)
        dv = 0.08 * ndimage.convolve(v, stencil, mode="wrap") + eaten - (feed + kill) * v
        return np.concatenate([du.ravel(), dv.ravel()])

    start = np.concatenate([np.where(began > 0, 0.5, 1).ravel(), began.ravel()])
    there = integrate.solve_ivp(rates, (0, STEP * steps), start, rtol=1e-6, atol=1e-8).y[:, -1]
    assert np.abs(found - there[24 * 24 :].reshape(24, 24)).max() < 0.02
    assert np.abs(found - began).max() > 0.1  # something happened


def test_regimes_are_spots_stripes_and_holes() -> None:
    images, labels = physics_images("reaction_diffusion", range(6))
    filled = [float((images[labels == k] > 0.15).mean()) for k in range(3)]
    assert filled[0] < 0.5 < filled[2]
    assert filled[0] < filled[1] < filled[2]
    for image, label in zip(images[:, 0], labels, strict=True):
        islands, lakes = (ndimage.label(part)[1] for part in (image > 0.15, image < 0.15))
        assert (islands > 12) == (label == 0)
        assert (lakes > 12) == (label == 2)


def test_a_vortex_has_its_circulation_and_core() -> None:
    angle = np.arange(720) * np.pi / 360
    for radius, sign in ((0.3, 1.0), (0.5, -1.0)):
        x, y = radius * np.cos(angle), radius * np.sin(angle)
        vx, vy = velocity(x + 0.2, y - 0.1, np.array([[0.2, -0.1]]), np.array([sign]))
        around = (vy * np.cos(angle) - vx * np.sin(angle)).mean() * 2 * np.pi * radius
        assert around == pytest.approx(sign, rel=1e-6)
    r = np.linspace(0.01, 0.2, 2000)
    vx, vy = velocity(r, np.zeros_like(r), np.zeros((1, 2)), np.ones(1))
    # Of (1 − exp(−s²))/s the maximum is where exp(s²) = 1 + 2s², at s = 1.1209.
    assert r[np.hypot(vx, vy).argmax()] / CORE == pytest.approx(1.1209, abs=2e-3)


def test_dipoles_are_calm_far_away_and_clusters_are_not() -> None:
    images, labels = physics_images("vortices", range(60), size=32)
    middle = [np.median(images[labels == k]) for k in range(3)]
    assert middle[0] < middle[1] < middle[2]


def test_the_light_of_muons_has_its_angle() -> None:
    assert cherenkov_angle_deg(1e4) == pytest.approx(1.3798, abs=1e-3)  # arccos(1/n)
    assert cherenkov_angle_deg(4.5) < 0.4  # near the threshold
    images, labels = physics_images("air_showers", range(2, 90, 3))
    assert set(labels) == {2}
    radii = []
    x, y = (2.5 * at for at in pixel_grid(64))
    for image in images[:, 0]:
        bright = ndimage.gaussian_filter(image, 1)
        parts, _ = ndimage.label(bright > bright.mean() + 1.5 * bright.std())
        ring = parts == np.bincount(parts[parts > 0]).argmax()
        radii.append(circle_through(x[ring], y[ring], bright[ring])[2])
    assert np.median(radii) == pytest.approx(1.33, abs=0.1)


def hillas_width(image: np.ndarray) -> float:
    """The smaller deviation of the light above the night, in degrees (Hillas, 1985)."""
    x, y = (2.5 * at for at in pixel_grid(64))
    smooth = ndimage.gaussian_filter(image, 1)
    light = np.where(smooth > smooth.mean() + 2 * smooth.std(), image - 2, 0)
    dx, dy = x - np.average(x, weights=light), y - np.average(y, weights=light)
    moments = [np.average(part, weights=light) for part in (dx * dx, dx * dy, dy * dy)]
    return math.sqrt(np.linalg.eigvalsh([moments[:2], moments[1:]])[0])


def test_gamma_rays_are_slimmer_than_protons() -> None:
    images, labels = physics_images("air_showers", range(120))
    widths = [np.median([hillas_width(i) for i in images[labels == k, 0]]) for k in (0, 1)]
    assert 0.06 < widths[0] < 0.13
    assert widths[1] > 1.6 * widths[0]


@pytest.mark.parametrize("charge", [1.0, -1.0])
@pytest.mark.parametrize("momentum", [0.1, 0.3])
def test_tracks_curve_as_their_momentum_says(momentum: float, charge: float) -> None:
    s = np.linspace(0, 0.4, 4000)
    x, y = tracks.path(s, momentum, charge, 0.7)
    image = deposit(x / 0.5, y / 0.5, np.ones_like(s), 512)
    at_x, at_y = (0.5 * at[image > 0] for at in pixel_grid(512))
    _, _, radius = circle_through(at_x, at_y, image[image > 0])
    assert radius == pytest.approx(momentum / 0.3, rel=0.02)  # p = 0.3 B r
    assert np.hypot(np.diff(x), np.diff(y)).sum() == pytest.approx(0.4, rel=1e-6)
    # The force q v × B of a field towards the viewer: positive ones bend clockwise as displayed.
    turn = (x[1] - x[0]) * (y[-1] - y[-2]) - (y[1] - y[0]) * (x[-1] - x[-2])
    assert np.sign(turn) == charge  # y points downwards


def test_a_mirror_changes_the_charge() -> None:
    s = np.linspace(0, 0.4, 50)
    x, y = tracks.path(s, 0.2, 1.0, 0.3)
    mirrored = tracks.path(s, 0.2, -1.0, math.pi - 0.3)
    assert np.allclose((-x, y), mirrored)


def test_drops_are_kept_and_lie_where_they_fell() -> None:
    rng = np.random.default_rng(0)
    x, y, weight = rng.uniform(-0.9, 0.9, (3, 200))
    image = deposit(x, y, weight, 32)
    assert image.sum() == pytest.approx(weight.sum())
    at_x, at_y = pixel_grid(32)
    assert (image * at_x).sum() == pytest.approx((x * weight).sum())
    assert (image * at_y).sum() == pytest.approx((y * weight).sum())
    assert deposit(np.array([5.0, -5.0]), np.zeros(2), np.ones(2), 32).sum() == 0


CELLS = {  # real lattices: two sides of the cell for a constant of 1
    "square": ([1, 0], [0, 1]),
    "hexagonal": ([math.sqrt(3) / 2, -0.5], [0, 1]),
    "rectangular": ([1, 0], [0, 1.5]),
}


@pytest.mark.parametrize("kind", CELLS)
def test_peaks_are_where_waves_add_up(kind: str) -> None:
    ratio = 1.5 if kind == "rectangular" else 1.0
    peaks, strength = diffraction.reciprocal_lattice(kind, 3.5, ratio)
    for side in CELLS[kind]:
        assert np.allclose(np.exp(1j * 3.5 * peaks @ np.array(side)), 1)  # von Laue, 1912
    area = abs(np.linalg.det(np.array(CELLS[kind], float))) * 3.5**2
    density = len(peaks) * (2 * np.pi) ** 2 / area / (np.pi * 9.0**2)  # none is missing
    assert density == pytest.approx(1, rel=0.15)
    assert (strength == 1).all()


@pytest.mark.parametrize(("kind", "fold"), [("square", 4), ("hexagonal", 6), ("quasicrystal", 10)])
def test_peaks_have_their_symmetry(kind: str, fold: int) -> None:
    peaks, strength = diffraction.reciprocal_lattice(kind, 3.5)
    strong = peaks[(strength > 0.1) & (np.hypot(*peaks.T) < 6)]

    def turned_onto_itself(angle: float) -> bool:
        c, s = math.cos(angle), math.sin(angle)
        moved = strong @ np.array([[c, -s], [s, c]])
        nearest = np.abs(moved[:, None] - peaks).sum(-1).min(1)
        return bool((nearest < 1e-6).all())

    assert len(strong) > 6
    assert turned_onto_itself(2 * math.pi / fold)
    assert not turned_onto_itself(2 * math.pi / (fold + 2))


def test_a_powder_is_round() -> None:
    images, labels = physics_images("diffraction", range(50))
    x, y = pixel_grid(64)
    radius = np.hypot(x, y)
    ring = np.round(radius * 32).astype(int)
    unevenness = []
    for k in (0, 4):
        image = images[labels == k, 0]
        mean = np.stack(
            [
                np.bincount(ring.ravel(), i.ravel()) / np.bincount(ring.ravel()).clip(1)
                for i in image
            ]
        )[:, ring]
        inside = (radius < 0.9) & (radius > 0.15)
        unevenness.append(((image - mean)[:, inside].std() ** 2) / mean[:, inside].mean())
    assert unevenness[1] < 1.6  # Poisson's noise has 1
    assert unevenness[0] > 5
