"""A training that takes a second: sixty noise images in three classes, and a small P4 network."""

from __future__ import annotations

import torch
from lightning.pytorch.callbacks import Callback
from torch import nn

from equivlab.data.sets.batches import TensorImages
from equivlab.groups import P4
from equivlab.nn import GroupBatchNorm, InvariantReadout, LiftingConv2d
from equivlab.training import ImageClassifier, Recipe

RECIPE = Recipe(epochs=4, batch_size=20, lr=5e-3)


def images() -> TensorImages:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    pixels = torch.randn(60, 1, 9, 9, generator=generator)
    return TensorImages(pixels * (1 + labels[:, None, None, None]), labels)


def classifier() -> ImageClassifier:
    torch.manual_seed(1)
    layers = [LiftingConv2d(P4, 1, 4, 3), GroupBatchNorm(P4, 4), nn.ReLU()]
    return ImageClassifier(
        nn.Sequential(*layers, InvariantReadout(P4, 4), nn.Linear(4, 3)), 3, RECIPE
    )


class Stop(Callback):
    """A kill at the start of an epoch, counted from 0."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_start(self, trainer: object, module: ImageClassifier) -> None:  # type: ignore[override]
        if module.current_epoch == self.epoch:
            raise KeyboardInterrupt
