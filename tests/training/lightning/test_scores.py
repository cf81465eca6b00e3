"""AUC with intervals, against torchmetrics and scikit-learn; confusion."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

pytest.importorskip("torchmetrics")

from torchmetrics.functional.classification import multiclass_auroc, multiclass_confusion_matrix

from equivlab.training.lightning.scores import (
    _weighted_auc,
    auc_with_intervals,
    confusion_matrix,
)


def example(count: int = 200, classes: int = 3, ties: bool = False) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(classes, (count,), generator=generator)
    scores = torch.randn(count, classes, generator=generator)
    scores += torch.nn.functional.one_hot(labels, classes)
    scores = scores.softmax(1)
    return (scores * 10).round() / 10 if ties else scores, labels


@pytest.mark.parametrize("ties", [False, True])
def test_areas_are_torchmetrics(ties: bool) -> None:
    scores, labels = example(ties=ties)
    found = auc_with_intervals(scores, labels, ("a", "b", "c"), resamples=20)
    wanted = multiclass_auroc(scores, labels, 3, average="none")
    assert [found[name].value for name in "abc"] == pytest.approx(wanted.tolist(), abs=1e-6)
    assert found["macro"].value == pytest.approx(float(wanted.mean()), abs=1e-6)


def test_areas_are_scikit_learns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    scores, labels = example(ties=True)
    wanted = metrics.roc_auc_score(labels == 1, scores[:, 1])
    assert auc_with_intervals(scores, labels, resamples=2)["1"].value == pytest.approx(wanted)


def test_a_resample_is_the_set_with_repeats() -> None:
    scores, labels = example(60)
    picks = torch.randint(60, (60,), generator=torch.Generator().manual_seed(1))
    times = picks.bincount(minlength=60).double()[None]
    wanted = multiclass_auroc(scores[picks], labels[picks], 3, average="none")
    assert _weighted_auc(scores, labels, times)[0].tolist() == pytest.approx(
        wanted.tolist(), abs=1e-6
    )


def test_intervals_cover_what_they_promise() -> None:
    """Normal scores with distance d have the area Φ(d/√2); 90 % intervals hold it nine in ten."""
    generator = torch.Generator().manual_seed(3)
    truth = 0.5 * (1 + math.erf(1 / math.sqrt(2) / math.sqrt(2)))
    inside = 0
    for trial in range(60):
        labels = torch.arange(80) % 2
        one = torch.randn(80, generator=generator) + labels
        interval = auc_with_intervals(
            torch.stack([-one, one], 1), labels, resamples=200, level=0.9, seed=trial
        )["1"]
        inside += interval.low <= truth <= interval.high
    assert 48 <= inside <= 60


def test_perfect_and_random() -> None:
    labels = torch.arange(30) % 3
    perfect = auc_with_intervals(torch.eye(3)[labels], labels, resamples=50)["macro"]
    assert (perfect.low, perfect.value, perfect.high) == (1, 1, 1)
    assert str(perfect) == "1.0000 (1.0000 to 1.0000)"
    chance = auc_with_intervals(torch.zeros(30, 3), labels, resamples=50)["macro"]
    assert chance.value == 0.5


def test_confusion() -> None:
    scores = torch.eye(3)[torch.tensor([0, 1, 1, 2])]
    found = confusion_matrix(scores, torch.tensor([0, 0, 1, 2]))
    assert found.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_bad_input() -> None:
    scores, labels = example()
    with pytest.raises(ValueError, match="wants images of each of the 3 classes"):
        auc_with_intervals(scores, labels.clamp(max=1))
    with pytest.raises(ValueError, match=r"finite scores \(N, K\)"):
        auc_with_intervals(scores * float("nan"), labels)


def logit_example() -> tuple[torch.Tensor, ...]:
    """Logits of which each image's are shifted by its own number, which softmax takes out."""
    scores, labels = example()
    generator = torch.Generator().manual_seed(4)
    return scores.log() + 5 * torch.randn(len(scores), 1, generator=generator), labels


def test_logits_have_the_areas_of_their_probabilities() -> None:
    logits, labels = logit_example()
    wanted = multiclass_auroc(logits.softmax(1), labels, 3, average="none")
    found = auc_with_intervals(logits, labels, resamples=2)
    assert [found[str(k)].value for k in range(3)] == pytest.approx(wanted.tolist(), abs=1e-6)
    raw = auc_with_intervals(logits, labels, resamples=2, logits=False)
    assert raw["macro"].value < found["macro"].value - 0.05  # what it was before


def test_large_logits_do_not_become_ties() -> None:
    """Probabilities of 1 in float32, that the logits tell apart."""
    labels = torch.tensor([0, 0, 1, 1])
    logits = torch.tensor([[22.0, 0], [21, 0], [20, 0], [19, 0]])
    assert logits.softmax(1)[:, 0].unique().numel() < 4
    assert auc_with_intervals(logits, labels, resamples=2)["0"].value == 1.0


def test_scores_that_may_be_either_are_asked_for() -> None:
    logits, labels = logit_example()
    small = (logits - logits.min()) / (logits.max() - logits.min())  # 0 to 1
    with pytest.raises(ValueError, match=r"do not add up to 1: .* logits=False or logits=True"):
        auc_with_intervals(small, labels)
    one, other = (
        auc_with_intervals(small, labels, resamples=2, logits=kind)["macro"].value
        for kind in (False, True)
    )
    assert one != pytest.approx(other, abs=1e-3)


def test_a_mean_of_probabilities_may_be_rounded() -> None:
    """Above 1 by rounding is no logit."""
    scores, labels = example()
    wanted = auc_with_intervals(scores, labels, resamples=2)
    assert auc_with_intervals(scores * (1 + 1e-6), labels, resamples=2) == wanted


@pytest.mark.parametrize("form", [lambda y: y[:, None], lambda y: y.to(torch.uint8)])
def test_labels_of_any_form(form: Callable[[torch.Tensor], torch.Tensor]) -> None:
    scores, labels = example()
    wanted = auc_with_intervals(scores, labels, resamples=10)
    assert auc_with_intervals(scores, form(labels), resamples=10) == wanted
    counts = confusion_matrix(scores, labels)
    assert torch.equal(confusion_matrix(scores, form(labels)), counts)


def test_confusion_is_torchmetrics() -> None:
    scores, labels = example()
    wanted = multiclass_confusion_matrix(scores, labels, 3)
    assert torch.equal(confusion_matrix(scores, labels), wanted)
    with pytest.raises(ValueError, match=r"1 of 200 rows have NaN"):
        confusion_matrix(scores.index_fill(0, torch.tensor([3]), float("nan")), labels)
    with pytest.raises(ValueError, match=r"0 to 2; got 3"):
        confusion_matrix(scores, labels + 1)


def test_what_has_no_area() -> None:
    scores, labels = example()
    with pytest.raises(ValueError, match=r"argmax\(1\)"):
        auc_with_intervals(scores, torch.eye(3)[labels])
    with pytest.raises(ValueError, match="0 to 2; got 3"):
        auc_with_intervals(scores, labels + 1)
    with pytest.raises(ValueError, match="1 classes, two or more"):
        auc_with_intervals(scores[:, :1], labels * 0)
    with pytest.raises(ValueError, match=r"\(200,\)"):
        auc_with_intervals(scores[:, 0], labels)
