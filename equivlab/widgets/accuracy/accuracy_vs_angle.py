"""Turn test images, and watch which of them networks get wrong, and how many at each angle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from threading import Thread
from typing import Any, Literal

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor, nn
from tqdm.auto import tqdm

from equivlab.data.sets.classes import class_labels
from equivlab.fields import scalar_maps
from equivlab.groups import P4M, P6M, PointGroup
from equivlab.training.evaluate import predict
from equivlab.widgets.accuracy.still import still_accuracy
from equivlab.widgets.page.acting import on_hexagons, planar_group
from equivlab.widgets.page.images import as_images
from equivlab.widgets.page.module import page_module
from equivlab.widgets.page.palette import hue, roles_of
from equivlab.widgets.page.pictures import PICTURE, picture_bytes
from equivlab.widgets.page.turned import TurnedPictures
from equivlab.widgets.page.view import as_bytes

__all__ = ["AccuracyVsAngle"]

MOST_NETWORKS, MOST_SHOWN, MOST_CLASSES = 4, 24, 256


class AccuracyVsAngle(TurnedPictures):
    """Test images under one handle, and the accuracy of networks at every angle.

    Every image is turned by every angle, and every network classifies it, once, when the widget
    is made; turning needs no kernel afterwards, so it also works in an exported page. Below
    each shown image stands what each network takes it for, with a tick or a cross; below all,
    the share of *all* images that it gets right, against the angle.

    Keys: ``→`` turns by one step counter-clockwise, ``←`` back, with Shift by 90°, ``.`` and
    ``,`` by 1°; ``r`` resets; ``m`` mirrors; ``f`` fills the screen; ``?`` tells all keys.

    Args:
        networks: one to four, by name; each takes ``(B, C, H, H)`` and gives scores ``(B, K)``.
        images: ``(N, C, H, H)``, ``(N, H, H)``, or a list of pictures; see `as_images`. For
            networks on hexagons ``(N, C, 2R + 1, 2R + 1)``, from `equivlab.projection.to_hexagons`.
        labels: the class of each, whole numbers ``(N,)`` or ``(N, 1)``.
        classes: their names; by default the numbers.
        shown: how many of the images, from the first, can be seen.
        steps: angles in a full turn, a multiple of 4.
        mirrored: classify the mirrored images as well.
        mode: how to turn, as in `equivlab.fields.rotate_maps`; ``'fourier'`` keeps noise. On
            hexagons ``'bilinear'`` or ``'nearest'``.
        progress: show a bar while the networks run; ``'page'`` returns at once and fills in the
            curves on the page, in a thread, until all are there or *Stop* is pressed.

    Raises:
        TypeError, ValueError: images, labels or scores that do not fit; the message says what does.

    Source:
        Cohen & Welling, ICML 2016, section 8.1, for the experiment: digits at all angles.
    """

    _esm = page_module("accuracy/accuracy_vs_angle.js")

    running = traitlets.Bool(False).tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)
    _taken = traitlets.Bytes().tag(sync=True)
    _accuracy: Any = traitlets.List().tag(sync=True)

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        images: Any,
        labels: Tensor,
        *,
        classes: Sequence[str] | None = None,
        shown: int = 12,
        steps: int = 72,
        mirrored: bool = False,
        mode: str = "bilinear",
        progress: bool | Literal["page"] = True,
    ) -> None:
        x = as_images(images, "AccuracyVsAngle")
        y = _as_labels(labels, len(x))
        _check(networks, shown, steps)
        field = scalar_maps(_pixels_of(networks), x.shape[1])
        field.validate(x, "AccuracyVsAngle")
        _check_progress(progress)
        shown = min(shown, len(x))
        flips = [x, field.act(field.group.order // 2, x)] if mirrored else [x]
        frames = len(flips) * steps
        super().__init__()
        self._inputs = (dict(networks), flips, y)
        self._turn = partial(field.rotate, mode=mode)
        self._classes = classes
        self.shown, self._steps = shown, steps
        self.roles = roles_of(networks.values())
        self._found = torch.full((len(networks), frames, len(x)), -1)
        self._thread: Thread | None = None
        self._pictures = picture_bytes(x[:shown], hexagons=on_hexagons(field.group))
        most = self._run(0)  # what does not fit shows here
        self._spec = {
            "steps": steps,
            "mirrors": len(flips),
            "images": len(x),
            "picture": PICTURE,
            "classes": list(classes or map(str, range(most))),
            "labels": y[:shown].tolist(),
            "networks": [
                {"name": name, "role": role}
                for name, role in zip(networks, self.roles, strict=True)
            ],
        }
        if progress == "page":
            self.running = True
            self._thread = Thread(target=self._fill, daemon=True)
            self._thread.start()
            return
        for frame in tqdm(range(frames), desc="angles", unit="angle", disable=not progress):
            if frame:
                self._run(frame)
        self._tell()

    def _run(self, frame: int) -> int:
        """All images in one frame, through all networks; the most classes that any tells apart."""
        networks, flips, y = self._inputs
        steps = self._steps
        turned = self._turn(2 * math.pi * frame / steps, flips[frame // steps])
        most = 0
        for k, (name, network) in enumerate(networks.items()):
            like = next(network.parameters(), turned)
            scores = predict(network, turned.to(like.dtype))
            self._found[k, frame] = _classes_of(name, scores, y, self._classes)
            most = max(most, scores.shape[1])
        return most

    def _fill(self) -> None:
        """Frame after frame, first far apart, then between; the page draws each as it comes."""
        self._tell()
        try:
            for frame in coarse_first(self._found.shape[1]):
                if not self.running:
                    break
                if frame:
                    self._run(frame)
                    self._tell()
        except Exception as error:
            self.problem = f"{type(error).__name__}: {error}"
        self.running = False

    def _tell(self) -> None:
        """What is known goes to the page."""
        with self.hold_sync():
            self._taken = as_bytes(self._found[:, :, : self.shown].clamp_min(0).to(torch.uint8))
            self._accuracy = [
                [None if math.isnan(value) else value for value in curve.flatten().tolist()]
                for curve in self.curves.values()
            ]

    @property
    def curves(self) -> dict[str, Tensor]:
        """Of each network ``(M, steps)`` accuracies, `M` being 2 if mirrored; NaN where not run."""
        networks, flips, y = self._inputs
        known = self._found[:, :, :1] >= 0
        right = (self._found == y).double().mean(-1, keepdim=True)
        accuracy = torch.where(known, right, math.nan).view(len(networks), len(flips), -1)
        return dict(zip(networks, accuracy, strict=True))

    def stop(self) -> None:
        """Leave the other angles out; what is known stays."""
        self.running = False
        self.wait()

    def wait(self) -> None:
        """Until all angles are there, or it was stopped."""
        if self._thread is not None:
            self._thread.join()

    def accuracies(self) -> dict[str, float]:
        """The accuracy of each network at the present mirror and (nearest) angle."""
        side, step = self.pose
        return {name: float(curve[side, step]) for name, curve in self.curves.items()}

    def __repr__(self) -> str:
        names = ", ".join(map(repr, self.curves))
        return (
            f"AccuracyVsAngle({names}; {self._spec['images']} images, {self._spec['steps']} angles)"
        )

    def figure(self) -> Figure:
        """The curves, with the present angle."""
        side, _ = self.pose
        curves = {name: curve[side] for name, curve in self.curves.items()}
        return still_accuracy(curves, [hue(role) for role in self.roles], self.angle_deg)


def coarse_first(count: int) -> list[int]:
    """0 to `count` − 1: every 16th, then those in the middle between, and so on."""
    order: dict[int, None] = {}
    stride = 16
    while stride:
        order |= dict.fromkeys(range(0, count, stride))
        stride //= 2
    return list(order)


def _check_progress(progress: object) -> None:
    if progress not in (True, False, "page"):
        raise ValueError(f"progress is True, False or 'page'; got {progress!r}.")


def _as_labels(labels: Tensor, count: int) -> Tensor:
    """Labels ``(N,)`` as `torch.long` on the CPU."""
    if not isinstance(labels, Tensor):
        raise TypeError(
            f"AccuracyVsAngle takes labels as a tensor; got {type(labels).__name__}. Convert "
            "them: torch.as_tensor(labels)"
        )
    return class_labels(labels.detach(), count, MOST_CLASSES).cpu()


def _check(networks: Mapping[str, nn.Module], shown: int, steps: int) -> None:
    if not isinstance(networks, Mapping):
        raise TypeError(
            f"AccuracyVsAngle takes networks by name, {{'P4CNN': model}}; got "
            f"{type(networks).__name__}."
        )
    if not 1 <= len(networks) <= MOST_NETWORKS:
        raise ValueError(f"AccuracyVsAngle compares 1 to {MOST_NETWORKS}; got {len(networks)}.")
    if not 1 <= shown <= MOST_SHOWN:
        raise ValueError(f"shown is 1 to {MOST_SHOWN} images; got {shown}.")
    if steps < 4 or steps % 4 or 360 % steps:
        raise ValueError(
            f"steps is a multiple of 4 that divides 360, such as 24, 36 or 72; got {steps}."
        )


def _pixels_of(networks: Mapping[str, nn.Module]) -> PointGroup:
    """P6M if the networks look at hexagons, P4M if at square pixels.

    Raises:
        ValueError: some at these and some at those.
    """
    taker = "AccuracyVsAngle"
    fields = {name: getattr(network, "in_field", None) for name, network in networks.items()}
    groups = {name: planar_group(one.group, taker) for name, one in fields.items() if one}
    hexagonal = [name for name, group in groups.items() if on_hexagons(group)]
    square = [name for name in groups if name not in hexagonal]
    if hexagonal and square:
        raise ValueError(
            f"{taker} shows all networks the same images; {hexagonal[0]!r} takes hexagons "
            f"({groups[hexagonal[0]]}) and {square[0]!r} square pixels ({groups[square[0]]}). Make "
            "one widget for each kind."
        )
    return P6M if hexagonal else P4M


def _classes_of(name: str, scores: Tensor, labels: Tensor, classes: Sequence[str] | None) -> Tensor:
    """The class with the highest score of each image."""
    if scores.dim() != 2 or len(scores) != len(labels):
        raise ValueError(
            f"{name} must give scores (B, K), one row for each image; got "
            f"{tuple(scores.shape)} for {len(labels)} images."
        )
    count = scores.shape[1]
    if int(labels.max()) >= count or count > MOST_CLASSES:
        raise ValueError(
            f"{name} tells {count} classes apart; the labels go up to {int(labels.max())}, and "
            f"at most {MOST_CLASSES} classes can be shown."
        )
    if classes is not None and len(classes) != count:
        raise ValueError(f"{name} tells {count} classes apart; got {len(classes)} names of them.")
    if not bool(torch.isfinite(scores).all()):
        raise ValueError(f"{name} gives scores that are NaN or infinite: has its training failed?")
    return scores.argmax(1).cpu()
