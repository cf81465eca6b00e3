"""What a network does to an image, call by call: its layers, and the functions between them.

The network is run once on an image without content (device ``meta``), as a copy whose weights have
no content either: so it costs nothing, the original is not touched, and sizes are known while its
own code decides by them. Every call is written down with the module and the line that made it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import nn
from torch.utils._pytree import tree_map

__all__ = ["Call", "Reading", "Ref", "Side", "Weight"]

#: Layers of others that drop whole samples' branches, by name: taken over as they are.
DROPS_BRANCHES = ("DropPath", "StochasticDepth")


@dataclass(frozen=True)
class Ref:
    """What a call gave: its number (−1 is the image), and which of several tensors."""

    call: int
    part: int = 0


@dataclass(frozen=True)
class Weight:
    """A parameter or buffer of the network by its name, perhaps in another shape."""

    name: str
    shape: tuple[int, ...]


class Side(int):
    """A number of pixels that knows whose it is, so that it may follow the size of an image."""

    ref: Ref
    axis: int

    @classmethod
    def of(cls, value: int, ref: Ref, axis: int) -> Side:
        """The size of `ref` along `axis`."""
        side = cls(value)
        side.ref, side.axis = ref, axis
        return side


@dataclass
class Call:
    """One call: of a layer of torch, or of a function.

    Attributes:
        target: the layer's class, or the function's name without underscores: ``'add'``.
        args: with `Ref`, `Weight` and `Side` for what they stand for; so `kwargs`.
        path: the module whose code calls; of a layer, its own.
        line: file and line of that code, if it is not torch's.
        shapes: of what comes out, one for each tensor.
        several: a tuple comes out.
        layer: the layer itself, without content; None for a function.
    """

    target: type[nn.Module] | str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    path: str
    line: str
    shapes: list[tuple[int, ...]]
    several: bool = False
    layer: nn.Module | None = None

    @property
    def name(self) -> str:
        """For messages: ``'Conv2d'`` or ``'torch.flatten'``."""
        return self.target if isinstance(self.target, str) else self.target.__name__

    def refs(self) -> list[Ref]:
        """What it takes of the calls before."""
        found: list[Ref] = []
        tree_map(
            lambda x: found.append(x) if isinstance(x, Ref) else None, (self.args, self.kwargs)
        )
        return found


@dataclass
class Reading:
    """All calls of a network in their order, and what it gives in the end.

    Attributes:
        calls: in their order.
        output: `Ref`s, in the tuple, list or dictionary that the network gives.
        image: the shape of the image that was read with.
        used: the names of the modules that were called.
    """

    image: tuple[int, ...]
    calls: list[Call] = field(default_factory=list)
    output: Any = None
    used: set[str] = field(default_factory=set)

    def shape(self, ref: Ref) -> tuple[int, ...]:
        """The shape of what a call gave."""
        return self.image if ref.call < 0 else self.calls[ref.call].shapes[ref.part]
