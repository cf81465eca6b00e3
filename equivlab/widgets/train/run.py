"""One training in a thread of its own, and what was seen of it."""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable
from threading import Thread
from typing import Any, ClassVar

from torch import Tensor, nn

from equivlab.training import Progress, fit, predict
from equivlab.training.evaluate import share_right
from equivlab.widgets.train.inputs import Sets
from equivlab.widgets.train.looks import Looker
from equivlab.widgets.train.recording import Budget, Losses, Record, thinned
from equivlab.widgets.train.reins import ENGINE, Reins

__all__ = ["ENDED", "PHASES", "Run"]

PHASES = ("ready", "training", "paused", "stopped", "done", "failed")
ENDED = PHASES[3:]
MOST_RECORDS = 64


class Run:
    """`fit` of a network, which can pause, and is looked at between two steps.

    Args:
        model: trained in place.
        sets: what it learns from, and what it is tested on.
        turned: the test images, turned.
        looker: sees filters and maps.
        how: arguments of `fit`.
        every: steps between two looks; None for as often as the `Budget` allows.
        hear: called with ``'losses'``, ``'look'``, ``'thinned'`` or ``'phase'`` when that has
            changed, in the thread that trains.

    Attributes:
        phase: one of `PHASES`.
        remark: why it rests or has failed.
        losses: the mean loss of each whole epoch, when it has ended.
        curve: the losses in between.
        seen: all looks, the first before training.
    """

    _at_work: ClassVar[weakref.ref[Run] | None] = None

    def __init__(
        self,
        model: nn.Module,
        sets: Sets,
        turned: Tensor,
        looker: Looker,
        how: dict[str, Any],
        every: int | None,
        hear: Callable[[str], None],
    ) -> None:
        self.model, self.sets, self.turned, self.looker = model, sets, turned, looker
        self.how, self.every, self.hear = how, every, hear
        self.phase, self.remark = "ready", ""
        self.losses: list[float] = []
        self.curve, self.seen = Losses(), list[Record]()
        self.reins, self.budget = Reins(), Budget()
        self.error: BaseException | None = None
        self.thread: Thread | None = None
        self.taken = 0  # steps

    # --- what others may do -------------------------------------------------------------------

    def start(self) -> None:
        """Train, or go on after a pause; this returns at once.

        Raises:
            RuntimeError: it has ended.
        """
        if self.phase in ENDED:
            raise RuntimeError(
                f"This training has ended ({self.phase}). To train on, make a new one: "
                "TrainLive(model, ...)."
            )
        self._take_turn()
        self.reins.want("go")
        self._begin()

    def step(self) -> None:
        """Take one step, then rest."""
        if self.phase in ENDED:
            return
        self._take_turn()
        if self.thread is None:
            self.reins.want("rest")  # after the first
            self._begin()
        else:
            self.reins.step()

    def pause(self, why: str = "") -> None:
        """Rest after the step that is being taken."""
        if self.thread is not None and self.phase not in ENDED:
            self.remark = why
            self.reins.want("rest")

    def stop(self) -> None:
        """End after the step that is being taken; the model keeps what it has learned."""
        if self.thread is None and self.phase == "ready":
            self._now("stopped")
        self.reins.want("end")

    def wait(self, seconds: float | None = None) -> None:
        """Until it has ended; what went wrong is raised. An interrupt lets it pause."""
        until = math.inf if seconds is None else time.monotonic() + seconds
        try:
            while self.thread is not None and self.thread.is_alive():
                if (left := until - time.monotonic()) <= 0:
                    return
                self.thread.join(min(0.1, left))  # in parts: an interrupt is heard at once
        except KeyboardInterrupt:
            self.pause("interrupted; start() or Go on goes on")
            raise
        if self.error is not None:
            raise self.error

    # --- in the thread ------------------------------------------------------------------------

    def _take_turn(self) -> None:
        """Let the one that trains now pause."""
        other = Run._at_work() if Run._at_work is not None else None
        if other is not None and other is not self and other.phase == "training":
            other.pause("another TrainLive trains now")
        Run._at_work = weakref.ref(self)

    def _begin(self) -> None:
        if self.thread is None:
            self.thread = Thread(target=self._train, daemon=True)
            self.thread.start()

    def _train(self) -> None:
        """All of `fit`, and what is seen at its end."""
        try:
            with ENGINE:
                self._now("training")
                self.budget.go()
                images, labels = self.sets.images, self.sets.labels
                self.losses = fit(
                    self.model, images, labels, **self.how, progress=False, watch=self._watch
                )
                self.budget.come()
                self.look(self.taken)
            self._now("stopped" if self.reins.wish == "end" else "done")
        except BaseException as error:
            self.error = error
            self.model.eval()
            self._now("failed", f"{type(error).__name__}: {error}")

    def _watch(self, at: Progress) -> bool:
        """After each step: keep the loss; look, if it is time; rest or end, if that is wanted."""
        budget = self.budget
        budget.come()
        self.taken = at.taken
        self.curve.add(at.loss)
        if at.taken % self.every == 0 if self.every else budget.allows:
            self.look(at.taken)
        elif budget.allows_glance:
            began = time.perf_counter()
            self._glance(at.taken)
            budget.took_glance(time.perf_counter() - began)
        ends = self.reins.listen(self._rest, lambda: self._now("training"))
        budget.go()
        return ends

    def _rest(self) -> None:
        self.look(self.taken)
        self._now("paused", self.remark)

    def _now(self, phase: str, remark: str = "") -> None:
        self.phase, self.remark = phase, remark
        self.hear("phase")

    def look(self, step: int) -> None:
        """See what the network knows now, after so many steps."""
        began = time.perf_counter()
        self._glance(step)
        if not self.seen or self.seen[-1].step != step:
            upright, turned = (self._accuracy(x) for x in (self.sets.test, self.turned))
            self.seen.append(Record(step, upright, turned, self.looker.look()))
        full = len(self.seen) > MOST_RECORDS
        self.seen = thinned(self.seen, MOST_RECORDS)
        self.hear("thinned" if full else "look")
        self.budget.took(time.perf_counter() - began)

    def _glance(self, step: int) -> None:
        """The losses so far."""
        mean = self.curve.close(step)
        if mean is not None and not math.isfinite(mean):
            raise FloatingPointError(
                f"The loss is {mean} after {step} steps. Look for NaN in the images "
                "(torch.isfinite(images).all()) or try a smaller lr."
            )
        self.hear("losses")

    def _accuracy(self, images: Tensor) -> float | None:
        scores = predict(self.model, images)
        return None if bool(scores.isnan().any()) else share_right(scores, self.sets.answers)
