"""What stands where a plain network has a tensor: fields, and how its axes are to be read.

In a twin all maps are ``(B, C, G, H, W)``, whatever order of axes the plain network gives them in
between. Where that permutes, flattens or drops axes, nothing is computed: only the reading, the
`layout`, changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from torch import fx

__all__ = ["Layout", "Value"]

#: How the plain network would have it: ``(B, C, H, W)``, ``(B, H, W, C)``, ``(B, C, H·W)``,
#: ``(B, C·H·W)``, ``(B, C)``; or, of an image, one channel ``(B, H, W)``.
Layout = Literal["maps", "last", "line", "flat", "vector", "plane"]
AXES: dict[str, str] = {
    "maps": "BCHW", "last": "BHWC", "line": "BCL", "flat": "BX", "vector": "BC", "plane": "BHW",
}  # fmt: skip


@dataclass(frozen=True)
class Value:
    """One tensor of the twin.

    Attributes:
        node: what computes it.
        kind: an ``'image'`` ``(B, C, H, W)``, which is not lifted yet; ``'regular'`` maps; or
            ``'numbers'`` ``(B, C)``, which no element changes.
        fields: regular fields (or channels) of the blocks that stand side by side in it.
        channels: of the plain network's tensor, in the same blocks.
        layout: the order of axes there.
    """

    node: fx.Node
    kind: Literal["image", "regular", "numbers"]
    fields: tuple[int, ...]
    channels: tuple[int, ...]
    layout: Layout = "maps"

    @property
    def width(self) -> int:
        """All its fields."""
        return sum(self.fields)

    @property
    def axes(self) -> str:
        """The axes of the plain network's tensor, a letter each."""
        return AXES[self.layout]

    def at(self, node: fx.Node, layout: Layout | None = None) -> Value:
        """The same fields, computed by `node`."""
        return replace(self, node=node, layout=layout or self.layout)

    def cut(self, start: int, stop: int) -> tuple[int, int, Value] | None:
        """The fields that stand for the plain channels `start` to `stop`, if some do.

        Returns:
            First and last field, and the value with these blocks (and the old node).
        """
        edges: list[int] = []
        kept: list[tuple[int, int]] = []
        channel = field = 0
        for c, f in zip(self.channels, self.fields, strict=True):
            for edge in (start, stop):
                if channel <= edge < channel + c or edge == channel + c == sum(self.channels):
                    if (edge - channel) * f % c:
                        return None
                    edges.append(field + (edge - channel) * f // c)
            low, high = max(start, channel), min(stop, channel + c)
            if low < high:
                kept.append((high - low, (high - low) * f // c))
            channel, field = channel + c, field + f
        channels, fields = zip(*kept, strict=True)
        return edges[0], edges[-1], replace(self, channels=channels, fields=fields)
