"""The families of physics images, and the one way to ask for images of any of them.

Image number ``n`` of a seed is always the same image, whoever makes it and in whatever company, so
sets can be made in parallel and continued; it has class ``n % K``, so any run of numbers is
balanced. Every family draws all directions alike: ``images`` and their turns by 90° are equally
likely, and so are the mirrored ones, except where a family says that a mirror changes the class.
"""

from __future__ import annotations

import operator
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

__all__ = ["Family", "physics_families", "physics_images"]

Draw = Callable[[int, np.random.Generator, int], NDArray[np.floating]]
SMALLEST = 16  # pixels a side


@dataclass(frozen=True)
class Family:
    """One kind of image.

    Attributes:
        name: what `physics_images` takes.
        classes: their names, in the order of the labels.
        pixel: what one number of an image is, with its unit.
        about: what is seen, in a line.
        stretch: ``'sqrt'`` where most of an image is dark and some of it bright, as
            `equivlab.data.sqrt_stretch` makes it fit for eyes and networks; else ``'none'``.
        turns: the turns that leave the distribution of the images as it is: ``'all'``, or
            ``'quarter'`` where the simulation lives on the square lattice of the pixels.
        mirror_odd: whether a mirror makes an image of one class one of another. Networks that are
            invariant under mirrors (P4M) cannot tell such classes apart.
    """

    name: str
    classes: tuple[str, ...]
    pixel: str
    about: str
    stretch: str = "none"
    turns: str = "all"
    mirror_odd: bool = False

    def draw(self, label: int, rng: np.random.Generator, size: int) -> NDArray[np.floating]:
        """One image ``(size, size)`` of the class with this number."""
        home = import_module(f"equivlab.data.physics.{HOMES.get(self.name, self.name)}")
        function: Draw = getattr(home, f"draw_{self.name}")
        return function(label, rng, size)


FAMILIES = MappingProxyType(
    {
        family.name: family
        for family in (
            Family(
                "lenses", ("no_sub", "cdm", "axion"), "flux, counts a second",
                "strong lenses of Model II by their dark matter", stretch="sqrt",
            ),
            Family(
                "galaxies", ("elliptical", "spiral", "barred", "merger"), "surface brightness",
                "galaxies by their morphology", stretch="sqrt",
            ),
            Family(
                "gaussian_fields", ("flat", "pink", "red", "smooth"), "deviations of the field",
                "random fields with power k⁰, k⁻¹, k⁻² and k⁻³",
            ),
            Family(
                "microwave_sky", ("flat", "open", "no_peaks"), "temperature, μK",
                "patches of the microwave sky by the geometry of space",
            ),
            Family(
                "ising", ("ordered", "critical", "disordered"), "spin, ±1",
                "the Ising model by its phase", turns="quarter",
            ),
            Family(
                "reaction_diffusion", ("spots", "stripes", "holes"), "concentration of V",
                "Gray and Scott's reaction by its regime", turns="quarter",
            ),
            Family(
                "vortices", ("dipoles", "gas", "clusters"), "speed, κ/core",
                "vortices of both signs by their temperature",
            ),
            Family(
                "air_showers", ("gamma", "proton", "muon"), "photoelectrons",
                "air showers in a Cherenkov camera by their particle", stretch="sqrt",
            ),
            Family(
                "tracks", ("slow", "medium", "fast"), "ionisation, drops",
                "tracks in a magnetic field by their momentum", stretch="sqrt",
            ),
            Family(
                "charges", ("negative", "positive"), "ionisation, drops",
                "tracks in a magnetic field by their charge", stretch="sqrt", mirror_odd=True,
            ),
            Family(
                "diffraction", ("square", "hexagonal", "rectangular", "quasicrystal", "powder"),
                "photons", "diffraction by the lattice of the crystal", stretch="sqrt",
            ),
        )
    }
)  # fmt: skip
HOMES = {"charges": "tracks"}  # families that share a file


def physics_families() -> MappingProxyType[str, Family]:
    """All families, by their names.

    >>> physics_families()["charges"].classes
    ('negative', 'positive')
    """
    return FAMILIES


def physics_images(
    name: str, numbers: Iterable[int], *, seed: int = 0, size: int = 64
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Make the images of a family with these numbers.

    Args:
        name: of `physics_families`.
        numbers: which images of the endless set of this seed, 0 and up.
        seed: of everything random, 0 or more.
        size: rows and columns, 16 or more.

    Returns:
        Images ``(B, 1, size, size)`` in the unit that the family names, and labels ``(B,)``, which
        count its ``classes``.

    Raises:
        KeyError: another name; the message lists those there are.
        ValueError: a negative number or seed, or a size too small.
        TypeError: a number, seed or size that is not whole.

    >>> images, labels = physics_images("tracks", [7, 2], size=16)
    >>> images.shape, labels.tolist()
    ((2, 1, 16, 16), [1, 2])
    """
    if name not in FAMILIES:
        raise KeyError(f"physics_images has the families {', '.join(FAMILIES)}; got {name!r}.")
    seed, size = operator.index(seed), operator.index(size)
    wanted = [operator.index(number) for number in numbers]
    if seed < 0 or min(wanted, default=0) < 0 or size < SMALLEST:
        raise ValueError(
            f"physics_images takes numbers and a seed from 0 and a size from {SMALLEST}; got "
            f"numbers from {min(wanted, default=0)}, seed={seed} and size={size}."
        )
    family = FAMILIES[name]
    images = np.empty((len(wanted), 1, size, size), np.float32)
    labels = np.array([number % len(family.classes) for number in wanted], np.int64)
    for image, label, number in zip(images, labels, wanted, strict=True):
        # The name is part of the seed: two families share no random numbers.
        rng = np.random.default_rng([zlib.crc32(name.encode()), seed, number])
        image[0] = family.draw(int(label), rng, size)
    return images, labels
