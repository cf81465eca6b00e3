"""Pooling of irreps in space: averages, anti-aliased steps, and numbers that nothing turns.

An average of vectors is a vector, so averaging channel by channel obeys the law wherever its
windows do; a maximum of components does not.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.fields.space import IrrepMaps, IrrepPoints, IrrepVectors
from equivlab.nn.base import FieldModule
from equivlab.nn.space_conv import Triple, cube
from equivlab.nn.space_gate import invariants, split_blocks

__all__ = ["IrrepAvgPool3d", "IrrepDownsample3d", "IrrepPointReadout", "IrrepReadout"]

Pooling = Literal["mean", "max", "sum"]
POOLINGS = ("mean", "max", "sum")


class IrrepAvgPool3d(FieldModule):
    """Average over windows, channel by channel.

    ``layer(act(g, f)) == act(g, layer(f))`` exactly where `is_exact` holds for every side.

    Args:
        irreps: what the channels are.
        kernel_size: side of the cubic window in voxels.
        stride: step; the kernel size if None.
        padding: voxels of zeros on every side.

    Shape:
        ``(B, C, D, H, W)`` to ``(B, C, D', H', W')`` as `torch.nn.AvgPool3d`.

    Raises:
        ValueError: a tensor of another kind, or smaller than the window.
    """

    in_field: IrrepMaps

    def __init__(
        self,
        irreps: Any,
        kernel_size: Triple,
        stride: Triple | None = None,
        padding: Triple = 0,
    ) -> None:
        super().__init__(IrrepMaps(irreps), IrrepMaps(irreps))
        self.label = f"IrrepAvgPool3d({self.in_field.irreps})"
        self.kernel_size = cube(kernel_size, "kernel_size", self.label)
        step = kernel_size if stride is None else stride
        self.stride = cube(step, "stride", self.label)
        self.padding = cube(padding, "padding", self.label)
        if self.kernel_size < 1 or self.stride < 1 or not 0 <= self.padding <= self.kernel_size / 2:
            raise ValueError(
                f"{self.label} takes kernel_size and stride of 1 or more and padding up to half "
                f"the kernel; got {self.kernel_size}, {self.stride} and {self.padding}."
            )

    def is_exact(self, size: int) -> bool:
        """Is the law exact for the 24 rotations of the cube on grids of `size`?"""
        return (size + 2 * self.padding - self.kernel_size) % self.stride == 0

    def forward(self, x: Tensor) -> Tensor:
        """Average ``(B, C, D, H, W)`` over windows."""
        self.check(x)
        if min(x.shape[2:]) + 2 * self.padding < self.kernel_size:
            raise ValueError(
                f"{self.label} averages windows of {self.kernel_size} voxels; got grids of "
                f"{tuple(x.shape[2:])} with padding={self.padding}. Use a smaller kernel_size."
            )
        return F.avg_pool3d(x, self.kernel_size, self.stride, self.padding)

    def extra_repr(self) -> str:
        """The field and the window, for `print(model)`."""
        window = f"kernel_size={self.kernel_size}, stride={self.stride}"
        return f"{self.in_field}, {window}, padding={self.padding}"


class IrrepDownsample3d(FieldModule):
    """Blur, then keep every `stride`-th voxel: anti-aliased, and exact on *every* size.

    ``layer(act(g, f)) == act(g, layer(f))``. The blur is that of `GroupDownsample2d`, along the
    three axes in turn: ``1 2 1`` at stride 2 on odd sizes, ``1 2 2 1`` on even ones, so that the
    kept voxels lie symmetrically about the centre. Weiler et al. (NeurIPS 2018) found the
    low-pass decisive: without it a free rotation costs a steerable network its accuracy.

    Args:
        irreps: what the channels are.
        stride: factor of the reduction.
        size: voxels along each axis of the input, where that is known. It is then checked, and
            the layer has a plain twin of `torch.nn.AvgPool3d` for `equivlab.transfer.to_plain`.

    Shape:
        ``(B, C, D, H, W)`` to ``(B, C, ⌈D/stride⌉, ⌈H/stride⌉, ⌈W/stride⌉)``.

    Raises:
        ValueError: a tensor of another kind or size, or a stride below 1.

    >>> halve = IrrepDownsample3d("8x0e")
    >>> halve(torch.randn(1, 8, 16, 16, 16)).shape, halve(torch.randn(1, 8, 9, 9, 9)).shape
    (torch.Size([1, 8, 8, 8, 8]), torch.Size([1, 8, 5, 5, 5]))
    """

    in_field: IrrepMaps

    def __init__(self, irreps: Any, stride: Triple = 2, size: int | None = None) -> None:
        super().__init__(IrrepMaps(irreps), IrrepMaps(irreps))
        self.label = f"IrrepDownsample3d({self.in_field.irreps})"
        self.stride = cube(stride, "stride", self.label)
        self.size = size
        if self.stride < 1:
            raise ValueError(f"{self.label}: stride must be 1 or more; got {stride}.")

    def is_exact(self, size: int) -> bool:
        """True: the blur follows the size."""
        return True

    def windows(self, size: int) -> tuple[int, int]:
        """The sides of the two averages whose product is the blur, on `size` voxels."""
        left = size - self.stride * ((size - 1) // self.stride)  # voxels from the last step on
        return self.stride, self.stride + left - 1

    def forward(self, x: Tensor) -> Tensor:
        """Blur and subsample ``(B, C, D, H, W)``, each channel by itself."""
        self.check(x)
        if self.size is not None and any(side != self.size for side in x.shape[2:]):
            raise ValueError(
                f"{self.label} was made for grids of size={self.size}; got {tuple(x.shape[2:])}. "
                "Make it with that size, or with size=None for every size."
            )
        for axis in (-1, -2, -3):
            blur = _blur(x.shape[axis], self.stride, *self.windows(x.shape[axis])).to(x)
            x = (x.transpose(axis, -1) @ blur.mT).transpose(axis, -1)
        return x.contiguous()

    def extra_repr(self) -> str:
        """The field and the stride, for `print(model)`."""
        size = "" if self.size is None else f", size={self.size}"
        return f"{self.in_field}, stride={self.stride}{size}"


@lru_cache(maxsize=64)
def _blur(size: int, stride: int, first: int, second: int) -> Tensor:
    """Blur and steps along one axis, ``(⌈size/stride⌉, size)``; edge voxels are repeated."""
    taps = torch.ones(first + second - 1, dtype=torch.float64).cumsum(0)
    taps = torch.minimum(taps, taps.flip(0)).clamp(max=min(first, second))
    taps = taps / taps.sum()
    out = torch.zeros(-(-size // stride), size, dtype=torch.float64)
    for row in range(len(out)):
        for tap, weight in enumerate(taps):
            at = row * stride + tap - (stride - 1)
            out[row, min(max(at, 0), size - 1)] += weight
    return out


class IrrepReadout(FieldModule):
    """Forget direction and place: one number per feature that no rotation changes.

    ``layer(act(g, f)) == layer(f)``: scalars ``0e`` and the lengths of all else at each voxel,
    then over space.

    Args:
        irreps: what the channels are.
        space: over the voxels: ``'mean'``, ``'max'``, or ``'rms'``, the root of the mean square. A
            length has a kink where the feature is 0, which no grid resolves; its square has none,
            so ``'rms'`` changes least in free rotations.

    Shape:
        ``(B, C, D, H, W)`` to ``(B, F)``, one number for each of the ``F`` features.

    Raises:
        ValueError: an unknown mode, or a tensor of another kind.

    >>> IrrepReadout("8x0e + 4x1o")
    IrrepReadout(IrrepMaps('8x0e+4x1o') -> IrrepVectors('12x0e'), space='mean')
    """

    in_field: IrrepMaps

    def __init__(self, irreps: Any, space: Literal["mean", "max", "rms"] = "mean") -> None:
        field = IrrepMaps(irreps)
        super().__init__(field, IrrepVectors(f"{field.irreps.num_irreps}x0e"))
        self.label = f"IrrepReadout({field.irreps})"
        check_pooling(space, self.label, ("mean", "max", "rms"))
        self.space = space

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``(B, C, D, H, W)`` to ``(B, F)``."""
        if self.space == "rms":
            return root_mean_squares(self.in_field.irreps, self.check(x))
        numbers = invariants(self.in_field.irreps, self.check(x)).flatten(2)  # (B, F, D·H·W)
        return numbers.mean(2) if self.space == "mean" else numbers.amax(2)

    def extra_repr(self) -> str:
        """The fields and the mode, for `print(model)`."""
        return f"{super().extra_repr()}, space={self.space!r}"


def root_mean_squares(irreps: Any, x: Tensor) -> Tensor:
    """``sqrt(mean(|v|²))`` over the voxels, of each feature: ``(B, C, D, H, W)`` to ``(B, F)``."""
    squares = x.flatten(2).square().mean(2)  # (B, C)
    parts = [
        part.unflatten(1, (multiplicity, irrep.dim)).sum(2)
        for (multiplicity, irrep), part in zip(irreps, split_blocks(irreps, squares), strict=True)
    ]
    tiny = torch.finfo(x.dtype).tiny ** 0.5  # the slope of the root at 0 is not finite
    return torch.cat(parts, 1).clamp_min(tiny).sqrt()


class IrrepPointReadout(FieldModule):
    """Forget direction and place in each cloud: one number per feature that no motion changes.

    ``layer(act(g, f)) == layer(f)``: scalars ``0e`` and the lengths of all else at each point,
    then over the points of each cloud.

    Args:
        irreps: what the channels are.
        space: over the points: ``'mean'``, ``'max'`` or ``'sum'`` (energies add up).

    Shape:
        ``(N, C)`` and the clouds' numbers ``(N,)`` to ``(B, F)``.

    Raises:
        ValueError: an unknown mode, a tensor of another kind, or a cloud without points.
    """

    in_field: IrrepPoints

    def __init__(self, irreps: Any, space: Pooling = "mean") -> None:
        field = IrrepPoints(irreps)
        super().__init__(field, IrrepVectors(f"{field.irreps.num_irreps}x0e"))
        self.label = f"IrrepPointReadout({field.irreps})"
        check_pooling(space, self.label)
        self.space = space

    def forward(self, x: Tensor, batch: Tensor | None = None) -> Tensor:
        """Pool ``(N, C)`` to ``(B, F)``; without `batch` all points are one cloud."""
        numbers = invariants(self.in_field.irreps, self.check(x))
        if batch is None:
            batch = torch.zeros(len(x), dtype=torch.long, device=x.device)
        return pool_points(numbers, batch, self.space, self.label)

    def extra_repr(self) -> str:
        """The fields and the mode, for `print(model)`."""
        return f"{super().extra_repr()}, space={self.space!r}"


def pool_points(x: Tensor, batch: Tensor, space: str, label: str) -> Tensor:
    """Sum, mean or maximum ``(B, C)`` of the points ``(N, C)`` of each cloud ``batch (N,)``.

    Raises:
        ValueError: a number between 0 and the highest of `batch` has no points.
    """
    counts = torch.bincount(batch)
    if bool((counts == 0).any()):
        empty = int((counts == 0).nonzero()[0, 0])
        raise ValueError(
            f"{label}: cloud {empty} of {len(counts)} has no points. Leave empty clouds out and "
            "number the others 0, 1, 2, …"
        )
    out = x.new_zeros(len(counts), x.shape[1])
    if space == "max":
        index = batch[:, None].expand_as(x)
        return out.scatter_reduce(0, index, x, "amax", include_self=False)
    total = out.index_add(0, batch, x)
    return total if space == "sum" else total / counts[:, None].to(x)


def check_pooling(space: str, label: str, known: tuple[str, ...] = POOLINGS) -> None:
    """Raise `ValueError` unless `space` is a known way to pool."""
    if space not in known:
        raise ValueError(f"{label} pools by one of {', '.join(known)}; got {space!r}.")
