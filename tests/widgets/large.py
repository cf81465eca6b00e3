"""Every widget with as many words as it may have: what moves it, and which numbers it must show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from equivlab.data import globe_signals
from equivlab.groups import P4, P4M
from equivlab.models import P4CNN
from equivlab.nn import GroupPool, IrrepGate, LiftingConv2d, S2Conv, SteerableConv3d
from equivlab.weights import load_classifier
from equivlab.widgets import (
    AccuracyVsAngle,
    FilterOrbit,
    RotateImage,
    RotateShape,
    RotateSphere,
    SeeThrough,
    TrainLive,
)
from tests.widgets import numbers
from tests.widgets.numbers import Networks, Number


@dataclass(frozen=True)
class Large:
    """A widget with as many words as it may have, and what moves it.

    Attributes:
        kind: its element has the class ``equivlab-`` and this.
        parts: networks by their titles, and what they look at.
        show: the widget of these.
        numbers: what stands in its page in a pose, of these.
        hold: where a hand takes it, and how far it pulls, in the layout of the canvas.
        key: turns what is shown.
        check: the key to the pose in which numbers are compared.
        pose: an attribute of its canvas that these change.
        clear: a button to press before the hand takes hold.
        modes: keys that show it in another way; pressed again they lead back.
        steady: a box in its canvas, ``x, y, width, height``, that stands still; as JavaScript.
    """

    kind: str
    parts: Callable[[], tuple[Networks, Any]]
    show: Callable[[Networks, Any], Any]
    numbers: Callable[[Networks, Any, str], list[Number]]
    hold: str
    key: str = "ArrowRight"
    check: str = "ArrowRight"
    pose: str = "aria-valuetext"
    clear: str = ""
    modes: str = ""
    steady: str = ""

    def make(self) -> Any:
        """The widget."""
        return self.show(*self.parts())


def _random(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def _image_parts() -> tuple[Networks, Tensor]:
    torch.manual_seed(0)
    model, plain = LiftingConv2d(P4M, 1, 6, 3, padding=1), nn.Conv2d(1, 6, 3, padding=1)
    return {"P4M": model, "plain CNN": plain}, _random(3, 1, 16, 16)


def _image(networks: Networks, x: Tensor) -> RotateImage:
    model, plain = networks.values()
    return RotateImage(model, x, compare=plain, channels=range(6), compare_channels=range(6))


def _sphere_parts() -> tuple[Networks, dict[str, Tensor]]:
    torch.manual_seed(0)
    networks = {"spherical": S2Conv(1, 2, 8, 8), "plain CNN": nn.Conv2d(1, 2, 3, padding=1)}
    return networks, globe_signals(bandwidth=8)


def _sphere(networks: Networks, signals: dict[str, Tensor]) -> RotateSphere:
    model, plain = networks.values()
    return RotateSphere(model, signals, compare=plain, turns=4)


def _shape_parts() -> tuple[Networks, Tensor]:
    torch.manual_seed(0)
    gate = IrrepGate("2x0e + 1x1o + 1x2e")
    model = nn.Sequential(SteerableConv3d("1x0e", gate.irreps_in, 3, padding=1), gate)
    x = _random(2, 1, 7, 7, 7)
    return {"SE(3)": model, "plain CNN": nn.Conv3d(1, 4, 3, padding=1)}, x * (x > 0.93)


def _shape(networks: Networks, x: Tensor) -> RotateShape:
    model, plain = networks.values()
    return RotateShape(model, x, compare=plain, turns=4)


def _filter_parts() -> tuple[Networks, Tensor]:
    return {}, _random(14, 5, 5) - 0.5


def _accuracy_parts() -> tuple[Networks, tuple[Tensor, Tensor]]:
    torch.manual_seed(0)
    networks = {"P4CNN": P4CNN(width=2), "plain CNN": P4CNN(width=1)}
    return dict(networks), (_random(14, 1, 28, 28), torch.arange(14) % 10)


def _accuracy(networks: Networks, data: tuple[Tensor, Tensor]) -> AccuracyVsAngle:
    return AccuracyVsAngle(networks, *data, steps=8, mirrored=True, progress=False)


def _training_parts() -> tuple[Networks, Any]:
    torch.manual_seed(0)
    layers = [LiftingConv2d(P4, 1, 8, 5), GroupPool(P4, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    images, labels = _random(32, 1, 16, 16), torch.arange(32) % 10
    data, test = (images, labels), (images[:12], labels[:12])
    return {"": nn.Sequential(*layers, nn.Linear(8, 10))}, (data, test)


def _training(networks: Networks, sets: Any) -> TrainLive:
    how: dict[str, Any] = {"epochs": 2, "batch_size": 8, "lr": 0.05, "every": 1}
    return TrainLive(networks[""], *sets, **how).train()


def _lens_parts() -> tuple[Networks, Callable[[float], Any]]:
    names = ("lenses-i-p4m", "lenses-i-plain")

    def picture(angle: float) -> Any:
        widget = SeeThrough("I", classifier=False)
        widget.angle_deg = angle
        return widget.image()

    return {name: load_classifier(name) for name in names}, picture


def _lens(networks: Networks, _: Any) -> SeeThrough:
    return SeeThrough("I", compare=next(reversed(networks)))


BLOCK = "JSON.parse(canvas.dataset.blocks).stabilised"
SPHERE = """(({ disc, places }) => [places[2].x, places[2].y, disc, disc])(
  JSON.parse(canvas.dataset.places))"""
SHAPE = """(([x, y, side]) => [x + 36, y, side - 36, side - 36])(
  JSON.parse(canvas.dataset.boxes).back[0])"""
DISC = """(({ x, y, side }) => [x + side / 2, y + side / 2, side / 3])(
  JSON.parse(canvas.dataset.disc))"""
GRID = "(({ x, y, side }) => [x + 4, y + 4, side / 2])(JSON.parse(canvas.dataset.grid))"
SKY = """(({ x, y, side }) => [x + 0.95 * side, y + side / 2, -side / 4])(
  JSON.parse(canvas.dataset.sky))"""
LOSSES = "[90, 90, canvas.clientWidth * (canvas.clientWidth < 720 ? 0.9 : 0.45) - 90]"
#: By the name of the widget.
LARGE = {
    "RotateImage": Large(
        "rotate",
        _image_parts,
        _image,
        numbers.of_image,
        hold="[90, 100, 60]",
        key="Shift+ArrowRight",
        modes="so",
        steady=BLOCK,
    ),
    "RotateSphere": Large(
        "sphere",
        _sphere_parts,
        _sphere,
        numbers.of_sphere,
        hold="[70, 90, 40]",
        pose="data-angle",
        modes="s",
        steady=SPHERE,
    ),
    "RotateShape": Large(
        "shape",
        _shape_parts,
        _shape,
        numbers.of_shape,
        hold="[60, 90, 90]",
        key="Shift+ArrowRight",
        check="Shift+ArrowRight",
        modes="s",
        steady=SHAPE,
    ),
    "FilterOrbit": Large(
        "orbit",
        _filter_parts,
        lambda _, filters: FilterOrbit(filters, group=P4M),
        numbers.of_filter,
        hold=GRID,
        clear="Blank",
        pose="data-element",
    ),
    "AccuracyVsAngle": Large(
        "accuracy", _accuracy_parts, _accuracy, numbers.of_accuracy, hold=DISC
    ),
    "TrainLive": Large(
        "train",
        _training_parts,
        _training,
        numbers.of_training,
        hold=LOSSES,
        key="Home",
        check="End",
    ),
    "SeeThrough": Large(
        "lens",
        _lens_parts,
        _lens,
        numbers.of_lens,
        hold=SKY,
        check="Shift+ArrowRight",
        pose="data-angle",
    ),
}
