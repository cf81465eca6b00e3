"""How a set of images is recognised when a run goes on: by what is in it, not by where it lies."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from equivlab.data.sets.batches import Batches

__all__ = ["fingerprint"]


def fingerprint(part: Batches) -> str:
    """Number of images, classes, and a checksum of all labels and of three images.

    The images are the first, the middle and the last. One that comes out otherwise when it is
    read again, as by a random transform, is left out.

    Args:
        part: the images; where they lie does not count.

    >>> from equivlab.data.sets import TensorImages
    >>> fingerprint(Batches(TensorImages(torch.zeros(4, 1, 2, 2), torch.arange(4) % 2)))
    '4 images of 1×2×2 in 2 classes, checksum 02806937c605'
    """
    labels = part.labels()
    checksum = hashlib.sha256(_bytes(labels.long()))
    shape: tuple[int, ...] = ()
    for place in sorted({0, len(part) // 2, len(part) - 1}):
        (image, _), (again, _) = part[[place]], part[[place]]
        shape = tuple(image.shape[1:])
        if torch.equal(image.nan_to_num(), again.nan_to_num()):
            checksum.update(_bytes(image))
    size = "×".join(map(str, shape))
    named = f"{len(labels.unique())} classes" if part.classes is None else "/".join(part.classes)
    return f"{len(part)} images of {size} in {named}, checksum {checksum.hexdigest()[:12]}"


def _bytes(x: Tensor) -> bytes:
    content: bytes = x.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
    return content
