"""What a network does about the size of its input, as modules without weights."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.fields import Field
from equivlab.fields.cells import inside_hexagon
from equivlab.nn.window import padded

__all__ = ["EvenSize", "ExactRadius", "ExactSize"]


class _Exact(nn.Module):
    """What brings images to a size on which all strides together are exact."""

    def __init__(
        self,
        step: int,
        field: Field[int] | Field[Tensor] | None = None,
        label: str | None = None,
    ) -> None:
        super().__init__()
        self.step = step
        self.field = field
        self.label = label

    def check(self, x: Tensor) -> None:
        """Raise unless `x` is a tensor of the field, where one was told."""
        if self.field is not None:
            self.field.validate(x, self.label)

    def extra_repr(self) -> str:
        """The step, for `print(model)`."""
        return f"step={self.step}"


class ExactSize(_Exact):
    """Bring images to the next grid of ``step·j + 1`` pixels, its middle in the middle.

    There strides of `step` are exact: ``layer(act(g, x)) == act(g, layer(x))``. An even size is
    averaged over 2×2 windows first, which gives one pixel more, with the edge repeated.

    Args:
        step: what all strides together step by.
        field: what an image must be, where that is to be checked.
        label: who asks, for the message.

    Shape:
        ``(B, C, H, W)`` to ``(B, C, H', W')``.

    >>> import torch
    >>> ExactSize(32)(torch.zeros(1, 1, 64, 65)).shape
    torch.Size([1, 1, 65, 65])
    """

    def forward(self, x: Tensor) -> Tensor:
        """The image on the larger grid; arithmetic alone, so that it can be traced."""
        self.check(x)
        height, width = x.shape[-2], x.shape[-1]
        even_h, even_w = 1 - height % 2, 1 - width % 2
        x = padded(x, (even_w, even_w, even_h, even_h), "replicate")
        x = F.avg_pool2d(x, (1 + even_h, 1 + even_w), stride=1)
        rows = -(height + even_h - 1) % self.step // 2
        columns = -(width + even_w - 1) % self.step // 2
        return padded(x, (columns, columns, rows, rows), "replicate")


class ExactRadius(_Exact):
    """Put rings of zeros around hexagons until `step` divides their radius.

    There strides of `step` in all are exact: ``layer(act(g, x)) == act(g, layer(x))``.

    Args:
        step: what all strides together step by.
        field: what an image must be, where that is to be checked.
        label: who asks, for the message.

    Shape:
        ``(B, C, 2R + 1, 2R + 1)`` to ``(B, C, 2R' + 1, 2R' + 1)``.

    >>> import torch
    >>> ExactRadius(8)(torch.zeros(1, 1, 25, 25)).shape
    torch.Size([1, 1, 33, 33])
    """

    def forward(self, x: Tensor) -> Tensor:
        """The same cells in a larger array; arithmetic alone, so that it can be traced."""
        self.check(x)
        rings = -(x.shape[-1] // 2) % self.step
        return F.pad(inside_hexagon(x), (rings, rings, rings, rings))


class EvenSize(nn.Module):
    """Refuse voxel grids of an odd size, whose middle an even kernel at stride 2 would miss.

    Args:
        label: who asks, for the message.

    Shape:
        ``(B, C, D, D, D)`` to the same.

    Raises:
        ValueError: an odd size.
    """

    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label

    def forward(self, x: Tensor) -> Tensor:
        """The same grid."""
        if x.dim() == 5 and x.shape[-1] % 2:
            raise ValueError(
                f"{self.label} takes grids of an even size; got {tuple(x.shape)}. Pad "
                "one voxel: torch.nn.functional.pad(x, (0, 1, 0, 1, 0, 1))"
            )
        return x
