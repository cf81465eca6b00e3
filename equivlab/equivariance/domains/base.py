"""What the audit must know of a kind of input: which elements to try, and what a tensor may be."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Generic

from torch import Tensor

from equivlab.equivariance.containers import map_tensors
from equivlab.equivariance.recording import Call
from equivlab.fields.base import Field, G, Group

__all__ = ["Domain", "UnknownField"]


class UnknownField(Exception):  # noqa: N818, it is no error of the user's
    """A tensor of which nobody says how the group acts on it."""


class Domain(ABC, Generic[G]):
    """The plane, the sphere, voxels or points, for the audit.

    Attributes:
        group: the group that acts.
        elements: those that are tried, the identity first.
        names: of the elements, for people.
    """

    group: Group[G]
    elements: Sequence[G]
    names: list[str]

    @abstractmethod
    def kinds(self, y: Tensor) -> list[Field[G]]:
        """What a tensor may be, by its shape; the likeliest first, nothing where it is unclear."""

    def input_kinds(self, x: Tensor) -> list[Field[G]]:
        """What an input of the network may be, if nobody says."""
        return self.kinds(x)

    def adapt(self, field: object) -> Field[G] | None:
        """The field that a layer says it has, for this group; None if it says nothing."""
        known: Field[G] | None = field if isinstance(field, Field) else None
        return known

    def move(self, g: G, value: object, field_of: Callable[[Tensor], Field[G] | None]) -> object:
        """An argument of a layer turned by `g`; whole numbers stay.

        Raises:
            UnknownField: it holds a tensor without a field.
        """

        def act(x: Tensor) -> Tensor:
            if not x.is_floating_point():
                return x
            field = field_of(x)
            if field is None:
                raise UnknownField
            return field.act(g, x).to(x.dtype)  # a spectrum is computed in single precision

        return map_tensors(act, value)

    def seen(self, field: Field[G], x: Tensor) -> Tensor:
        """The part of `x` on which the group acts: all of it, unless it is band-limited."""
        return x

    def tolerance(self, call: Call, exact: float) -> float:
        """Up to where the own break of a layer is no defect."""
        return exact

    @abstractmethod
    def cause(self, call: Call, source: Field[G] | None, own: float) -> str:
        """One sentence on why a layer breaks the law, and the remedy."""

    #: Does `kinds` name all that a tensor can be? Else it may be something that only layers say.
    complete: bool = True
    #: What to do with an input whose shape says nothing.
    wanted: str = "audit cannot tell what an input {shape} is. Say it: in_field="
