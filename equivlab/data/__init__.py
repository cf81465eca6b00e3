"""Data for the course and the benchmarks: from a package, or from a checked download."""

from equivlab.data.digits import digit_images, mnist, rotate_each
from equivlab.data.download import fetch
from equivlab.data.globes import earth_topography, globe_signals
from equivlab.data.lenses.images import LensRecipe, lens_recipe, simulate
from equivlab.data.lenses.sets import lens_source, simulate_to_shards
from equivlab.data.lenses.stamps import drawn_galaxies, galaxy_stamps
from equivlab.data.molecules import qm7
from equivlab.data.sets.folders import FolderImages
from equivlab.data.sets.reading import read_image
from equivlab.data.sets.shards import ShardedImages
from equivlab.data.sets.verify import verify_folder, verify_shards
from equivlab.data.sets.writer import write_part, write_shards
from equivlab.data.shapes.benchmarks import (
    MODELNET10_CLASSES,
    adrenal_mnist,
    medmnist3d,
    modelnet10,
)
from equivlab.data.shapes.blobs import blob_grids
from equivlab.data.shapes.files import load_shapes
from equivlab.data.shapes.procedural import furniture, tetris_points, tetris_voxels
from equivlab.data.shapes.rotation import rotate_antialiased, rotate_each_shape
from equivlab.data.showers import SHOWERS, ShowerCamera, shower_images
from equivlab.data.sky import sky_images
from equivlab.data.stretch import (
    arcsinh_stretch,
    crop_center,
    scale_each,
    sqrt_stretch,
    standardize_each,
)

__all__ = [
    "FolderImages",
    "LensRecipe",
    "MODELNET10_CLASSES",
    "SHOWERS",
    "ShardedImages",
    "ShowerCamera",
    "adrenal_mnist",
    "arcsinh_stretch",
    "blob_grids",
    "crop_center",
    "digit_images",
    "drawn_galaxies",
    "earth_topography",
    "fetch",
    "furniture",
    "galaxy_stamps",
    "globe_signals",
    "lens_recipe",
    "lens_source",
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
    "shower_images",
    "simulate",
    "simulate_to_shards",
    "sky_images",
    "sqrt_stretch",
    "standardize_each",
    "tetris_points",
    "tetris_voxels",
    "verify_folder",
    "verify_shards",
    "write_part",
    "write_shards",
]
