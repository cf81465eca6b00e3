"""What a run computes on: devices, precision, and Lightning's trainer for them."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import nn

from equivlab.nn.synced import sync_norms
from equivlab.training.lightning.keeping import WholeFiles

__all__ = ["Machine"]


@dataclass(frozen=True)
class Machine:
    """What a run computes on; none of it is part of the result, up to rounding.

    Args:
        accelerator: ``'auto'`` takes a GPU if there is one; ``'cpu'``, ``'gpu'``, ...
        devices: how many, or ``'auto'``.
        nodes: machines in a cluster.
        strategy: Lightning's; ``'auto'`` is DDP with several devices.
        precision: ``'32-true'``, ``'bf16-mixed'``; ``'auto'``: bf16 on a GPU that has it.
        workers: processes that load images.
        compile: `torch.compile` the network.
        channels_last: maps and weights in the memory format that GPUs convolve in bf16. It
            makes an ordinary network faster, group networks slower (their norms).
        sync_norms: the batch norms of several devices share their statistics;
            then the result does not depend on how many there are.
    """

    accelerator: str = "auto"
    devices: int | Literal["auto"] = "auto"
    nodes: int = 1
    strategy: str = "auto"
    precision: str = "auto"
    workers: int = 0
    compile: bool = False
    channels_last: bool = False
    sync_norms: bool = False

    @property
    def lightning_precision(self) -> Any:
        """Lightning's word for the precision."""
        if self.precision != "auto":
            return self.precision
        on_gpu = self.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
        return "bf16-mixed" if on_gpu and torch.cuda.is_bf16_supported() else "32-true"

    def prepare(self, model: nn.Module) -> None:
        """Change a network in place into the form that is wanted."""
        if self.sync_norms:
            sync_norms(model)
        if self.channels_last:  # the format of its weights is the one a convolution gives
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.compile:
            model.compile()

    def trainer(
        self, epochs: int, folder: Path, callbacks: list[Callback], progress: bool
    ) -> L.Trainer:
        """Lightning's trainer; logs go to `folder`, as CSV and for TensorBoard."""
        return L.Trainer(
            accelerator=self.accelerator,
            devices=self.devices,
            num_nodes=self.nodes,
            strategy=self.strategy,
            precision=self.lightning_precision,
            max_epochs=epochs,
            logger=[CSVLogger(folder, "csv"), TensorBoardLogger(folder, "tensorboard", "")],
            callbacks=callbacks,
            plugins=[WholeFiles()],
            enable_progress_bar=progress,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=20,
            use_distributed_sampler=False,
        )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without Lightning's advertisements, and its advice on what is meant to be so."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for text in ("The number of training", "The '.*_dataloader'", ".*LeafSpec"):
                warnings.filterwarnings("ignore", f".*{text}")
            yield
    finally:
        logger.setLevel(level)
