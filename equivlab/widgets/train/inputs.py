"""What people hand to `TrainLive`, checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from equivlab.data.arrays import native
from equivlab.data.sets.classes import class_labels
from equivlab.fields import rotate_maps
from equivlab.training.seeds import generator_of
from equivlab.widgets.page.images import as_images, for_network

__all__ = ["Sets", "as_sets", "check_run", "turned_each"]

MOST_HELD = 100  # images for the accuracies, where none were given


@dataclass(frozen=True)
class Sets:
    """Images ``(N, C, H, H)`` to learn from with labels ``(N,)``, and others with answers."""

    images: Tensor
    labels: Tensor
    test: Tensor
    answers: Tensor


def as_sets(
    model: nn.Module,
    data: tuple[Any, Tensor],
    test: tuple[Any, Tensor] | None,
    seed: int,
    picture: int,
) -> Sets:
    """The images and labels to learn from and to test.

    Raises:
        TypeError: no pair of images and labels.
        ValueError: no images, other labels, images of two shapes, or no test image of that number.
    """
    images, labels = _pair(model, data, "data")
    if test is None:
        held = min(MOST_HELD, len(images) // 5)
        if held == 0:
            raise ValueError(
                f"TrainLive keeps a fifth of the data for the accuracies; got {len(images)} "
                "images. Give five or more, or test=(images, labels)."
            )
        order = torch.randperm(len(images), generator=generator_of(seed, 0))
        here, rest = order[:held].sort().values, order[held:].sort().values
        sets = Sets(images[rest], labels[rest], images[here], labels[here])
    else:
        sets = Sets(images, labels, *_pair(model, test, "test"))
    if sets.test.shape[1:] != images.shape[1:]:
        raise ValueError(
            f"TrainLive takes test images of the shape of the others, "
            f"{tuple(images.shape[1:])}; got {tuple(sets.test.shape[1:])}."
        )
    if not 0 <= picture < len(sets.test):
        raise ValueError(f"picture is 0 to {len(sets.test) - 1}, a test image; got {picture}.")
    return sets


def _pair(model: nn.Module, pair: Any, name: str) -> tuple[Tensor, Tensor]:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise TypeError(
            f"TrainLive takes {name} as a pair (images, labels); got {type(pair).__name__}."
        )
    if hasattr(pair[0], "__len__") and len(pair[0]) == 0:
        raise ValueError(f"TrainLive takes one image or more as {name}; got none.")
    x = for_network(as_images(pair[0], "TrainLive"), model, "TrainLive")
    like = next(model.parameters())
    labels = native(pair[1]) if isinstance(pair[1], np.ndarray) else pair[1]
    return x.to(like.dtype), class_labels(torch.as_tensor(labels).detach().cpu(), len(x))


def check_run(
    model: nn.Module, epochs: int, batch_size: int, every: int | None, angles: Sequence[float]
) -> None:
    """Whether that can be trained, and watched.

    Raises:
        TypeError: no network.
        ValueError: nothing to train, no numbers to train on, or settings out of their range.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"TrainLive takes a network, an nn.Module; got {type(model).__name__}.")
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError(
            f"{type(model).__name__} has no parameters that learn. Let some: "
            "equivlab.transfer.unfreeze(model)"
        )
    if any(parameter.is_meta for parameter in model.parameters()):
        raise ValueError(
            f"{type(model).__name__} is on the meta device, without numbers. Give it some: "
            "model.to_empty(device='cpu'), then initialise it."
        )
    for module in model.modules():
        group = getattr(getattr(module, "in_field", None), "group", None)
        if getattr(group, "lattice", None) == "hexagonal":  # rotations of space have none
            raise ValueError(
                f"TrainLive turns square images, and {group} acts on hexagons: train such a "
                f"network with fit, and measure it with audit(model, x, {group})."
            )
    for name, value in {"epochs": epochs, "batch_size": batch_size, "every": every}.items():
        if value is not None and value < 1:
            raise ValueError(f"TrainLive takes {name} of 1 or more; got {value}.")
    if not angles or not all(map(math.isfinite, angles)):
        raise ValueError(f"angles_deg are one angle or more, in degrees; got {list(angles)}.")


def turned_each(images: Tensor, angles_deg: Sequence[float]) -> Tensor:
    """Image ``n`` turned by angle ``n`` of those, over and over."""
    turned = torch.empty_like(images)
    for n, angle in enumerate(angles_deg):
        these = slice(n, None, len(angles_deg))
        turned[these] = rotate_maps(images[these], math.radians(angle))
    return turned
