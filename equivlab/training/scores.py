"""How good a classifier is, and how sure that is: AUC with bootstrap intervals, confusion."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix

__all__ = ["Interval", "auc_with_intervals", "confusion_matrix"]


@dataclass(frozen=True)
class Interval:
    """A value and the interval in which it lies with the probability asked for."""

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
) -> dict[str, Interval]:
    """Areas under the ROC curves, each class against the rest, and their mean ``'macro'``.

    The intervals are percentiles over resampled test sets (the bootstrap; Efron & Tibshirani,
    1993): they tell what another test set would change, not another training.

    Args:
        scores: ``(N, K)``; any increasing function of the probabilities of each class.
        labels: ``(N,)``.
        names: of the classes; ``'0'``, ``'1'``, ... by default.
        resamples: how many test sets are drawn with replacement.
        level: probability of the interval.
        seed: of the draws.

    Raises:
        ValueError: NaN, other shapes, or a class without images or without others.
    """
    classes = scores.shape[-1]
    names = names or tuple(map(str, range(classes)))
    counts = labels.bincount(minlength=classes)
    if scores.shape != (len(labels), classes) or not bool(torch.isfinite(scores).all()):
        raise ValueError(
            f"auc_with_intervals takes finite scores (N, K) and labels (N,); got "
            f"{tuple(scores.shape)} and {tuple(labels.shape)}."
        )
    if len(counts) > classes or int(counts.min()) == 0 or len(names) != classes:
        raise ValueError(
            f"auc_with_intervals wants images of each of the {classes} classes, and a name for "
            f"each; got {counts.tolist()} images and {len(names)} names."
        )
    generator = torch.Generator().manual_seed(seed)
    flat = torch.ones(1, len(labels), dtype=torch.float64)
    whole = _weighted_auc(scores, labels, flat)[0]  # (K,)
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
    """How many images of class ``row`` were given class ``column``, ``(K, K)``."""
    return multiclass_confusion_matrix(scores, labels, scores.shape[1])
