"""What every field can do: act, draw a group element, and say what is wrong with a tensor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

__all__ = ["Field", "Group"]

G = TypeVar("G")  # an element of the group: an integer of P4, a matrix of SO3


class Group(Protocol[G]):
    """What a field asks of a group with elements of type ``G``.

    `PointGroup`, `CircleGroup` and `RotationGroup` have it.
    """

    @property
    def identity(self) -> G:
        """The element that changes nothing."""

    def compose(self, g: G, h: G) -> G:
        """The product ``g·h``: first `h`, then `g`."""

    def inverse(self, g: G) -> G:
        """The element with ``g⁻¹·g = 1``."""

    def random_element(self, generator: torch.Generator | None = None) -> G:
        """An element drawn uniformly with `generator`."""

    def check(self, g: G) -> G:
        """Return `g` if it is an element, else raise."""


class Field(ABC, Generic[G]):
    """A kind of tensor on which `group` acts; see `ScalarMaps`, `SphereMaps`, `IrrepPoints`, ...

    Attributes:
        group: the group that acts: a point group, or SO(3).
        channels: the size of axis 1, ``C``.
    """

    group: Group[G]
    channels: int

    @property
    @abstractmethod
    def shape(self) -> str:
        """The shape in words, numbers where the field knows them and letters where any will do."""

    @abstractmethod
    def act(self, g: G, x: Tensor) -> Tensor:
        """The action of group element `g` on `x`: a new tensor of the same kind."""

    def random_element(self, generator: torch.Generator | None = None) -> G:
        """A group element drawn uniformly with `generator`."""
        return self.group.random_element(generator)

    def validate(self, x: Tensor, taker: str | None = None, *, finite: bool = False) -> Tensor:
        """Return `x` if it is a tensor of this kind, else say what is wrong.

        Args:
            x: the tensor.
            taker: who asks, for the message, for example ``'GroupConv2d(P4)'``.
            finite: also look at every value, and refuse NaN and infinity.

        Raises:
            TypeError: `x` is no tensor of floating-point numbers.
            ValueError: wrong rank, group size or channels, an empty batch, or NaN.
        """
        taker = taker or repr(self)
        if not isinstance(x, Tensor):
            raise TypeError(
                f"{taker} takes a torch.Tensor {self.shape}; got {type(x).__name__}. "
                "Convert it: torch.as_tensor(x, dtype=torch.float32)"
            )
        if not x.is_floating_point():
            raise TypeError(
                f"{taker} takes floating-point numbers; got {x.dtype}. Convert them: x.float()"
            )
        remedy = self._mismatch(x)
        if remedy is not None:
            raise ValueError(f"{taker} takes {self.shape}; got {tuple(x.shape)}. {remedy}")
        if x.numel() == 0:
            raise ValueError(
                f"{taker} takes {self.shape}; got {tuple(x.shape)}, which is empty. "
                "Skip empty batches: if len(x): ..."
            )
        if finite and not bool(torch.isfinite(x).all()):
            bad = int((~torch.isfinite(x)).sum())
            raise ValueError(
                f"{taker} takes finite numbers; got {bad} NaN or infinite of {x.numel()}. "
                "Find them with torch.isfinite(x); replace them with torch.nan_to_num(x) or drop "
                "those inputs."
            )
        return x

    @abstractmethod
    def _mismatch(self, x: Tensor) -> str | None:
        """None where the shape fits, else the remedy."""

    def _wrong_channels(self, x: Tensor) -> str | None:
        if x.shape[1] == self.channels:
            return None
        return f"Axis 1 holds {x.shape[1]} channels, not {self.channels}."
