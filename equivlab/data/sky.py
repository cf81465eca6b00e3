"""Pieces of the Hubble eXtreme Deep Field, where no orientation is the right one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.imports import needs_extra

__all__ = ["sky_images"]

# Middles (row, column) in the 872×1000 picture, each with a bright galaxy or two.
PLACES = [(318, 330), (155, 460), (425, 475), (85, 300), (85, 450), (570, 760)]
SIDE = 120  # pixels of the picture that each image covers


def sky_images(count: int = 6, size: int = 64) -> Tensor:
    """Grey pieces of the Hubble eXtreme Deep Field (NASA and ESA, 2012), as scikit-image brings it.

    Args:
        count: how many, 1 to 6.
        size: rows and columns of each.

    Returns:
        ``(count, 1, size, size)`` with values in [0, 1].

    Raises:
        ValueError: a `count` out of range.

    >>> sky_images(2).shape
    torch.Size([2, 1, 64, 64])
    """
    with needs_extra("data", "sky_images"):
        from skimage.data import hubble_deep_field

    if not 1 <= count <= len(PLACES):
        raise ValueError(f"sky_images has 1 to {len(PLACES)} pieces; got count={count}")
    sky = torch.from_numpy(hubble_deep_field()).float().mean(-1) / 255  # (872, 1000)
    half = SIDE // 2
    pieces = torch.stack([sky[r - half : r + half, c - half : c + half] for r, c in PLACES[:count]])
    return F.interpolate(pieces[:, None], size=(size, size), mode="area")
