"""Data for the course and the benchmarks: from a package, or from a checked download."""

from equivlab.data.blobs import blob_grids
from equivlab.data.digits import digit_images, mnist, rotate_each
from equivlab.data.download import fetch
from equivlab.data.folders import FolderImages, read_image
from equivlab.data.globes import earth_topography, globe_signals
from equivlab.data.lens_sets import simulate_to_shards
from equivlab.data.lens_stamps import drawn_galaxies, galaxy_stamps
from equivlab.data.lensing import LensRecipe, lens_recipe, simulate
from equivlab.data.molecules import qm7
from equivlab.data.shape_files import load_shapes
from equivlab.data.shape_rotation import rotate_antialiased, rotate_each_shape
from equivlab.data.shapes import MODELNET10_CLASSES, adrenal_mnist, medmnist3d, modelnet10
from equivlab.data.shapes_procedural import furniture, tetris_points, tetris_voxels
from equivlab.data.shard_writer import write_shards
from equivlab.data.shards import ShardedImages, verify_shards
from equivlab.data.sky import sky_images
from equivlab.data.stretch import (
    arcsinh_stretch,
    crop_centre,
    scale_each,
    sqrt_stretch,
    standardise_each,
)

__all__ = [
    "FolderImages",
    "LensRecipe",
    "MODELNET10_CLASSES",
    "ShardedImages",
    "adrenal_mnist",
    "arcsinh_stretch",
    "blob_grids",
    "crop_centre",
    "digit_images",
    "drawn_galaxies",
    "earth_topography",
    "fetch",
    "furniture",
    "galaxy_stamps",
    "globe_signals",
    "lens_recipe",
    "load_shapes",
    "medmnist3d",
    "mnist",
    "modelnet10",
    "qm7",
    "read_image",
    "rotate_antialiased",
    "rotate_each",
    "rotate_each_shape",
    "scale_each",
    "simulate",
    "simulate_to_shards",
    "sky_images",
    "sqrt_stretch",
    "standardise_each",
    "tetris_points",
    "tetris_voxels",
    "verify_shards",
    "write_shards",
]
