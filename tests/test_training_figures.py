"""The figures show what was given."""

from __future__ import annotations

import matplotlib as mpl
import pytest
import torch

mpl.use("Agg")
pytest.importorskip("torchmetrics")

from equivlab.training.figures import plot_accuracy, plot_confusion, plot_roc, roc_curve
from equivlab.training.scores import auc_with_intervals


def test_the_area_under_the_curve_is_the_area() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(90) % 3
    scores = (torch.randn(90, 3, generator=generator) + torch.eye(3)[labels]).round(decimals=1)
    areas = auc_with_intervals(scores, labels, resamples=2)
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
