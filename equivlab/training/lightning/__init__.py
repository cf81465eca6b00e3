"""Training on Lightning: `fit_lightning` in a notebook, ``python -m equivlab train`` elsewhere.

It needs the extra ``train`` (``pip install "equivlab[train]"``).
"""

from equivlab.imports import needs_extra

with needs_extra("train", "equivlab.training.lightning"):
    import lightning  # noqa: F401
    import torchmetrics  # noqa: F401

from equivlab.training.lightning.averaging import EqualWeightAveraging
from equivlab.training.lightning.classifier import ImageClassifier
from equivlab.training.lightning.figures import (
    plot_accuracy,
    plot_confusion,
    plot_label_shares,
    plot_roc,
)
from equivlab.training.lightning.machine import Machine
from equivlab.training.lightning.recipe import Recipe
from equivlab.training.lightning.renewing import RenewedNorms
from equivlab.training.lightning.run import FitReport, fit_lightning
from equivlab.training.lightning.scores import Interval, auc_with_intervals, confusion_matrix
from equivlab.training.lightning.thawing import GradualUnfreezing

__all__ = [
    "EqualWeightAveraging",
    "FitReport",
    "GradualUnfreezing",
    "ImageClassifier",
    "Interval",
    "Machine",
    "Recipe",
    "RenewedNorms",
    "auc_with_intervals",
    "confusion_matrix",
    "fit_lightning",
    "plot_accuracy",
    "plot_confusion",
    "plot_label_shares",
    "plot_roc",
]
