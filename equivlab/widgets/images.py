"""What people hand to a widget, made into one tensor of square images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["as_images"]

WANTED = "square images (N, C, H, H), (N, H, H), one (H, H), a list of them, or PIL images"


def as_images(images: Any, taker: str = "RotateImage") -> Tensor:
    """Square images ``(N, C, H, H)`` in float32, C = 1 or more.

    Args:
        images: a tensor or array ``(N, C, H, H)``, ``(N, H, H)`` or ``(H, H)``, colour last
            ``(N, H, H, 3)`` as well, or a list of single images, or of PIL images. Integers
            of 8 bits are divided by 255.
        taker: who wants them, for the messages.

    Raises:
        TypeError: no numbers.
        ValueError: no images, another rank, not square, different sizes, NaN or infinity.
    """
    if isinstance(images, Iterable) and not isinstance(images, Tensor | np.ndarray):
        single = [_as_tensor(image, taker) for image in images]
        shapes = {tuple(image.shape) for image in single}
        if len(shapes) > 1:
            raise ValueError(
                f"The images of a list must have one size; got {sorted(shapes)}. Crop or resize "
                "them first."
            )
        if not single:
            raise ValueError(f"{taker} takes {WANTED}; got an empty list.")
        x = torch.stack(single)
    else:
        x = _as_tensor(images, taker)
        x = x[None] if x.dim() == 2 else x
    if x.dim() == 4 and x.shape[1] not in (1, 3) and x.shape[-1] in (1, 3):
        x = x.movedim(-1, 1)  # colour last, as pictures are stored
    x = x[:, None] if x.dim() == 3 else x
    if x.dim() != 4 or x.shape[-1] != x.shape[-2] or x.numel() == 0:
        raise ValueError(
            f"{taker} takes {WANTED}; got {tuple(x.shape)}. Cut out a square: "
            "images[..., :side, :side]"
        )
    if not bool(torch.isfinite(x).all()):
        raise ValueError(
            f"{taker} takes finite numbers; got NaN or infinity. Replace them: "
            "torch.nan_to_num(images)"
        )
    return x


def _as_tensor(image: Any, taker: str) -> Tensor:
    try:
        array = image.detach().cpu() if isinstance(image, Tensor) else np.array(image)
        x = torch.as_tensor(array)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{taker} takes {WANTED}; got {type(image).__name__}.") from error
    return x.float() / 255 if x.dtype == torch.uint8 else x.float()
