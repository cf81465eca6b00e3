"""The plain twins of the layers for voxels, for `equivlab.transfer.to_plain`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from equivlab.fields import CircleMaps
from equivlab.fields.irreps import is_scalar
from equivlab.nn.space import (
    IrrepAvgPool3d,
    IrrepBatchNorm,
    IrrepDownsample3d,
    IrrepGate,
    IrrepMaps,
    IrrepNorms,
    IrrepReadout,
    SteerableConv3d,
)
from equivlab.transfer.tracing import as_graph

__all__ = ["SPACE_CONVERTERS", "Gate", "Lengths"]


@torch.no_grad()
def _plain_conv(layer: SteerableConv3d) -> nn.Module:
    kernel, bias = layer.kernel()
    conv = nn.Conv3d(
        kernel.shape[1],
        kernel.shape[0],
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        1,
        bias is not None,
        layer.padding_mode,  # type: ignore[arg-type]  # checked by the layer
        device=kernel.device,
        dtype=kernel.dtype,
    )
    conv.weight.copy_(kernel)
    if bias is not None and conv.bias is not None:
        conv.bias.copy_(bias)
    return conv


@torch.no_grad()
def _plain_norm(layer: IrrepBatchNorm) -> nn.Module:
    kinds = {IrrepMaps: nn.BatchNorm3d, CircleMaps: nn.BatchNorm2d}
    norm = kinds.get(type(layer.in_field), nn.BatchNorm1d)(
        layer.in_field.channels, layer.eps, layer.momentum
    ).to(layer.mean)
    scale, shift = layer.affine_map(layer.mean, layer.var)
    var = layer.var[layer.owner]
    norm.weight.copy_(scale * (var + layer.eps).sqrt())
    norm.bias.copy_(shift + layer.mean * scale)
    norm.running_mean = layer.mean.clone()
    norm.running_var = var.clone()
    return norm


def _plain_downsample(layer: IrrepDownsample3d) -> nn.Module:
    if layer.size is None:
        raise TypeError(
            "The filter of IrrepDownsample3d depends on the size of its input, so it has no twin "
            "in torch.nn. Make it with the size: IrrepDownsample3d(..., size=16), or "
            "SteerableCNN3d(..., size=16), PlainCNN3d(..., size=16)."
        )
    first, second = layer.windows(layer.size)
    return nn.Sequential(
        nn.ReplicationPad3d(layer.stride - 1),
        nn.AvgPool3d(first, 1),
        nn.AvgPool3d(second, layer.stride),
    )


def _plain_readout(layer: IrrepReadout) -> nn.Module:
    if layer.space == "rms":
        return as_graph(_RootMeanSquares(layer.in_field.irreps))
    space = nn.AdaptiveAvgPool3d(1) if layer.space == "mean" else nn.AdaptiveMaxPool3d(1)
    return nn.Sequential(_plain_lengths(layer), space, nn.Flatten(1))


class Gate(nn.Module):
    """Scalars by a function, all else times a sigmoid; channels only, no irreps."""

    owner: Tensor

    def __init__(self, sizes: Sequence[int], owner: Tensor, activation: Any) -> None:
        super().__init__()
        self.scalars, self.gates, _ = sizes  # scalars, gates, gated
        self.activation = activation
        self.register_buffer("owner", owner)  # which gate each gated channel has

    def forward(self, x: Tensor) -> Tensor:
        opening = self.scalars + self.gates
        gates = torch.sigmoid(x[:, self.scalars : opening])
        opened = x[:, opening:] * gates.index_select(1, self.owner)
        return torch.cat([self.activation(x[:, : self.scalars]), opened], 1)


class Lengths(nn.Module):
    """The scalars and the lengths of the other features, one number each."""

    def __init__(self, irreps: Any) -> None:
        super().__init__()
        self.blocks = _blocks(irreps)

    def forward(self, x: Tensor) -> Tensor:
        parts = []
        for start, stop, dim, scalar in self.blocks:
            part = x[:, start:stop]
            if not scalar:
                part = torch.linalg.vector_norm(part.unflatten(1, (-1, dim)), dim=2)
            parts.append(part)
        return torch.cat(parts, 1)


class _RootMeanSquares(nn.Module):
    """`root_mean_squares` without a field to check."""

    def __init__(self, irreps: Any) -> None:
        super().__init__()
        self.blocks = _blocks(irreps)
        self.tiny = torch.finfo(torch.float32).tiny ** 0.5  # the root has no slope at 0

    def forward(self, x: Tensor) -> Tensor:
        squares = x.flatten(2).square().mean(2)  # (B, C)
        parts = [
            squares[:, start:stop].unflatten(1, (-1, dim)).sum(2)
            for start, stop, dim, _ in self.blocks
        ]
        return torch.cat(parts, 1).clamp_min(self.tiny).sqrt()


def _blocks(irreps: Any) -> list[tuple[int, int, int, bool]]:
    """First and last channel of each block, the size of its features, are they scalars?"""
    return [
        (cut.start, cut.stop, irrep.dim, is_scalar(irrep))
        for (_, irrep), cut in zip(irreps, irreps.slices(), strict=True)
    ]


def _plain_gate(layer: IrrepGate) -> nn.Module:
    return as_graph(Gate(layer.sizes, layer.gate_of_channel(), layer.activation))


def _plain_lengths(layer: IrrepNorms | IrrepReadout) -> nn.Module:
    return as_graph(Lengths(layer.in_field.irreps))


SPACE_CONVERTERS: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    SteerableConv3d: _plain_conv,
    IrrepBatchNorm: _plain_norm,
    IrrepGate: _plain_gate,
    IrrepNorms: _plain_lengths,
    IrrepAvgPool3d: lambda layer: nn.AvgPool3d(layer.kernel_size, layer.stride, layer.padding),
    IrrepDownsample3d: _plain_downsample,
    IrrepReadout: _plain_readout,
}
