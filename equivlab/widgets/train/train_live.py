"""Train a network in a cell, and watch what it learns."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import torch
import traitlets
from IPython.display import display
from matplotlib.figure import Figure
from torch import Tensor, nn

from equivlab.training.fitting import Augment
from equivlab.widgets.page.asked import AskedView
from equivlab.widgets.page.module import page_module
from equivlab.widgets.page.palette import hue, roles_of
from equivlab.widgets.page.pictures import PICTURE, picture_bytes
from equivlab.widgets.page.view import as_bytes, colour_table
from equivlab.widgets.train.inputs import as_sets, check_run, turned_each
from equivlab.widgets.train.looks import Looker
from equivlab.widgets.train.recording import Record
from equivlab.widgets.train.run import ENDED, PHASES, Run
from equivlab.widgets.train.still import still_training

__all__ = ["TrainLive"]


class TrainLive(AskedView):
    """Training in a cell: the losses, the accuracy upright and turned, first filters and maps.

    It is the training of `equivlab.training.fit`, to the same weights, in a thread of its own: the
    cell returns at once, and *Train*, *Pause*, *Step* and *Stop* act between two steps.
    ``live.train()`` waits until the end, as in a notebook that runs by itself. What the network
    knows is looked at now and then, as often as 4 % of the time trained allows, so training is
    hardly slower than without. The slider goes back through all that was seen. It stays in the
    notebook's picture and in an exported page, which plays it.

    One trains at a time: who begins lets the other pause. While a thread trains, other cells share
    the processor and torch's global random numbers with it.

    Keys: the space bar trains and pauses, in a page without kernel it plays; ``s`` takes one
    step; ``x`` stops; ``→`` and ``←`` go through what was seen, with Shift by ten; ``r`` goes back
    to the newest; ``f`` fills the screen; ``?`` tells all keys.

    Args:
        model: gives class scores ``(B, K)`` of images; trained in place.
        data: images to learn from and their labels, as `fit` takes them; images may come as in
            `as_images`.
        test: the same for the accuracies; by default a fifth of the data, 100 at most, which are
            then not learned from. Fewer give more looks.
        epochs: passes over the images.
        batch_size: images per step.
        lr: Adam's rate at the start.
        seed: of everything random.
        augment: ``augment(batch, generator)``, applied to each batch.
        checkpoint: a file from which a run that was killed goes on; see `fit`.
        angles_deg: the test images are turned by these angles, image ``n`` by number ``n`` of
            them, over and over. Quarter turns by default, where the law of P4 is exact.
        picture: which test image the maps are of.
        layer: the layer that gives them; by default the first with weights.
        every: look after so many steps, whatever it costs; by default as time allows.

    Raises:
        TypeError, ValueError: images, labels, a model or settings that do not fit.

    Source:
        Cohen & Welling, ICML 2016, section 8.1, for accuracy on turned images.
    """

    _esm = page_module("train/train_live.js")
    computes = False  # its thread does

    phase = traitlets.Enum(PHASES, "ready").tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)  # or a remark: why it rests
    frame = traitlets.Int(-1).tag(sync=True)  # of what was seen; −1: the newest
    _spec = traitlets.Dict().tag(sync=True)
    _picture = traitlets.Bytes().tag(sync=True)
    _colours = traitlets.Bytes().tag(sync=True)
    _losses: Any = traitlets.List().tag(sync=True)
    _records: Any = traitlets.List().tag(sync=True)
    _looks = traitlets.Bytes().tag(sync=True)  # of the steps in `_kept`
    _kept: Any = traitlets.List().tag(sync=True)
    _latest = traitlets.Bytes().tag(sync=True)  # of the last record

    def __init__(
        self,
        model: nn.Module,
        data: tuple[Any, Tensor],
        test: tuple[Any, Tensor] | None = None,
        *,
        epochs: int = 5,
        batch_size: int = 64,
        lr: float = 1e-3,
        seed: int = 0,
        augment: Augment | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        angles_deg: Sequence[float] = (90.0, 180.0, 270.0),
        picture: int = 0,
        layer: str | None = None,
        every: int | None = None,
    ) -> None:
        check_run(model, epochs, batch_size, every, angles_deg)
        sets = as_sets(model, data, test, seed, picture)
        one = sets.test[picture : picture + 1]
        how: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "lr": lr, "seed": seed}
        how |= {"augment": augment, "checkpoint": checkpoint}
        super().__init__()
        self.model = model
        self._display: Any = None
        turned = turned_each(sets.test, angles_deg)
        self._run = Run(model, sets, turned, Looker(model, one, layer), how, every, self._hear)
        self._colours = colour_table()
        self._picture = picture_bytes(one.float())
        self._spec = self._specification(angles_deg, picture)
        self._run.look(0)
        self._run.budget.spent = 0.0  # before training

    def _specification(self, angles: Sequence[float], picture: int) -> dict[str, Any]:
        """All that the page has to know from the beginning."""
        (self.role,) = roles_of([self.model])
        run = self._run
        count, epochs = len(run.sets.images), run.how["epochs"]
        return {
            "title": type(self.model).__name__,
            "role": self.role,
            "epochs": epochs,
            "steps": count // min(run.how["batch_size"], count),
            "images": count,
            "tests": len(run.sets.test),
            "angles": [float(angle) for angle in angles],
            "picture": PICTURE,
            "which": picture,
            "layer": run.looker.layer or "",
            "filters": list(run.looker.filters),
            "maps": list(run.looker.maps),
        }

    # --- what others may do -------------------------------------------------------------------

    def start(self) -> TrainLive:
        """Train, or go on after a pause, in a thread; this returns at once.

        Raises:
            RuntimeError: it has ended. A new `TrainLive` of the model trains on.
        """
        self._run.start()
        return self

    def step(self) -> TrainLive:
        """Take one step, then rest."""
        self._run.step()
        return self

    def pause(self) -> TrainLive:
        """Rest after the step that is being taken."""
        self._run.pause()
        return self

    def stop(self) -> TrainLive:
        """End after the step that is being taken; the model keeps what it has learned."""
        self._run.stop()
        return self

    def wait(self, seconds: float | None = None) -> TrainLive:
        """Until the training has ended; what went wrong in it is raised here.

        An interrupt lets it pause.

        Args:
            seconds: the longest to wait; for ever by default.
        """
        self._run.wait(seconds)
        return self

    def train(self) -> TrainLive:
        """Train to the end, and return then: `start` and `wait`."""
        return self.start().wait()

    @property
    def losses(self) -> list[float]:
        """The mean loss of each whole epoch, when the training has ended."""
        return list(self._run.losses)

    @property
    def seen(self) -> list[Record]:
        """All looks, the first before training."""
        return list(self._run.seen)

    # --- what is told -------------------------------------------------------------------------

    def _hear(self, what: str) -> None:
        """The run has something new for the page."""
        run = self._run
        with self.hold_sync():  # all in one message
            if what == "losses":
                self._losses = [list(one) for one in run.curve.known]
                return
            self._records = [one.numbers for one in run.seen]
            self._latest = as_bytes(run.seen[-1].look.levels)
            if what == "thinned" or (what == "phase" and run.phase != "training"):
                self._kept = [one.step for one in run.seen]
                self._looks = as_bytes(torch.cat([one.look.levels for one in run.seen]))
            self.phase, self.problem = run.phase, run.remark
        if what == "phase" and run.phase in ENDED:
            self._show_again()

    def answer(self, question: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        """What the page's buttons ask for; ``'tell'`` asks whether anybody is there."""
        acts = {"train": self.start, "pause": self.pause, "step": self.step, "stop": self.stop}
        act = acts.get(question["do"])
        if act is not None:
            act()
        return {"phase": self.phase}, []

    def turn_to(self, part: float) -> None:
        """Show what was seen at a part of the recording, from 0 to 1."""
        self.frame = int(part * len(self._run.seen))

    def __repr__(self) -> str:
        spec = self._spec
        return (
            f"TrainLive({spec['title']}, {spec['images']} images, {spec['epochs']} epochs of "
            f"{spec['steps']} steps, {spec['tests']} test images)"
        )

    def figure(self) -> Figure:
        """The curves, and filters and maps of the moment on show."""
        record = self._run.seen[self.frame if 0 <= self.frame < len(self._run.seen) else -1]
        steps = self._spec["steps"]
        said = [_percent(share) for share in (record.upright, record.turned)]
        return still_training(
            self._losses,
            [(one.step, one.upright, one.turned) for one in self._run.seen],
            self._run.looker.split(record.look.levels),
            now=record.step,
            steps=steps,
            color=hue(self.role),
            title=f"{self._spec['title']} after {record.step} of "
            f"{steps * self._spec['epochs']} steps: {said[0]} upright, {said[1]} turned",
        )

    def _ipython_display_(self) -> None:
        """As other widgets, but the picture for reopened notebooks can be renewed at the end."""
        bundle = self._repr_mimebundle_()
        if bundle is not None:
            data, metadata = bundle
            self._display = display(data, metadata=metadata, raw=True, display_id=True)

    def _show_again(self) -> None:
        """The picture in the notebook is of the end."""
        bundle = None if self._display is None else self._repr_mimebundle_()
        if bundle is not None:
            data, metadata = bundle
            self._display.update(data, metadata=metadata, raw=True)


def _percent(share: float | None) -> str:
    """As the page writes it: halves are rounded up."""
    return "–" if share is None else f"{math.floor(1000 * share + 0.5) / 10:.1f} %"
