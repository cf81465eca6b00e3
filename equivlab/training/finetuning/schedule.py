"""How a trained network is let go: what learns when, and how fast, by how many images there are."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from equivlab.transfer.staging import stages

__all__ = ["AT_ONCE", "FEW", "Schedule", "schedule_for"]

FEW = 10  # images of a class, below which the early stages are held back


@dataclass(frozen=True)
class Schedule:
    """When the stages of a trained network begin to learn, and with which rates.

    Attributes:
        frozen: the share of the epochs in which only the head learns.
        thawed: the share after which all stages do.
        decay: the rate of a stage is this times the rate of the next.
    """

    frozen: float
    thawed: float
    decay: float

    def thawing(self, model: nn.Module, epochs: int) -> dict[int, tuple[str, ...]]:
        """Which stages begin to learn in which epoch: the head at once, the first stage last."""
        waiting = list(stages(model))[-2::-1]
        first, last = round(self.frozen * epochs), round(self.thawed * epochs)
        plan: dict[int, tuple[str, ...]] = {}
        for n, stage in enumerate(waiting):
            epoch = first + round((last - first) * n / max(1, len(waiting) - 1))
            plan[epoch] = (*plan.get(epoch, ()), stage)
        return plan


AT_ONCE = Schedule(0.0, 0.0, 1.0)  # nothing is held back, all learn with one rate


def schedule_for(images: int, classes: int) -> Schedule:
    """With few images a class the head first and early stages slowly; with many all at once.

    Frozen stages and small rates protect what was learnt before from a few images. Where there
    are enough of them they are in the way: in as many steps a new network learns more.
    """
    if images < FEW * classes:
        return Schedule(0.25, 0.6, 0.5)
    return AT_ONCE
