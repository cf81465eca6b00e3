"""Stochastic weight averaging: the mean of the weights over the end of a training."""

from __future__ import annotations

import lightning as L
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from equivlab.training.lightning.classifier import ImageClassifier
from equivlab.training.lightning.renewing import renew_on_training_images

__all__ = ["EqualWeightAveraging"]

Weights = tuple[Tensor, ...] | list[Tensor]


class EqualWeightAveraging(WeightAveraging):
    """Validate and keep the mean of the weights after each step of the last epochs.

    Izmailov et al. (UAI 2018), with every step of an epoch in the mean. Until the averaging
    begins the weights are taken as they are. The batch norms of a mean of networks know nothing
    of it, so before each validation their statistics are measured anew, on the training images
    of that epoch in their order and augmentation.

    Args:
        start: the share of the epochs after which it begins, 0 to 1.

    Raises:
        ValueError: a start out of range.
    """

    def __init__(self, start: float = 0.75) -> None:
        if not 0 <= start < 1:
            raise ValueError(
                f"Averaging begins after a share of 0 to 1 of the epochs; got {start}."
            )
        self.start = start
        self.steps_alone = 0

        def mean(averages: Weights, currents: Weights, steps: Tensor | int) -> None:
            inside = max(0, int(steps) - self.steps_alone)  # how many the averages are of
            torch._foreach_lerp_(averages, currents, 1 / (inside + 1))

        super().__init__(use_buffers=False, multi_avg_fn=mean)

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Find out which step is the first."""
        epochs = trainer.max_epochs or 1
        steps = int(trainer.estimated_stepping_batches) // epochs
        self.steps_alone = round(self.start * epochs) * steps

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """The average takes the network's place, and gets statistics of its own."""
        super().on_validation_epoch_start(trainer, pl_module)
        if self._average_model is None or not isinstance(pl_module, ImageClassifier):
            return
        if int(self._average_model.n_averaged) > self.steps_alone + 1:
            renew_on_training_images(trainer, pl_module)
