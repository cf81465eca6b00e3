"""Photos as square pictures: cut to their middle, transparency on white, not too large."""

from __future__ import annotations

import os
from typing import TypeGuard

import numpy as np
import torch
from PIL import Image
from torch import Tensor

__all__ = ["LARGEST", "SMALLER", "Photo", "is_photo", "read_photo"]

LARGEST, SMALLER = 256, 128  # pixels; what is larger than the one is averaged down to the other
MOST_PIXELS = 60_000_000  # of a file, asked before it is read

Photo = Image.Image | str | os.PathLike[str]


def is_photo(image: object) -> TypeGuard[Photo]:
    """Whether this is a PIL image or a path."""
    return isinstance(image, Image.Image | str | os.PathLike)


def read_photo(photo: Photo, notes: list[str]) -> Tensor:
    """The middle square of a photo, ``(C, H, H)`` from 0 to 1; `C` is 1 for grey, else 3.

    Args:
        photo: a PIL image, or the path of a picture.
        notes: what was done to it is added here, in words.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no picture, or too large a one.
    """
    if isinstance(photo, Image.Image):
        return _square(photo, notes)
    try:
        with Image.open(photo) as opened:
            return _square(opened, notes)
    except FileNotFoundError:
        raise
    except (OSError, Image.DecompressionBombError) as error:
        raise ValueError(f"{os.fspath(photo)} cannot be read as a picture: {error}") from error


def _square(photo: Image.Image, notes: list[str]) -> Tensor:
    width, height = photo.size
    if width * height > MOST_PIXELS:
        raise ValueError(
            f"A picture of {width}×{height} pixels is more than {MOST_PIXELS / 1e6:.0f} million. "
            "Make it smaller: PIL.Image.open(path).reduce(8)"
        )
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    cut = photo.crop((left, top, left + side, top + side))
    if width != height:
        notes.append(f"a picture of {width}×{height} pixels was cut to its middle square")
    if cut.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in photo.info:
        cut.info.update(photo.info)
        paper = Image.new("RGBA", cut.size, "white")
        grey = cut.mode in ("LA", "La")
        cut = Image.alpha_composite(paper, cut.convert("RGBA")).convert("L" if grey else "RGB")
    elif cut.mode not in ("L", "RGB"):
        cut = cut.convert("L" if cut.mode in ("1", "I", "F") or cut.mode[:2] == "I;" else "RGB")
    if side > LARGEST:
        cut = cut.resize((SMALLER, SMALLER), Image.Resampling.BOX)
        notes.append(f"{side}×{side} pixels were averaged down to {SMALLER}×{SMALLER}")
    x = torch.from_numpy(np.array(cut)).float() / 255
    return x[None] if x.dim() == 2 else x.movedim(-1, 0)
