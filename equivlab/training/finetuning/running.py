"""Fine-tune a trained network on a folder of images: frozen first, then from the head down."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from equivlab.training.finetuning.exporting import check_export, export_onnx
from equivlab.training.finetuning.gathering import Gathered, gather
from equivlab.training.finetuning.reporting import Judged, judge, write_report
from equivlab.training.finetuning.schedule import Schedule, schedule_for
from equivlab.training.finetuning.starting import begin, size_of, steps_for
from equivlab.transfer.norms import renew_norms
from equivlab.transfer.staging import learning_rates
from equivlab.weights.classifier import Classifier
from equivlab.weights.likeness import measure
from equivlab.weights.preparation import Preparation
from equivlab.weights.pretrained import ModelCard, load_pretrained, save_pretrained

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback

    from equivlab.training.lightning import ImageClassifier, Recipe

__all__ = ["FineTuned", "finetune"]

STEPS = 400  # of the optimizer, where nobody says how many epochs
EPOCHS = (8, 60)  # at least, and at most


@dataclass(frozen=True)
class FineTuned:
    """What came out.

    Attributes:
        classifier: takes raw images.
        judged: what the test images say of it.
        model: its file.
        report: the page.
        exported: the ONNX file, if there is one.
    """

    classifier: Classifier
    judged: Judged
    model: Path
    report: Path
    exported: Path | None = None


def finetune(
    folder: str | os.PathLike[str],
    start: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    size: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float = 2e-3,
    seed: int = 0,
    export: str | None = None,
    progress: bool = True,
) -> FineTuned:
    """Take a trained network to the images in a folder of classes, and judge it.

    The statistics of its batch norms are measured anew. With few images the head learns first, then
    stage after stage from the head down, each with half the rate of the next (Howard & Ruder, ACL
    2018); with many all learn at once (`schedule_for`). The epoch with the best validation AUC is
    kept, among equals that of the lowest loss. Run the same call again after a kill: it goes on.

    Args:
        folder: a folder for each class, or an archive; see `gather`.
        start: a name of `pretrained_names`, or a file with a card.
        out: a folder for ``model.safetensors``, ``report.html`` and the checkpoints.
        size: rows and columns that images are brought to; see `gather`.
        epochs: passes over the images; by default as many as give 400 steps, 8 to 60.
        batch_size: images in a step; by default 32, or a quarter of the images if that is less.
        lr: rate of the head.
        seed: of the shares, the new head and the training.
        export: ``'onnx'`` writes ``model.onnx`` too.
        progress: show bars.

    Raises:
        FileNotFoundError: no such folder or network.
        ValueError: images or a network that do not fit, or `out` holds another run.
        ModuleNotFoundError: the extra ``train`` is missing, or what `export` needs.
        InUseError: another run writes to `out`.
    """
    from equivlab.training.lightning import GradualUnfreezing, fit_lightning

    check_export(export)
    out = Path(out)
    card = load_pretrained(start)[1]
    images = gather(Path(folder), size=size, fallback=size_of(card), seed=seed, progress=progress)
    model, new = begin(start, images.classes, images.images.shape[1], seed)
    steps = steps_for(card, images.shapes, size, images.images.shape[-1])
    plan = schedule_for(len(images.parts["train"]), len(images.classes))
    learner = _learner(model, images, Preparation(steps), plan, (epochs, batch_size, lr, seed))
    settings = json.dumps({"folder": str(folder), "from": str(start), "steps": steps})
    fit = fit_lightning(
        learner,
        images.part("train"),
        images.part("validate"),
        out / "training",
        callbacks=[
            GradualUnfreezing(plan.thawing(model, learner.recipe.epochs)),
            *_stops(out, settings),
        ],
        progress=progress,
    )
    about = _card(new, learner.recipe, images, Preparation(steps), f"{folder}, from {start}")
    classifier = Classifier(model.cpu(), about)
    judged = judge(classifier, images)
    about = replace(about, metrics=_metrics(judged))
    classifier = Classifier(model, about)
    path = save_pretrained(model, out / "model.safetensors", about)
    notes = [("started from", str(start)), ("images", str(folder)), ("recipe", about.recipe)]
    notes += [("preparation", repr(classifier.prepare)), ("best epoch", str(fit.best_epoch + 1))]
    report = write_report(out / "report.html", classifier, images, judged, fit, notes)
    exported = export_onnx(classifier, images.images[:2], out / "model.onnx") if export else None
    return FineTuned(classifier, judged, path, report, exported)


def _learner(
    model: nn.Module, images: Gathered, prepare: Preparation, plan: Schedule,
    wishes: tuple[int | None, int | None, float, int],
) -> ImageClassifier:  # fmt: skip
    from equivlab.training.lightning import ImageClassifier, Recipe

    epochs, batch_size, lr, seed = wishes
    count = len(images.parts["train"])
    batch_size = batch_size or max(2, min(32, count // 4))
    steps = max(1, count // batch_size)
    epochs = epochs or min(EPOCHS[1], max(EPOCHS[0], -(-STEPS // steps)))
    renew_norms(model, _prepared(images, prepare))
    recipe = Recipe(epochs, batch_size, lr, seed=seed)
    rates = partial(learning_rates, decay=plan.decay)
    return ImageClassifier(model, images.classes, recipe, prepare, rates)


def _prepared(images: Gathered, prepare: Preparation) -> Iterator[Tensor]:
    """Training images as the network sees them, in equal batches."""
    these = images.parts["train"]
    order = torch.randperm(len(these), generator=torch.Generator().manual_seed(0))
    many = min(len(these), 50)
    for some in order.split(many):
        if len(some) == many:
            yield prepare(images.images[these[some]])


def _stops(out: Path, settings: str) -> list[Callback]:
    from equivlab.training.lightning.stopping import Command

    return [Command(out / "training" / "settings.json", settings)]


def _card(
    card: ModelCard, recipe: Recipe, images: Gathered, prepare: Preparation, data: str
) -> ModelCard:
    train = images.images[images.parts["train"]]
    seen = measure(train, prepare)
    if len(images.shapes) == 1:
        seen["size"] = list(next(iter(images.shapes)))
    counts = images.labels.bincount(minlength=len(images.classes)).tolist()
    each = ", ".join(f"{name} {count}" for name, count in zip(images.classes, counts, strict=True))
    return replace(
        card,
        data=f"{len(images.labels)} images ({each}) of {data}",
        recipe=f"{recipe!r}, frozen, thawed from the head down",
        prepare=f"{prepare!r}",
        steps=prepare.steps,
        seen=seen,
    )


def _metrics(judged: Judged) -> dict[str, float]:
    macro = judged.areas["macro"]
    return {
        "macro AUC, test images": round(macro.value, 4),
        "its lower bound (95 %)": round(macro.low, 4),
        "accuracy, test images": round(judged.accuracy, 4),
    }
