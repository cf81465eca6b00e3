"""Galaxies to put behind a lens: real ones from a file, or drawn ones where there is no file.

Both give stamps ``(N, S, S)`` for `equivlab.data.simulate`, whose recipes take a pixel of a stamp
for 0.03 arc seconds, the scale of Hubble's COSMOS images.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equivlab.data.archives import array_headers, read_arrays
from equivlab.data.arrays import Header
from equivlab.data.lenses.physics import SersicShape, sersic_brightness

__all__ = ["drawn_galaxies", "galaxy_stamps"]

Array = NDArray[np.float64]
Stamps = NDArray[np.float32]
WITHOUT_FILE = (
    "Point EQUIVLAB_COSMOS at an .npz file with an array stamps (N, S, S), or take "
    "equivlab.data.drawn_galaxies(60), which needs none"
)


def galaxy_stamps(path: str | os.PathLike[str] | None = None) -> Stamps:
    """Pictures of real galaxies, for example Hubble's in the COSMOS field (Leauthaud et al., 2007).

    Args:
        path: an ``.npz`` file whose one array named ``stamps...`` is ``(N, S, S)``, the sky at
            zero; else ``$EQUIVLAB_COSMOS``.

    Returns:
        The stamps, each with light 1 in all.

    Raises:
        FileNotFoundError: neither a path nor the variable, or no such file.
        ValueError: a file without such an array, or with stamps that are not finite or dark.
    """
    source = path or os.environ.get("EQUIVLAB_COSMOS")
    if not source:
        raise FileNotFoundError(f"No file of galaxies was given. {WITHOUT_FILE}")
    held = array_headers(Path(source), "galaxy stamps", instead=WITHOUT_FILE)
    names = [name for name in held if name.startswith("stamps") and _is_stack(held[name])]
    if len(names) != 1:
        raise ValueError(
            f"{source} should hold one array stamps (N, S, S); it holds {', '.join(held)}. "
            f"{WITHOUT_FILE}"
        )
    found = read_arrays(Path(source), names, "galaxy stamps", instead=WITHOUT_FILE)[names[0]]
    light = found.sum((1, 2), np.float64, keepdims=True)
    if not np.isfinite(light).all() or (light <= 0).any():
        raise ValueError(
            f"{source} has stamps that are not finite or without light. Subtract the sky, and "
            "drop those."
        )
    return np.asarray(found / light, np.float32)


def _is_stack(header: Header | str) -> bool:
    return isinstance(header, Header) and len(header.shape) == 3


def drawn_galaxies(count: int, seed: int = 0, size: int = 101, scale: float = 0.03) -> Stamps:
    """Galaxies that look a little like real ones: a disc, a bulge and clumps of young stars.

    All parts are Sérsic profiles, with half-light radii of 0.2 to 0.5 arc seconds for the disc.
    The clumps lie at random on the disc, so no galaxy has a symmetry.

    Args:
        count: how many; galaxy ``n`` of a seed is always the same.
        seed: of everything random here.
        size: rows and columns.
        scale: arc seconds in a pixel.

    Returns:
        Stamps ``(count, size, size)``, each with light 1 in all.

    >>> drawn_galaxies(2).shape
    (2, 101, 101)
    """
    along = np.asarray((np.arange(size) - (size - 1) / 2) * scale, np.float64)
    x, y = along[None], along[:, None]
    rim = size * scale / 2
    window = np.clip((rim - np.hypot(x, y)) / (0.2 * rim), 0, 1)  # dark at the edge of the stamp
    stamps = np.empty((count, size, size), np.float32)
    for n in range(count):
        stamp = window * _drawn(x, y, np.random.default_rng([seed, n]))
        stamps[n] = stamp / stamp.sum()
    return stamps


def _drawn(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Surface brightness of one galaxy."""
    radius, tilt, angle = rng.uniform(0.2, 0.5), rng.uniform(0, 0.4), rng.uniform(0, math.pi)
    e1, e2 = tilt * math.cos(2 * angle), tilt * math.sin(2 * angle)
    disc = SersicShape(radius, 1.0, e1, e2)
    bulge = SersicShape(0.4 * radius, 1.5, e1 / 2, e2 / 2)
    in_bulge, in_clumps = rng.uniform(0, 0.35), rng.uniform(0.1, 0.4)
    total = (1 - in_bulge - in_clumps) * sersic_brightness(x, y, disc) / disc.flux
    total += in_bulge * sersic_brightness(x, y, bulge) / bulge.flux
    c, s, axis_ratio = math.cos(angle), math.sin(angle), (1 - tilt) / (1 + tilt)
    clumps = int(rng.integers(3, 13))
    shares = rng.dirichlet(np.ones(clumps))
    for share in shares:
        far, around = rng.gamma(2.0, radius / 1.7), rng.uniform(0, 2 * math.pi)
        u, v = far * math.cos(around), axis_ratio * far * math.sin(around)
        clump = SersicShape(rng.uniform(0.03, 0.08), 0.5)  # index 1/2: a Gaussian
        bright = sersic_brightness(x, y, clump, (c * u - s * v, s * u + c * v))
        total += in_clumps * share * bright / clump.flux
    return total
