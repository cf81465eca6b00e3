"""The layers of a planar network by its group: what makes the group one argument.

Without a group they are PyTorch's own. With a point group a *field* is a function on it; with
SO(2) or O(2) it is a function on the circle of frequencies 0 to 2, five channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.fields import (
    CircleIrrep,
    CircleIrreps,
    CircleMaps,
    Field,
    Invariant,
    RegularMaps,
    scalar_maps,
)
from equivlab.groups import CircleGroup, PointGroup, as_point_group
from equivlab.nn import (
    CircleActivation,
    CircleDouble2d,
    CircleDownsample2d,
    CircleReadout,
    DiscMask,
    GroupBatchNorm,
    GroupConv2d,
    GroupDouble2d,
    GroupDownsample2d,
    GroupMaxPool2d,
    GroupPool,
    InvariantReadout,
    IrrepBatchNorm,
    LiftingConv2d,
    SteerableConv2d,
)

__all__ = ["Planar", "PlanarParts", "count_numbers"]

Planar = PointGroup | CircleGroup | None
MAX_FREQUENCY = 2  # of functions on the circle
OVERSAMPLING = 3  # 16 samples


def count_numbers(make: Callable[[], nn.Module]) -> int:
    """The numbers in the weight of the layer that `make` makes; draws none of the caller's."""
    with torch.random.fork_rng(devices=[]):
        return make().get_parameter("weight").numel()


class PlanarParts:
    """Makes layers for one group.

    Args:
        group: a point group, `SO2` or `O2`, or None.

    Attributes:
        steerable: whether filters are circular harmonics: they turn by any angle, and want larger
            kernels, and halvings that blur.
        on_hexagons: whether the maps are hexagons.
        padding_mode: of convolutions.
        on_squares: whether filters have a number for each of k×k pixels.

    Raises:
        TypeError: something else than a group.
    """

    def __init__(self, group: Planar) -> None:
        if not (group is None or isinstance(group, CircleGroup)):
            as_point_group(group, "A network of a group")
        self.group = group
        self.steerable = isinstance(group, CircleGroup) or (
            isinstance(group, PointGroup) and group.lattice is None
        )
        self.on_hexagons = isinstance(group, PointGroup) and group.lattice == "hexagonal"
        # A frame of zeros would have corners, which free turns move.
        self.padding_mode = "replicate" if self.steerable else "zeros"
        self.on_squares = not self.steerable and not self.on_hexagons

    @property
    def kernel_size(self) -> int:
        """The usual one: harmonics want 5 pixels, of which 3 hold only the first two."""
        return 5 if self.steerable else 3

    def fields(self, width: int, size: int) -> int:
        """How many fields have about as many parameters as `width` ordinary channels.

        Beside filters of the same `size`, and where they are harmonics beside 3×3.
        """
        if self.group is None:
            return width
        numbers = count_numbers(lambda: self.conv(1, 1, size, bias=False))
        return max(1, round(width * (3 if self.steerable else size) / math.sqrt(numbers)))

    def scalars(self, channels: int) -> Field[int] | Field[Tensor] | None:
        """The field of an image, or of a map of numbers; None without a group."""
        if isinstance(self.group, CircleGroup):
            return CircleMaps(_numbers(self.group, channels))
        return None if self.group is None else scalar_maps(self.group, channels)

    def invariant(self, channels: int) -> Field[int] | Field[Tensor] | None:
        """The field of scores; None without a group."""
        if isinstance(self.group, CircleGroup):
            return Invariant(self.group, channels)
        return None if self.group is None else Invariant(self.group, channels)

    def lift(
        self, before: int, after: int, size: int, stride: int = 1, padding: int = 0, *, bias: bool
    ) -> nn.Module:
        """A convolution from images to fields."""
        window = (size, stride, padding)
        if isinstance(self.group, CircleGroup):
            ins, outs = _numbers(self.group, before), _circles(self.group, after)
            return SteerableConv2d(
                ins, outs, *window, group=self.group, bias=bias, padding_mode=self.padding_mode
            )
        if self.group is None:
            return nn.Conv2d(before, after, *window, bias=bias)
        return LiftingConv2d(
            self.group, before, after, *window, bias=bias, padding_mode=self.padding_mode
        )

    def conv(
        self, before: int, after: int, size: int, stride: int = 1, padding: int = 0,
        *, bias: bool, joined: int = 1,
    ) -> nn.Module:  # fmt: skip
        """A convolution from fields to fields; `joined` tensors of `before` fields in a row."""
        window = (size, stride, padding)
        if isinstance(self.group, CircleGroup):
            ins, outs = _circles(self.group, before, joined), _circles(self.group, after)
            return SteerableConv2d(
                ins, outs, *window, group=self.group, bias=bias, padding_mode=self.padding_mode
            )
        if self.group is None:
            return nn.Conv2d(joined * before, after, *window, bias=bias)
        return GroupConv2d(
            self.group, joined * before, after, *window, bias=bias, padding_mode=self.padding_mode
        )

    def norm(self, fields: int) -> nn.Module:
        """A batch norm."""
        if isinstance(self.group, CircleGroup):
            return IrrepBatchNorm(_circles(self.group, fields), CircleMaps)
        return nn.BatchNorm2d(fields) if self.group is None else GroupBatchNorm(self.group, fields)

    def bend(self, fields: int, *, inplace: bool = False, smooth: bool = False) -> nn.Module:
        """ReLU, or ELU if `smooth` and of values on the circle, where it wants fewer samples."""
        if isinstance(self.group, CircleGroup):
            return CircleActivation(fields, MAX_FREQUENCY, F.elu, self.group, OVERSAMPLING)
        return nn.ELU(inplace=inplace) if smooth else nn.ReLU(inplace=inplace)

    def disc(self, fields: int) -> nn.Module:
        """Zeros beyond the inscribed circle.

        Raises:
            ValueError: there is no group.
        """
        if self.group is None:
            raise ValueError("A disc is for turns; an ordinary network has none: leave it out.")
        if isinstance(self.group, CircleGroup):
            return DiscMask(CircleMaps(_circles(self.group, fields)))
        return DiscMask(RegularMaps(self.group, fields))

    def halve(self, fields: int) -> nn.Module:
        """Half as many pixels, rounded up; anti-aliased with a group."""
        if isinstance(self.group, CircleGroup):
            return CircleDownsample2d(_circles(self.group, fields))
        if self.group is None:
            return nn.MaxPool2d(2, ceil_mode=True)
        return GroupDownsample2d(self.group, fields)

    def maximum(self, fields: int, size: int, stride: int, padding: int = 0) -> nn.Module:
        """The maximum over windows; components of SO(2) have none, and are blurred."""
        if isinstance(self.group, CircleGroup):
            return CircleDownsample2d(_circles(self.group, fields), stride)
        if self.group is None:
            return nn.MaxPool2d(size, stride, padding)
        return GroupMaxPool2d(self.group, fields, size, stride, padding)

    def double(self, fields: int) -> nn.Module:
        """Twice as many pixels, or one less: called with maps and their new size."""
        if isinstance(self.group, CircleGroup):
            return CircleDouble2d(_circles(self.group, fields))
        return _Upsample() if self.group is None else GroupDouble2d(self.group, fields)

    def readout(self, fields: int, mode: Literal["mean", "max"]) -> nn.Module:
        """Numbers that no turn changes, ``(B, F)``."""
        if isinstance(self.group, CircleGroup):
            return CircleReadout(_circles(self.group, fields))
        if self.group is None:
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return InvariantReadout(self.group, fields, mode=mode, space="mean")

    def readout_size(self, fields: int) -> int:
        """How many numbers that gives."""
        return fields * (MAX_FREQUENCY + 1) if isinstance(self.group, CircleGroup) else fields

    def scores(self, fields: int, classes: int, size: int, padding: int = 0) -> list[nn.Module]:
        """A convolution to scores, and what makes them invariant: the maximum over the group."""
        if isinstance(self.group, CircleGroup):
            numbers = _numbers(self.group, classes)
            steerable = SteerableConv2d(
                _circles(self.group, fields), numbers, size, 1, padding,
                group=self.group, padding_mode=self.padding_mode,
            )  # fmt: skip
            return [steerable, CircleReadout(numbers)]
        conv = self.conv(fields, classes, size, padding=padding, bias=True)
        return [conv, self.readout(classes, "max")]

    def maps(self, before: int, after: int, size: int = 1) -> nn.Module:
        """A convolution from fields to maps of numbers, which turns move and do not mix."""
        if isinstance(self.group, CircleGroup):
            ins, outs = _circles(self.group, before), _numbers(self.group, after)
            return SteerableConv2d(ins, outs, size, group=self.group)
        conv = self.conv(before, after, size, bias=True)
        if self.group is None:
            return conv
        return nn.Sequential(conv, GroupPool(self.group, after, "max"))


def _numbers(group: CircleGroup, channels: int) -> CircleIrreps:
    """Channels that no turn mixes."""
    return CircleIrreps(((channels, CircleIrrep(0, 1)),), group)


def _circles(group: CircleGroup, fields: int, copies: int = 1) -> CircleIrreps:
    """Functions on the circle; several tensors of them after one another."""
    own = [(fields, CircleIrrep(k, 1)) for k in range(MAX_FREQUENCY + 1)]
    return CircleIrreps(tuple(copies * own), group)


class _Upsample(nn.Module):
    """`torch.nn.functional.interpolate` as a module."""

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        return F.interpolate(x, size, mode="bilinear")
