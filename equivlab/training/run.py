"""One `fit` for a notebook: device found, progress shown, resumed where it stopped."""

from __future__ import annotations

import contextlib
import csv
import logging
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    ModelCheckpoint,
    TQDMProgressBar,
)
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader

from equivlab.data.batches import Batches, EpochBatches, ImageSet, loader
from equivlab.nn.synced_norm import sync_norms
from equivlab.training.averaging import EqualWeightAveraging
from equivlab.training.classifier import ImageClassifier

__all__ = ["FitReport", "ImageData", "Machine", "fit_lightning"]


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
        sync_norms: the batch norms of several devices share their statistics, see
            `equivlab.nn.synced_norm`; then the result does not depend on how many there are.
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


@dataclass(frozen=True)
class FitReport:
    """What came out: a row for each epoch, and which was the best on the validation images."""

    curve: list[dict[str, float]]
    best_epoch: int
    best_auc: float
    folder: Path


class ImageData(L.LightningDataModule):
    """Two image sets as Lightning wants them; each process loads its share of every batch."""

    def __init__(
        self, train: Batches, validate: Batches, batch_size: int, seed: int, workers: int = 0
    ) -> None:
        super().__init__()
        self.parts = {"train": train, "validate": validate}
        self.batch_size = batch_size
        self.seed = seed
        self.workers = workers

    def _loader(self, name: str, seed: int | None) -> DataLoader[tuple[Tensor, Tensor]]:
        part, trainer = self.parts[name], self.trainer
        rank, world = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        batches = EpochBatches(len(part), self.batch_size, seed, rank, world)
        return loader(part, batches, self.workers, torch.cuda.is_available())

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """The training images, in an order of their own each epoch."""
        return self._loader("train", self.seed)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """The validation images."""
        return self._loader("validate", None)


def fit_lightning(
    classifier: ImageClassifier,
    train: ImageSet | Batches,
    validate: ImageSet | Batches,
    folder: str | os.PathLike[str],
    *,
    machine: Machine | None = None,
    ema: float | None = None,
    swa: float | None = None,
    patience: int | None = None,
    callbacks: list[Callback] | None = None,
    progress: bool = True,
) -> FitReport:
    """Train, keep the weights that were best on the validation images, and load them.

    After each epoch ``folder/last.ckpt`` is written, whole or not at all; the same call goes on
    from there after a kill, to the same curve. ``folder/best.ckpt`` is the epoch with the best
    validation macro AUC; logs for TensorBoard and as CSV lie beside them.

    Args:
        classifier: network and recipe; left with the best weights, in `eval()`.
        train: images to learn from.
        validate: images that choose the epoch; never test images.
        folder: of checkpoints and logs.
        machine: devices and precision; found by itself.
        ema: average the weights with this decay a step, for example 0.999, and validate and
            keep the average.
        swa: from this share of the epochs on, for example 0.75, validate and keep the mean of
            the weights since then, with statistics of its own; see `EqualWeightAveraging`.
        patience: stop after so many epochs without a better AUC.
        callbacks: more of Lightning's, or ours: `RenewedNorms` where validation looks far worse
            than the training loss.
        progress: show bars.

    Raises:
        FloatingPointError: the loss is no longer finite.
        ValueError: the folder belongs to a run with another recipe, or both `ema` and `swa`.
    """
    if ema is not None and swa is not None:
        raise ValueError(f"fit_lightning averages weights in one way: ema={ema} or swa={swa}.")
    folder = Path(folder)
    machine, recipe = machine or Machine(), classifier.recipe
    parts = [s if isinstance(s, Batches) else Batches(s) for s in (train, validate)]
    data = ImageData(parts[0], parts[1], recipe.batch_size, recipe.seed, machine.workers)
    chosen = checkpoints(folder)
    if progress:
        chosen.append(TQDMProgressBar())
    if ema is not None:
        chosen.append(EMAWeightAveraging(decay=ema))
    if swa is not None:
        chosen.append(EqualWeightAveraging(swa))
    if patience is not None:
        chosen.append(EarlyStopping("val_auc", mode="max", patience=patience))
    chosen += callbacks or []  # after an average has taken the network's place for validation
    if machine.sync_norms:
        sync_norms(classifier.model)
    if machine.channels_last:  # the format of its weights is the one a convolution gives
        classifier.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if machine.compile:
        classifier.model.compile()
    classifier.train()  # Lightning leaves the mode alone, and a loaded network is in eval()
    last = folder / "last.ckpt"
    with _quiet(), torch.random.fork_rng():
        trainer = _trainer(machine, recipe.epochs, folder, chosen, progress)
        trainer.fit(
            classifier,
            datamodule=data,
            ckpt_path=last if last.exists() else None,
            weights_only=True,
        )
    return _finish(classifier, folder, trainer.is_global_zero)


def checkpoints(folder: Path) -> list[Callback]:
    """``best.ckpt`` by the validation AUC, then ``last.ckpt``, after every epoch.

    After the classifier has added its row to the curve; the best one first, so that the last
    one knows of it.
    """
    settings: dict[str, Any] = {"save_on_train_epoch_end": True, "enable_version_counter": False}
    best = ModelCheckpoint(folder, "best", monitor="val_auc", mode="max", **settings)
    return [best, ModelCheckpoint(folder, "last", **settings)]


def loggers(folder: Path) -> list[Logger]:
    """CSV, a new file for each call, and TensorBoard."""
    return [CSVLogger(folder, "csv"), TensorBoardLogger(folder, "tensorboard", "")]


def _trainer(
    machine: Machine, epochs: int, folder: Path, callbacks: list[Callback], progress: bool
) -> L.Trainer:
    return L.Trainer(
        accelerator=machine.accelerator,
        devices=machine.devices,
        num_nodes=machine.nodes,
        strategy=machine.strategy,
        precision=machine.lightning_precision,
        max_epochs=epochs,
        logger=loggers(folder),
        callbacks=callbacks,
        enable_progress_bar=progress,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=20,
        use_distributed_sampler=False,
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's advertisements, and its advice on what is meant to be so."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for text in ("Checkpoint directory", "The number of training", "The '.*_dataloader'"):
                warnings.filterwarnings("ignore", f".*{text}")
            warnings.filterwarnings("ignore", ".*LeafSpec")
            yield
    finally:
        logger.setLevel(level)


def _finish(classifier: ImageClassifier, folder: Path, write: bool) -> FitReport:
    """Load the best weights and write the curve.

    The curve comes from the checkpoint: with several processes this one did not train itself.
    """
    last = torch.load(folder / "last.ckpt", map_location="cpu", weights_only=True)
    best = torch.load(folder / "best.ckpt", map_location="cpu", weights_only=True)
    classifier.load_state_dict(best["state_dict"])
    classifier.eval()
    curve: list[dict[str, float]] = last["curve"]
    if write:
        with (folder / "curve.csv").open("w", newline="") as stream:
            rows = csv.DictWriter(stream, list(curve[0]))
            rows.writeheader()
            rows.writerows(curve)
    row = max(curve, key=lambda row: row["val_auc"])
    return FitReport(curve, int(row["epoch"]), row["val_auc"], folder)
