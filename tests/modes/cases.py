"""Every public layer with an input, small: a row for each, by name; and every network."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor, nn

import equivlab.nn as layers
from equivlab.groups import P4, P6M
from tests import networks
from tests.nn.cases import LAYERS, public_layers

Builder = Callable[[], nn.Module]
IRREPS = "2x0e + 1x1o"


def _noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _planar() -> Tensor:
    return _noise(2, 2, 8, 8)


def _regular() -> Tensor:
    return _noise(2, 2, 4, 8, 8)


def _hexagons() -> Tensor:
    axis = torch.arange(-4, 5)  # by itself, so that no table is made
    return _noise(2, 1, 9, 9) * ((axis[:, None] + axis).abs() <= 4)


def _sphere() -> Tensor:
    return _noise(2, 2, 8, 8)


def _rotations() -> Tensor:
    return _noise(2, 2, 8, 8, 8)


def _spin() -> Tensor:
    return _noise(2, 2, 3, 8, 8)


def _voxels() -> Tensor:
    return _noise(2, 5, 6, 6, 6)


def _points() -> Tensor:
    return _noise(7, 5)


def _cloud() -> tuple[Tensor, Any]:
    return _points(), layers.find_neighbors(_noise(7, 3), 2.0)


def _two_clouds() -> tuple[Tensor, Tensor]:
    return _points(), torch.tensor([0, 0, 0, 1, 1, 1, 1])


# The layer, and what it takes: a tensor, or all its inputs.
CASES: dict[str, tuple[Builder, Callable[[], Any]]] = {
    "GroupAvgPool2d": (lambda: layers.GroupAvgPool2d(P4, 2, 2), _regular),
    "GroupBatchNorm": (lambda: layers.GroupBatchNorm(P4, 2), _regular),
    "GroupConv2d": (lambda: layers.GroupConv2d(P4, 2, 3, 3), _regular),
    "GroupDownsample2d": (lambda: layers.GroupDownsample2d(P4, 2), _regular),
    "GroupDropout": (lambda: layers.GroupDropout(P4, 2, 0.5), _regular),
    "GroupLayerNorm": (lambda: layers.GroupLayerNorm(P4, 2), _regular),
    "GroupMaxPool2d": (lambda: layers.GroupMaxPool2d(P4, 2, 2), _regular),
    "GroupPool": (lambda: layers.GroupPool(P4, 2), _regular),
    "InvariantReadout": (lambda: layers.InvariantReadout(P4, 2), _regular),
    "LiftingConv2d": (lambda: layers.LiftingConv2d(P4, 2, 3, 3), _planar),
    "HealpixToSphere": (lambda: layers.HealpixToSphere(2, 4, 4), lambda: _noise(2, 2, 192)),
    "NormedConv": (lambda: layers.NormedConv(layers.S2Conv(2, 3, 4, 3)), _sphere),
    "S2Conv": (lambda: layers.S2Conv(2, 3, 4, 3), _sphere),
    "S2Moments": (lambda: layers.S2Moments(2, 4), _sphere),
    "SO3Activation": (lambda: layers.SO3Activation(2, 4), _rotations),
    "SO3BatchNorm": (lambda: layers.SO3BatchNorm(2, 4), _rotations),
    "SO3Conv": (lambda: layers.SO3Conv(2, 3, 4, 3), _rotations),
    "SO3Integrate": (lambda: layers.SO3Integrate(2, 4), _rotations),
    "SO3Moments": (lambda: layers.SO3Moments(2, 4, tilts=[1.0]), _rotations),
    "SpinActivation": (lambda: layers.SpinActivation(2, 4, 1), _spin),
    "SpinBatchNorm": (lambda: layers.SpinBatchNorm(2, 4, 1), _spin),
    "SpinConv": (lambda: layers.SpinConv(2, 3, 4, 3, 1, 1), _spin),
    "IrrepAvgPool3d": (lambda: layers.IrrepAvgPool3d(IRREPS, 2), _voxels),
    "IrrepBatchNorm": (lambda: layers.IrrepBatchNorm(IRREPS), _voxels),
    "IrrepDownsample3d": (lambda: layers.IrrepDownsample3d(IRREPS), _voxels),
    "IrrepGate": (lambda: layers.IrrepGate(IRREPS), lambda: _noise(2, 6, 6, 6, 6)),
    "IrrepLinear": (lambda: layers.IrrepLinear(IRREPS, "1x0e + 2x1o"), _points),
    "IrrepNorms": (lambda: layers.IrrepNorms(IRREPS), _voxels),
    "IrrepPointReadout": (lambda: layers.IrrepPointReadout(IRREPS), _points),
    "IrrepPointReadout of clouds": (
        lambda: layers.IrrepPointReadout(IRREPS, "max"),
        lambda: (*_two_clouds(), 2),
    ),
    "IrrepPointReadout of untold clouds": (
        lambda: layers.IrrepPointReadout(IRREPS, "sum"),
        _two_clouds,
    ),
    "IrrepReadout": (lambda: layers.IrrepReadout(IRREPS), _voxels),
    "PointConv": (lambda: layers.PointConv(IRREPS, "1x0e + 2x1o", 2.0), _cloud),
    "SteerableConv3d": (lambda: layers.SteerableConv3d(IRREPS, "1x0e + 2x1o", 3), _voxels),
    "SteerableConv3d smooth": (
        lambda: layers.SteerableConv3d(IRREPS, "1x0e + 2x1o", 5, profile="gaussian"),
        _voxels,
    ),
}


def _on_hexagons() -> nn.Module:
    """A layer of each kind, each with its mask."""
    return nn.Sequential(
        layers.LiftingConv2d(P6M, 1, 2, 3, padding=1),
        layers.GroupBatchNorm(P6M, 2),
        layers.GroupMaxPool2d(P6M, 2, 3, 2, 1),
        layers.GroupConv2d(P6M, 2, 2, 3, padding=1),
        layers.GroupLayerNorm(P6M, 2),
        layers.GroupDownsample2d(P6M, 2),
        layers.GroupAvgPool2d(P6M, 2, 3, 1, 1, count_include_pad=False),
        layers.InvariantReadout(P6M, 2, "norm"),
    )


CASES["GroupConv2d on hexagons, and others"] = (_on_hexagons, _hexagons)

# Layers that have no row above are taken as tests/nn/cases.py has them.
CASES |= {
    name: (LAYERS[name].make, LAYERS[name].given)
    for name in public_layers()
    if name in LAYERS and name not in CASES
}


# The networks of `equivlab.models`, likewise; one is told how many clouds there are.
NETWORKS: dict[str, tuple[Builder, Callable[[], Any]]] = {
    name: (partial(networks.build, name), row.inputs) for name, row in networks.NETWORKS.items()
}
NETWORKS["PointNetwork"] = (NETWORKS["PointNetwork"][0], lambda: (*networks.cloud(), 4))


def build(name: str) -> nn.Module:
    """The layer or network in `eval()`, the same each time; its statistics count."""
    torch.manual_seed(0)
    layer = (CASES | NETWORKS)[name][0]().eval()
    with torch.no_grad():
        for key, value in layer.state_dict().items():
            if key.endswith(("running_mean", "bias")) or key.split(".")[-1] == "mean":
                value += 0.1
    return layer


@lru_cache(maxsize=1)
def inputs(name: str) -> tuple[Any, ...]:
    """All that it takes; in one process always the same, as what it remembers must not matter."""
    found = (CASES | NETWORKS)[name][1]()
    return found if isinstance(found, tuple) else (found,)
