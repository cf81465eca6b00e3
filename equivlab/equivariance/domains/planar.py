"""The plane: images and functions on a point group, in any layout that the shape betrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from equivlab.equivariance.causes.planar import likely_cause
from equivlab.equivariance.domains.base import Domain
from equivlab.equivariance.recording import Call
from equivlab.fields import (
    Field,
    Invariant,
    PlanarField,
    RegularMaps,
    ScalarMaps,
    scalar_maps,
)
from equivlab.groups import P4, P4M, P6, P6M, PointGroup

__all__ = ["ChannelsLastMaps", "FlatRegularMaps", "OtherMaps", "PlanarDomain"]

ANGLES = 24  # on the curve


class FlatRegularMaps(ScalarMaps):
    """Regular maps whose channel and group axes are one, ``(B, C·G, H, W)``."""

    def act(self, g: int, x: Tensor) -> Tensor:
        moved: Tensor = self._maps(x).act(g, self._unflat(x)).flatten(1, 2)
        return moved

    def rotate(self, angle: float | Tensor, x: Tensor, mode: str = "bilinear") -> Tensor:
        turned: Tensor = self._maps(x).rotate(angle, self._unflat(x), mode).flatten(1, 2)
        return turned

    def _unflat(self, x: Tensor) -> Tensor:
        maps: Tensor = x.unflatten(1, (-1, self.group.order))
        return maps

    def _maps(self, x: Tensor) -> RegularMaps:
        return RegularMaps(self.group, x.shape[1] // self.group.order)


class ChannelsLastMaps(ScalarMaps):
    """Scalar maps with the channels behind the pixels, ``(B, H, W, C)``."""

    def act(self, g: int, x: Tensor) -> Tensor:
        return super().act(g, x.movedim(-1, 1)).movedim(1, -1)

    def mask(self, x: Tensor) -> Tensor:
        return super().mask(x.movedim(-1, 1)).movedim(1, -1)

    def rotate(self, angle: float | Tensor, x: Tensor, mode: str = "bilinear") -> Tensor:
        return super().rotate(angle, x.movedim(-1, 1), mode).movedim(1, -1)


@dataclass(frozen=True, repr=False)
class OtherMaps(RegularMaps):
    """Functions on one point group, on which the elements of another act.

    A mirror acts on functions of turns alone as ``(m·f)(r, x) = f(−r, m⁻¹x)``; a turn that the
    group of the maps has not shifts their Fourier series.

    Args:
        actor: the group whose elements act.
    """

    actor: PointGroup

    def act(self, g: int, x: Tensor) -> Tensor:
        mirror, turn = self.actor.split(g)
        own = self.group
        if mirror and own.has_mirror:
            x = super().act(own.turns, x)
        elif mirror:
            mirrored = self.actor.move(self.actor.turns, x)
            x = mirrored[:, :, [own.inverse(r) for r in own.elements]]
        steps, rest = divmod(turn * own.turns, self.actor.turns)
        return self.rotate(self.actor.angle(turn), x) if rest else super().act(steps, x)


class PlanarDomain(Domain[int]):
    """Images and regular maps, under those elements of a point group that permute pixels, or some.

    What a turn by 45° does to pixels is no law but an approximation; it is on the curve of all
    angles, beside what resampling alone costs.
    """

    def __init__(self, group: PointGroup, elements: Sequence[int] | None = None) -> None:
        self.group: PointGroup = group
        exact = [g for g in group.elements if group.permutes(g)]
        self.elements = [group.check(g) for g in (elements or exact)]
        self.names = [group.element_name(g) for g in self.elements]
        self.wanted = (
            f"audit takes images (B, C, H, W) or regular maps (B, C, {group.order}, H, W); "
            "got {shape}. Add the batch axis, x[None], or say what it is: in_field="
        )

    @property
    def usual_angles(self) -> int:
        """How many angles the curve has: 24 or more, those of the group among them."""
        return self.group.turns * -(-ANGLES // self.group.turns)

    def kinds(self, y: Tensor) -> list[Field[int]]:
        if y.dim() in (1, 2):
            return [Invariant(self.group, y.shape[-1] if y.dim() == 2 else 1)]
        channels = y.shape[1] if y.dim() > 1 else 0
        if y.dim() == 5:
            others = (P6M, P6) if self.group.lattice == "hexagonal" else (P4M, P4)
            for group in (self.group, *others):
                if y.shape[2] == group.order:
                    found = self.adapt(RegularMaps(group, channels))
                    return [found] if found is not None else []
        if y.dim() != 4:
            return []
        found_all: list[Field[int]] = [scalar_maps(self.group, channels)]
        if channels % self.group.order == 0:
            found_all.append(FlatRegularMaps(self.group, channels))
        return [*found_all, ChannelsLastMaps(self.group, y.shape[-1])]

    def adapt(self, field: object) -> Field[int] | None:
        """A field of another planar group, as one on which the elements asked for act."""
        if not isinstance(field, PlanarField | Invariant):
            return None
        if field.group == self.group or not isinstance(field.group, PointGroup):
            return field if field.group == self.group else None
        hexagons = self.group.lattice == "hexagonal"
        if isinstance(field, PlanarField) and field.on_hexagons != hexagons:
            raise ValueError(
                f"{self.group} and {field.group}, the group of a layer, act on different lattices. "
                f"Ask for that of the network: audit(model, x, {field.group})"
            )
        if isinstance(field, RegularMaps):
            new_mirrors = self.group.has_mirror and not field.group.has_mirror
            if field.group.turns == self.group.turns and not new_mirrors:
                return field  # it has these elements, by the same numbers
            return OtherMaps(field.group, field.channels, self.group)
        return dataclasses.replace(field, group=self.group)

    def seen(self, field: Field[int], x: Tensor) -> Tensor:
        """The cells of hexagons: no layer looks at more of the array."""
        return field.mask(x) if isinstance(field, PlanarField) else x

    def cause(self, call: Call, source: Field[int] | None, own: float) -> str:
        said = getattr(getattr(call.module, "in_field", None), "group", None)
        if self.group.has_mirror and isinstance(said, PointGroup) and not said.has_mirror:
            name = f"{said}M" if said in (P4, P6) else f"Dihedral({said.turns})"
            return f"it knows turns only, and the group has mirrors. Build the network with {name}."
        return likely_cause(call.module, call.inputs[0] if call.inputs else None, self.group)
