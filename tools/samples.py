"""The widgets of the README's pictures, as they stand there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from equivlab.data import digit_images, furniture, globe_signals, sky_images
from equivlab.groups import P4, P6, Cyclic
from equivlab.models import P4CNN, Z2CNN, DigitCNN, PlainCNN3d, SteerableCNN3d, smooth_network
from equivlab.nn import LiftingConv2d, S2Conv
from equivlab.projection import to_hexagons
from equivlab.so3 import SO3
from equivlab.training import fit
from equivlab.widgets import (
    AccuracyVsAngle,
    FilterOrbit,
    RotateImage,
    RotateShape,
    RotateSphere,
    SeeThrough,
    TrainLive,
)

__all__ = ["SAMPLES"]


def rotate_image() -> Any:
    """Six pieces of sky, turned by 30°."""
    widget = RotateImage(smooth_network(P4), sky_images(6), compare=smooth_network(None))
    widget.angle_deg = 30.0
    return widget


def square() -> Any:
    """Both ways round: network and turn by 40°, and turn and network."""
    widget = RotateImage(smooth_network(P4), sky_images(6), compare=smooth_network(None))
    widget.angle_deg, widget.square = 40.0, True
    return widget


def hexagons() -> Any:
    """A lifting convolution on hexagons, turned by 60°."""
    cells = to_hexagons(sky_images(3), 16)
    widget = RotateImage(LiftingConv2d(P6, 1, 2, 5, padding="same"), cells)
    widget.angle_deg = 60.0
    return widget


def dial() -> Any:
    """Sixteen orientations on a dial, turned by 45°."""
    layer = LiftingConv2d(Cyclic(16), 1, 2, 7, padding="same")
    widget = RotateImage(layer, sky_images(3), compare=nn.Conv2d(1, 2, 7, padding=3))
    widget.angle_deg = 45.0
    return widget


def rotate_sphere() -> Any:
    """A planet turned by 37°, and the features of a convolution on it."""
    widget = RotateSphere(S2Conv(1, 2, 32, 16), globe_signals(bandwidth=32), channels=(0, 1))
    widget.turn(SO3.from_zyz(0.3, 0.4, 0.2))
    return widget


def rotate_shape() -> Any:
    """A chair of voxels turned by 64°, seen by a steerable and by a plain network."""
    steerable, plain = SteerableCNN3d(classes=6), PlainCNN3d(classes=6)
    layers = {"layer": "features.2", "compare_layer": "features.2"}
    widget = RotateShape(steerable, furniture(3, size=24).x, plain, **layers)
    widget.rotation = [0.848, 0.35, 0.1, 0.384]
    return widget


def filter_orbit() -> Any:
    return FilterOrbit()


def accuracy_vs_angle() -> Any:
    """A P4 and a plain network that have learned upright digits, asked all round."""
    x, y = digit_images()
    networks = {"P4CNN": P4CNN(), "Z2CNN": Z2CNN()}
    for network in networks.values():
        fit(network, x[200:], y[200:], epochs=8, batch_size=32, progress=False)
    widget = AccuracyVsAngle(networks, x[:200], y[:200], steps=24, progress=False)
    widget.angle_deg = 90.0
    return widget


def train_live() -> Any:
    """Digits, learned by a P4 network in 20 steps."""
    x, y = digit_images()
    return TrainLive(DigitCNN(P4), (x[:400], y[:400]), epochs=4, lr=5e-3, every=2).train()


def see_through() -> Any:
    """A stretched lens, turned by 35°, for an equivariant and a plain classifier."""
    widget = SeeThrough(compare="lenses-i-plain")
    widget.ellipticity, widget.angle_deg = 0.2, 35.0
    return widget


def _seeded(make: Callable[[], Any]) -> Callable[[], Any]:
    def seeded() -> Any:
        torch.manual_seed(0)
        return make()

    return seeded


#: What makes each widget, by the name of its picture.
SAMPLES = {
    make.__name__: _seeded(make)
    for make in (
        rotate_image,
        square,
        hexagons,
        dial,
        rotate_sphere,
        rotate_shape,
        filter_orbit,
        accuracy_vs_angle,
        train_live,
        see_through,
    )
}
