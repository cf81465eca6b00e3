"""Strong gravitational lenses in three classes of dark matter: physics, recipes, images, sets."""

from equivlab.data.lenses.images import render, simulate
from equivlab.data.lenses.observation import Camera
from equivlab.data.lenses.physics import Cosmology, einstein_radius
from equivlab.data.lenses.recipes import CLASSES, LensRecipe, lens_recipe
from equivlab.data.lenses.scenes import Scene, draw_scene
from equivlab.data.lenses.sets import simulate_to_shards
from equivlab.data.lenses.stamps import drawn_galaxies, galaxy_stamps

__all__ = [
    "CLASSES",
    "Camera",
    "Cosmology",
    "LensRecipe",
    "Scene",
    "draw_scene",
    "drawn_galaxies",
    "einstein_radius",
    "galaxy_stamps",
    "lens_recipe",
    "render",
    "simulate",
    "simulate_to_shards",
]
