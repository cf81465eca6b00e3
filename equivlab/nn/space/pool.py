"""Pooling of irreps in space: averages, anti-aliased steps, and numbers that nothing turns.

An average of vectors is a vector, so averaging channel by channel obeys the law wherever its
windows do; a maximum of components does not.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.fields.invariant import Invariant
from equivlab.fields.irreps import Irreps
from equivlab.fields.space import IrrepMaps
from equivlab.nn.base import FieldModule, integer
from equivlab.nn.space.features import Features, features_of, split_features
from equivlab.nn.space.gate import invariants
from equivlab.nn.window import Sides, Window, one_side
from equivlab.so3 import SO3
from equivlab.tables import remembered

__all__ = ["IrrepAvgPool3d", "IrrepDownsample3d", "IrrepReadout"]


class IrrepAvgPool3d(Window, FieldModule):
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
    padding: int
    axes = 3

    def __init__(
        self,
        irreps: Irreps | str,
        kernel_size: Sides,
        stride: Sides | None = None,
        padding: Sides = 0,
    ) -> None:
        super().__init__(IrrepMaps(irreps), IrrepMaps(irreps))
        self.label = f"IrrepAvgPool3d({self.in_field.irreps})"
        self.set_pool(kernel_size, stride, padding)

    def check(self, x: Tensor) -> Tensor:
        """Return `x` if this layer can take it, else raise with the remedy."""
        return self.check_size(super().check(x))

    def forward(self, x: Tensor) -> Tensor:
        """Average ``(B, C, D, H, W)`` over windows."""
        return F.avg_pool3d(self.check(x), self.kernel_size, self.stride, self.padding)

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

    def __init__(self, irreps: Irreps | str, stride: Sides = 2, size: int | None = None) -> None:
        super().__init__(IrrepMaps(irreps), IrrepMaps(irreps))
        self.label = f"IrrepDownsample3d({self.in_field.irreps})"
        self.stride = one_side(stride, 3, "stride", self.label)
        self.size = None if size is None else integer(size, "size", self.label)

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


@remembered(maxsize=64)
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
    IrrepReadout(IrrepMaps('8x0e+4x1o') -> Invariant(SO3, 12), space='mean')
    """

    in_field: IrrepMaps

    def __init__(self, irreps: Irreps | str, space: Literal["mean", "max", "rms"] = "mean") -> None:
        field = IrrepMaps(irreps)
        super().__init__(field, Invariant(SO3, field.irreps.num_irreps))
        self.label = f"IrrepReadout({field.irreps})"
        self.features = features_of(field.irreps)
        check_pooling(space, self.label, ("mean", "max", "rms"))
        self.space = space

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``(B, C, D, H, W)`` to ``(B, F)``."""
        if self.space == "rms":
            return root_mean_squares(self.features, self.check(x))
        numbers = invariants(self.features, self.check(x)).flatten(2)  # (B, F, D·H·W)
        return numbers.mean(2) if self.space == "mean" else numbers.amax(2)

    def extra_repr(self) -> str:
        """The fields and the mode, for `print(model)`."""
        return f"{super().extra_repr()}, space={self.space!r}"


def root_mean_squares(features: tuple[Features, ...], x: Tensor) -> Tensor:
    """``sqrt(mean(|v|²))`` over the voxels, of each feature: ``(B, C, D, H, W)`` to ``(B, F)``."""
    squares = x.flatten(2).square().mean(2)  # (B, C)
    parts = [
        part.unflatten(1, (block.count, block.dim)).sum(2)
        for block, part in zip(features, split_features(features, squares), strict=True)
    ]
    tiny = torch.finfo(x.dtype).tiny ** 0.5  # the slope of the root at 0 is not finite
    return torch.cat(parts, 1).clamp_min(tiny).sqrt()


def check_pooling(space: str, label: str, known: tuple[str, ...]) -> None:
    """Raise `ValueError` unless `space` is a known way to pool."""
    if space not in known:
        raise ValueError(f"{label} pools by one of {', '.join(known)}; got {space!r}.")
