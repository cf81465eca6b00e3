"""Groups by their names, as a command line, a file of weights or a benchmark gives them."""

from __future__ import annotations

import re

from equivlab.groups.circle import O2, SO2, CircleGroup
from equivlab.groups.points import P4, P4M, P6, P6M, Cyclic, Dihedral, PointGroup

__all__ = ["as_circle_group", "as_point_group", "group_of"]

NAMED: dict[str, PointGroup | CircleGroup | None] = {
    "none": None, "P4": P4, "P4M": P4M, "P6": P6, "P6M": P6M, "SO2": SO2, "O2": O2,
}  # fmt: skip


def group_of(name: str) -> PointGroup | CircleGroup | None:
    """The group of that name: ``str`` of a group, undone; None for ``'none'``.

    Args:
        name: ``'none'``, ``'P4'``, ``'P4M'``, ``'P6'``, ``'P6M'``, ``'C8'`` (any number of turns),
            ``'D8'``, ``'SO2'`` or ``'O2'``.

    Raises:
        ValueError: no such name.

    >>> group_of("C8") == Cyclic(8), group_of("none")
    (True, None)
    """
    if name in NAMED:
        return NAMED[name]
    found = re.fullmatch(r"([CD])([1-9][0-9]{0,3})", name) if isinstance(name, str) else None
    if found is None:
        raise ValueError(
            f"group is one of {', '.join(NAMED)}, or C and D with a number of turns, such as C8 "
            f"and D8; got {name!r}"
        )
    make = Cyclic if found[1] == "C" else Dihedral
    return make(int(found[2]))


def as_point_group(group: object, taker: str) -> PointGroup:
    """`group` itself, if it is a point group.

    Args:
        group: what was given.
        taker: to whom, for the message.

    Raises:
        TypeError: anything else; the message says what to give.
    """
    if isinstance(group, PointGroup):
        return group
    if isinstance(group, CircleGroup):
        raise TypeError(
            f"{taker} takes a group with a list of elements, such as P4 or Cyclic(8); got {group}, "
            f"which has every angle. Its layers are SteerableConv2d(..., group={group}) and those "
            "named Circle."
        )
    raise TypeError(f"{taker} takes a group, such as P4 or Cyclic(8); got {_told(group)}")


def as_circle_group(group: object, taker: str) -> CircleGroup:
    """`group` itself, if it is SO(2) or O(2).

    Args:
        group: what was given.
        taker: to whom, for the message.

    Raises:
        TypeError: anything else; the message says what to give.
    """
    if isinstance(group, CircleGroup):
        return group
    if isinstance(group, PointGroup):
        raise TypeError(
            f"{taker} takes SO2 or O2, which have every angle; got {group}. Layers of {group} are "
            f"LiftingConv2d({group}, ...), GroupConv2d({group}, ...) and others named Group."
        )
    raise TypeError(f"{taker} takes SO2 or O2; got {_told(group)}")


def _told(group: object) -> str:
    """What was given, and for a text what it may have meant."""
    if not isinstance(group, str):
        return f"{group!r}."
    return f"the text {group!r}. A name becomes its group by equivlab.groups.group_of({group!r})."
