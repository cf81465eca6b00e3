"""The groups that turn pictures in a widget, and the pixels that they act on."""

from __future__ import annotations

from torch import nn

from equivlab.fields import CircleMaps, ScalarMaps, scalar_maps
from equivlab.groups import P4, CircleGroup, PointGroup

__all__ = ["Acting", "image_field", "on_hexagons", "own_group", "planar_group"]

Acting = PointGroup | CircleGroup


def planar_group(group: object, taker: str) -> Acting:
    """The group, if it acts on pictures.

    Raises:
        ValueError: it is another, such as that of the turns of space.
    """
    if isinstance(group, PointGroup | CircleGroup):
        return group
    raise ValueError(
        f"{taker} turns pictures, by a point group or by SO2 and O2; {group} acts on "
        "something else. Globes turn in RotateSphere, shapes and points in RotateShape."
    )


def own_group(model: nn.Module) -> Acting:
    """The group of the first layer that has a field; P4 if none has."""
    fields = (getattr(module, "in_field", None) for module in model.modules())
    group: Acting = next((field.group for field in fields if field is not None), P4)
    return group


def on_hexagons(group: Acting) -> bool:
    """Whether its pictures are hexagons, ``(..., 2R + 1, 2R + 1)``."""
    return isinstance(group, PointGroup) and group.lattice == "hexagonal"


def image_field(group: Acting, channels: int) -> ScalarMaps | CircleMaps:
    """Numbers that move and do not change, on the pixels that the group acts on."""
    if isinstance(group, CircleGroup):
        return CircleMaps(f"{channels}x0", group)
    return scalar_maps(group, channels)
