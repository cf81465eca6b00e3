"""How a network learns, and how its training images are moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import index
from typing import Any, Literal

import torch
from torch import Tensor

from equivlab.fields import rotate_maps
from equivlab.groups import P4M

__all__ = ["Recipe", "turn_and_mirror"]

KINDS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("epochs", "batch_size", "seed"), index),
    **dict.fromkeys(("lr", "weight_decay", "warmup"), float),
}


@dataclass(frozen=True)
class Recipe:
    """How a network learns. The seed decides everything random.

    Args:
        epochs: passes over the images.
        batch_size: images in a step, of all devices together.
        lr: AdamW's rate after the warm-up; it falls to zero along a cosine.
        weight_decay: AdamW's, on filters and matrices only.
        warmup: the share of the steps in which the rate rises.
        augment: ``'none'``; ``'quarter'``: each image by its own element of P4M, without loss;
            ``'any'``: each by its own angle too, by `rotate_maps` in the mode ``'fourier'``,
            which keeps the noise as it is.
        seed: of the order, the augmentation and dropout.
    """

    epochs: int = 10
    batch_size: int = 64
    lr: float = 2e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    augment: Literal["none", "quarter", "any"] = "quarter"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or not 0 <= self.warmup < 1:
            raise ValueError(
                "Recipe takes epochs and batch_size of 1 or more and a warmup from 0 to 1; got "
                f"{self.epochs}, {self.batch_size} and {self.warmup}."
            )
        if self.augment not in ("none", "quarter", "any"):
            raise ValueError(
                f"Recipe: augment is 'none', 'quarter' or 'any'; got {self.augment!r}."
            )
        for name, kind in KINDS.items():  # a run knows its recipe by its words, without NumPy's
            object.__setattr__(self, name, kind(getattr(self, name)))


def turn_and_mirror(
    x: Tensor,
    how: str,
    generator: torch.Generator,
    rank: int = 0,
    processes: int = 1,
    whole: int | None = None,
) -> Tensor:
    """Move each image ``(B, C, H, W)`` by its own random element; see `Recipe`.

    With several processes every one draws for the whole batch and takes its share, so an image
    is moved in the same way on any number of devices.

    Args:
        x: this process's share of a batch.
        how: as in `Recipe`.
        generator: what the elements are drawn from.
        rank: number of this process.
        processes: how many there are.
        whole: images of all shares together, where they are not of one size.

    Raises:
        ValueError: images that are not square, which a quarter turn would change in shape.
    """
    if how == "none":
        return x
    if x.shape[-1] != x.shape[-2]:
        side = min(x.shape[-2:])
        raise ValueError(
            f"augment={how!r} turns square images; got {tuple(x.shape[-2:])} pixels. Cut them, "
            f"FolderImages(..., transform=lambda x: crop_center(x, {side})), or train with "
            "Recipe(augment='none')."
        )
    whole = whole or len(x) * processes
    elements = torch.randint(P4M.order, (whole,), generator=generator)[rank::processes]
    angles = torch.rand(whole, generator=generator, dtype=torch.float64)[rank::processes]
    out = torch.empty_like(x)
    for g in P4M.elements:
        these = (elements == g).nonzero()[:, 0].to(x.device)
        out[these] = P4M.move(g, x[these])
    return rotate_maps(out, angles * 2 * torch.pi, "fourier") if how == "any" else out
