"""An image classifier as a Lightning module: loss, augmentation, optimizer, scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from equivlab.training.evaluate import share_right
from equivlab.training.lightning.recipe import Recipe, turn_and_mirror
from equivlab.training.lightning.scores import areas, chances
from equivlab.training.seeds import seed_of

__all__ = ["ImageClassifier"]

Prepare = Callable[[Tensor], Tensor]
Groups = Callable[[nn.Module, float], list[dict[str, Any]]]


class ImageClassifier(L.LightningModule):
    """A network that learns classes by the cross-entropy.

    Every epoch ends with the validation images' loss, accuracy and macro AUC. The curve of all
    epochs is kept in `curve` and in the checkpoints, so it is whole after a resumed run; so are
    the names of the classes.

    Args:
        model: gives class scores ``(B, K)``.
        classes: ``K``, or the names of the classes in the order of the scores.
        recipe: how it learns.
        prepare: applied to each batch after the augmentation, for example `arcsinh_stretch`.
        groups: ``groups(model, lr)`` gives the optimizer's parameter groups, for example
            `equivlab.transfer.learning_rates`; by default one rate for all.

    Attributes:
        count: ``K``.
        classes: the names, or None until `fit_lightning` takes those of the training images.
    """

    def __init__(
        self,
        model: nn.Module,
        classes: int | Sequence[str],
        recipe: Recipe | None = None,
        prepare: Prepare | None = None,
        groups: Groups | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.recipe = recipe or Recipe()
        self.prepare = prepare
        self.groups = groups
        self.classes = None if isinstance(classes, int | Integral) else tuple(classes)
        self.count = int(classes) if isinstance(classes, int | Integral) else len(classes)
        self.curve: list[dict[str, float]] = []
        self.run: dict[str, str] = {}  # what `fit_lightning` knows a run by
        self.whole_batch: int | None = None  # images of all processes, where shares differ
        self._losses: list[Tensor] = []
        self._seen: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor) -> Tensor:
        """Class scores ``(B, K)`` of images ``(B, C, H, W)``."""
        scores: Tensor = self.model(x if self.prepare is None else self.prepare(x))
        return scores

    def on_train_epoch_start(self) -> None:
        """Forget what an interrupted epoch lost."""
        self._losses = []

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Dropout draws from the global state: set it from the seed and the step."""
        torch.manual_seed(self._seed_of_step() + self.global_rank)

    def _seed_of_step(self) -> int:
        return seed_of(self.recipe.seed, self.global_step) * 1009  # room for the ranks

    def moved(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """This process's share of a batch, each image moved as the recipe says."""
        where = (self.global_rank, self.trainer.world_size, self.whole_batch)
        return turn_and_mirror(x, self.recipe.augment, generator, *where)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The mean cross-entropy of a batch; the mean over the processes is that of them all."""
        x, y = batch
        x = self.moved(x, torch.Generator().manual_seed(self._seed_of_step()))
        loss = F.cross_entropy(self(x), y)
        if self.whole_batch is not None:  # shares of several sizes
            loss = loss * (len(y) * self.trainer.world_size / self.whole_batch)
        self._losses.append(loss.detach())
        self.log("train_loss_step", loss, on_step=True, on_epoch=False)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Forget what an interrupted validation saw."""
        self._seen = []

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Gather the scores of a batch, in which there may be no image for this process."""
        x, y = batch
        scores = self(x).float() if len(x) else x.new_zeros(0, self.count, dtype=torch.float32)
        self._seen.append((scores, y))

    def on_validation_epoch_end(self) -> None:
        """The validation scores of an epoch, those of all processes."""
        if self._losses:
            self._mean_loss()  # a network that diverged is not a matter of these images
        scores, labels = (self._of_all(torch.cat(part)) for part in zip(*self._seen, strict=True))
        self._seen = []
        self._refuse_broken(scores)
        found = {
            "val_loss": float(F.cross_entropy(scores, labels)),
            "val_auc": float(areas(chances(scores), labels).mean()),
            "val_accuracy": share_right(scores, labels),
        }
        for name, value in found.items():
            self.log(name, value, prog_bar=name != "val_loss")

    def _of_all(self, x: Tensor) -> Tensor:
        """The rows of all processes in the order of one: row ``n`` is with process ``n % P``."""
        if self.trainer.world_size == 1:
            return x.cpu()
        counts: Any = self.all_gather(torch.tensor(len(x), device=self.device))
        most = x.new_zeros(int(counts.max()), *x.shape[1:])
        most[: len(x)] = x
        every: Any = self.all_gather(most)  # (P, M, ...)
        rows: Tensor = every.transpose(0, 1).flatten(0, 1)[: int(counts.sum())]
        return rows.cpu()

    def _refuse_broken(self, scores: Tensor) -> None:
        broken = (~torch.isfinite(scores)).any(1).nonzero()[:, 0]
        if len(broken):
            raise FloatingPointError(
                f"The scores of {len(broken)} of {len(scores)} validation images in epoch "
                f"{self.current_epoch + 1} are not finite; the first is number {int(broken[0])}. "
                "Look for NaN in those images (torch.isfinite(images).all()), or try a smaller lr."
            )

    def _mean_loss(self) -> float:
        """The training loss of the epoch so far; refuse one that is no longer finite."""
        loss = self.trainer.strategy.reduce(torch.stack(self._losses).mean(), reduce_op="mean")
        if not math.isfinite(float(loss)):
            raise FloatingPointError(
                f"The loss of epoch {self.current_epoch + 1} is {float(loss)}. Look for NaN in "
                "the images (torch.isfinite(images).all()) or try a smaller lr."
            )
        return float(loss)

    def on_train_epoch_end(self) -> None:
        """Add a row to the curve."""
        loss = self._mean_loss()
        self._losses = []
        self.log("train_loss", loss, prog_bar=True)
        row = {"epoch": float(self.current_epoch), "train_loss": loss}
        for name in ("val_loss", "val_auc", "val_accuracy"):
            if name in self.trainer.callback_metrics:
                row[name] = float(self.trainer.callback_metrics[name])
        self.curve.append(row)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the curve, what the run is known by, and the names of the classes."""
        checkpoint["curve"] = [dict(row) for row in self.curve]
        checkpoint["recipe"] = repr(self.recipe)
        checkpoint["run"] = self.run
        checkpoint["classes"] = None if self.classes is None else list(self.classes)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the curve up again, and the names of the classes."""
        self.curve = [dict(row) for row in checkpoint.get("curve", [])]
        names = checkpoint.get("classes")
        if names is not None:
            self.classes = tuple(names)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW; the rate rises, then falls along a cosine."""
        recipe = self.recipe
        if self.groups is not None:
            parameters = self.groups(self.model, recipe.lr)
        else:
            parameters = [{"params": list(self.model.parameters()), "lr": recipe.lr}]
        optimizer = torch.optim.AdamW(
            [part for group in parameters for part in _without_decay(group, recipe.weight_decay)]
        )
        steps = int(self.trainer.estimated_stepping_batches)
        rising = max(1, round(recipe.warmup * steps))

        def rate(step: int) -> float:
            if step < rising:
                return (step + 1) / rising
            return (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising))) / 2

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def _without_decay(group: dict[str, Any], decay: float) -> list[dict[str, Any]]:
    """Split a group: biases and norms are not drawn to zero."""
    parts = [[p for p in group["params"] if (p.dim() > 1) == big] for big in (True, False)]
    rows = [{**group, "params": parts[0], "weight_decay": decay}]
    rows.append({**group, "params": parts[1], "weight_decay": 0.0})
    return [row for row in rows if row["params"]]
