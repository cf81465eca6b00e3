"""Shapes in space: read from files, made by formulas, fetched; turned without aliasing."""

from equivlab.data.shapes.benchmarks import (
    MODELNET10_CLASSES,
    adrenal_mnist,
    medmnist3d,
    modelnet10,
)
from equivlab.data.shapes.blobs import blob_grids
from equivlab.data.shapes.files import load_shapes
from equivlab.data.shapes.procedural import LabelledShapes, furniture, tetris_points, tetris_voxels
from equivlab.data.shapes.rotation import (
    interpolation_error,
    random_rotations,
    rotate_antialiased,
    rotate_each_shape,
)

__all__ = [
    "LabelledShapes",
    "MODELNET10_CLASSES",
    "adrenal_mnist",
    "blob_grids",
    "furniture",
    "interpolation_error",
    "load_shapes",
    "medmnist3d",
    "modelnet10",
    "random_rotations",
    "rotate_antialiased",
    "rotate_each_shape",
    "tetris_points",
    "tetris_voxels",
]
