"""Strong lenses: the light of a galaxy bent by another, which is smooth, or has dark substructure.

The images are those of `equivlab.data.lenses` by the recipe of Model II (Euclid's camera, 0.1″
pixels at 64×64; Alexander et al., ApJ 893, 2020): no substructure, point masses of cold dark
matter, or an axion's vortex. Another size keeps the field of view of 6.4″.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from equivlab.data.lenses.images import render
from equivlab.data.lenses.recipes import LensRecipe, lens_recipe
from equivlab.data.lenses.scenes import draw_scene

__all__ = ["draw_lenses"]


@cache
def _recipe(size: int) -> LensRecipe:
    return lens_recipe("II", size)


def draw_lenses(label: int, rng: np.random.Generator, size: int) -> NDArray[np.floating]:
    """Flux in counts a second, ``(size, size)``."""
    recipe = _recipe(size)
    scene = draw_scene(recipe, label, rng)
    flux = render(recipe, scene)
    return np.asarray(recipe.camera.add_noise(flux, scene.exposure, rng)[0])
