"""Every network of `equivlab.models`, small, with inputs: one row each, for tests in a loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from equivlab import models
from equivlab.groups import P4
from equivlab.nn import find_neighbors

#: Public names of `equivlab.models` that are no networks.
NO_NETWORKS = {"load_resnet18_weights"}

Inputs = tuple[Any, ...]


@dataclass(frozen=True)
class Row:
    """A small network, and what the tools of `equivlab.transfer` say of it.

    Attributes:
        settings: its arguments.
        inputs: of one call.
        no_plain: the layer for which `to_plain` refuses it, if it does.
        head: whether it ends in a linear layer.
    """

    settings: dict[str, Any]
    inputs: Callable[[], Inputs]
    no_plain: str | None = None
    head: bool = True


def maps(*shape: int) -> Callable[[], Inputs]:
    return lambda: (torch.rand(4, *shape, generator=torch.Generator().manual_seed(0)),)


def cloud() -> Inputs:
    points = torch.rand(12, 3, generator=torch.Generator().manual_seed(0))
    features = torch.rand(12, 1, generator=torch.Generator().manual_seed(1))
    return features, find_neighbors(points, 1.0), torch.arange(12) // 3


def molecules() -> Inputs:
    (x,) = maps(3, 2, 8, 8)()
    mask = torch.ones(4, 3, dtype=torch.bool)
    mask[0, 2] = False
    return x, mask


SMALL_IRREPS = ("3x0e + 1x1o", "4x0e + 1x1o")
NETWORKS = {
    "DigitCNN": Row({"group": None, "width": 4}, maps(1, 28, 28), head=False),
    "P4CNN": Row({"group": P4, "width": 3}, maps(1, 28, 28), head=False),
    "Z2CNN": Row({"width": 4}, maps(1, 28, 28), head=False),
    "ResNet18": Row({"group": P4, "width": 4}, maps(1, 33, 33)),
    "UNet": Row({"group": P4, "width": 4, "levels": 2}, maps(1, 9, 9), head=False),
    "smooth_network": Row({"group": P4}, maps(1, 16, 16), head=False),
    "SteerableCNN3d": Row(
        {"irreps": SMALL_IRREPS, "kernel_sizes": (3, 3), "size": 8}, maps(1, 8, 8, 8)
    ),
    "SmoothSteerableCNN3d": Row({"irreps": 3 * ("3x0e + 1x1o",)}, maps(1, 16, 16, 16)),
    "PlainCNN3d": Row({"widths": (3, 4), "kernel_sizes": (3, 3), "size": 8}, maps(1, 8, 8, 8)),
    "PointNetwork": Row(
        {"irreps": "4x0e + 2x1o", "cutoff": 1.0, "layers": 2}, cloud, no_plain="PointConv"
    ),
    "SphericalMoleculeCNN": Row(
        {"in_channels": 2, "bandwidth": 4}, molecules, no_plain="NormedConv"
    ),
    "planar_digit_cnn": Row({"size": 28}, maps(1, 28, 28)),
    "spherical_digit_cnn": Row({"bandwidth": 5}, maps(1, 10, 10), no_plain="S2Conv"),
    "smooth_spherical_digit_cnn": Row({"bandwidth": 12}, maps(1, 24, 24), no_plain="NormedConv"),
    "spin_digit_cnn": Row({"bandwidth": 10}, maps(1, 20, 20), no_plain="NormedConv"),
    "spherical_shape_cnn": Row(
        {"in_channels": 2, "bandwidths": (6, 3, 2)}, maps(2, 12, 12), no_plain="NormedConv"
    ),
    "smooth_spherical_shape_cnn": Row(
        {"in_channels": 2, "bandwidth": 8}, maps(2, 16, 16), no_plain="NormedConv"
    ),
    "smooth_spherical_atom_cnn": Row(
        {"in_channels": 2, "bandwidth": 4}, maps(2, 8, 8), no_plain="NormedConv", head=False
    ),
}


def build(name: str, **like: Any) -> nn.Module:
    """The small network of that name, its weights drawn with seed 0."""
    torch.manual_seed(0)
    model: nn.Module = getattr(models, name)(**NETWORKS[name].settings, **like)
    return model
