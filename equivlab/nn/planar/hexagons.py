"""Windows and means on hexagons: over their cells only, never over the rest of the array.

Arithmetic alone, without a question about the numbers, so that `equivlab.transfer.to_plain` can
take it down as a graph of torch's own operations.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.fields.cells import inside_hexagon, outside_hexagon

__all__ = ["averages", "blur", "blurred", "cell_mean", "doubled", "largest", "maxima", "spread"]

DIRECTIONS = ((0, 1), (1, -1), (-1, 0))  # rows and columns of three steps that come back


def windows(x: Tensor, kernel_size: int, stride: int, dilation: int = 1) -> list[Tensor]:
    """What each cell of a window sees as it steps over ``(..., n, n)``; 7, 19, 37, … tensors."""
    last = kernel_size - 1
    rows, columns = x.shape[-2], x.shape[-1]
    return [
        x[
            ...,
            r * dilation : rows - (last - r) * dilation : stride,
            c * dilation : columns - (last - c) * dilation : stride,
        ]
        for r in range(kernel_size)
        for c in range(kernel_size)
        if abs(r + c - last) <= last // 2
    ]


def maxima(x: Tensor, kernel_size: int, stride: int, padding: int, dilation: int = 1) -> Tensor:
    """The largest number of each window among the cells of the hexagon."""
    cells = torch.where(outside_hexagon(x), -torch.inf, x)
    cells = F.pad(cells, 4 * (padding,), value=-torch.inf)
    # All at once: among equals amax shares the gradient, as the law wants.
    return inside_hexagon(torch.stack(windows(cells, kernel_size, stride, dilation)).amax(0))


def averages(
    x: Tensor,
    kernel_size: int,
    stride: int,
    padding: int,
    *,
    count_outside: bool = True,
    divisor: int | None = None,
) -> Tensor:
    """The mean of each window.

    Args:
        x: hexagons ``(..., 2R + 1, 2R + 1)``.
        kernel_size: of the window.
        stride: its step.
        padding: rings of zeros around the hexagon.
        count_outside: divide by the cells of the window; else by those in the hexagon.
        divisor: divide by this instead.
    """
    sides = 4 * (padding,)
    seen = windows(F.pad(inside_hexagon(x), sides), kernel_size, stride)
    total, count = torch.stack(seen).sum(0), divisor or len(seen)
    if count_outside or divisor:
        return inside_hexagon(total / count)
    known = F.pad((~outside_hexagon(x)).to(x.dtype), sides)
    counts = torch.stack(windows(known, kernel_size, stride)).sum(0).clamp_min(1)
    return inside_hexagon(total / counts)


def doubled(x: Tensor, size: tuple[int, ...] | None, label: str) -> Tensor:
    """Twice the radius, ``(B, C, 4R + 1, 4R + 1)``, or one ring less.

    Every other cell is an old one, those between two are their mean.

    Args:
        x: hexagons ``(B, C, 2R + 1, 2R + 1)``.
        size: rows and columns of the result, ``4R + 1`` or ``4R − 1``; the first if None.
        label: who asks, for the message.

    Raises:
        ValueError: another size.
    """
    side = 2 * x.shape[-1] - 1
    wanted = (side, side) if size is None else tuple(size)
    if wanted not in ((side, side), (side - 2, side - 2)):
        raise ValueError(
            f"{label} doubles a radius of {x.shape[-1] // 2} to {side // 2} or {side // 2 - 1}, "
            f"arrays of {side} or {side - 2} a side; got size={wanted}."
        )
    return spread(x, wanted[0])


def spread(x: Tensor, side: int) -> Tensor:
    """What `doubled` gives, ``(B, C, side, side)``, for a size that is known to fit."""
    tent = x.new_tensor([[0.0, 0.5, 0.5], [0.5, 1.0, 0.5], [0.5, 0.5, 0.0]])
    each = tent.expand(x.shape[1], 1, 3, 3)
    cells = F.conv_transpose2d(inside_hexagon(x), each, stride=2, padding=1, groups=x.shape[1])
    rim = (2 * x.shape[-1] - 1 - side) // 2
    return inside_hexagon(cells[..., rim : rim + side, rim : rim + side])


def cell_mean(x: Tensor) -> Tensor:
    """The mean over the cells of ``(..., 2R + 1, 2R + 1)``."""
    radius = x.shape[-1] // 2
    return inside_hexagon(x).sum((-2, -1)) / (3 * radius * (radius + 1) + 1)


def largest(x: Tensor) -> Tensor:
    """The largest number among the cells."""
    return torch.where(outside_hexagon(x), -torch.inf, x).amax((-2, -1))


def blurred(x: Tensor, stride: int) -> Tensor:
    """Every `stride`-th cell of a hexagon, from its middle, of what `blur` makes of it."""
    margin = stride - 1 + -(x.shape[-1] // 2) % stride  # to the first step, which may lie outside
    cells = F.pad(inside_hexagon(x), 4 * (margin,))
    filters = blur(stride).to(x).expand(x.shape[1], 1, -1, -1)
    return inside_hexagon(F.conv2d(cells, filters, stride=stride, groups=x.shape[1]))


def blur(stride: int) -> Tensor:
    """The filter ``(2s − 1, 2s − 1)`` for steps of ``s``: three boxes along the three axes.

    Every cell gives as much in all to the cells that are kept, and every kept cell takes 1 in all.

    >>> 8 * blur(2)
    tensor([[0., 1., 1.],
            [1., 2., 1.],
            [1., 1., 0.]], dtype=torch.float64)
    """
    side = 2 * stride - 1
    filter_ = torch.zeros(side, side, dtype=torch.float64)
    filter_[stride - 1, stride - 1] = 1
    for rows, columns in DIRECTIONS:
        copies = [filter_.roll((n * rows, n * columns), (0, 1)) for n in range(stride)]
        filter_ = torch.stack(copies).sum(0)
    return filter_ / stride**3
