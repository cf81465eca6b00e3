"""One image from one file: .npy, pictures, FITS; what is broken or too large is refused by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equivlab.data.arrays import MOST_BYTES, check_size, kind_of, read_npy
from equivlab.data.paths import check_file
from equivlab.data.sets.fits import is_fits, read_fits

__all__ = ["ENDINGS", "is_image", "read_image"]

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
ENDINGS = ".npy, " + ", ".join(PICTURES) + ", .fits, .fit, .fts (FITS also with .gz, .bz2 or .fz)"
Plane = int | tuple[int, ...] | None

CONVERT = (
    "Where you trust it, convert it once (ML4SCI's axion files hold a pair of image and mass): "
    "numpy.save(new, numpy.load(old, allow_pickle=True)[0])."
)
AGAIN = "Fetch or write it again, or leave it out."
CROP = "Cut it into pieces first, or allow more: most_bytes=..."


def is_image(name: str) -> bool:
    """Whether `read_image` takes files with such a name."""
    return name.lower().endswith((".npy", *PICTURES)) or is_fits(name)


def read_image(
    path: str | os.PathLike[str], plane: Plane = None, *, most_bytes: int = MOST_BYTES
) -> Tensor:
    """One image file as ``(C, H, W)`` in float32.

    ``.npy`` and FITS keep their numbers, pictures become 0 to 1. An array ``(H, W)`` gets one
    channel; ``(H, W, C)`` with 1, 3 or 4 channels at the end is taken as such. Axes of length 1
    in front, as in radio maps ``(1, 1, H, W)``, are dropped.

    Args:
        path: the file.
        plane: which image of an array of more axes: its place along the first axes, for example
            ``plane=7`` of a cube ``(30, H, W)``, or ``(0, 7)`` of ``(2, 30, H, W)``.
        most_bytes: what the image may take, as stored and as float32; 268 MB by default. The header
            is asked first.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that is empty, cut, pickled, complex, too large, of another kind than
            its name says, or no image; the message names it and what can be done.
        ModuleNotFoundError: FITS without astropy.
    """
    path = Path(path)
    check_file(path, "image")
    if not is_image(path.name):
        raise ValueError(f"{path} is no image that is read here. Images end in {ENDINGS}.")
    try:
        if path.name.lower().endswith(".npy"):
            array = read_npy(path, most_bytes)
        elif is_fits(path.name):
            array = read_fits(path, most_bytes)
        else:
            array = _picture(path, most_bytes)
        array = _as_float(_one_image(array, plane, cube=is_fits(path.name)))
    except (ModuleNotFoundError, MemoryError):
        raise
    except Exception as error:  # each reader fails in many ways; all get the name and a remedy
        reason = str(error).rstrip(".") or type(error).__name__
        remedy = CONVERT if "pickled" in reason else CROP if "are allowed" in reason else AGAIN
        raise ValueError(f"{path} is no image: {reason}. {remedy}") from error
    return torch.from_numpy(array)


def _one_image(array: NDArray[Any], plane: Plane, cube: bool) -> NDArray[Any]:
    """``(C, H, W)`` of an array or its plane; many planes of a `cube` are no channels."""
    shape = array.shape
    if plane is not None:
        place = plane if isinstance(plane, tuple) else (plane,)
        inside = all(-n <= at < n for at, n in zip(place, shape, strict=False))
        if array.ndim - len(place) not in (2, 3) or not inside:
            raise ValueError(f"it has the shape {shape}, which has no image at plane={plane}")
        array = array[place]
    while array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 2:
        array = array[None]
    elif array.ndim == 3 and array.shape[2] in (1, 3, 4) and array.shape[0] not in (1, 3, 4):
        array = np.moveaxis(array, -1, 0)
    many = cube and plane is None and array.ndim == 3 and array.shape[0] > 4
    if array.ndim > 3 or many:
        raise ValueError(
            f"it has the shape {shape}, which is more than one image; say which plane, for "
            f"example plane={(0,) * (len(shape) - 2) if len(shape) > 3 else 0}"
        )
    if array.ndim != 3 or array.size == 0:
        raise ValueError(f"it has the shape {shape}")
    return array


def _as_float(array: NDArray[Any]) -> NDArray[np.float32]:
    """The numbers in float32, none of them beyond its range."""
    with np.errstate(over="ignore", invalid="ignore"):
        image = np.require(array, np.float32, ["C", "W"])  # Pillow's own memory is read-only
    if array.dtype.itemsize > 4 and np.isinf(image).sum() > np.isinf(array).sum():
        raise ValueError(
            f"it holds numbers up to {np.abs(array[np.isfinite(array)]).max():.3g}, and float32 "
            "ends at 3.4e38; rescale it"
        )
    return image


def _picture(path: Path, most_bytes: int) -> NDArray[Any]:
    from PIL import Image, UnidentifiedImageError  # comes with matplotlib

    try:
        # Only these: Pillow knows formats that start other programs.
        with Image.open(path, formats=FORMATS) as picture:
            size = (len(picture.getbands()), picture.height, picture.width)
            check_size(size, np.dtype(np.uint8), most_bytes)
            known = picture.mode in ("L", "RGB", "RGBA", "F", "I", "I;16", "I;16B")
            array = np.asarray(picture if known else picture.convert("RGB"))
    except Image.DecompressionBombError as error:
        raise ValueError(f"it is too large: {error}, of which fewer are allowed") from error
    except UnidentifiedImageError as error:
        with path.open("rb") as stream:
            kind = kind_of(stream.read(10))
        cut = "cut short" if kind.endswith("picture") else f"{kind}, whatever its name says"
        raise ValueError(f"it is {cut}") from error
    except OSError as error:
        raise ValueError(f"Pillow cannot read it: {error}") from error
    if array.dtype.kind == "u":
        array = array / np.float32(np.iinfo(array.dtype).max)
    return np.moveaxis(array, -1, 0) if array.ndim == 3 else array
