"""Images as a page shows them: small pictures of three colours, in bytes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.widgets.page.cells import cells_as_picture
from equivlab.widgets.page.view import as_bytes

__all__ = ["PICTURE", "picture_bytes", "shrunk"]

PICTURE = 160  # pixels on a side


def picture_bytes(x: Tensor, hexagons: bool = False) -> bytes:
    """Images ``(N, C, H, H)`` as people see them: ``(N, PICTURE, PICTURE, 3)`` in uint8."""
    shown = x[:, :3] if x.shape[1] >= 3 else x[:, :1].expand(-1, 3, -1, -1)
    low, high = shown.amin((1, 2, 3), keepdim=True), shown.amax((1, 2, 3), keepdim=True)
    if float(low.min()) >= 0 and float(high.max()) <= 1:
        low, high = torch.zeros_like(low), torch.ones_like(high)
    shown = (shown - low) / (high - low).clamp_min(1e-12)
    if hexagons:
        sized = cells_as_picture(shown, PICTURE)
    else:
        sized = F.interpolate(shown, size=(PICTURE, PICTURE), mode="bilinear")
    return as_bytes((255 * sized).round().to(torch.uint8).movedim(1, -1))


def shrunk(pictures: Tensor, largest: int) -> Tensor:
    """Square pictures ``(..., h, h)``, averaged down where they are larger than that."""
    if pictures.shape[-1] <= largest or pictures.numel() == 0:
        return pictures
    small = F.adaptive_avg_pool2d(pictures.flatten(0, -3), largest)
    return small.view(*pictures.shape[:-2], largest, largest)
