"""What a fine-tuned network can do, as a page: areas, confusion, turned images, its mistakes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from equivlab.training.evaluate import accuracy_vs_angle, predict, share_right
from equivlab.training.finetuning.gathering import Gathered
from equivlab.training.pages import figure_html, paragraph_html, table_html, write_page
from equivlab.weights.classifier import Classifier

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from equivlab.training.lightning import FitReport, Interval

__all__ = ["Judged", "judge", "write_report"]

ANGLES_DEG = tuple(range(0, 361, 30))
TURNED = 200  # test images that are turned
SHOWN = 8  # mistakes


@dataclass(frozen=True)
class Judged:
    """What the test images say.

    Attributes:
        chances: probabilities ``(N, K)``.
        labels: ``(N,)``.
        areas: AUC of each class and ``'macro'``, with intervals.
        accuracy: the share that is right.
    """

    chances: Tensor
    labels: Tensor
    areas: dict[str, Interval]
    accuracy: float


def judge(classifier: Classifier, images: Gathered) -> Judged:
    """The network on the test images, which it sees for the first time."""
    from equivlab.training.lightning.scores import auc_with_intervals

    test = images.part("test")
    chances = predict(classifier, test.images).double()
    chances = chances / chances.sum(1, keepdim=True)
    areas = auc_with_intervals(chances, test.labels(), images.classes, logits=False)
    return Judged(chances, test.labels(), areas, share_right(chances, test.labels()))


def write_report(
    path: Path, classifier: Classifier, images: Gathered, judged: Judged, fit: FitReport,
    notes: Sequence[tuple[str, str]],
) -> Path:  # fmt: skip
    """The page; `notes` are rows of what was done."""
    counts = [
        (name, *(int((images.labels[these] == k).sum()) for these in images.parts.values()))
        for k, name in enumerate(images.classes)
    ]
    body = [
        paragraph_html(
            f"Macro AUC {judged.areas['macro']} (95 % interval), accuracy {judged.accuracy:.1%}, "
            f"on {len(judged.labels)} test images that the training did not see."
        ),
        table_html(("", ""), notes),
        "<h2>Images</h2>",
        table_html(("class", *images.parts), counts),
        *(paragraph_html(f"Left out: {reason}") for reason in images.broken[:20]),
        "<h2>Each class against the rest</h2>",
        table_html(("class", "AUC (95 % interval)"), judged.areas.items()),
        figure_html(_scores_figure(judged, images.classes), "ROC curves and confusion matrix"),
        "<h2>Turned test images</h2>",
        figure_html(_angle_figure(classifier, images), "accuracy against angle"),
        "<h2>Training</h2>",
        figure_html(_curve_figure(fit), "loss and validation AUC by epoch"),
        "<h2>Most certain mistakes</h2>",
        *_mistakes(images, judged),
    ]
    return write_page(path, "Fine-tuned network", body)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure  # without pyplot, which would want a screen

    return Figure((width, height), layout="constrained")


def _scores_figure(judged: Judged, names: tuple[str, ...]) -> Figure:
    from equivlab.training.lightning.figures import plot_confusion, plot_roc

    figure = _figure(10, 4.4)
    left, right = figure.subplots(1, 2)
    plot_roc(judged.chances, judged.labels, names, left)
    plot_confusion(judged.chances, judged.labels, names, right)
    return figure


def _angle_figure(classifier: Classifier, images: Gathered) -> Figure:
    from equivlab.training.lightning.figures import plot_accuracy

    test = images.part("test")
    step = -(-len(test) // TURNED)
    some = (test.images[::step], test.labels()[::step])
    turns = [math.radians(angle) for angle in ANGLES_DEG]
    figure = _figure(8, 3.4)
    ax = figure.subplots()
    found = accuracy_vs_angle(classifier, *some, turns)
    plot_accuracy(ANGLES_DEG, {f"{len(some[1])} test images": found}, ax)
    return figure


def _curve_figure(fit: FitReport) -> Figure:
    figure = _figure(8, 3)
    left, right = figure.subplots(1, 2)
    epochs = [int(row["epoch"]) + 1 for row in fit.curve]
    for ax in (left, right):
        ax.xaxis.get_major_locator().set_params(integer=True)
    left.plot(epochs, [row["train_loss"] for row in fit.curve], "o-", color="#0072B2")
    left.set(xlabel="epoch", ylabel="training loss")
    right.plot(epochs, [row["val_auc"] for row in fit.curve], "o-", color="#D55E00")
    right.axvline(fit.best_epoch + 1, color="0.6", linestyle="--")
    right.set(xlabel="epoch (dashed: the one that was kept)", ylabel="validation AUC")
    return figure


def _mistakes(images: Gathered, judged: Judged) -> list[str]:
    sure, said = judged.chances.max(1)
    wrong = (said != judged.labels).nonzero()[:, 0]
    if not len(wrong):
        return [paragraph_html("None: every test image was right.")]
    worst = wrong[sure[wrong].argsort(descending=True)][:SHOWN].tolist()
    figure = _figure(10, 2.9 * -(-len(worst) // 4))
    rows = []
    for place, n in enumerate(worst):
        where = int(images.parts["test"][n])
        image = images.images[where]
        ax = figure.add_subplot(-(-len(worst) // 4), 4, place + 1)
        ax.imshow(_visible(image), cmap="gray")
        ax.set(xticks=[], yticks=[])
        true, told = images.classes[int(judged.labels[n])], images.classes[int(said[n])]
        ax.set_title(f"{told} {float(sure[n]):.0%}\nis {true}", fontsize=9)
        rows.append((images.names[where], true, told, f"{float(sure[n]):.3f}"))
    return [
        figure_html(figure, "the most certain mistakes"),
        table_html(("image", "is", "was taken for", "with the probability"), rows),
    ]


def _visible(image: Tensor) -> Tensor:
    """A picture ``(H, W)`` or ``(H, W, 3)`` with values from 0 to 1."""
    picture = image.movedim(0, -1) if len(image) == 3 else image.float().mean(0)
    low, high = torch.aminmax(picture)
    return (picture - low) / (high - low).clamp_min(1e-12)
