"""The checks of the notebook on lenses know right from wrong, and say which wrong."""

from __future__ import annotations

import pytest
import torch

from equivlab.course import check_auc, check_vote


def auc(scores, positive):
    ahead = scores[positive][:, None] - scores[~positive]
    return ((ahead > 0).double() + (ahead == 0).double() / 2).mean()


def test_areas() -> None:
    assert check_auc(auc).right
    assert "1 − AUC" in check_auc(lambda s, p: auc(-s, p)).said
    strict = check_auc(lambda s, p: (s[p][:, None] > s[~p]).double().mean())
    assert "tie counts half" in strict.said
    accuracy = check_auc(lambda s, p: ((s > 0.5) == p).double().mean())
    assert "threshold" in accuracy.said
    assert "is right" in check_auc(lambda s, p: 0.3).said
    assert "one number" in check_auc(lambda s, p: s).said
    assert "Nothing comes back" in check_auc(lambda s, p: None).said


def copies(x, mirrors=2):
    return [torch.rot90(y, r, (-2, -1)) for y in (x, x.flip(-1))[:mirrors] for r in range(4)]


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda model, x: model(x), "as it is"),
        (lambda model, x: sum(map(model, copies(x, 1))) / 4, "mirrored copies are missing"),
        (lambda model, x: sum(map(model, copies(x))), "divide by"),
        (lambda model, x: model(sum(copies(x)) / 8), "averaged the pictures"),
        (lambda model, x: torch.stack([model(y) for y in copies(x)]).amax(0), "not the mean"),
        (lambda model, x: x, "(2, 3)"),
        (lambda model, x: None, "Nothing comes back"),
    ],
)
def test_votes_that_are_wrong(attempt, said: str) -> None:
    verdict = check_vote(attempt)
    assert not verdict.right
    assert said in verdict.said


def test_a_vote() -> None:
    assert check_vote(lambda model, x: sum(map(model, copies(x))) / 8).right
