"""Pooling over windows, map by map, and anti-aliased downsampling.

Windows stepped over a map obey the same rule as a strided convolution: exact if and only if
``(H + 2·padding − dilation·(kernel_size − 1) − 1) % stride == 0``. So `GroupMaxPool2d` with
kernel 2 is exact on even sizes and not on odd ones; `GroupDownsample2d` is exact on every size.

On hexagons a window of 3 has 7 cells; what lies outside counts for nothing in a maximum and as
zeros in a mean. Steps that miss the middle are refused, see `equivlab.nn.planar.window`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.fields import RegularMaps
from equivlab.groups import PointGroup
from equivlab.nn.base import FieldModule, integer
from equivlab.nn.planar.hexagons import averages, blur, blurred, maxima
from equivlab.nn.planar.window import PlanarWindow, only_zeros
from equivlab.nn.window import PADDING_MODES, Sides, one_side, padded

__all__ = ["GroupAvgPool2d", "GroupDownsample2d", "GroupMaxPool2d"]


class _WindowPool(PlanarWindow, FieldModule):
    """What maximum and average over windows share."""

    in_field: RegularMaps
    padding: int

    def __init__(self, group: PointGroup, channels: int) -> None:
        field = RegularMaps(group, integer(channels, "channels", type(self).__name__))
        super().__init__(field, field)

    def check(self, x: Tensor) -> Tensor:
        """Return `x` if this layer can take it, else raise with the remedy."""
        return self.check_size(super().check(x))

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``(B, C, G, H, W)`` over windows, each map by itself."""
        pooled = self._pool(self.check(x).flatten(1, 2))  # (B, C·G, H', W')
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
        group: `P4` or `P4M`; `P6` or `P6M` on hexagons.
        channels: regular fields ``C``.
        kernel_size: side of the square window in pixels; odd on hexagons.
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
        kernel_size: Sides,
        stride: Sides | None = None,
        padding: Sides = 0,
        dilation: Sides = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(group, channels)
        self.set_pool(kernel_size, stride, padding, dilation)
        self.ceil_mode = ceil_mode

    def _pool(self, x: Tensor) -> Tensor:
        if self.in_field.on_hexagons:
            return maxima(x, self.kernel_size, self.stride, self.padding, self.dilation)
        return F.max_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )


class GroupAvgPool2d(_WindowPool):
    """Average over windows of each map of a regular field.

    ``layer(act(g, f)) == act(g, layer(f))`` exactly where `is_exact(H)` and `is_exact(W)`.

    Args:
        group: `P4` or `P4M`; `P6` or `P6M` on hexagons.
        channels: regular fields ``C``.
        kernel_size: side of the square window in pixels; odd on hexagons.
        stride: step; the kernel size if None.
        padding: rows of zeros on every side.
        ceil_mode: let the last window hang over the edge (exact only where it does not).
        count_include_pad: count the zeros of the padding in the average; on hexagons all zeros
            outside.
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
        kernel_size: Sides,
        stride: Sides | None = None,
        padding: Sides = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(group, channels)
        self.set_pool(kernel_size, stride, padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def averaged(self, x: Tensor) -> Tensor:
        """What `forward` gives on hexagons ``(..., 2R + 1, 2R + 1)``."""
        return averages(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            count_outside=self.count_include_pad,
            divisor=self.divisor_override,
        )

    def _pool(self, x: Tensor) -> Tensor:
        if self.in_field.on_hexagons:
            return self.averaged(x)
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

    On hexagons the blur is three boxes of `stride` cells along the three axes, ``2`` amid six
    ``1`` at stride 2, with zeros beyond; radius ``R`` becomes ``⌈R/stride⌉``.

    Args:
        group: `P4` or `P4M`; `P6` or `P6M` on hexagons.
        channels: regular fields ``C``.
        stride: factor of the reduction.
        padding_mode: ``'replicate'`` (if None), ``'zeros'``, ``'reflect'`` or ``'circular'``; on
            hexagons ``'zeros'`` only.

    Shape:
        ``(B, C, G, H, W)`` to ``(B, C, G, ⌈H/stride⌉, ⌈W/stride⌉)``; on hexagons to
        ``2⌈R/stride⌉ + 1`` rows and columns, of ``2R + 1``.

    Raises:
        ValueError: a tensor of another kind, a stride below 1, or an unknown padding.

    >>> import torch
    >>> from equivlab.groups import P4
    >>> halve = GroupDownsample2d(P4, 8)
    >>> halve(torch.randn(1, 8, 4, 28, 28)).shape, halve(torch.randn(1, 8, 4, 15, 15)).shape
    (torch.Size([1, 8, 4, 14, 14]), torch.Size([1, 8, 4, 8, 8]))
    """

    in_field: RegularMaps
    out_field: RegularMaps

    def __init__(
        self,
        group: PointGroup,
        channels: int,
        stride: Sides = 2,
        padding_mode: str | None = None,
    ) -> None:
        field = RegularMaps(group, integer(channels, "channels", type(self).__name__))
        super().__init__(field, field)
        self.stride = one_side(stride, 2, "stride", self.label)
        if padding_mode is None:
            padding_mode = "zeros" if field.on_hexagons else "replicate"
        if padding_mode not in PADDING_MODES:
            modes = ", ".join(map(repr, PADDING_MODES))
            raise ValueError(f"{self.label}: padding_mode is one of {modes}; got {padding_mode!r}.")
        if field.on_hexagons:
            only_zeros(padding_mode, self.label)
        self.padding_mode = padding_mode

    def is_exact(self, size: int) -> bool:
        """True: the blur follows the size."""
        return True

    def blur(self, size: int) -> Tensor:
        """The one-dimensional filter for maps with `size` rows, or that for hexagons; sums to 1."""
        return blur(self.stride) if self.in_field.on_hexagons else blur_taps(size, self.stride)

    def forward(self, x: Tensor) -> Tensor:
        """Blur and subsample ``(B, C, G, H, W)``, each map by itself."""
        maps = self.check(x).flatten(1, 2)  # (B, C·G, H, W)
        if self.in_field.on_hexagons:
            kept = blurred(maps, self.stride)
        else:
            kept = blur_and_step(maps, self.stride, self.padding_mode)
        return kept.view(*x.shape[:3], *kept.shape[-2:])

    def extra_repr(self) -> str:
        """The field and the stride, for `print(model)`."""
        return f"{self.in_field}, stride={self.stride}, padding_mode={self.padding_mode!r}"


def blur_taps(size: int, stride: int) -> Tensor:
    """The filter of two boxes for axes of `size` pixels, float64; it sums to 1."""
    left = size - stride * ((size - 1) // stride)  # pixels from the last step on: 1 to stride
    second = stride + left - 1
    taps = torch.ones(stride + second - 1, dtype=torch.float64).cumsum(0)
    taps = torch.minimum(taps, taps.flip(0)).clamp(max=stride)
    return taps / taps.sum()


def blur_and_step(maps: Tensor, stride: int, padding_mode: str) -> Tensor:
    """Blur maps ``(B, C, H, W)``, each by itself, and keep every `stride`-th pixel."""
    maps = padded(maps, 4 * (stride - 1,), padding_mode)
    rows, columns = (size - 2 * (stride - 1) for size in maps.shape[-2:])
    window = torch.outer(blur_taps(rows, stride), blur_taps(columns, stride)).to(maps)
    filters = window.expand(maps.shape[1], 1, *window.shape)
    return F.conv2d(maps, filters, stride=stride, groups=maps.shape[1])
