"""Handwritten digits: small ones that come with scikit-learn, and MNIST."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab.data.archives import read_arrays
from equivlab.data.download import fetch
from equivlab.fields import rotate_maps
from equivlab.imports import needs_extra

__all__ = ["digit_images", "mnist", "rotate_each"]

MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MNIST_FILES = {
    "x_train": (
        "train-images-idx3-ubyte.gz",
        "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    "y_train": (
        "train-labels-idx1-ubyte.gz",
        "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    "x_test": (
        "t10k-images-idx3-ubyte.gz",
        "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    "y_test": (
        "t10k-labels-idx1-ubyte.gz",
        "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
}
MNIST_SHAPES = {
    "x_train": (60000, 28, 28),
    "y_train": (60000,),
    "x_test": (10000, 28, 28),
    "y_test": (10000,),
}
WITHOUT_NETWORK = (
    "Point EQUIVLAB_MNIST at an .npz file with the arrays x_train, y_train, x_test and y_test, "
    "or use the digits that come with scikit-learn: equivlab.data.digit_images()"
)


def digit_images(size: int = 28) -> tuple[Tensor, Tensor]:
    """The 1797 digits of scikit-learn, enlarged from 8×8 by bicubic interpolation.

    Args:
        size: rows and columns of the result.

    Returns:
        Images ``(1797, 1, size, size)`` with values in [0, 1], and labels ``(1797,)``.

    >>> images, labels = digit_images()
    >>> images.shape
    torch.Size([1797, 1, 28, 28])
    """
    with needs_extra("data", "digit_images"):
        from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    small = torch.from_numpy(pixels).float().view(-1, 1, 8, 8) / 16
    frame = F.pad(small, (1, 1, 1, 1))  # room to turn: strokes touch the edge of the 8×8
    images = F.interpolate(frame, size=(size, size), mode="bicubic", align_corners=False)
    return images.clamp(0, 1), torch.from_numpy(labels).long()


def mnist(path: str | os.PathLike[str] | None = None) -> dict[str, Tensor]:
    """The MNIST digits (LeCun, Cortes & Burges, 1998).

    Args:
        path: an ``.npz`` file with the four arrays; else ``$EQUIVLAB_MNIST``; else the four
            original files are downloaded once (11 MB) and checked.

    Returns:
        ``x_train (60000, 28, 28)``, ``y_train (60000,)``, ``x_test (10000, 28, 28)`` and
        ``y_test (10000,)``, all `torch.uint8`.

    Raises:
        FileNotFoundError: `path` or the variable names no file.
        ConnectionError: no network, and nothing cached.
        ValueError: a file that is not MNIST.
    """
    source = path or os.environ.get("EQUIVLAB_MNIST")
    if source:
        arrays = read_arrays(Path(source), MNIST_SHAPES, "MNIST", instead=WITHOUT_NETWORK)
    else:
        arrays = _from_download()
    for name, shape in MNIST_SHAPES.items():
        if arrays[name].shape != shape or arrays[name].dtype != np.uint8:
            raise ValueError(
                f"MNIST's {name} is {shape} of uint8; got {arrays[name].shape} of "
                f"{arrays[name].dtype}. {WITHOUT_NETWORK}"
            )
    return {name: torch.from_numpy(arrays[name]) for name in MNIST_SHAPES}


def _from_download() -> dict[str, np.ndarray]:
    arrays = {}
    for name, (file, checksum) in MNIST_FILES.items():
        with gzip.open(fetch(MNIST_URL + file, checksum, instead=WITHOUT_NETWORK)) as stream:
            stream.read(16 if name.startswith("x") else 8)  # the idx header
            values = np.frombuffer(stream.read(), dtype=np.uint8)
        arrays[name] = values.reshape(MNIST_SHAPES[name]).copy()
    return arrays


def rotate_each(
    images: Tensor, generator: torch.Generator | None = None, mode: str = "bilinear"
) -> tuple[Tensor, Tensor]:
    """Turn each image by its own angle, uniform in [0, 2π); zeros come in at the corners.

    Args:
        images: ``(B, C, H, H)``.
        generator: source of the angles.
        mode: interpolation, as `equivlab.fields.rotate_maps`.

    Returns:
        The turned images, and the angles ``(B,)`` in radians.
    """
    angles = torch.rand(len(images), generator=generator, dtype=torch.float64) * 2 * torch.pi
    return rotate_maps(images, angles, mode), angles
