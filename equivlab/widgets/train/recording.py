"""What was seen while a network learned: losses, and now and then a longer look.

Looking costs time that training would have: it is done as often as a share of the time trained so
far allows, and never more often. Both lists keep to a size: when one is full, every second entry
goes, so a long training is seen as evenly as a short one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from equivlab.widgets.train.looks import Look

__all__ = ["Budget", "Losses", "Record", "thinned"]

MOST_LOSSES = 400
SHARE = 0.04  # of the time trained, for all looks together
OFTEN, SELDOM = 0.2, 0.5  # seconds between two looks at least; to the losses alone


@dataclass(frozen=True)
class Record:
    """One look.

    Attributes:
        step: steps taken before it.
        upright: accuracy on the test images; None where scores are NaN.
        turned: accuracy on the same images, turned.
        look: filters and maps.
    """

    step: int
    upright: float | None
    turned: float | None
    look: Look

    @property
    def numbers(self) -> list[float | None]:
        """For the page."""
        return [self.step, self.upright, self.turned, *self.look.limits]


class Budget:
    """When the next look may be.

    Attributes:
        trained: seconds of training so far, rests and looks left out.
        spent: seconds of looking so far.
        cost: seconds of the last look.
    """

    def __init__(self) -> None:
        self.trained = self.spent = self.cost = 0.0
        self.left = self.last = self.glanced = time.perf_counter()

    def come(self) -> None:
        """A step has been taken; training stands."""
        self.trained += time.perf_counter() - self.left

    def go(self) -> None:
        """Training goes on."""
        self.left = time.perf_counter()

    @property
    def allows(self) -> bool:
        """Whether a look as long as the last one fits."""
        soon = time.perf_counter() - self.last < OFTEN
        return not soon and self.spent + self.cost <= SHARE * self.trained

    @property
    def allows_glance(self) -> bool:
        """Whether the losses may be told, which takes little."""
        soon = time.perf_counter() - self.glanced < SELDOM
        return not soon and self.spent <= SHARE * self.trained

    def took(self, seconds: float) -> None:
        """A look is over."""
        self.cost = seconds
        self.spent += seconds
        self.last = self.glanced = time.perf_counter()

    def took_glance(self, seconds: float) -> None:
        """The losses are told."""
        self.spent += seconds
        self.glanced = time.perf_counter()


class Losses:
    """The loss of all steps, as means over a few: ``[[step, mean], ...]``, the last one known."""

    def __init__(self) -> None:
        self.open: list[Tensor] = []
        self.known: list[list[float]] = []

    def add(self, loss: Tensor) -> None:
        """Of one step; nothing is computed yet."""
        self.open.append(loss)

    def close(self, step: int) -> float | None:
        """The mean of those since the last time, if any; `step` steps are taken now."""
        if not self.open:
            return None
        mean = float(torch.stack(self.open).double().mean())
        self.open = []
        if math.isfinite(mean):
            self.known.append([step, mean])
        if len(self.known) > MOST_LOSSES:
            self.known = paired(self.known)
        return mean


def paired(losses: Sequence[Sequence[float]]) -> list[list[float]]:
    """Means over two neighbors each; the first may stay alone."""
    odd = len(losses) % 2
    found, before = [list(one) for one in losses[:odd]], losses[0][0] if odd else 0.0
    for (middle, first), (end, second) in zip(losses[odd::2], losses[odd + 1 :: 2], strict=True):
        weight = (middle - before) / (end - before)
        found.append([end, weight * first + (1 - weight) * second])
        before = end
    return found


def thinned(records: list[Record], most: int) -> list[Record]:
    """Every second of too many; the first and the last stay."""
    if len(records) <= most:
        return records
    return records[:-1:2] + records[-1:]
