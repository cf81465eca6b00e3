"""The plain twins of the layers on SO(2) and O(2), for `equivlab.transfer.to_plain`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from equivlab.fields import CircleIrrep
from equivlab.nn import (
    CircleActivation,
    CircleDouble2d,
    CircleDownsample2d,
    CircleGate,
    CircleReadout,
)
from equivlab.transfer.plain_frames import Downsample, plain_double
from equivlab.transfer.plain_planar import Reorder
from equivlab.transfer.plain_space import Gate, Lengths
from equivlab.transfer.tracing import as_graph

__all__ = ["CIRCLE_CONVERTERS"]

SCALAR = CircleIrrep(0, 1)


class _Bend(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def _bend(activation: Callable[[Tensor], Tensor]) -> nn.Module:
    if isinstance(activation, nn.Module):
        return copy.deepcopy(activation)
    return as_graph(_Bend(activation))


@torch.no_grad()
def _plain_activation(layer: CircleActivation) -> nn.Module:
    """Sampling and its inverse are convolutions of one pixel, a group for each function."""
    circles, waves = layer.circles, 2 * layer.max_frequency + 1
    matrix = layer.to_circle  # (samples, 2K + 1)
    # The channels of each function, of which blocks of equal frequency come one after another.
    blocks = [torch.arange(cut.start, cut.stop) for cut in layer.in_field.irreps.slices()]
    places = torch.cat([block.view(circles, -1) for block in blocks], 1)  # (C, 2K + 1)
    sample = _pointwise(matrix, waves, circles)
    back = _pointwise(matrix.T / layer.samples, layer.samples, circles)
    return nn.Sequential(
        as_graph(Reorder(places.flatten())),
        sample,
        _bend(layer.activation),
        back,
        as_graph(Reorder(places.flatten().argsort())),
    )


def _pointwise(matrix: Tensor, before: int, circles: int) -> nn.Conv2d:
    """The same matrix at every pixel, for each function on the circle."""
    after = len(matrix)
    conv = nn.Conv2d(circles * before, circles * after, 1, groups=circles, bias=False)
    conv = conv.to(matrix)
    conv.weight.copy_(matrix.repeat(circles, 1)[..., None, None])
    return conv


def _plain_gate(layer: CircleGate) -> nn.Module:
    gated = [
        irrep.dim
        for count, irrep in layer.out_field.irreps
        for _ in range(count)
        if irrep != SCALAR
    ]
    owner = torch.arange(len(gated)).repeat_interleave(torch.tensor(gated, dtype=torch.long))
    scalars = layer.out_field.irreps.dim - len(owner)
    return as_graph(Gate((scalars, len(gated), len(owner)), owner, layer.activation))


def _plain_readout(layer: CircleReadout) -> nn.Module:
    space = nn.AdaptiveAvgPool2d(1) if layer.space == "mean" else nn.AdaptiveMaxPool2d(1)
    return nn.Sequential(as_graph(Lengths(layer.in_field.irreps)), space, nn.Flatten(1))


CIRCLE_CONVERTERS: dict[type[nn.Module], Callable[[Any], nn.Module | None]] = {
    CircleActivation: _plain_activation,
    CircleGate: _plain_gate,
    CircleDownsample2d: lambda layer: as_graph(Downsample(layer.stride, layer.padding_mode)),
    CircleDouble2d: plain_double,
    CircleReadout: _plain_readout,
}
