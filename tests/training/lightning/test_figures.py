"""The figures show what was given."""

from __future__ import annotations

import matplotlib as mpl
import pytest
import torch

mpl.use("Agg")
pytest.importorskip("torchmetrics")

from equivlab.training.lightning.figures import (
    plot_accuracy,
    plot_confusion,
    plot_label_shares,
    plot_roc,
    roc_curve,
)
from equivlab.training.lightning.scores import Interval, auc_with_intervals


def test_the_area_under_the_curve_is_the_area() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(90) % 3
    scores = (torch.randn(90, 3, generator=generator) + torch.eye(3)[labels]).round(decimals=1)
    areas = auc_with_intervals(scores, labels, resamples=2, logits=False)
    for k in range(3):
        false, true = roc_curve(scores[:, k], labels == k)
        assert float(torch.trapezoid(true, false)) == pytest.approx(areas[str(k)].value)


def test_figures() -> None:
    labels = torch.arange(30) % 3
    scores = torch.eye(3)[labels]
    names = ("no_sub", "cdm", "axion")
    legend = plot_roc(scores, labels, names).get_legend()
    assert legend is not None
    assert legend.get_texts()[1].get_text() == "cdm 1.0000 (1.0000 to 1.0000)"
    assert [t.get_text() for t in plot_confusion(scores, labels, names).texts][:2] == [
        "100%\n10",
        "0%\n0",
    ]
    ax = plot_accuracy([0, 90, 180], {"P4": [0.5, 0.5, 0.5], "plain": [0.9, 0.1, 0.2]})
    assert [line.get_ydata()[0] for line in ax.lines] == [50, 90]


def test_auc_against_the_share_of_labels() -> None:
    low, high = Interval(0.7, 0.6, 0.75), Interval(0.9, 0.88, 0.91)
    ax = plot_label_shares([0.01, 1.0], {"scratch": [low, high], "transfer": [high, high]})
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1 %", "100 %"]
    bars = [box.get_segments() for box in ax.collections]  # one line of error bars for each curve
    assert [y for _, y in bars[0][0]] == pytest.approx([0.6, 0.75])
    assert bars[0][0][0][0] < bars[1][0][0][0]  # side by side
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["scratch", "transfer"]
    with pytest.raises(ValueError, match=r"each of the 2 shares; 'scratch' has 1"):
        plot_label_shares([0.01, 1.0], {"scratch": [low]})
