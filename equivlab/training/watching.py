"""What a run of training tells after each step, to whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

__all__ = ["Progress", "Watch"]


@dataclass(frozen=True)
class Progress:
    """Where a run stands after a step.

    Attributes:
        epoch: the one at work, from 0.
        step: the one just taken in it, from 0.
        steps: of an epoch.
        epochs: of the run.
        loss: of the step's batch, a scalar on the model's device.
    """

    epoch: int
    step: int
    steps: int
    epochs: int
    loss: Tensor

    @property
    def taken(self) -> int:
        """Steps of the whole run so far.

        >>> import torch
        >>> Progress(epoch=1, step=2, steps=10, epochs=3, loss=torch.tensor(0.5)).taken
        13
        """
        return self.epoch * self.steps + self.step + 1


#: Called between two steps, in the thread that trains; True ends the run there.
Watch = Callable[[Progress], bool | None]
