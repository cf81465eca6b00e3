"""Training on Lightning: `fit_lightning` in a notebook, ``python -m equivlab train`` elsewhere.

It needs the extra ``train`` (``pip install "equivlab[train]"``). `equivlab.train.fit` is the
small loop that needs nothing.
"""

from equivlab.training.averaging import EqualWeightAveraging
from equivlab.training.classifier import ImageClassifier, Recipe
from equivlab.training.renewing import RenewedNorms
from equivlab.training.run import FitReport, Machine, fit_lightning
from equivlab.training.scores import Interval, auc_with_intervals, confusion_matrix
from equivlab.training.thawing import GradualUnfreezing

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
]
