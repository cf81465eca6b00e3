"""Fields: what a tensor *is*, and so how the group acts on it.

A field is a description that travels beside a plain tensor. Every layer has an ``in_field``
and an ``out_field``, and the one law of this package is written with them::

    layer(layer.in_field.act(g, x)) == layer.out_field.act(g, layer(x))

>>> import torch
>>> from equivlab.groups import P4
>>> maps = RegularMaps(P4, channels=8)
>>> maps
RegularMaps(P4, 8)
>>> maps.act(1, torch.randn(2, 8, 4, 16, 16)).shape
torch.Size([2, 8, 4, 16, 16])
"""

from equivlab.fields.base import Field, Group
from equivlab.fields.circle import CircleIrrep, CircleIrreps, CircleMaps
from equivlab.fields.drawing import draw_hexagons
from equivlab.fields.healpix import HealpixMaps
from equivlab.fields.hexagons import HexMaps, scalar_maps
from equivlab.fields.invariant import Invariant
from equivlab.fields.irreps import degree_matrix, harmonics
from equivlab.fields.planar import PlanarField, RegularMaps, ScalarMaps, rotate_maps
from equivlab.fields.space import IrrepMaps, IrrepPoints, IrrepVectors, rotate_voxels
from equivlab.fields.sphere import RotationMaps, SphereMaps, SpinMaps
from equivlab.fields.vectors import CartesianVectors

__all__ = [
    "CartesianVectors",
    "CircleIrrep",
    "CircleIrreps",
    "CircleMaps",
    "Field",
    "Group",
    "HealpixMaps",
    "HexMaps",
    "Invariant",
    "IrrepMaps",
    "IrrepPoints",
    "IrrepVectors",
    "PlanarField",
    "RegularMaps",
    "RotationMaps",
    "ScalarMaps",
    "SphereMaps",
    "SpinMaps",
    "degree_matrix",
    "draw_hexagons",
    "harmonics",
    "rotate_maps",
    "rotate_voxels",
    "scalar_maps",
]
