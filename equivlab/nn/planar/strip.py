"""Group convolutions with filters that are not square, such as 1×7.

A quarter turn makes a column of a row, so the orientations of a filter do not fit into its own
frame. They do into the square around it: the filter is laid into the middle of a square of zeros,
which turns. The weights stay a strip; the convolution costs as much as with square filters.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.fields import RegularMaps, ScalarMaps
from equivlab.groups import PointGroup
from equivlab.nn.base import check_home, integer
from equivlab.nn.planar.conv import PlanarConv
from equivlab.nn.window import Sides

__all__ = ["GroupStripConv2d", "LiftingStripConv2d"]


class _Strip(PlanarConv):
    """What both share: a weight that is smaller than its window."""

    def __init__(
        self,
        group: PointGroup,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int],
        stride: Sides = 1,
        padding: tuple[int, int] = (0, 0),
        dilation: Sides = 1,
        groups: int = 1,
        *,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        name = type(self).__name__
        sides = [integer(n, "kernel_size", name) for n in kernel_size]
        margins = [integer(n, "padding", name, least=0) for n in padding]
        side = max(sides)
        around = [(side - n) // 2 for n in sides]
        spread = integer(dilation, "dilation", name) if isinstance(dilation, int) else dilation[0]
        pads = {p + spread * a for p, a in zip(margins, around, strict=True)}
        if any((side - n) % 2 for n in sides) or len(pads) != 1:
            raise ValueError(
                f"{name} turns its filters within a square, so the sides of kernel_size differ by "
                "an even number and the padding makes up for it, as (1, 7) with padding=(0, 3); "
                f"got kernel_size={tuple(kernel_size)}, padding={tuple(padding)}."
            )
        super().__init__(
            group, in_channels, out_channels, side, stride, pads.pop(), dilation, groups,
            bias=bias, device=device, dtype=dtype,
        )  # fmt: skip
        self.sides = tuple(sides)
        self.around = (around[1], around[1], around[0], around[0])
        whole = self.weight
        self.weight = nn.Parameter(torch.empty(*whole.shape[:2], *sides).to(whole))
        self.reset_parameters()

    def _expand(self, weight: Tensor) -> Tensor:
        return super()._expand(F.pad(weight, self.around))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve: ``(B, I, [G,] H, W)`` to ``(B, O, G, H', W')``."""
        x = self.check(x)
        bank, shifts = self.filter_bank()
        check_home(x, bank, self.label)
        maps = x.flatten(1, -3)
        y = F.conv2d(maps, bank, shifts, self.stride, self.padding, self.dilation, self.groups)
        return y.view(y.shape[0], self.out_channels, -1, *y.shape[2:])

    def route(self, x: Tensor) -> str:
        """Which way `forward` takes; there is one."""
        return "conv2d: a filter that is not square"

    def extra_repr(self) -> str:
        """The fields, the strip and the square around it, for `print(model)`."""
        return f"{super().extra_repr()}, sides={self.sides}"


class LiftingStripConv2d(_Strip):
    """`LiftingConv2d` with filters that are not square: rows of 1×7 pixels, columns of 7×1.

    ``layer(act(g, f)) == act(g, layer(f))`` from scalar to regular maps, as exactly as there. A
    field holds the filter in all its orientations: rows and columns alike.

    Args:
        group: `P4` or `P4M`.
        in_channels: channels ``I`` of the image.
        out_channels: regular fields ``O`` of the output.
        kernel_size: rows and columns of a filter, whose difference is even.
        stride: step in pixels.
        padding: rows and columns padded at each end, as `torch.nn.Conv2d`: such that the square
            around the filter is padded evenly, ``(0, 3)`` for a filter of 1 × 7.
        dilation: distance in pixels between the filter's taps.
        groups: blocks of channels that do not mix.
        bias: add one learned number to each field.
        device: where the weights live.
        dtype: their type.

    Shape:
        ``(B, I, H, W)`` to ``(B, O, G, H', W')``, with ``H'`` as in `torch.nn.Conv2d`.

    Raises:
        ValueError: a shape, dtype or device that does not fit; the message says what would.

    >>> import torch
    >>> from equivlab.groups import P4
    >>> rows = LiftingStripConv2d(P4, 3, 8, (1, 7), padding=(0, 3))
    >>> rows(torch.randn(1, 3, 9, 9)).shape, rows.weight.shape
    (torch.Size([1, 8, 4, 9, 9]), torch.Size([8, 3, 1, 7]))
    """

    takes = ScalarMaps


class GroupStripConv2d(_Strip):
    """`GroupConv2d` with filters that are not square; arguments as `LiftingStripConv2d`.

    ``layer(act(g, f)) == act(g, layer(f))`` on regular maps, as exactly as there.

    Shape:
        ``(B, I, G, H, W)`` to ``(B, O, G, H', W')``, with ``H'`` as in `torch.nn.Conv2d`.

    Raises:
        ValueError: a shape, dtype or device that does not fit; the message says what would.
    """

    takes = RegularMaps
