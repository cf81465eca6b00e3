"""From a group to a subgroup and back: the same numbers, seen as functions on fewer turns.

A network may begin with C16, where edges have fine directions, and go on with C4, where the large
scene hardly turns (Weiler & Cesa, NeurIPS 2019, section 2.7). Nothing is lost: a function on the
group is one function on the subgroup for each coset.
"""

from __future__ import annotations

from torch import Tensor

from equivlab.fields import RegularMaps
from equivlab.groups import PointGroup
from equivlab.nn.base import FieldModule, integer

__all__ = ["GroupInduce", "GroupRestrict", "cosets"]


class GroupRestrict(FieldModule):
    """See functions on a group as functions on a subgroup, one for each coset.

    ``out[c·m + j, h] = f[c, h·tⱼ]`` for the ``m = |G|/|H|`` cosets ``H·tⱼ``, so
    ``layer(act(h, f)) == act(h, layer(f))`` exactly for all ``h`` of the subgroup: what comes after
    need not know of the others.

    Args:
        group: ``G``, of the input.
        subgroup: ``H``, of the output; its turns divide those of `group`. `P4` is a subgroup of
            `Cyclic(8)`, with filters that are free pixel by pixel.
        channels: fields ``C`` of the input.

    Shape:
        ``(B, C, |G|, H, W)`` to ``(B, C·m, |H|, H, W)``.

    Raises:
        ValueError: no subgroup, or a tensor of another kind.

    >>> from equivlab.groups import P4, Cyclic
    >>> GroupRestrict(Cyclic(8), P4, 3)
    GroupRestrict(RegularMaps(C8, 3) -> RegularMaps(P4, 6))
    """

    in_field: RegularMaps
    out_field: RegularMaps

    def __init__(self, group: PointGroup, subgroup: PointGroup, channels: int) -> None:
        channels = integer(channels, "channels", type(self).__name__)
        parts = cosets(group, subgroup)
        fields = RegularMaps(group, channels), RegularMaps(subgroup, channels * len(parts))
        super().__init__(*fields)
        self._order = [g for coset in parts for g in coset]

    def forward(self, x: Tensor) -> Tensor:
        """Sort the maps of ``(B, C, |G|, H, W)`` by cosets."""
        sorted_maps = self.check(x)[:, :, self._order]
        maps: Tensor = sorted_maps.unflatten(2, (-1, self.out_field.group.order)).flatten(1, 2)
        return maps


class GroupInduce(FieldModule):
    """See functions on a subgroup, as many as it has cosets, as one on the group.

    ``out[c, h·tⱼ] = f[c·m + j, h]`` undoes `GroupRestrict`, and
    ``layer(act(h, f)) == act(h, layer(f))`` exactly for all ``h`` of the subgroup; the other
    elements act on what comes out, but cannot act on what goes in.

    Args:
        subgroup: ``H``, of the input.
        group: ``G``, of the output.
        channels: fields ``C·m`` of the input, a multiple of ``m = |G|/|H|``.

    Shape:
        ``(B, C·m, |H|, H, W)`` to ``(B, C, |G|, H, W)``.

    Raises:
        ValueError: no subgroup, channels that are no multiple, or a tensor of another kind.

    >>> from equivlab.groups import P4, Cyclic
    >>> GroupInduce(P4, Cyclic(8), 6)
    GroupInduce(RegularMaps(P4, 6) -> RegularMaps(C8, 3))
    """

    in_field: RegularMaps
    out_field: RegularMaps

    def __init__(self, subgroup: PointGroup, group: PointGroup, channels: int) -> None:
        channels = integer(channels, "channels", type(self).__name__)
        parts = cosets(group, subgroup)
        if channels % len(parts):
            raise ValueError(
                f"GroupInduce({subgroup} to {group}) makes one field of {len(parts)}, so channels "
                f"must be a multiple of {len(parts)}; got {channels}."
            )
        super().__init__(
            RegularMaps(subgroup, channels), RegularMaps(group, channels // len(parts))
        )
        order = [g for coset in parts for g in coset]
        self._order = sorted(range(len(order)), key=order.__getitem__)

    def forward(self, x: Tensor) -> Tensor:
        """Lay the maps of ``(B, C·m, |H|, H, W)`` out as the group numbers them."""
        fields = self.check(x).unflatten(1, (self.out_field.channels, -1)).flatten(2, 3)
        maps: Tensor = fields[:, :, self._order]
        return maps


def cosets(group: PointGroup, subgroup: PointGroup) -> list[list[int]]:
    """The right cosets ``H·t`` as lists ``h·t``, in the order of `subgroup`'s elements ``h``."""
    members = [group.element_of(subgroup, h) for h in subgroup.elements]
    found: list[list[int]] = []
    for t in group.elements:
        if not any(t in coset for coset in found):
            found.append([group.compose(h, t) for h in members])
    return found
