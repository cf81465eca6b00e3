"""Every widget, a row each: how it is made, what it says of itself, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anywidget
import torch
from torch import nn

import equivlab.widgets
from equivlab.data import globe_signals
from equivlab.groups import P4
from equivlab.models import P4CNN, smooth_network
from equivlab.nn import IrrepGate, S2Conv, SO3Integrate, SteerableConv3d
from equivlab.widgets import (
    AccuracyVsAngle,
    FilterOrbit,
    RotateImage,
    RotateShape,
    RotateSphere,
    SeeThrough,
    TrainLive,
)

Refusals = tuple[tuple[Callable[[], object], str], ...]


@dataclass(frozen=True)
class Case:
    """One widget, small.

    Attributes:
        make: the widget.
        says: a pattern of its whole `repr`.
        keys: what its docstring names under *Keys*, as the browser calls them.
        bad: what it refuses, and words of the message.
    """

    make: Callable[[], Any]
    says: str = ""
    keys: frozenset[str] = frozenset()
    bad: Refusals = ()


def public_widgets() -> dict[str, type[anywidget.AnyWidget]]:
    """The classes in the façade that a notebook shows."""
    found = {name: getattr(equivlab.widgets, name) for name in equivlab.widgets.__all__}
    return {
        name: kind
        for name, kind in found.items()
        if isinstance(kind, type) and issubclass(kind, anywidget.AnyWidget)
    }


def _images(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def _spherical() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(S2Conv(1, 2, 8, 4), SO3Integrate(2, 4))


def _steerable() -> nn.Module:
    torch.manual_seed(0)
    gate = IrrepGate("2x0e + 1x1o")
    return nn.Sequential(SteerableConv3d("1x0e", gate.irreps_in, 3, padding=1), gate)


def _accuracy(networks: Any, **options: Any) -> AccuracyVsAngle:
    torch.manual_seed(0)
    labels = torch.arange(3)
    options = {"steps": 4, "shown": 2, "progress": False} | options
    return AccuracyVsAngle(networks, _images(3, 1, 28, 28), labels, **options)


def _trained() -> TrainLive:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 3))
    data = (_images(10, 1, 8, 8), torch.arange(10) % 3)
    return TrainLive(model, data, epochs=2, batch_size=4, lr=0.1, every=1).train()


TURN = frozenset({"ArrowLeft", "ArrowRight", "r", "f", "?"})
PAGED = frozenset({"PageDown", "PageUp"})
TILT = frozenset({"ArrowUp", "ArrowDown"})
WIDGETS: dict[str, Case] = {
    "AccuracyVsAngle": Case(
        lambda: _accuracy({"P4CNN": P4CNN(width=2)}),
        says=r"AccuracyVsAngle\('P4CNN'; 3 images, 4 angles\)",
        keys=TURN | frozenset("m.,"),
        bad=(
            (lambda: _accuracy(P4CNN()), "networks by name.*got "),
            (lambda: _accuracy({"a": P4CNN()}, steps=7), "divides 360.*got 7"),
        ),
    ),
    "FilterOrbit": Case(
        FilterOrbit,
        says=r"FilterOrbit\(P4, filter \d×\d, image \d+×\d+\)",
        keys=TURN | PAGED | frozenset("mwasd 0+-"),
        bad=(
            (lambda: FilterOrbit([[1.0]]), r"filters \(k, k\).*got list"),  # type: ignore[arg-type]
            (lambda: FilterOrbit(torch.zeros(4, 4)), r"k odd and 3 to 9; got \(4, 4\)"),
        ),
    ),
    "RotateImage": Case(
        lambda: RotateImage(smooth_network(P4), _images(1, 1, 12, 12)),
        says=r"RotateImage\(1 images, .*\)",
        keys=TURN | PAGED | frozenset("mos.,"),
        bad=(
            (lambda: RotateImage(smooth_network(P4), _images(1, 1, 8, 9)), "square"),
            (lambda: RotateImage(smooth_network(P4), "picture"), "picture"),
        ),
    ),
    "RotateShape": Case(
        lambda: RotateShape(_steerable(), _images(1, 1, 6, 6, 6), places=8, turns=2),
        says=r"RotateShape\(1 shapes of voxels, .*\)",
        keys=TURN | TILT | PAGED | frozenset("[]s"),
        bad=((lambda: RotateShape(_steerable(), [1]), "got "),),  # type: ignore[list-item]
    ),
    "RotateSphere": Case(
        lambda: RotateSphere(_spherical(), globe_signals(bandwidth=8)),
        says=r"RotateSphere\(\d+ signals, features on .*\)",
        keys=TURN | TILT | PAGED | frozenset(",.gs"),
        bad=(
            (lambda: RotateSphere(_spherical(), {}), "one shape"),
            (lambda: RotateSphere(nn.Flatten(), globe_signals(bandwidth=8)), "no layer"),
        ),
    ),
    "SeeThrough": Case(
        lambda: SeeThrough("II"),
        says=r"SeeThrough\(Model II, 64×64 pixels, lenses-ii-p4m\)",
        keys=TURN | frozenset("wasdknoc"),
        bad=(
            (lambda: SeeThrough("V"), "models I, II, III, IV; got 'V'"),
            (lambda: SeeThrough("IV", "lenses-ii-p4m"), "takes 1 channels; Model IV-style has 3"),
            (lambda: SeeThrough("I", nn.Flatten()), "a Classifier.*got Flatten"),  # type: ignore[arg-type]
        ),
    ),
    "TrainLive": Case(
        _trained,
        says=r"TrainLive\(Sequential, 8 images, 2 epochs of 2 steps, 2 test images\)",
        keys=TURN | frozenset(" sx"),
        bad=(
            (lambda: TrainLive(P4CNN(), _images(9, 1, 28, 28)), "a pair .images, labels.; got "),  # type: ignore[arg-type]
            (lambda: TrainLive(nn.Flatten(), (_images(9, 1, 8, 8), torch.arange(9))), "learn"),
        ),
    ),
}
