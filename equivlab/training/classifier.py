"""An image classifier as a Lightning module: loss, augmentation, optimiser, scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy, MulticlassAUROC

from equivlab.fields import rotate_maps
from equivlab.groups import P4M

__all__ = ["ImageClassifier", "Recipe", "turn_and_mirror"]

Prepare = Callable[[Tensor], Tensor]
Groups = Callable[[nn.Module, float], list[dict[str, Any]]]


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


class ImageClassifier(L.LightningModule):
    """A network that learns classes by the cross-entropy.

    Every epoch ends with the validation images' loss, accuracy and macro AUC. The curve of all
    epochs is kept in `curve` and in the checkpoints, so it is whole after a resumed run.

    Args:
        model: gives class scores ``(B, K)``.
        classes: ``K``.
        recipe: how it learns.
        prepare: applied to each batch after the augmentation, for example `arcsinh_stretch`.
        groups: ``groups(model, lr)`` gives the optimiser's parameter groups, for example
            `equivlab.transfer.learning_rates`; by default one rate for all.
    """

    def __init__(
        self,
        model: nn.Module,
        classes: int,
        recipe: Recipe | None = None,
        prepare: Prepare | None = None,
        groups: Groups | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.recipe = recipe or Recipe()
        self.prepare = prepare
        self.groups = groups
        self.curve: list[dict[str, float]] = []
        self.val_auc = MulticlassAUROC(classes)
        self.val_accuracy = MulticlassAccuracy(classes, average="micro")
        self._losses: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        """Class scores ``(B, K)`` of images ``(B, C, H, W)``."""
        scores: Tensor = self.model(x if self.prepare is None else self.prepare(x))
        return scores

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Dropout draws from the global state: set it from the seed and the step."""
        torch.manual_seed(self._seed_of_step() + self.global_rank)

    def _seed_of_step(self) -> int:
        return (self.recipe.seed * 1_000_003 + self.global_step) * 1009

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The mean cross-entropy of a batch."""
        x, y = batch
        generator = torch.Generator().manual_seed(self._seed_of_step())
        where = (self.global_rank, self.trainer.world_size)
        x = turn_and_mirror(x, self.recipe.augment, generator, *where)
        loss = F.cross_entropy(self(x), y)
        self._losses.append(loss.detach())
        self.log("train_loss_step", loss, on_step=True, on_epoch=False)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Gather the scores of a batch."""
        x, y = batch
        scores = self(x).float()
        self.val_auc.update(scores.softmax(1), y)
        self.val_accuracy.update(scores, y)
        self.log("val_loss", F.cross_entropy(scores, y), sync_dist=True, batch_size=len(y))

    def on_validation_epoch_end(self) -> None:
        """The validation scores of an epoch."""
        for name, metric in (("val_auc", self.val_auc), ("val_accuracy", self.val_accuracy)):
            self.log(name, metric.compute(), prog_bar=True, sync_dist=True)
            metric.reset()

    def on_train_epoch_end(self) -> None:
        """Add a row to the curve; refuse a loss that is no longer finite."""
        loss = self.trainer.strategy.reduce(torch.stack(self._losses).mean(), reduce_op="mean")
        self._losses = []
        self.log("train_loss", loss, prog_bar=True, sync_dist=True)
        if not math.isfinite(float(loss)):
            raise FloatingPointError(
                f"The loss of epoch {self.current_epoch + 1} is {float(loss)}. Look for NaN in "
                "the images (torch.isfinite(images).all()) or try a smaller lr."
            )
        row = {"epoch": float(self.current_epoch), "train_loss": float(loss)}
        for name in ("val_loss", "val_auc", "val_accuracy"):
            if name in self.trainer.callback_metrics:
                row[name] = float(self.trainer.callback_metrics[name])
        self.curve.append(row)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the curve."""
        checkpoint["curve"] = [dict(row) for row in self.curve]
        checkpoint["recipe"] = repr(self.recipe)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the curve up again."""
        found = checkpoint.get("recipe")
        if found != repr(self.recipe):
            raise ValueError(
                f"The checkpoint belongs to another run: {found}; this one is {self.recipe!r}. "
                "Give another folder, or delete it."
            )
        self.curve = [dict(row) for row in checkpoint["curve"]]

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW; the rate rises, then falls along a cosine."""
        recipe = self.recipe
        if self.groups is not None:
            parameters = self.groups(self.model, recipe.lr)
        else:
            parameters = [{"params": list(self.model.parameters()), "lr": recipe.lr}]
        optimiser = torch.optim.AdamW(
            [part for group in parameters for part in _without_decay(group, recipe.weight_decay)]
        )
        steps = int(self.trainer.estimated_stepping_batches)
        rising = max(1, round(recipe.warmup * steps))

        def rate(step: int) -> float:
            if step < rising:
                return (step + 1) / rising
            return (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising))) / 2

        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def _without_decay(group: dict[str, Any], decay: float) -> list[dict[str, Any]]:
    """Split a group: biases and norms are not drawn to zero."""
    parts = [[p for p in group["params"] if (p.dim() > 1) == big] for big in (True, False)]
    rows = [{**group, "params": parts[0], "weight_decay": decay}]
    rows.append({**group, "params": parts[1], "weight_decay": 0.0})
    return [row for row in rows if row["params"]]


def turn_and_mirror(
    x: Tensor, how: str, generator: torch.Generator, rank: int = 0, processes: int = 1
) -> Tensor:
    """Move each image ``(B, C, H, W)`` by its own random element; see `Recipe`.

    With several processes every one draws for the whole batch and takes its share, so an image
    is moved in the same way on any number of devices.
    """
    if how == "none":
        return x
    whole = len(x) * processes
    elements = torch.randint(P4M.order, (whole,), generator=generator)[rank::processes]
    angles = torch.rand(whole, generator=generator, dtype=torch.float64)[rank::processes]
    out = torch.empty_like(x)
    for g in P4M.elements:
        these = (elements == g).nonzero()[:, 0].to(x.device)
        out[these] = P4M.move(g, x[these])
    return rotate_maps(out, angles * 2 * torch.pi, "fourier") if how == "any" else out
