"""Groups of the plane: point groups, and all turns.

>>> P4.compose(1, 3), Cyclic(8), SO2
(0, C8, SO2)
"""

from equivlab.groups.cells import hexagon
from equivlab.groups.circle import O2, SO2, CircleGroup
from equivlab.groups.names import as_circle_group, as_point_group, group_of
from equivlab.groups.points import (
    P4,
    P4M,
    P6,
    P6M,
    QUARTER_TURN,
    Cyclic,
    Dihedral,
    Lattice,
    PointGroup,
)

__all__ = [
    "O2",
    "P4",
    "P4M",
    "P6",
    "P6M",
    "QUARTER_TURN",
    "SO2",
    "CircleGroup",
    "Cyclic",
    "Dihedral",
    "Lattice",
    "PointGroup",
    "as_circle_group",
    "as_point_group",
    "group_of",
    "hexagon",
]
