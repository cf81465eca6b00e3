"""``python -m equivlab train``: the options become a recipe, a machine and sets of images."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentParser
from lightning.pytorch.utilities import rank_zero_only

from equivlab.data.sets.batches import Batches
from equivlab.data.sets.classes import class_names
from equivlab.training.lightning.classifier import ImageClassifier
from equivlab.training.lightning.lenses import LensData, LensNetwork
from equivlab.training.lightning.machine import Machine
from equivlab.training.lightning.run import FitReport, fit_lightning
from equivlab.training.lightning.stopping import Command
from equivlab.weights.likeness import measure
from equivlab.weights.preparation import Preparation
from equivlab.weights.pretrained import save_pretrained

__all__ = ["train", "train_parser"]

WHOLE = "model.safetensors"
SEEN = 600  # training images that the card says the likes of
MOVED = {  # what Lightning's own command line called it
    "--trainer.callbacks": "--callbacks",
    "--trainer.enable_progress_bar": "--progress",
    "--trainer.max_epochs": "--model.recipe.epochs",
    "--trainer.": "--machine.",
    "--data.workers": "--machine.workers",
    "--data.batch_size": "--model.recipe.batch_size",
    "--data.seed": "--model.recipe.seed",
    "--model.sync_norms": "--machine.sync_norms",
    "--model.classes": "the classes of the training images",
}


def train_parser() -> ArgumentParser:
    """The options of ``train``: those of the data, the network, the machine and `fit_lightning`."""
    parser = ArgumentParser("python -m equivlab train", description=__doc__)
    parser.add_argument("--config", action="config", help="a file that --print_config wrote")
    parser.add_class_arguments(LensData, "data")
    parser.add_class_arguments(LensNetwork, "model")
    parser.add_class_arguments(Machine, "machine")
    parser.add_argument("--folder", default="runs/lenses", help="of checkpoints and logs")
    skip: set[str | int] = {"classifier", "train", "validate", "folder", "machine"}
    parser.add_function_arguments(fit_lightning, skip=skip)
    parser.set_defaults({"machine.workers": 2})  # it changes nothing but the time
    return parser


def train(arguments: Sequence[str]) -> None:
    """Train as the options say, and say which epoch was the best.

    Raises:
        SystemExit: wrong options; the message lists what there is.
    """
    parser = train_parser()
    for given in arguments:
        old = next((name for name in MOVED if given.startswith(name)), None)
        if old is not None:
            parser.error(f"{given} is no option of this version: {old} became {MOVED[old]}.")
    settings = parser.parse_args(list(arguments))
    config = parser.dump(settings)
    try:
        given = parser.instantiate_classes(settings)
    except ValueError as error:  # a value that an option cannot have
        parser.error(str(error))
    folder, seed = Path(given.folder), given.model.recipe.seed
    train, validate = given.data.sets(seed)
    names = class_names(train)
    classifier = given.model.classifier(names or int(train.labels().max()) + 1)
    options: dict[str, Any] = {key: given[key] for key in ("ema", "swa", "patience", "progress")}
    options["callbacks"] = [Command(folder / "config.yaml", config), *(given.callbacks or [])]
    report = fit_lightning(classifier, train, validate, folder, machine=given.machine, **options)
    _take_away(classifier, given, train, report)
    sys.stdout.write(
        f"Epoch {report.best_epoch + 1} of {len(report.curve)} was the best, with a validation AUC "
        f"of {report.best_auc:.4f}. Its weights are in {folder / 'best.ckpt'}, and with their "
        f"card in {folder / WHOLE}\n"
        f"Now: python -m equivlab predict {folder} FOLDER\n"
    )


@rank_zero_only
def _take_away(classifier: ImageClassifier, given: Any, train: Batches, report: FitReport) -> None:
    """Network and card as one file, which `load_classifier` takes."""
    prepare = classifier.prepare
    some = train[torch.linspace(0, len(train) - 1, min(len(train), SEEN)).long().tolist()][0]
    card = replace(
        given.model.card(classifier.count),
        data=f"{len(train)} images of {given.data.train}",
        metrics={"macro AUC, validation images": round(report.best_auc, 4)},
        classes=classifier.classes or (),
        seen=measure(some, prepare) if isinstance(prepare, Preparation) else {},
    )
    save_pretrained(classifier.model, Path(given.folder) / WHOLE, card)
