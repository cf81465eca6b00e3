"""What the command line trains: a ResNet-18 on a group, on sets of lenses by their paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from equivlab.data.sets.batches import Batches, ImageSet, stratified
from equivlab.data.sets.folders import FolderImages
from equivlab.data.sets.shards import ShardedImages
from equivlab.groups import group_of
from equivlab.training.lightning.classifier import ImageClassifier
from equivlab.training.lightning.recipe import Recipe
from equivlab.weights.preparation import Preparation, as_steps
from equivlab.weights.pretrained import ModelCard

__all__ = ["LensData", "LensNetwork"]

STEPS = {
    "none": ("standardize_each",),
    "sqrt": ("sqrt_stretch", "standardize_each"),
    "arcsinh": ("arcsinh_stretch", "standardize_each"),
}


@dataclass(frozen=True)
class LensNetwork:
    """A ResNet-18 on a group, and how it learns.

    Args:
        group: which symmetry it has, by its name: none, P4, P4M, C8, D8, SO2, ...; see `group_of`.
        in_channels: channels of the images.
        width: channels of the plain network's first stage.
        stem: as `equivlab.models.ResNet18`.
        stretch: applied to the flux before each image is standardised.
        recipe: how it learns; its seed is that of the first weights too.
    """

    group: str = "P4M"
    in_channels: int = 1
    width: int = 64
    stem: Literal["full", "no_pool", "small"] = "full"
    stretch: Literal["none", "sqrt", "arcsinh"] = "sqrt"
    recipe: Recipe = field(default_factory=Recipe)

    def __post_init__(self) -> None:
        group_of(self.group)  # a name that there is not is told before anything is read

    def classifier(self, classes: int | Sequence[str]) -> ImageClassifier:
        """The network with its first weights, for so many classes or for these names."""
        count = classes if isinstance(classes, int) else len(classes)
        with torch.random.fork_rng():
            torch.manual_seed(self.recipe.seed)
            network = self.card(count).build()
        return ImageClassifier(network, classes, self.recipe, Preparation(STEPS[self.stretch]))

    def card(self, count: int) -> ModelCard:
        """The card of a network of so many classes, before anything is known of its training."""
        settings: dict[str, Any] = {
            "group": self.group,
            "in_channels": self.in_channels,
            "classes": count,
        }
        settings |= {"width": self.width, "stem": self.stem, "exact_size": True}
        steps = as_steps(STEPS[self.stretch])
        text = repr(Preparation(steps))
        return ModelCard("ResNet18", settings, "", repr(self.recipe), prepare=text, steps=steps)


@dataclass(frozen=True)
class LensData:
    """Shards, or folders of classes, by their paths.

    Args:
        train: a folder written by ``simulate``, or one with a folder for each class.
        validate: another, to choose the epoch by.
        fraction: share of the training images of each class.
    """

    train: str
    validate: str
    fraction: float = 1.0

    def sets(self, seed: int) -> tuple[Batches, Batches]:
        """The images to learn from, of which the seed chooses a fraction, and to be judged by."""
        images = _open(self.train)
        chosen = stratified(images.labels(), self.fraction, seed)
        return Batches(images, chosen), Batches(_open(self.validate))


def _open(path: str) -> ImageSet:
    sharded = (Path(path) / "manifest.json").is_file()
    return ShardedImages(path) if sharded else FolderImages(path)
