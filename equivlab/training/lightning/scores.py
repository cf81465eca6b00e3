"""How good a classifier is, and how sure that is: AUC with bootstrap intervals, confusion."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from equivlab.data.sets.classes import class_labels

__all__ = [
    "Interval",
    "areas",
    "auc_with_intervals",
    "chances",
    "confusion_matrix",
    "probabilities",
]

ROUNDED = 0.2  # how far the sum of a row of probabilities may be from 1, of rounding


@dataclass(frozen=True)
class Interval:
    """A value and the interval in which it lies with the probability asked for.

    Attributes:
        value: on all images.
        low: the lower end.
        high: the upper end.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


def auc_with_intervals(
    scores: Tensor,
    labels: Tensor,
    names: tuple[str, ...] | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    logits: bool | None = None,
) -> dict[str, Interval]:
    """Areas under the ROC curves, each class against the rest, and their mean ``'macro'``.

    Scores are probabilities, or logits (the raw output of a network), which are made probabilities
    by a softmax: images are ranked by the probability of a class, and a logit ranks them otherwise.

    The intervals are percentiles over resampled test sets (the bootstrap; Efron & Tibshirani,
    1993): they tell what another test set would change, not another training.

    Args:
        scores: ``(N, K)``, probabilities or logits.
        labels: ``(N,)``.
        names: of the classes; ``'0'``, ``'1'``, ... by default.
        resamples: how many test sets are drawn with replacement.
        level: probability of the interval.
        seed: of the draws.
        logits: whether the scores are logits; None finds out. Numbers outside 0 to 1 are.

    Raises:
        ValueError: NaN, other shapes, a class without images or without others, or numbers from
            0 to 1 whose rows do not add up to 1, where the two readings give other areas.
    """
    scores, labels = probabilities(scores, labels, logits)
    classes = scores.shape[1]
    names = names or tuple(map(str, range(classes)))
    counts = labels.bincount(minlength=classes)
    if int(counts.min()) == 0 or classes < 2 or len(names) != classes:
        raise ValueError(
            f"auc_with_intervals wants images of each of the {classes} classes, two or more, and "
            f"a name for each; got {counts.tolist()} images and {len(names)} names."
        )
    generator = torch.Generator().manual_seed(seed)
    whole = areas(scores, labels)  # (K,)
    drawn = []
    for start in range(0, resamples, 50):
        many = min(50, resamples - start)
        picks = torch.randint(len(labels), (many, len(labels)), generator=generator)
        times = torch.zeros(many, len(labels), dtype=torch.float64)
        times.scatter_add_(1, picks, torch.ones_like(times))
        drawn.append(_weighted_auc(scores, labels, times))
    sample = torch.cat([torch.cat(drawn), torch.cat(drawn).mean(1, keepdim=True)], 1)  # (R, K+1)
    tails = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    low, high = sample.nanquantile(tails, dim=0)
    values = torch.cat([whole, whole.mean()[None]])
    return {
        name: Interval(float(values[k]), float(low[k]), float(high[k]))
        for k, name in enumerate((*names, "macro"))
    }


def probabilities(
    scores: Tensor, labels: Tensor, logits: bool | None = None
) -> tuple[Tensor, Tensor]:
    """Scores as probabilities ``(N, K)``, and labels ``(N,)``, on the CPU.

    Raises:
        ValueError: as `auc_with_intervals`.
    """
    if scores.dim() != 2 or len(scores) != len(labels) or not bool(scores.isfinite().all()):
        raise ValueError(
            f"An AUC is one of finite scores (N, K) and labels (N,); got {tuple(scores.shape)} and "
            f"{tuple(labels.shape)}, and {int((~scores.isfinite()).sum())} scores are not finite."
        )
    scores = scores.detach().cpu()
    labels = class_labels(labels, len(scores), scores.shape[1]).cpu()
    far = float((scores - 0.5).abs().max()) if scores.numel() else 0.0
    if logits or (logits is None and far > 0.5 + 1e-4):  # none of the rounding of a mean
        return chances(scores), labels
    ones = bool(((scores.double().sum(1) - 1).abs() <= ROUNDED).all())
    if logits is None and not ones:
        readings = areas(scores, labels), areas(chances(scores), labels)
        if not torch.allclose(*readings, atol=1e-9, equal_nan=True):
            one, other = ([round(float(area), 4) for area in reading] for reading in readings)
            raise ValueError(
                "These scores lie between 0 and 1, but their rows do not add up to 1: as "
                f"probabilities they have the areas {one}, as logits {other}. Say what they are: "
                "logits=False or logits=True; or give scores.softmax(1)."
            )
    return scores, labels


def chances(logits: Tensor) -> Tensor:
    """Probabilities ``(N, K)`` of logits, in float64, in which large ones do not become ties."""
    return logits.double().softmax(1)


def areas(scores: Tensor, labels: Tensor) -> Tensor:
    """AUC ``(K,)`` of each class against the rest; NaN for a class without images or others."""
    return _weighted_auc(scores, labels, torch.ones(1, len(labels), dtype=torch.float64))[0]


def _weighted_auc(scores: Tensor, labels: Tensor, times: Tensor) -> Tensor:
    """AUC ``(R, K)`` when image ``n`` is there ``times[r, n]`` times: wins plus half the ties."""
    columns = []
    for k in range(scores.shape[1]):
        _, rank, sizes = scores[:, k].unique(return_inverse=True, return_counts=True)
        positive = torch.zeros(len(times), len(sizes), dtype=torch.float64)
        negative = torch.zeros_like(positive)
        mine = (labels == k).double()
        positive.index_add_(1, rank, times * mine)
        negative.index_add_(1, rank, times * (1 - mine))
        below = negative.cumsum(1) - negative / 2
        pairs = positive.sum(1) * negative.sum(1)
        columns.append((positive * below).sum(1) / pairs)
    return torch.stack(columns, 1)


def confusion_matrix(scores: Tensor, labels: Tensor) -> Tensor:
    """How many images of class ``row`` were given class ``column``, ``(K, K)``.

    Args:
        scores: ``(N, K)``, probabilities or logits.
        labels: ``(N,)``.

    Raises:
        ValueError: NaN, or labels that are not one whole number for each row.
    """
    classes = scores.shape[1]
    labels = class_labels(labels, len(scores), classes).to(scores.device)
    if bool(scores.isnan().any()):
        raise ValueError(
            f"confusion_matrix takes scores (N, K); {int(scores.isnan().any(1).sum())} of "
            f"{len(scores)} rows have NaN."
        )
    pairs = labels * classes + scores.argmax(1)
    return pairs.bincount(minlength=classes**2).view(classes, classes)
