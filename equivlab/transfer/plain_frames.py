"""The plain twins of the layers that change the size of maps, and of norms of one sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.nn import (
    DiscMask,
    GroupAdaptiveAvgPool2d,
    GroupAdaptiveMaxPool2d,
    GroupAlign2d,
    GroupBlockNorm,
    GroupConvTranspose2d,
    GroupDouble2d,
    GroupDownsample2d,
    GroupLinear,
    GroupPad2d,
    GroupUpsample2d,
    OrientedLayerNorm,
)
from equivlab.nn.planar.disc import disc_weights
from equivlab.nn.planar.double import CircleDouble2d
from equivlab.nn.planar.hexagons import blurred, spread
from equivlab.nn.planar.upsample import enlarged
from equivlab.nn.window import PADDING_MODES
from equivlab.transfer.plain_planar import Permute, unflatten
from equivlab.transfer.tracing import as_graph

__all__ = ["FRAME_CONVERTERS", "Downsample", "plain_double"]

Plain = TypeVar("Plain", bound=nn.Module)


class _Frame(nn.Module):
    """What `GroupAlign2d` and `GroupPad2d` do, by arithmetic on the size alone."""

    def __init__(self, layer: GroupAlign2d | GroupPad2d) -> None:
        super().__init__()
        self.frame, self.lay = layer.frame, layer._pad

    def forward(self, x: Tensor) -> Tensor:
        rows, tall = self.frame(x.shape[-2])
        columns, wide = self.frame(x.shape[-1])
        return F.avg_pool2d(self.lay(x, (columns, columns, rows, rows)), (tall, wide), stride=1)


class _Disc(nn.Module):
    """`DiscMask`."""

    def __init__(self, layer: DiscMask) -> None:
        super().__init__()
        self.margin, self.rim, self.hexagonal = layer.margin, layer.rim, layer.hexagonal

    def forward(self, x: Tensor) -> Tensor:
        return x * disc_weights(x, self.margin, self.rim, self.hexagonal)


class Downsample(nn.Module):
    """The two boxes of `GroupDownsample2d`, the second as long as the size wants it."""

    def __init__(self, stride: int, padding_mode: str) -> None:
        super().__init__()
        self.stride, self.padding_mode = stride, PADDING_MODES[padding_mode]

    def forward(self, x: Tensor) -> Tensor:
        step, margin = self.stride, self.stride - 1
        last = [x.shape[n] - step * ((x.shape[n] - 1) // step) for n in (-2, -1)]
        x = F.avg_pool2d(F.pad(x, 4 * (margin,), self.padding_mode), step, 1)
        return F.avg_pool2d(x, (margin + last[0], margin + last[1]), step)


class _Upsample(nn.Module):
    """`GroupUpsample2d` by the mean of all corners, whatever the size."""

    def __init__(self, layer: GroupUpsample2d) -> None:
        super().__init__()
        self.mode, self.align_corners = layer.mode, layer.align_corners
        self.sizes = layer.size, layer.scale_factor

    def forward(self, x: Tensor) -> Tensor:
        return enlarged(x, *self.sizes, self.mode, self.align_corners, False)


class _UpsampleLike(_Upsample):
    """The same to the size of another tensor."""

    def forward(self, x: Tensor, like: Tensor) -> Tensor:  # type: ignore[override]
        return enlarged(x, like.shape[-2:], None, self.mode, self.align_corners, False)


def _plain_upsample(layer: GroupUpsample2d) -> nn.Module:
    if layer.size is None and layer.scale_factor is None:
        return as_graph(_UpsampleLike(layer))
    if layer.size is None and float(layer.scale_factor or 0.5).is_integer():
        return nn.Upsample(None, layer.scale_factor, layer.mode, layer.align_corners)
    return as_graph(_Upsample(layer))


@torch.no_grad()
def _plain_transposed(layer: GroupConvTranspose2d) -> nn.Module:
    bank, bias = layer.adjoint_bank()  # (I·G, O/groups·G, k, k), (O·G,)
    conv = nn.ConvTranspose2d(
        len(bank), bank.shape[1] * layer.groups, layer.kernel_size, layer.stride, layer.cut, 0,
        layer.groups, bias is not None, layer.dilation, device=bank.device, dtype=bank.dtype,
    )  # fmt: skip
    conv.weight.copy_(bank)
    if bias is not None and conv.bias is not None:
        conv.bias.copy_(bias)
    return conv


class _Linear(nn.Module):
    """`GroupLinear` on ``(B, I·G, k, k)``: the turned maps beside each other, then one layer."""

    turns: Tensor

    def __init__(self, layer: GroupLinear) -> None:
        super().__init__()
        self.order = layer.in_field.group.order
        self.register_buffer("turns", layer.turns.clone())
        self.linear = _dense(layer)

    def forward(self, x: Tensor) -> Tensor:
        turned = torch.index_select(x.flatten(1), 1, self.turns)
        rows = turned.unflatten(1, (self.order, self.linear.in_features))
        out: Tensor = self.linear(rows).transpose(1, 2).flatten(1).unsqueeze(-1).unsqueeze(-1)
        return out


def _dense(layer: GroupLinear) -> nn.Linear:
    weight = layer.weight.detach().flatten(1)
    outs, ins = weight.shape
    linear = nn.Linear(ins, outs, layer.bias is not None).to(weight)
    return _filled(linear, layer, lambda value: value.flatten(1) if value.dim() > 1 else value)


@torch.no_grad()
def _filled(norm: Plain, layer: Any, spread: Callable[[Tensor], Tensor]) -> Plain:
    """`norm` with the factors and summands of `layer`, spread over its channels."""
    for name, value in layer.named_parameters():
        setattr(norm, name, nn.Parameter(spread(value).clone()))
    return norm


def _plain_block_norm(layer: GroupBlockNorm) -> nn.Module:
    order, affine = layer.in_field.group.order, layer.weight is not None
    channels = layer.in_field.channels * order
    if not layer.oriented:
        norm = nn.GroupNorm(layer.blocks, channels, layer.eps, affine)
        return _filled(norm, layer, lambda value: value.repeat_interleave(order))
    norm = nn.GroupNorm(layer.blocks * order, channels, layer.eps, affine)
    return nn.Sequential(
        unflatten(layer),
        as_graph(Permute(0, 2, 1, 3, 4)),
        nn.Flatten(1, 2),
        _filled(norm, layer, lambda value: value.repeat(order)),
        nn.Unflatten(1, (order, layer.in_field.channels)),
        as_graph(Permute(0, 2, 1, 3, 4)),
        nn.Flatten(1, 2),
    )


def _plain_oriented(layer: OrientedLayerNorm) -> nn.Module:
    affine, bias = layer.weight is not None, layer.bias is not None
    norm = nn.LayerNorm(layer.in_field.channels, layer.eps, affine, bias)
    return nn.Sequential(
        unflatten(layer),
        as_graph(Permute(0, 2, 3, 4, 1)),
        _filled(norm, layer, lambda value: value),
        as_graph(Permute(0, 4, 1, 2, 3)),
        nn.Flatten(1, 2),
    )


class _Halve(nn.Module):
    """`GroupDownsample2d` on hexagons."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return blurred(x, self.stride)


def _plain_downsample(layer: GroupDownsample2d) -> nn.Module:
    if layer.in_field.on_hexagons:
        return as_graph(_Halve(layer.stride))
    return as_graph(Downsample(layer.stride, layer.padding_mode))


UNTOLD = (2**31, 2**31)  # above every size: the smaller one is the double


class _Double(nn.Module):
    """`GroupDouble2d` by arithmetic on the sizes alone."""

    def forward(self, x: Tensor, size: tuple[int, int] = UNTOLD) -> Tensor:
        rows, columns = (torch.sym_min(size[n], 2 * x.shape[n - 2]) for n in (0, 1))
        return _between(_between(x, rows, -2), columns, -1)


def _between(x: Tensor, size: int, axis: int) -> Tensor:
    """Maps with `size` pixels along an axis, half as far apart about the same centre."""
    last = x.shape[axis] - 1
    # In float32, where half precision counts to 2048; the weights are quarters, exact in both.
    pixels = x.new_ones(size, dtype=torch.float32).cumsum(0) - 1
    places = ((pixels - (size - 1) / 2) / 2 + last / 2).clamp(0, last)
    below = places.floor()
    part = (places - below).to(x).unflatten(0, (-1, 1) if axis == -2 else (1, -1))
    first = below.long()
    second = (first + 1).clamp(max=last)
    between: Tensor = x.index_select(axis, first) * (1 - part) + x.index_select(axis, second) * part
    return between


class _Spread(nn.Module):
    """`GroupDouble2d` on hexagons."""

    def forward(self, x: Tensor, size: tuple[int, int] = UNTOLD) -> Tensor:
        return spread(x, torch.sym_min(size[0], 2 * x.shape[-1] - 1))


def plain_double(layer: GroupDouble2d | CircleDouble2d) -> nn.Module:
    """Takes maps, and their new size as the layer does."""
    return as_graph(_Spread() if getattr(layer.out_field, "on_hexagons", False) else _Double())


FRAME_CONVERTERS: dict[type[nn.Module], Callable[[Any], nn.Module | None]] = {
    DiscMask: lambda layer: as_graph(_Disc(layer)),
    GroupAlign2d: lambda layer: as_graph(_Frame(layer)),
    GroupPad2d: lambda layer: as_graph(_Frame(layer)),
    GroupDownsample2d: _plain_downsample,
    GroupUpsample2d: _plain_upsample,
    GroupDouble2d: plain_double,
    GroupAdaptiveAvgPool2d: lambda layer: nn.AdaptiveAvgPool2d(layer.output_size),
    GroupAdaptiveMaxPool2d: lambda layer: nn.AdaptiveMaxPool2d(layer.output_size),
    GroupConvTranspose2d: _plain_transposed,
    GroupLinear: lambda layer: as_graph(_Linear(layer)),
    GroupBlockNorm: _plain_block_norm,
    OrientedLayerNorm: _plain_oriented,
}
