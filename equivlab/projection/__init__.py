"""Pictures, maps, points, meshes and voxels onto the sphere, and pictures onto hexagons."""

from equivlab.projection.grids import SphereGrid, sphere_grid
from equivlab.projection.hexagons import from_hexagons, to_hexagons
from equivlab.projection.lonlat import project_lonlat
from equivlab.projection.pictures import project_image, view_sphere
from equivlab.projection.points import project_molecule, project_points
from equivlab.projection.solids import project_mesh, project_voxels
from equivlab.projection.voxels import project_voxel_surface

__all__ = [
    "SphereGrid",
    "from_hexagons",
    "project_image",
    "project_lonlat",
    "project_mesh",
    "project_molecule",
    "project_points",
    "project_voxel_surface",
    "project_voxels",
    "sphere_grid",
    "to_hexagons",
    "view_sphere",
]
