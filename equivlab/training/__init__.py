"""Training: a small loop on torch alone, and the same on Lightning for clusters.

`fit`, `predict` and `accuracy` need nothing but torch. `fit_lightning` and what goes with it live
in `equivlab.training.lightning` and need the extra ``train``; they are found here too, and loaded
when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from equivlab.imports import late_names
from equivlab.training.captured import CapturedStep
from equivlab.training.evaluate import accuracy, accuracy_vs_angle, predict
from equivlab.training.fitting import fit
from equivlab.training.step import training_step
from equivlab.training.watching import Progress

if TYPE_CHECKING:
    from equivlab.training.lightning import (
        EqualWeightAveraging,
        FitReport,
        GradualUnfreezing,
        ImageClassifier,
        Interval,
        Machine,
        Recipe,
        RenewedNorms,
        auc_with_intervals,
        confusion_matrix,
        fit_lightning,
    )

__all__ = [
    "CapturedStep",
    "EqualWeightAveraging",
    "FitReport",
    "GradualUnfreezing",
    "ImageClassifier",
    "Interval",
    "Machine",
    "Progress",
    "Recipe",
    "RenewedNorms",
    "accuracy",
    "accuracy_vs_angle",
    "auc_with_intervals",
    "confusion_matrix",
    "fit",
    "fit_lightning",
    "predict",
    "training_step",
]

__getattr__, __dir__ = late_names(
    __name__,
    {name: "equivlab.training.lightning" for name in __all__ if name not in globals()},
)
