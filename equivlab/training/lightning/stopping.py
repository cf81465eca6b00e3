"""How a run ends that somebody stops: at once, and all its processes."""

from __future__ import annotations

import multiprocessing
import os
import threading
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from equivlab.training.signals import exit_code, on_stop, stop_others

__all__ = ["Command", "EndsWithParent"]


class Command(Callback):
    """What a command adds to a run: its configuration in the folder, and an end by signals.

    Lightning would go on to the end of a validation or an epoch, and leave with success. It stops
    here before the next batch: an exception out of the handler may come while a lock is held.

    Args:
        path: of the configuration.
        config: its text.
    """

    def __init__(self, path: Path, config: str) -> None:
        self.path = path
        self.config = config
        self.stopped_by: int | None = None

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the configuration."""
        if trainer.is_global_zero:
            part = self.path.with_name(f".{self.path.name}-{os.getpid()}.part")
            part.write_text(self.config)
            os.replace(part, self.path)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """In every process, when Lightning has set handlers of its own, in whose place these go.

        Lightning's waits for all processes at the batch in which the signal meets each, where one
        may wait for the gradients of another.
        """

        def stop(number: int, frame: object) -> None:
            self.stopped_by = number
            stop_others(number, trainer.strategy.launcher)

        on_stop(stop)

    def on_train_batch_start(self, *_: Any) -> None:
        """The next moment at which nothing is half done."""
        if self.stopped_by is not None:
            raise SystemExit(exit_code(self.stopped_by))

    def on_validation_batch_start(self, *_: Any) -> None:
        """As in training."""
        self.on_train_batch_start()


class EndsWithParent(Callback):
    """The processes that a run forks do not outlive it, killed or not, and write no more."""

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Wait, in a thread, for the end of the process that holds the lock."""
        parent = multiprocessing.parent_process()
        if parent is not None and trainer.strategy.launcher is not None:

            def follow() -> None:
                parent.join()
                os._exit(1)

            threading.Thread(target=follow, daemon=True).start()
