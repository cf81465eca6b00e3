"""When a run writes its checkpoints: the best epoch, and the last, after every epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from equivlab.training.checkpoints import BEST, LAST, PREVIOUS, Content, write_checkpoint

__all__ = ["BestAndLast", "WholeFiles", "merit"]


class BestAndLast(Checkpoint):
    """After every epoch write ``best.ckpt``, if it is that, and then ``last.ckpt``.

    Which epoch is the best follows from the curve, so this remembers nothing: a run folder may
    be moved or copied. A kill between the two files costs the epoch, not the run.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lightning calls this one after the classifier has added its row to the curve."""
        curve: Any = pl_module.curve
        if all(merit(curve[-1]) > merit(row) for row in curve[:-1]):
            trainer.save_checkpoint(self.folder / BEST)
        trainer.save_checkpoint(self.folder / LAST)


def merit(row: Mapping[str, float]) -> tuple[float, float]:
    """By what the best epoch is chosen: the validation AUC, and among equals the loss.

    Few or easy images have an AUC of 1 while the scores of most are still on one side.
    """
    return row["val_auc"], -row["val_loss"]


class WholeFiles(TorchCheckpointIO):
    """Lightning's way to the disk, by `write_checkpoint`."""

    def save_checkpoint(self, checkpoint: Content, path: Any, storage_options: Any = None) -> None:
        """Write; of ``last.ckpt`` the one before is kept."""
        path = Path(path)
        write_checkpoint(checkpoint, path, path.with_name(PREVIOUS) if path.name == LAST else None)
