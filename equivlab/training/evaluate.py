"""What a classifier says about images, and how often it is right."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from equivlab.data.sets.classes import class_labels
from equivlab.equivariance.recording import evaluating
from equivlab.fields import rotate_maps

__all__ = ["accuracy", "accuracy_vs_angle", "predict", "share_right"]


def predict(model: nn.Module, images: Tensor, batch_size: int = 100) -> Tensor:
    """Class scores ``(N, K)`` of ``(N, C, H, W)`` images, in `eval()`, on the images' device.

    Each part of the model comes back to its own mode, a frozen norm to `eval()`.
    """
    weight = next(model.parameters(), None)
    device = images.device if weight is None else weight.device
    with evaluating(model):
        scores = [model(batch.to(device)).to(images.device) for batch in images.split(batch_size)]
    return torch.cat(scores)


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of images ``(N, C, H, W)`` whose highest score is at their label.

    Raises:
        ValueError: no images, labels that are not one whole number for each, or scores that are
            NaN.
    """
    return share_right(predict(model, images), labels)


def share_right(scores: Tensor, labels: Tensor) -> float:
    """The share of rows of ``(N, K)`` scores whose highest is at their label ``(N,)``.

    Raises:
        ValueError: no rows, labels that are not one whole number for each, or NaN.
    """
    if scores.dim() != 2 or len(scores) == 0:
        raise ValueError(
            "An accuracy is one of scores (N, K), for one image or more; got "
            f"{tuple(scores.shape)}."
        )
    labels = class_labels(labels, len(scores), scores.shape[1]).to(scores.device)
    broken = scores.isnan().any(1)
    if bool(broken.any()):
        raise ValueError(
            f"The scores of {int(broken.sum())} of {len(scores)} images are NaN, the first is "
            f"number {int(broken.nonzero()[0])}. Look for NaN in the images "
            "(torch.isfinite(images).all()) or in the weights."
        )
    return float((scores.argmax(1) == labels).double().mean())


def accuracy_vs_angle(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    angles: Iterable[float],
    mode: str = "bilinear",
) -> list[float]:
    """`accuracy` on the images turned by each of `angles` (radians, counter-clockwise).

    `mode` is that of `equivlab.fields.rotate_maps`: ``'fourier'`` for noisy images, whose noise
    interpolation would smooth.
    """
    return [accuracy(model, rotate_maps(images, angle, mode), labels) for angle in angles]
