"""What people hand to a widget, made into one tensor of square images."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from equivlab.data.arrays import native
from equivlab.widgets.page.photos import LARGEST, SMALLER, is_photo, read_photo

__all__ = ["as_images", "for_network"]

WANTED = (
    "square images (N, C, H, H), (N, H, H), one (H, H), photos (H, W, 3), PIL images or paths of "
    "pictures, or a list of single ones"
)
GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601


def as_images(images: Any, taker: str = "RotateImage") -> Tensor:
    """Square images ``(N, C, H, H)`` in float32, C = 1 or more.

    Photos are cut to their middle square, and images of more than 256 pixels a side are averaged
    down to 128; a warning says so.

    Args:
        images: a tensor or array ``(N, C, H, H)``, ``(N, H, H)`` or ``(H, H)``, colour last
            ``(N, H, H, 3)`` as well; photos ``(H, W, 3)`` or ``(H, W, 4)`` of 8 bits, PIL images
            or paths; or a list of single images. Integers of 8 bits are divided by 255;
            transparent photos are put on white.
        taker: who wants them, for the messages.

    Raises:
        TypeError: no numbers.
        ValueError: no images, another rank, not square, different sizes, NaN or infinity, or a
            file that is no picture.
        FileNotFoundError: a path of no file.
    """
    notes: list[str] = []
    if isinstance(images, Iterable) and not (is_photo(images) or _is_array(images)):
        x = _stacked([_as_tensor(image, taker, notes) for image in images], taker)
    else:
        x = _as_tensor(images, taker, notes)
        x = x[None] if x.dim() == 2 or _photo_of(images) is not None else x
    if x.dim() == 4 and x.shape[1] not in (1, 3) and x.shape[-1] in (1, 3):
        x = x.movedim(-1, 1)  # colour last, as pictures are stored
    x = x[:, None] if x.dim() == 3 else x
    if x.numel() == 0:
        raise ValueError(f"{taker} takes one image or more; got none: {tuple(x.shape)}.")
    if x.dim() != 4 or x.shape[-1] != x.shape[-2]:
        raise ValueError(
            f"{taker} takes {WANTED}; got {tuple(x.shape)}. Cut out a square: "
            "images[..., :side, :side]"
        )
    if not bool(torch.isfinite(x).all()):
        raise ValueError(
            f"{taker} takes finite numbers; got NaN or infinity. Replace them: "
            "torch.nan_to_num(images)"
        )
    if x.shape[-1] > LARGEST:
        notes.append(
            f"{x.shape[-1]}×{x.shape[-1]} pixels were averaged down to {SMALLER}×{SMALLER}"
        )
        x = F.adaptive_avg_pool2d(x, SMALLER)
    if notes:
        warnings.warn(f"{taker}: {'; '.join(dict.fromkeys(notes))}.", stacklevel=3)
    return x


def for_network(x: Tensor, network: nn.Module, taker: str) -> Tensor:
    """Images with the channels that a network's first layer takes, if grey or colours do it.

    Any other difference is left for the network to tell.
    """
    wanted = next(filter(None, map(_channels_of, network.modules())), None)
    if (x.shape[1], wanted) == (3, 1):
        warnings.warn(
            f"{taker}: the network takes one channel, so colours became grey.", stacklevel=3
        )
        return torch.einsum("nchw,c->nhw", x, x.new_tensor(GREY))[:, None]
    return x.expand(-1, 3, -1, -1) if (x.shape[1], wanted) == (1, 3) else x


def _channels_of(module: nn.Module) -> int | None:
    """How many channels a layer takes, if it says so."""
    own = getattr(getattr(module, "in_field", None), "channels", None)
    return own or getattr(module, "in_channels", None)


def _stacked(single: list[Tensor], taker: str) -> Tensor:
    shapes = {tuple(image.shape) for image in single}
    if len(shapes) > 1:
        raise ValueError(
            f"The images of a list must have one size; got {sorted(shapes)}. Crop or resize "
            "them first."
        )
    if not single:
        raise ValueError(f"{taker} takes {WANTED}; got an empty list.")
    return torch.stack(single)


def _is_array(image: Any) -> bool:
    return isinstance(image, Tensor | np.ndarray)


def _photo_of(image: Any) -> Any:
    """A photo as such: a PIL image, a path, or an array of 8 bits with its colours last."""
    if is_photo(image):
        return image
    if not _is_array(image) or image.ndim != 3 or image.shape[-1] not in (3, 4):
        return None
    array = image.detach().cpu().numpy() if isinstance(image, Tensor) else image
    photo = array.dtype == np.uint8 and min(array.shape[:2]) > 4
    return Image.fromarray(np.ascontiguousarray(array)) if photo else None


def _as_tensor(image: Any, taker: str, notes: list[str]) -> Tensor:
    photo = _photo_of(image)
    if photo is not None:
        return read_photo(photo, notes)
    try:
        array = image.detach().cpu() if isinstance(image, Tensor) else native(np.array(image))
        x = torch.as_tensor(array)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{taker} takes {WANTED}; got {type(image).__name__}.") from error
    return x.float() / 255 if x.dtype == torch.uint8 else x.float()
