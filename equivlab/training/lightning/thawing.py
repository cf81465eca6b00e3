"""Gradual unfreezing: the stages of a trained network begin to learn one after another."""

from __future__ import annotations

from collections.abc import Mapping

import lightning as L
from lightning.pytorch.callbacks import Callback

from equivlab.training.lightning.classifier import ImageClassifier
from equivlab.transfer.staging import freeze, stages, unfreeze

__all__ = ["GradualUnfreezing"]


class GradualUnfreezing(Callback):
    """Freeze all but the head, then thaw stages at the beginning of epochs (Howard & Ruder, 2018).

    What is frozen in an epoch follows from its number alone, so a resumed run is the same.

    Args:
        plan: from the number of an epoch to the stages that begin to learn there, for example
            ``{2: ("layer4",), 4: ("layer3", "layer2")}``.
    """

    def __init__(self, plan: Mapping[int, tuple[str, ...]]) -> None:
        self.plan = dict(plan)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Freeze what is not due."""
        model = pl_module.model if isinstance(pl_module, ImageClassifier) else pl_module
        due = {
            n for epoch, names in self.plan.items() if epoch <= trainer.current_epoch for n in names
        }
        due.add(list(stages(model))[-1])
        unfreeze(model, *due)
        frozen = [name for name in stages(model) if name not in due]
        if frozen:
            freeze(model, *frozen)
