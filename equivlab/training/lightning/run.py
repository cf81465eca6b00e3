"""One `fit` for a notebook, a script and the command line: resumed where it stopped."""

from __future__ import annotations

import contextlib
import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    TQDMProgressBar,
)
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException

from equivlab.data.sets.batches import Batches
from equivlab.data.sets.lock import locked
from equivlab.training.checkpoints import BEST, LAST, newest, read_checkpoint
from equivlab.training.fingerprints import fingerprint
from equivlab.training.lightning.averaging import EqualWeightAveraging
from equivlab.training.lightning.classifier import ImageClassifier
from equivlab.training.lightning.data import ImageData, Part, agreed
from equivlab.training.lightning.keeping import BestAndLast, merit
from equivlab.training.lightning.machine import Machine, quiet
from equivlab.training.lightning.stopping import EndsWithParent

__all__ = ["FitReport", "fit_lightning"]


@dataclass(frozen=True)
class FitReport:
    """What came out: a row for each epoch, and which was the best on the validation images.

    Attributes:
        curve: of each epoch its number, loss, and validation scores, by name.
        best_epoch: the number of the one with the best macro AUC, whose weights are loaded.
        best_auc: that AUC.
        folder: of checkpoints and logs.
    """

    curve: list[dict[str, float]]
    best_epoch: int
    best_auc: float
    folder: Path


def fit_lightning(
    classifier: ImageClassifier,
    train: Part,
    validate: Part,
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
    validation macro AUC; logs for TensorBoard and as CSV lie beside them. The folder may be moved
    between two calls.

    Classes are matched by name where the sets have names, in whatever order each has them; the
    classifier's names, or those of the training images, go into the checkpoints.

    Args:
        classifier: network and recipe; left with the best weights, in `eval()`.
        train: images to learn from.
        validate: images of every class that choose the epoch; never test images.
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
        FloatingPointError: the loss or a validation image's scores are not finite.
        ValueError: the folder belongs to a run with other settings or images, or its checkpoints
            are damaged; the classes do not agree; or both `ema` and `swa`.
        InUseError: another run writes to the folder now.
    """
    if ema is not None and swa is not None:
        raise ValueError(f"fit_lightning averages weights in one way: ema={ema} or swa={swa}.")
    folder, machine, recipe = Path(folder), machine or Machine(), classifier.recipe
    chosen: list[Callback] = [BestAndLast(folder), EndsWithParent()]
    if progress:
        chosen.append(TQDMProgressBar())
    if ema is not None:
        chosen.append(EMAWeightAveraging(decay=ema))
    if swa is not None:
        chosen.append(EqualWeightAveraging(swa))
    if patience is not None:
        chosen.append(EarlyStopping("val_auc", mode="max", patience=patience))
    chosen += callbacks or []  # after an average has taken the network's place for validation
    with _alone(folder), quiet(), torch.random.fork_rng():
        parts = agreed(classifier, train, validate)
        classifier.run = _run(classifier, parts, {"ema": ema, "swa": swa})
        last = _resume(classifier, folder)
        machine.prepare(classifier.model)
        classifier.train()  # Lightning leaves the mode alone, and a loaded network is in eval()
        trainer = machine.trainer(recipe.epochs, folder, chosen, progress)
        whole = min(recipe.batch_size, len(parts[0]))
        classifier.whole_batch = whole if whole % trainer.world_size else None
        _fit(
            trainer,
            classifier,
            ImageData(*parts, recipe.batch_size, recipe.seed, machine.workers),
            last,
        )
        return _finish(classifier, folder, trainer.is_global_zero)


@contextlib.contextmanager
def _port_of_its_own() -> Iterator[None]:
    """Forget the port that Lightning chooses, unless it was given.

    It would be that of every later run of this process, and processes of a run that was killed may
    still listen there.
    """
    given = os.environ.get("MASTER_PORT")
    try:
        yield
    finally:
        if given is None:
            os.environ.pop("MASTER_PORT", None)


def _rank() -> int:
    """The number of this process in its run, as the launcher set it, 0 for the first."""
    rank: int = getattr(rank_zero_only, "rank", 0)
    return rank


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other run writes to the folder; the processes of this one leave the lock to the first."""
    if _rank() != 0:
        yield
        return
    with locked(folder):
        for part in folder.glob(".*.part"):  # what a kill left
            part.unlink(missing_ok=True)
        yield


def _run(
    classifier: ImageClassifier,
    parts: tuple[Batches, Batches],
    averages: Mapping[str, float | None],
) -> dict[str, str]:
    """What makes a run this one: two runs that differ here have nothing to share."""
    numbers = sum(value.numel() for value in classifier.model.state_dict().values())
    named = [f"{name}={value}" for name, value in averages.items() if value is not None]
    return {
        "recipe": repr(classifier.recipe),
        "network": f"{type(classifier.model).__name__} of {numbers:,} numbers",
        "train": f"training on {fingerprint(parts[0])}",
        "validate": f"validation on {fingerprint(parts[1])}",
        "averages": f"weights averaged by {named[0]}" if named else "weights not averaged",
    }


def _resume(classifier: ImageClassifier, folder: Path) -> Path | None:
    """The checkpoint to go on from, if there is one; refuse that of another run."""
    classifier.curve = []
    found = newest(folder)
    if found is None:
        return None
    path, content = found
    known = content.get("run") or {"recipe": content.get("recipe", "none of fit_lightning")}
    other = [key for key in known if known[key] != classifier.run.get(key)]
    if other:
        pairs = [f"{known[key]} there, {classifier.run.get(key)} here" for key in other]
        raise ValueError(
            f"{folder} belongs to another run: {'; '.join(pairs)}. Give another folder, or delete "
            "it."
        )
    if path.name != LAST and _rank() == 0:
        os.replace(path, folder / LAST)  # in place of the damaged one, which nobody shall keep
    return folder / LAST


def _fit(
    trainer: L.Trainer, classifier: ImageClassifier, data: ImageData, last: Path | None
) -> None:
    """Lightning's `fit`, which would end the process, with success, where it is interrupted."""
    try:
        with _port_of_its_own():
            trainer.fit(classifier, datamodule=data, ckpt_path=last, weights_only=True)
    except SIGTERMException as stop:
        raise SystemExit(143) from stop
    except SystemExit as stop:
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt("stopped; the same call goes on") from None
        raise


def _finish(classifier: ImageClassifier, folder: Path, write: bool) -> FitReport:
    """Load the best weights and write the curve.

    The curve comes from the checkpoint: with several processes this one did not train itself.
    """
    curve: list[dict[str, float]] = read_checkpoint(folder / LAST)["curve"]
    row = max(curve, key=merit)
    try:
        best = read_checkpoint(folder / BEST)
        if best["epoch"] != row["epoch"]:
            raise ValueError(f"{folder / BEST} is of epoch {best['epoch']}, not {row['epoch']:g}.")
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(
            f"The weights of the best epoch are lost: {error} Copy the file from where it is "
            f"whole, or delete {folder} and train again; the same call ends in the same weights."
        ) from error
    classifier.load_state_dict(best["state_dict"])
    classifier.eval()
    if write:
        with (folder / "curve.csv").open("w", newline="") as stream:
            rows = csv.DictWriter(stream, list(curve[0]))
            rows.writeheader()
            rows.writerows(curve)
    return FitReport(curve, int(row["epoch"]), row["val_auc"], folder)
