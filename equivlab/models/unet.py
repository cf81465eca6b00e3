"""A U-Net, written once with the group as an argument: maps of scores that turn with the image.

>>> from equivlab.groups import P4, SO2, Cyclic
>>> for group in (None, P4, Cyclic(8), SO2):
...     print(group, sum(p.numel() for p in UNet(group, width=16).parameters()))
None 450193
P4 449377
C8 452331
SO2 458854
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equivlab.models.parts import Planar, PlanarParts
from equivlab.models.placing import place

__all__ = ["UNet"]


class UNet(nn.Module):
    """The network of Ronneberger, Fischer & Brox (MICCAI 2015) for segmentation, on any group.

    ``model(act(g, x)) == act(g, model(x))``: the scores of a turned image are the turned scores, to
    rounding for `P4`, `P4M`, `P6` and `P6M` and at quarter turns for the others, on *every* size,
    since halvings and doublings lie symmetrically about the centre. Each level has two convolutions
    with batch norms and ReLU; below it are half as many pixels and twice as many fields; on the way
    up what the level had before is joined again. Before the scores stands ELU: few fields that are
    never negative learn to mark the background alone. In a mask they are then all zero, and the
    scores there are the bias, which is slow.

    Args:
        group: `P4`, `P4M`, `P6`, `P6M`, `Cyclic(n)`, `Dihedral(n)`, `SO2`, `O2`, or None for
            ordinary layers.
        in_channels: channels of the image.
        classes: maps of scores.
        width: channels of the first level of the plain network; with a group there are as many
            fields as give about as many parameters.
        levels: how many sizes there are; every level but the last halves.
        kernel_size: of all convolutions, odd; None is 3, and 5 where filters are harmonics.
        device: where it lives.
        dtype: of its parameters.

    Shape:
        ``(B, in_channels, H, W)`` to ``(B, classes, H, W)``.

    Raises:
        ValueError: an even kernel, no level, or an image of another kind.
    """

    def __init__(
        self,
        group: Planar,
        in_channels: int = 1,
        classes: int = 1,
        width: int = 32,
        *,
        levels: int = 4,
        kernel_size: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        parts = PlanarParts(group)
        size = kernel_size or parts.kernel_size
        if size % 2 == 0 or levels < 1 or width < 1:
            raise ValueError(
                "UNet takes an odd kernel_size, and 1 or more levels and channels; got "
                f"kernel_size={size}, levels={levels}, width={width}."
            )
        self.group = group
        self.levels = levels
        if group is not None:
            self.in_field = parts.scalars(in_channels)
            self.out_field = parts.scalars(classes)
        fields = [parts.fields(width * 2**level, size) for level in range(levels)]
        first = _level(parts, 0, fields[0], size, image=in_channels, smooth=levels == 1)
        lower = [_level(parts, fields[n - 1], fields[n], size) for n in range(1, levels)]
        self.down = nn.ModuleList([first, *lower])
        above = range(levels - 1)
        self.halve = nn.ModuleList(parts.halve(fields[n]) for n in above)
        self.narrow = nn.ModuleList(
            parts.conv(fields[n + 1], fields[n], 1, bias=True) for n in above
        )
        self.enlarge = nn.ModuleList(parts.double(fields[n]) for n in above)
        self.up = nn.ModuleList(
            _level(parts, fields[n], fields[n], size, joined=2, smooth=n == 0) for n in above
        )
        self.head = parts.maps(fields[0], classes)
        place(self, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Scores ``(B, classes, H, W)`` of images ``(B, in_channels, H, W)``."""
        kept = []
        for level in range(self.levels - 1):
            x = self.down[level](x)
            kept.append(x)
            x = self.halve[level](x)
        x = self.down[-1](x)
        for level in reversed(range(self.levels - 1)):
            before = kept[level]
            x = self.enlarge[level](self.narrow[level](x), before.shape[-2:])
            x = self.up[level](torch.cat([before, x], 1))
        scores: Tensor = self.head(x)
        return scores


def _level(
    parts: PlanarParts, before: int, after: int, size: int,
    *, image: int = 0, joined: int = 1, smooth: bool = False,
) -> nn.Sequential:  # fmt: skip
    """Two convolutions with norms, from an image of so many channels or from fields."""
    margin = size // 2
    if image:
        first = parts.lift(image, after, size, padding=margin, bias=False)
    else:
        first = parts.conv(before, after, size, padding=margin, bias=False, joined=joined)
    second = parts.conv(after, after, size, padding=margin, bias=False)
    return nn.Sequential(
        first, parts.norm(after), parts.bend(after),
        second, parts.norm(after), parts.bend(after, smooth=smooth),
    )  # fmt: skip
