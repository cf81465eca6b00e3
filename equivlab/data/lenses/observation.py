"""From surface brightness to a picture: pixels, point spread function, noise.

Fluxes are in electrons a second in a pixel for the surveys, and in units of the source's
amplitude per unit of exposure for Model I, as DeepLenseSim has it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["EUCLID_VIS", "HST_F160W", "MODEL_I_CAMERA", "Camera"]

Array = NDArray[np.float64]
FWHM_IN_SIGMA = 2 * math.sqrt(2 * math.log(2))


@dataclass(frozen=True)
class Camera:
    """Pixels, a Gaussian point spread function, and the noise of an exposure.

    Args:
        pixels: rows and columns.
        pixel_scale: arc seconds in one pixel.
        psf_fwhm: full width at half maximum of the point spread function, arc seconds.
        exposure: seconds (or units) of all exposures together; a pair ``(low, high)`` draws one
            for each image, uniform in the logarithm.
        background_rms: deviation of the Gaussian background in a pixel, in flux.
        zero_point: the magnitude that gives a flux of 1.
        truncation: where the point spread function ends, in its standard deviations.
        supersampling: rays along each side of a pixel; the published images have 1.
    """

    pixels: int
    pixel_scale: float
    psf_fwhm: float
    exposure: tuple[float, float]
    background_rms: float
    zero_point: float = 25.0
    truncation: float = 5.0
    supersampling: int = 1

    @cached_property
    def grid(self) -> tuple[Array, Array]:
        """Where rays are seen, arc seconds from the middle: ``x (1, n·s)`` and ``y (n·s, 1)``.

        As in lenstronomy ``x`` grows with the column and ``y`` with the row, so a picture shown
        with its first row at the bottom has ``y`` upwards.
        """
        side = self.pixels * self.supersampling
        along = (np.arange(side) - (side - 1) / 2) * self.pixel_scale / self.supersampling
        return along[None], along[:, None]

    def expose(self, brightness: Array) -> Array:
        """Flux in the pixels ``(..., n, n)`` of a brightness per square arc second on the grid."""
        s, n = self.supersampling, self.pixels
        mean = brightness.reshape(*brightness.shape[:-2], n, s, n, s).mean((-3, -1))
        return self._blur(self._blur(mean * self.pixel_scale**2, -1), -2)

    @cached_property
    def _taps(self) -> Array:
        """The point spread function along one axis, as `scipy.ndimage.gaussian_filter` has it."""
        sigma = self.psf_fwhm / FWHM_IN_SIGMA / self.pixel_scale
        reach = int(self.truncation * sigma + 0.5)
        taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
        return np.asarray(taps / taps.sum())

    def _blur(self, image: Array, axis: int) -> Array:
        """Convolve along `axis`; beyond the edge the last pixel goes on."""
        reach, side = len(self._taps) // 2, self.pixels
        margins = [(0, 0)] * image.ndim
        margins[axis] = (reach, reach)
        wide = np.moveaxis(np.pad(image, margins, "edge"), axis, -1)
        # Shifted sums and no matrix product: the same bits on any number of threads.
        total = self._taps[0] * wide[..., :side]
        for n, tap in enumerate(self._taps[1:], 1):
            total += tap * wide[..., n : n + side]
        return np.moveaxis(total, -1, axis)

    def flux_of(self, magnitude: float) -> float:
        """Flux of an object of that apparent magnitude."""
        return float(10 ** (-0.4 * (magnitude - self.zero_point)))

    def draw_exposure(self, rng: np.random.Generator) -> float:
        """The exposure of one image."""
        low, high = self.exposure
        return float(10 ** rng.uniform(math.log10(low), math.log10(high)))

    def add_noise(self, flux: Array, exposure: float, rng: np.random.Generator) -> Array:
        """Count photons, each with its luck, and add the background.

        ``Poisson(flux · exposure)/exposure + Normal(0, background_rms)``, so the variance in a
        pixel is ``flux/exposure + background_rms²``.
        """
        photons = rng.poisson(np.maximum(flux, 0) * exposure)
        return photons / exposure + self.background_rms * rng.standard_normal(flux.shape)


def _survey(
    pixels: int,
    pixel_scale: float,
    seeing: float,
    seconds: float,
    exposures: int,
    read_noise: float,
    sky: float,
    zero_point: float,
) -> Camera:
    """A camera from the numbers of a survey: read noise in electrons, sky in mag/arcsec²."""
    total = seconds * exposures
    of_sky = 10 ** (-0.4 * (sky - zero_point)) * pixel_scale**2 * total
    rms = math.sqrt(exposures * read_noise**2 + of_sky) / total
    return Camera(pixels, pixel_scale, seeing, (total, total), rms, zero_point)


MODEL_I_CAMERA = Camera(150, 0.05, 0.087, (1000.0, 10**3.5), 0.01, truncation=3.0)
"""DeepLenseSim's Model I: signal to noise about 25 in the brightest pixel."""

# The numbers of lenstronomy 1.14, which cites the Euclid Consortium (arXiv 2405.13491 to 13501).
EUCLID_VIS = _survey(64, 0.101, 0.16, 566.0, 4, 4.2, 22.3, 25.72)
"""Euclid's VIS band, the coadd of six years (Model II and IV)."""

HST_F160W = _survey(64, 0.08, 0.08, 5400.0, 1, 4.0, 22.3, 25.96)
"""Hubble's WFC3 in F160W, two orbits, drizzled (Model III)."""
