"""The plain twins of the layers for voxels, for `equivlab.transfer.to_plain`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

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
from equivlab.nn.space_pool import root_mean_squares

__all__ = ["SPACE_CONVERTERS"]


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
    kind = nn.BatchNorm3d if isinstance(layer.in_field, IrrepMaps) else nn.BatchNorm1d
    norm = kind(layer.in_field.channels, layer.eps, layer.momentum).to(layer.mean)
    scale, shift = layer.channel_affine(layer.mean, layer.var)
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
            "SteerableCNN3d(..., size=16)."
        )
    first, second = layer.windows(layer.size)
    return nn.Sequential(
        nn.ReplicationPad3d(layer.stride - 1),
        nn.AvgPool3d(first, 1),
        nn.AvgPool3d(second, layer.stride),
    )


def _plain_readout(layer: IrrepReadout) -> nn.Module:
    if layer.space == "rms":
        return _RootMeanSquares(layer.in_field.irreps)
    space = nn.AdaptiveAvgPool3d(1) if layer.space == "mean" else nn.AdaptiveMaxPool3d(1)
    return nn.Sequential(_Lengths(layer.in_field.irreps), space, nn.Flatten(1))


class _Gate(nn.Module):
    """Scalars by a function, all else times a sigmoid; channels only, no irreps."""

    owner: Tensor

    def __init__(self, sizes: Sequence[int], owner: Tensor, activation: Any) -> None:
        super().__init__()
        self.sizes = list(sizes)  # scalars, gates, gated
        self.activation = activation
        self.register_buffer("owner", owner)  # which gate each gated channel has

    def forward(self, x: Tensor) -> Tensor:
        scalars, gates, gated = x.split(self.sizes, 1)
        opened = gated * torch.sigmoid(gates).index_select(1, self.owner)
        return torch.cat([self.activation(scalars), opened], 1)


class _Lengths(nn.Module):
    """The scalars and the lengths of the other features, one number each."""

    def __init__(self, irreps: Any) -> None:
        super().__init__()
        self.blocks = [(m, irrep.dim, is_scalar(irrep)) for m, irrep in irreps]

    def forward(self, x: Tensor) -> Tensor:
        parts = x.split([m * dim for m, dim, _ in self.blocks], 1)
        return torch.cat(
            [
                part if scalar else torch.linalg.vector_norm(part.unflatten(1, (m, dim)), dim=2)
                for part, (m, dim, scalar) in zip(parts, self.blocks, strict=True)
            ],
            1,
        )


class _RootMeanSquares(nn.Module):
    """`root_mean_squares` without a field to check."""

    def __init__(self, irreps: Any) -> None:
        super().__init__()
        self.irreps = irreps

    def forward(self, x: Tensor) -> Tensor:
        return root_mean_squares(self.irreps, x)


def _plain_gate(layer: IrrepGate) -> nn.Module:
    return _Gate(layer.sizes, layer.gate_of_channel(), layer.activation)


SPACE_CONVERTERS: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    SteerableConv3d: _plain_conv,
    IrrepBatchNorm: _plain_norm,
    IrrepGate: _plain_gate,
    IrrepNorms: lambda layer: _Lengths(layer.in_field.irreps),
    IrrepAvgPool3d: lambda layer: nn.AvgPool3d(layer.kernel_size, layer.stride, layer.padding),
    IrrepDownsample3d: _plain_downsample,
    IrrepReadout: _plain_readout,
}
