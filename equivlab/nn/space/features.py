"""Irreps as plain integers: all that a layer needs to know of its channels while it runs.

`torch.compile` cannot look into an `e3nn.o3.Irrep`, which is a tuple without a length; so layers
ask e3nn when they are made, and keep integers.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from equivlab.fields.irreps import Irreps

__all__ = ["Features", "features_of", "split_features"]


@dataclass(frozen=True)
class Features:
    """Neighbouring channels of one kind: `count` features of one degree and parity."""

    count: int
    degree: int
    parity: int  # 1 even, −1 odd
    start: int  # channel at which they start

    @property
    def dim(self) -> int:
        """Components of one feature, ``2l + 1``."""
        return 2 * self.degree + 1

    @property
    def channels(self) -> int:
        """Components of all of them."""
        return self.count * self.dim

    @property
    def cut(self) -> slice:
        """Where they stand among the channels."""
        return slice(self.start, self.start + self.channels)

    @property
    def is_scalar(self) -> bool:
        """Are these ``0e``, numbers that neither turn nor change sign in a mirror?"""
        return self.degree == 0 and self.parity == 1


def features_of(irreps: Irreps) -> tuple[Features, ...]:
    """The blocks of some `e3nn.o3.Irreps`, in their order.

    >>> from e3nn import o3
    >>> features_of(o3.Irreps("8x0e + 4x1o"))[1]
    Features(count=4, degree=1, parity=-1, start=8)
    """
    found, start = [], 0
    for count, irrep in irreps:
        found.append(Features(int(count), int(irrep.l), int(irrep.p), start))
        start += found[-1].channels
    return tuple(found)


def split_features(features: tuple[Features, ...], x: Tensor) -> tuple[Tensor, ...]:
    """Axis 1 of `x` ``(B, C, ...)`` cut into the blocks of the features."""
    return tuple(x.split([block.channels for block in features], 1))
