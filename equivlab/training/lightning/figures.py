"""Figures that a paper could print: ROC curves, confusion, accuracy by angle, AUC by labels.

Every function draws on the axes given (or new ones) and returns them. Colours are Okabe & Ito's,
told apart by every kind of colour vision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from equivlab.training.lightning.scores import (
    Interval,
    auc_with_intervals,
    confusion_matrix,
    probabilities,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_accuracy", "plot_confusion", "plot_label_shares", "plot_roc"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
STYLES = ("-", "--", "-.", ":")


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def roc_curve(scores: Tensor, positive: Tensor) -> tuple[Tensor, Tensor]:
    """False and true positive rates at every threshold, from (0, 0) to (1, 1).

    Args:
        scores: ``(N,)``.
        positive: ``(N,)``, True for images of the class.
    """
    order = scores.argsort(descending=True)
    ranked, hits = scores[order], positive[order].double()
    last_of_ties = torch.cat([ranked[1:] != ranked[:-1], torch.tensor([True])])
    true = hits.cumsum(0)[last_of_ties] / hits.sum()
    false = (1 - hits).cumsum(0)[last_of_ties] / (1 - hits).sum()
    zero = torch.zeros(1, dtype=torch.float64)
    return torch.cat([zero, false]), torch.cat([zero, true])


def plot_roc(
    scores: Tensor, labels: Tensor, names: tuple[str, ...], ax: Axes | None = None
) -> Axes:
    """ROC curves, each class against the rest, with areas and their 95 % intervals.

    Args:
        scores: ``(N, K)``, probabilities or logits.
        labels: ``(N,)``.
        names: of the classes.
        ax: where to draw.
    """
    ax = _axes(ax, (4.6, 4.2))
    scores, labels = probabilities(scores, labels)
    areas = auc_with_intervals(scores, labels, names)
    for k, name in enumerate(names):
        false, true = roc_curve(scores[:, k], labels == k)
        style = STYLES[k % len(STYLES)]
        ax.plot(false, true, style, color=COLOURS[k % len(COLOURS)], label=f"{name} {areas[name]}")
    ax.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    ax.set(xlabel="false positive rate", ylabel="true positive rate", aspect="equal")
    ax.legend(loc="lower right", frameon=False, fontsize=9, title="AUC (95 % interval)")
    return ax


def plot_confusion(
    scores: Tensor, labels: Tensor, names: tuple[str, ...], ax: Axes | None = None
) -> Axes:
    """The share of each class (row) that was given each class (column), with the counts."""
    ax = _axes(ax, (4.0, 3.4))
    counts = confusion_matrix(scores, labels).cpu()  # a figure takes none of a GPU
    shares = counts / counts.sum(1, keepdim=True).clamp_min(1)
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in ((r, c) for r in range(len(names)) for c in range(len(names))):
        share = float(shares[row, column])
        text = f"{share:.0%}\n{int(counts[row, column])}"
        colour = "white" if share > 0.55 else "black"
        ax.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="predicted", ylabel="true")
    ax.figure.colorbar(image, ax=ax, label="share of the true class", shrink=0.8)
    return ax


def plot_accuracy(
    angles_deg: Sequence[float], curves: Mapping[str, Sequence[float]], ax: Axes | None = None
) -> Axes:
    """Accuracy (0 to 1) of networks against the angle of the test images, in degrees.

    Args:
        angles_deg: the angles.
        curves: for each network its name and `equivlab.training.accuracy_vs_angle`.
        ax: where to draw.
    """
    ax = _axes(ax, (6.4, 3.6))
    for k, (name, values) in enumerate(curves.items()):
        colour, marker = COLOURS[k % len(COLOURS)], "os^Dv"[k % 5]
        ax.plot(angles_deg, [100 * v for v in values], marker=marker, color=colour, label=name)
    ax.set(xlabel="angle of the test images (degrees)", ylabel="accuracy (%)")
    if max(angles_deg) - min(angles_deg) >= 90:
        ax.set_xticks(range(int(min(angles_deg)), int(max(angles_deg)) + 1, 45))
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    return ax


def plot_label_shares(
    shares: Sequence[float], curves: Mapping[str, Sequence[Interval]], ax: Axes | None = None
) -> Axes:
    """AUC with its interval against the share of the labels, on a logarithmic axis.

    Points of the same share stand side by side, so that their intervals can be told apart.

    Args:
        shares: of the labels, 0 to 1, rising.
        curves: for each way of training its name and an `Interval` for each share.
        ax: where to draw.

    Raises:
        ValueError: a curve with more or fewer points than shares.
    """
    ax = _axes(ax, (5.6, 4.0))
    for k, (name, points) in enumerate(curves.items()):
        if len(points) != len(shares):
            raise ValueError(
                f"plot_label_shares wants an interval for each of the {len(shares)} shares; "
                f"{name!r} has {len(points)}."
            )
        aside = 1.05 ** (k - (len(curves) - 1) / 2)
        values = [point.value for point in points]
        below = [max(0.0, point.value - point.low) for point in points]
        above = [max(0.0, point.high - point.value) for point in points]
        ax.errorbar(
            [100 * share * aside for share in shares],
            values,
            (below, above),
            color=COLOURS[k % len(COLOURS)],
            marker="os^Dv"[k % 5],
            linestyle=STYLES[k % len(STYLES)],
            capsize=3,
            label=name,
        )
    ax.set_xscale("log")
    ax.set_xticks([100 * share for share in shares], [f"{100 * share:g} %" for share in shares])
    ax.minorticks_off()
    ax.set(xlabel="share of the labels", ylabel="macro AUC (95 % interval)")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    return ax
