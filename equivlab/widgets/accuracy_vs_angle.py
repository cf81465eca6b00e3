"""Turn test images, and watch which of them networks get wrong, and how many at each angle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import traitlets
from torch import Tensor, nn
from tqdm.auto import tqdm

from equivlab.fields import rotate_maps
from equivlab.train import predict
from equivlab.widgets.images import as_images
from equivlab.widgets.pages import LiveView, as_bytes, page_module
from equivlab.widgets.pictures import PICTURE, picture_bytes
from equivlab.widgets.still import still_accuracy

__all__ = ["AccuracyVsAngle"]

MOST_NETWORKS, MOST_SHOWN, MOST_CLASSES = 4, 24, 256


class AccuracyVsAngle(LiveView):
    """Test images under one handle, and the accuracy of networks at every angle.

    Every image is turned by every angle, and every network classifies it, once, when the widget
    is made; turning needs no kernel afterwards, so it also works in an exported page. Below
    each shown image stands what each network takes it for, with a tick or a cross; below all,
    the share of *all* images that it gets right, against the angle.

    Keys: ``→`` turns by one step counter-clockwise, ``←`` back, with Shift by 90°; ``r``
    resets; ``m`` mirrors.

    Args:
        networks: one to four, by name; each takes ``(B, C, H, H)`` and gives scores ``(B, K)``.
        images: ``(N, C, H, H)``, ``(N, H, H)``, or a list of pictures; see `as_images`.
        labels: the class of each, integers ``(N,)``.
        classes: their names; by default the numbers.
        shown: how many of the images, from the first, can be seen.
        steps: angles in a full turn, a multiple of 4.
        mirrored: classify the mirrored images as well.
        mode: how to turn, as in `equivlab.fields.rotate_maps`; ``'fourier'`` keeps noise.
        progress: show a bar while the networks run.

    Attributes:
        curves: for each network ``(M, steps)`` accuracies, `M` being 2 if mirrored, else 1.

    Raises:
        TypeError, ValueError: images, labels or scores that do not fit; the message says what does.

    Source:
        Cohen & Welling, ICML 2016, section 8.1, for the experiment: digits at all angles.
    """

    _esm = page_module("turning_view.js", "accuracy_vs_angle.js")

    angle_deg = traitlets.Float(0.0).tag(sync=True)
    mirror = traitlets.Bool(False).tag(sync=True)
    _spec = traitlets.Dict().tag(sync=True)
    _pictures = traitlets.Bytes().tag(sync=True)
    _taken = traitlets.Bytes().tag(sync=True)

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
        progress: bool = True,
    ) -> None:
        x = as_images(images, "AccuracyVsAngle")
        y = _as_labels(labels, len(x))
        _check(networks, shown, steps)
        shown = min(shown, len(x))
        flips = [x, x.flip(-1)] if mirrored else [x]
        frames = len(flips) * steps
        taken = torch.empty(len(networks), frames, len(x), dtype=torch.long)
        for frame in tqdm(range(frames), desc="angles", unit="angle", disable=not progress):
            turned = rotate_maps(flips[frame // steps], 2 * math.pi * frame / steps, mode)
            for k, (name, network) in enumerate(networks.items()):
                like = next(network.parameters(), turned)
                scores = predict(network, turned.to(like.dtype))
                taken[k, frame] = _classes_of(name, scores, y, classes)
        accuracy = (taken == y).double().mean(-1).view(len(networks), len(flips), steps)
        known = 1 + int(max(taken.max(), y.max()))
        super().__init__()
        self.curves = dict(zip(networks, accuracy, strict=True))
        self._pictures = picture_bytes(x[:shown])
        self._taken = as_bytes(taken[:, :, :shown].to(torch.uint8))
        self._spec = {
            "steps": steps,
            "mirrors": len(flips),
            "images": len(x),
            "picture": PICTURE,
            "classes": list(classes or map(str, range(known))),
            "labels": y[:shown].tolist(),
            "networks": [
                {"name": name, "accuracy": curve.flatten().tolist()}
                for name, curve in self.curves.items()
            ],
        }

    def accuracies(self) -> dict[str, float]:
        """The accuracy of each network at the present mirror and (nearest) angle."""
        steps = self._spec["steps"]
        step = round(self.angle_deg * steps / 360) % steps
        side = int(self.mirror) if self._spec["mirrors"] == 2 else 0
        return {name: float(curve[side, step]) for name, curve in self.curves.items()}

    def __repr__(self) -> str:
        names = ", ".join(map(repr, self.curves))
        return (
            f"AccuracyVsAngle({names}; {self._spec['images']} images, {self._spec['steps']} angles)"
        )

    def still(self) -> str:
        """A PNG in base64 of what it shows now."""
        return still_accuracy(self)


def _as_labels(labels: Tensor, count: int) -> Tensor:
    """Labels as `torch.long` on the CPU."""
    if not isinstance(labels, Tensor):
        raise TypeError(
            f"AccuracyVsAngle takes labels as a tensor; got {type(labels).__name__}. Convert "
            "them: torch.as_tensor(labels)"
        )
    if labels.is_floating_point() or tuple(labels.shape) != (count,):
        raise ValueError(
            f"AccuracyVsAngle takes integer labels ({count},), one for each image; got "
            f"{labels.dtype} {tuple(labels.shape)}."
        )
    y = labels.detach().cpu().long()
    if int(y.min()) < 0 or int(y.max()) >= MOST_CLASSES:
        raise ValueError(
            f"Labels are 0 to {MOST_CLASSES - 1}; got {int(y.min())} to {int(y.max())}."
        )
    return y


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
