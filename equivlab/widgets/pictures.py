"""Images as a page shows them: small pictures of three colours, in bytes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.widgets.pages import as_bytes

__all__ = ["PICTURE", "picture_bytes"]

PICTURE = 160  # pixels on a side


def picture_bytes(x: Tensor) -> bytes:
    """Images ``(N, C, H, H)`` as people see them: ``(N, PICTURE, PICTURE, 3)`` in uint8."""
    shown = x[:, :3] if x.shape[1] >= 3 else x[:, :1].expand(-1, 3, -1, -1)
    low, high = shown.amin((1, 2, 3), keepdim=True), shown.amax((1, 2, 3), keepdim=True)
    if float(low.min()) >= 0 and float(high.max()) <= 1:
        low, high = torch.zeros_like(low), torch.ones_like(high)
    shown = (shown - low) / (high - low).clamp_min(1e-12)
    sized = F.interpolate(shown, size=(PICTURE, PICTURE), mode="bilinear")
    return as_bytes((255 * sized).round().to(torch.uint8).movedim(1, -1))
