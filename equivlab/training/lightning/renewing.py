"""Statistics of batch norms for validation, measured on many images with the weights at hand."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from equivlab.nn.running import BatchNorm, RunningNorm, batch_norms
from equivlab.training.lightning.classifier import ImageClassifier
from equivlab.training.seeds import generator_of
from equivlab.transfer.norms import is_held, renew_norms

__all__ = ["RenewedNorms", "renew_on_training_images"]


class RenewedNorms(Callback):
    """Before each validation, measure the statistics of all batch norms anew.

    What a batch norm remembers is a running mean of batches that it saw with *earlier* weights.
    Where classes differ by little, as lenses do by their substructure, and the learning rate is
    high, a lag of ten steps is enough for a network that has learned well to look untrained in
    `eval()`. The mean over many batches with the weights of now has no lag (Wu & Johnson,
    *Rethinking "Batch" in BatchNorm*, 2021, calls it PreciseBN). Training itself uses the
    statistics of each batch, so the weights come out the same with or without it.

    Args:
        batches: of training images, in the order and augmentation of the epoch.

    Raises:
        ValueError: fewer than one batch.
    """

    def __init__(self, batches: int = 64) -> None:
        if batches < 1:
            raise ValueError(f"RenewedNorms measures on one batch or more; got {batches}.")
        self.batches = batches

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Measure; the validation that follows and the checkpoint after it have the result."""
        if isinstance(pl_module, ImageClassifier):
            renew_on_training_images(trainer, pl_module, self.batches)


def renew_on_training_images(
    trainer: L.Trainer, module: ImageClassifier, batches: int | None = None
) -> None:
    """Measure on this epoch's first training batches, or on all, as the network sees them.

    Each process measures on its share of the images; all get the mean.

    Args:
        trainer: has the training images.
        module: the network, changed in place.
        batches: how many; None for all.
    """
    with trainer.precision_plugin.forward_context():
        renew_norms(module, islice(_seen(trainer, module), batches))
    if trainer.world_size > 1:
        for norm in batch_norms(module).values():
            for value in _running(norm):
                value.copy_(trainer.strategy.reduce(value.clone(), reduce_op="mean"))


def _running(norm: BatchNorm) -> list[Tensor]:
    """What a batch norm of whichever domain remembers of the batches, except one that is held."""
    if is_held(norm):
        return []
    kept = norm.kept() if isinstance(norm, RunningNorm) else (norm.running_mean, norm.running_var)
    return [value for value in kept or () if value is not None]


def _seen(trainer: L.Trainer, module: ImageClassifier) -> Iterator[Tensor]:
    """The training images of this epoch in their order, each moved at random."""
    generator = generator_of(module.recipe.seed, trainer.current_epoch)
    loader: Any = trainer.train_dataloader
    for x, _ in loader:
        yield module.moved(x.to(module.device), generator)
