"""Pooling over windows, map by map, and anti-aliased downsampling.

Windows stepped over a map obey the same rule as a strided convolution: exact if and only if
``(H + 2·padding − dilation·(kernel_size − 1) − 1) % stride == 0``. So `GroupMaxPool2d` with
kernel 2 is exact on even sizes and not on odd ones; `GroupDownsample2d` is exact on every size.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.fields import RegularMaps
from equivlab.groups import PointGroup
from equivlab.nn.base import FieldModule, square

__all__ = ["GroupAvgPool2d", "GroupDownsample2d", "GroupMaxPool2d"]

Pair = int | tuple[int, int]


class _WindowPool(FieldModule):
    """What maximum and average over windows share."""

    dilation = 1
    ceil_mode: bool

    def __init__(
        self,
        group: PointGroup,
        channels: int,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(RegularMaps(group, channels), RegularMaps(group, channels))
        self.kernel_size = square(kernel_size, "kernel_size", self.label)
        step = kernel_size if stride is None else stride
        self.stride = square(step, "stride", self.label)
        self.padding = square(padding, "padding", self.label)
        self.ceil_mode = ceil_mode
        if self.kernel_size < 1 or self.stride < 1 or not 0 <= self.padding <= self.kernel_size / 2:
            raise ValueError(
                f"{self.label} takes kernel_size and stride of 1 or more and padding up to half "
                f"the kernel; got {self.kernel_size}, {self.stride} and {self.padding}."
            )

    def is_exact(self, size: int) -> bool:
        """Is the law exact for maps with `size` rows and columns?"""
        reach = size + 2 * self.padding - self.dilation * (self.kernel_size - 1) - 1
        return reach % self.stride == 0

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``(B, C, G, H, W)`` over windows, each map by itself."""
        self.check(x)
        reach = self.dilation * (self.kernel_size - 1) + 1
        if min(x.shape[-2:]) + 2 * self.padding < reach:
            raise ValueError(
                f"{self.label} pools windows of {reach} pixels; got maps of "
                f"{tuple(x.shape[-2:])} with padding={self.padding}. Use a smaller kernel_size."
            )
        pooled = self._pool(x.flatten(1, 2))  # (B, C·G, H', W')
        return pooled.view(*x.shape[:3], *pooled.shape[-2:])

    def _pool(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def extra_repr(self) -> str:
        """The field and the window, for `print(model)`."""
        window = f"kernel_size={self.kernel_size}, stride={self.stride}"
        return f"{self.in_field}, {window}, padding={self.padding}"


class GroupMaxPool2d(_WindowPool):
    """Maximum over windows of each map of a regular field.

    ``layer(act(g, f)) == act(g, layer(f))`` exactly where `is_exact(H)` and `is_exact(W)`; a
    window that ends short of the frame is not, with relative errors near 1: use
    `GroupDownsample2d` there.

    Args:
        group: `P4` or `P4M`.
        channels: regular fields ``C``.
        kernel_size: side of the square window in pixels.
        stride: step; the kernel size if None.
        padding: rows of −∞ on every side.
        dilation: distance between the pixels of a window.
        ceil_mode: let the last window hang over the edge (exact only where it does not).

    Shape:
        ``(B, C, G, H, W)`` to ``(B, C, G, H', W')`` as `torch.nn.MaxPool2d`.

    Raises:
        ValueError: a tensor of another kind, or smaller than the window.
    """

    def __init__(
        self,
        group: PointGroup,
        channels: int,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        dilation: Pair = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(group, channels, kernel_size, stride, padding, ceil_mode)
        self.dilation = square(dilation, "dilation", self.label)

    def _pool(self, x: Tensor) -> Tensor:
        return F.max_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )


class GroupAvgPool2d(_WindowPool):
    """Average over windows of each map of a regular field.

    ``layer(act(g, f)) == act(g, layer(f))`` exactly where `is_exact(H)` and `is_exact(W)`.

    Args:
        group: `P4` or `P4M`.
        channels: regular fields ``C``.
        kernel_size: side of the square window in pixels.
        stride: step; the kernel size if None.
        padding: rows of zeros on every side.
        ceil_mode: let the last window hang over the edge (exact only where it does not).
        count_include_pad: count the zeros of the padding in the average.
        divisor_override: divide by this number instead of the window's size.

    Shape:
        ``(B, C, G, H, W)`` to ``(B, C, G, H', W')`` as `torch.nn.AvgPool2d`.

    Raises:
        ValueError: a tensor of another kind, or smaller than the window.
    """

    def __init__(
        self,
        group: PointGroup,
        channels: int,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(group, channels, kernel_size, stride, padding, ceil_mode)
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def _pool(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class GroupDownsample2d(FieldModule):
    """Blur, then keep every `stride`-th pixel: anti-aliased, and exact on *every* size.

    ``layer(act(g, f)) == act(g, layer(f))``. The blur is a box of `stride` pixels, which
    removes the frequency that would alias to a constant, followed by a second box. The second
    box is one pixel longer for each row by which the size misses the grid of the steps, so the
    kept points always lie symmetrically about the centre: ``1 2 1`` at stride 2 on odd sizes,
    ``1 2 2 1`` on even ones (after Zhang, *Making Convolutional Networks Shift-Invariant
    Again*, ICML 2019; the choice by parity is ours).

    Args:
        group: `P4` or `P4M`.
        channels: regular fields ``C``.
        stride: factor of the reduction.
        padding_mode: ``'replicate'``, ``'zeros'``, ``'reflect'`` or ``'circular'``.

    Shape:
        ``(B, C, G, H, W)`` to ``(B, C, G, ⌈H/stride⌉, ⌈W/stride⌉)``.

    Raises:
        ValueError: a tensor of another kind, a stride below 1, or an unknown padding.

    >>> import torch
    >>> from equivlab.groups import P4
    >>> halve = GroupDownsample2d(P4, 8)
    >>> halve(torch.randn(1, 8, 4, 28, 28)).shape, halve(torch.randn(1, 8, 4, 15, 15)).shape
    (torch.Size([1, 8, 4, 14, 14]), torch.Size([1, 8, 4, 8, 8]))
    """

    MODES: ClassVar[dict[str, str]] = {
        "replicate": "replicate",
        "zeros": "constant",
        "reflect": "reflect",
        "circular": "circular",
    }

    def __init__(
        self,
        group: PointGroup,
        channels: int,
        stride: Pair = 2,
        padding_mode: str = "replicate",
    ) -> None:
        super().__init__(RegularMaps(group, channels), RegularMaps(group, channels))
        self.stride = square(stride, "stride", self.label)
        if self.stride < 1:
            raise ValueError(f"{self.label}: stride must be 1 or more; got {stride}.")
        if padding_mode not in self.MODES:
            modes = ", ".join(map(repr, self.MODES))
            raise ValueError(f"{self.label}: padding_mode is one of {modes}; got {padding_mode!r}.")
        self.padding_mode = padding_mode

    def is_exact(self, size: int) -> bool:
        """True: the blur follows the size."""
        return True

    def blur(self, size: int) -> Tensor:
        """The one-dimensional filter used on maps with `size` rows; it sums to 1."""
        s = self.stride
        left = size - s * ((size - 1) // s)  # pixels from the last step on: 1 to s
        second = s + left - 1
        taps = torch.ones(s + second - 1, dtype=torch.float64).cumsum(0)
        taps = torch.minimum(taps, taps.flip(0)).clamp(max=s)
        return taps / taps.sum()

    def forward(self, x: Tensor) -> Tensor:
        """Blur and subsample ``(B, C, G, H, W)``, each map by itself."""
        self.check(x)
        maps = x.flatten(1, 2)  # (B, C·G, H, W)
        margin = self.stride - 1
        maps = F.pad(maps, 4 * (margin,), self.MODES[self.padding_mode])
        window = torch.outer(self.blur(x.shape[-2]), self.blur(x.shape[-1])).to(x)
        filters = window.expand(maps.shape[1], 1, *window.shape)
        kept = F.conv2d(maps, filters, stride=self.stride, groups=maps.shape[1])
        return kept.view(*x.shape[:3], *kept.shape[-2:])

    def extra_repr(self) -> str:
        """The field and the stride, for `print(model)`."""
        return f"{self.in_field}, stride={self.stride}, padding_mode={self.padding_mode!r}"
