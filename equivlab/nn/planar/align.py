"""Frames that a turn maps to themselves: exact strides on every size, and paddings made even.

A window that steps by 2 over an even map looks at the first pixel and not at the last one, and a
padding of one row on one side alone moves the picture by half a pixel; no turn respects either.
Both are mended by half a pixel: a mean over 2×2 windows makes a map one pixel smaller, or, after
a row on *every* side, one larger, and keeps its middle in the middle.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from equivlab.fields import RegularMaps, ScalarMaps
from equivlab.groups import PointGroup
from equivlab.nn.base import FieldModule, integer
from equivlab.nn.window import PADDING_MODES, Sides, Window, padded

__all__ = ["GroupAlign2d", "GroupPad2d"]


class _Framed(FieldModule):
    """A layer on scalar or regular maps that changes their frame alone."""

    in_field: ScalarMaps | RegularMaps

    def __init__(self, group: PointGroup, channels: int, lifted: bool) -> None:
        kind = RegularMaps if lifted else ScalarMaps
        field = kind(group, integer(channels, "channels", type(self).__name__))
        super().__init__(field, field)

    def frame(self, size: int) -> tuple[int, int]:
        """Pixels to add (or, below 0, to cut) on both sides, and the side of the mean's window."""
        raise NotImplementedError

    def is_exact(self, size: int) -> bool:
        """True: the frame follows the size."""
        return True

    def forward(self, x: Tensor) -> Tensor:
        """Frame the last two axes, each map by itself."""
        self.check(x)
        (rows, tall), (columns, wide) = (self.frame(size) for size in x.shape[-2:])
        maps = x.flatten(1, -3)  # (B, C·G, H, W)
        if rows or columns:
            maps = self._pad(maps, (columns, columns, rows, rows))
        if tall > 1 or wide > 1:
            maps = F.avg_pool2d(maps, (tall, wide), stride=1)
        return maps.reshape(*x.shape[:-2], *maps.shape[-2:])

    def _pad(self, maps: Tensor, sides: tuple[int, ...]) -> Tensor:
        return padded(maps, sides, "replicate")


class GroupAlign2d(Window, _Framed):
    """Bring maps to a size on which the steps of the next window end where the map ends.

    ``layer(act(g, f)) == act(g, layer(f))`` exactly, and so does what follows: with
    ``r = (H + 2·padding − dilation·(kernel_size − 1) − 1) % stride`` rows too many, a mean over
    ``(r + 1)×(r + 1)`` windows leaves ``H − r``. The strided layer gives the size that it would
    have given; where ``r = 0`` nothing is done.

    Args:
        group: `P4` or `P4M`.
        channels: fields ``C``, or channels of an image.
        kernel_size: side of the window *that follows*, like all up to `ceil_mode`.
        stride: its step.
        padding: rows that it pads on every side.
        dilation: distance between its taps.
        ceil_mode: the window may hang over the edge; the map is made larger instead, with its
            edge repeated, and the layer that follows wants ``ceil_mode=False``.
        lifted: regular maps; False for images.

    Shape:
        ``(B, C, G, H, W)`` (or without ``G``) to the same with ``H'``, ``W'``.

    Raises:
        ValueError: a tensor of another kind, or no window.

    >>> import torch
    >>> from equivlab.groups import P4
    >>> GroupAlign2d(P4, 8, kernel_size=3, stride=2, padding=1)(torch.ones(1, 8, 4, 8, 9)).shape
    torch.Size([1, 8, 4, 7, 9])
    """

    def __init__(
        self,
        group: PointGroup,
        channels: int,
        kernel_size: Sides,
        stride: Sides,
        padding: Sides = 0,
        dilation: Sides = 1,
        ceil_mode: bool = False,
        *,
        lifted: bool = True,
    ) -> None:
        super().__init__(group, channels, lifted)
        self.set_window(kernel_size, stride, padding, dilation, "zeros")
        self.ceil_mode = ceil_mode

    def frame(self, size: int) -> tuple[int, int]:
        """What is added on both sides, and the side of the mean's window, for maps of `size`."""
        before, after = self.margins
        span = size + before + after - self.reach
        # torch drops a window that would begin in the padding after the map. No `if` on the size,
        # so that the arithmetic can be traced:
        step = self.stride
        hangs = (span // step + 1) * step < size + before if self.ceil_mode else False
        more = (-span % step) * hangs
        margin = (more + 1) // 2
        return margin, 2 * margin - more + 1 + (span % step) * (1 - hangs)

    def extra_repr(self) -> str:
        """The field and the window, for `print(model)`."""
        parts = [str(self.in_field), f"kernel_size={self.kernel_size}", *self.options_text()]
        return ", ".join(parts + (["ceil_mode=True"] if self.ceil_mode else []))


class GroupPad2d(_Framed):
    """Pad by any number of pixels in all, the same on every side.

    ``layer(act(g, f)) == act(g, layer(f))`` exactly. An odd number, such as the one row *below* of
    TensorFlow's ``'same'``, is laid on both sides by half a pixel: one more, then a mean over 2×2.

    Args:
        group: `P4` or `P4M`.
        channels: fields ``C``, or channels of an image.
        total: pixels that each axis gains, on both sides together; below 0 they are cut.
        padding_mode: ``'zeros'``, ``'reflect'``, ``'replicate'`` or ``'circular'``.
        value: what ``'zeros'`` writes.
        lifted: regular maps; False for images.

    Shape:
        ``(B, C, G, H, W)`` (or without ``G``) to ``(B, C, G, H + total, W + total)``.

    Raises:
        TypeError: `total` is no whole number.
        ValueError: a tensor of another kind, or an unknown mode.

    >>> import torch
    >>> from equivlab.groups import P4
    >>> GroupPad2d(P4, 8, 1)(torch.ones(1, 8, 4, 8, 8)).shape
    torch.Size([1, 8, 4, 9, 9])
    """

    def __init__(
        self,
        group: PointGroup,
        channels: int,
        total: int,
        padding_mode: str = "zeros",
        value: float = 0.0,
        *,
        lifted: bool = True,
    ) -> None:
        super().__init__(group, channels, lifted)
        self.total = integer(total, "total", self.label, least=-(10**9))
        if padding_mode not in PADDING_MODES:
            modes = ", ".join(map(repr, PADDING_MODES))
            raise ValueError(f"{self.label}: padding_mode is one of {modes}; got {padding_mode!r}.")
        self.padding_mode = padding_mode
        self.value = value

    def frame(self, size: int) -> tuple[int, int]:
        """What is added on both sides, and the side of the mean's window; for every size."""
        margin = -(-self.total // 2)
        return margin, 2 * margin - self.total + 1

    def _pad(self, maps: Tensor, sides: tuple[int, ...]) -> Tensor:
        mode = "zeros" if min(sides) < 0 else self.padding_mode
        return padded(maps, sides, mode, self.value)

    def extra_repr(self) -> str:
        """The field and what is padded, for `print(model)`."""
        parts = [str(self.in_field), f"total={self.total}"]
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode!r}")
        return ", ".join(parts + ([f"value={self.value}"] if self.value else []))
