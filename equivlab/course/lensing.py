"""Checks for the exercises on lenses: the area under a ROC curve, and a vote over the group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from equivlab.course.verdict import Verdict, run_attempt
from equivlab.groups import P4, P4M, PointGroup

__all__ = ["check_auc", "check_vote"]

CLOSE = 1e-9


def check_auc(attempt: Callable[[Tensor, Tensor], Any]) -> Verdict:
    """The area under the ROC curve: ``attempt(scores, positive)``.

    Args:
        attempt: takes scores ``(N,)`` in float64 and which of them are positive, ``(N,)`` bool;
            should give the share of pairs (one positive, one not) in which the positive one
            scores higher, a tie counting half.
    """
    scores = torch.tensor([0.9, 0.8, 0.6, 0.6, 0.4, 0.6, 0.2, 0.1], dtype=torch.float64)
    positive = torch.tensor([1, 1, 1, 0, 1, 0, 0, 0], dtype=torch.bool)
    ahead = scores[positive][:, None] - scores[~positive][None, :]  # each pair
    higher, ties = float((ahead > 0).double().mean()), float((ahead == 0).double().mean())
    wanted = higher + ties / 2
    found, trouble = run_attempt(attempt, (scores.clone(), positive.clone()))
    if trouble:
        return Verdict(False, trouble)
    try:
        area = float(found)
    except (TypeError, ValueError, RuntimeError):
        return Verdict(False, f"It should give one number; this is {type(found).__name__}.")
    if abs(area - wanted) < CLOSE:
        return Verdict(True, "The chance that a positive scores above one that is not.")
    if abs(area - (1 - wanted)) < CLOSE:
        said = "This is 1 − AUC: count the pairs in which the positive one scores higher."
    elif abs(area - higher) < CLOSE or abs(area - higher - ties) < CLOSE:
        said = "Equal scores decide nothing: a tie counts half a pair."
    elif abs(area - float(((scores > 0.5) == positive).double().mean())) < CLOSE:
        said = "That is the accuracy with the threshold at 0.5. The AUC needs no threshold."
    else:
        said = f"It gives {area:.4f}, where {wanted:.4f} is right."
    return Verdict(False, said)


def check_vote(attempt: Callable[[nn.Module, Tensor], Any]) -> Verdict:
    """Any classifier made invariant under P4m: ``attempt(model, x)``.

    Args:
        attempt: takes a network and images ``(B, 1, H, H)`` in float64; should give the mean of
            its scores over the eight turned and mirrored copies of each image, ``(B, classes)``.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 1, 8, 8, generator=generator, dtype=torch.float64)
    model = _small_classifier()
    with torch.no_grad():
        found, trouble = run_attempt(attempt, (model, x.clone()))
        if trouble:
            return Verdict(False, trouble)
        wanted = _vote(model, x, P4M)
        if not isinstance(found, Tensor) or found.shape != wanted.shape:
            what = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            return Verdict(False, f"It should give scores {tuple(wanted.shape)}; got {what}.")
        if _same(found, wanted):
            return Verdict(True, "Every network is invariant when all eight copies vote.")
        pictures = torch.stack([P4M.move(g, x) for g in P4M.elements]).mean(0)
        if _same(found, model(x)):
            said = "That is the network as it is: turn and mirror the image, and average."
        elif _same(found, _vote(model, x, P4)):
            said = "The four turns vote, but the four mirrored copies are missing: flip(-1)."
        elif _same(found, 8 * wanted):
            said = "The scores are added up: divide by the eight copies."
        elif _same(found, model(pictures)):
            said = "You averaged the pictures. Average the scores, one run for each copy."
        else:
            said = "It is not the mean of the scores over the eight copies."
    return Verdict(False, said)


def _small_classifier() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = (nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 3))
        return nn.Sequential(*layers).double().eval()


def _vote(model: nn.Module, x: Tensor, group: PointGroup) -> Tensor:
    return torch.stack([model(group.move(g, x)) for g in group.elements]).mean(0)


def _same(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() <= CLOSE)
