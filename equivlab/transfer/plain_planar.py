"""The plain twins of the layers for images, for `equivlab.transfer.to_plain`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from equivlab.fields.cells import inside_hexagon
from equivlab.nn import (
    GroupAvgPool2d,
    GroupBatchNorm,
    GroupDropout,
    GroupInduce,
    GroupLayerNorm,
    GroupMaxPool2d,
    GroupPool,
    GroupRestrict,
    InvariantReadout,
    SteerableConv2d,
)
from equivlab.nn.planar.conv import PlanarConv
from equivlab.nn.planar.hexagons import cell_mean, largest, maxima
from equivlab.transfer.tracing import as_graph

__all__ = ["PLANAR_CONVERTERS", "Permute", "Reorder", "unflatten"]


@torch.no_grad()
def _plain_conv(layer: PlanarConv) -> nn.Module:
    conv = _conv_of(layer, *layer.filter_bank(), layer.groups)  # (O·G, I·A, k, k), (O·G,)
    if layer.in_field.on_hexagons:
        return nn.Sequential(_cells(inside_hexagon), conv, _cells(inside_hexagon))
    channels_last = layer.weight.is_contiguous(memory_format=torch.channels_last)
    if channels_last and not layer.weight.is_contiguous():
        conv = conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return nn.Sequential(conv, nn.ReLU()) if layer.rectified else conv


@torch.no_grad()
def _plain_steerable(layer: SteerableConv2d) -> nn.Module:
    return _conv_of(layer, *layer.kernel())


def _conv_of(
    layer: PlanarConv | SteerableConv2d, kernel: Tensor, bias: Tensor | None, groups: int = 1
) -> nn.Conv2d:
    """The ordinary layer with this kernel and the window of `layer`."""
    conv = nn.Conv2d(
        kernel.shape[1] * groups,
        len(kernel),
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        groups,
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
def _plain_norm(layer: GroupBatchNorm) -> nn.Module:
    order = layer.in_field.group.order
    if layer.in_field.on_hexagons and not layer.track_running_stats:
        raise TypeError(
            f"{type(layer).__name__} on hexagons without running statistics has no twin in "
            "torch.nn, whose norms would count the places that are no cells. Make it with "
            "track_running_stats=True, or keep the network with torch.export.export(model, (x,))."
        )
    if not layer.track_running_stats:  # the statistics of a batch are shared by the orientations
        shared = nn.BatchNorm3d(layer.num_features, layer.eps, None, layer.affine, False)
        for name, value in layer.state_dict().items():
            setattr(shared, name, nn.Parameter(value.clone()))
        return nn.Sequential(unflatten(layer), shared, nn.Flatten(1, 2))
    norm = nn.BatchNorm2d(
        layer.num_features * order,
        layer.eps,
        layer.momentum,
        layer.affine,
        layer.track_running_stats,
    )
    for name, value in layer.state_dict().items():
        spread: Tensor = value.repeat_interleave(order) if value.dim() else value.clone()
        kept = getattr(norm, name)
        setattr(norm, name, nn.Parameter(spread) if isinstance(kept, nn.Parameter) else spread)
    return _then_masked(layer, norm)


def _cells(function: Callable[[Tensor], Tensor]) -> nn.Module:
    """Arithmetic on the cells of hexagons as a graph of torch's own operations."""

    class Cells(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return function(x)

    return as_graph(Cells())


def _then_masked(layer: Any, plain: nn.Module) -> nn.Module:
    """With zeros outside the hexagon, where there is one."""
    if not layer.in_field.on_hexagons:
        return plain
    mask = _cells(inside_hexagon)
    return plain.append(mask) if isinstance(plain, nn.Sequential) else nn.Sequential(plain, mask)


def unflatten(layer: Any) -> nn.Module:
    """``(B, C·G, H, W)`` to ``(B, C, G, H, W)``, for what a layer takes."""
    return nn.Unflatten(1, (layer.in_field.channels, layer.in_field.group.order))


def _plain_dropout(layer: GroupDropout) -> nn.Module:
    drop = nn.Dropout3d(layer.p, layer.inplace)
    return nn.Sequential(unflatten(layer), drop, nn.Flatten(1, 2))


def _plain_max(layer: GroupMaxPool2d) -> nn.Module:
    if layer.in_field.on_hexagons:
        window = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        return _cells(lambda x: maxima(x, *window))
    return nn.MaxPool2d(
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        ceil_mode=layer.ceil_mode,
    )


def _plain_average(layer: GroupAvgPool2d) -> nn.Module:
    if layer.in_field.on_hexagons:
        return _cells(layer.averaged)
    return nn.AvgPool2d(
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.ceil_mode,
        layer.count_include_pad,
        layer.divisor_override,
    )


def _plain_group_pool(layer: GroupPool | InvariantReadout) -> nn.Sequential:
    window = (layer.in_field.group.order, 1, 1)
    pools: dict[str, Callable[[], nn.Module]] = {
        "max": lambda: nn.MaxPool3d(window),
        "mean": lambda: nn.AvgPool3d(window),
        "norm": lambda: nn.LPPool3d(2, window),
    }
    pool = nn.Sequential(unflatten(layer), pools[layer.mode](), nn.Flatten(1, 2))
    return pool.append(_cells(inside_hexagon)) if layer.in_field.on_hexagons else pool


def _plain_readout(layer: InvariantReadout) -> nn.Module:
    if layer.in_field.on_hexagons:
        return _plain_group_pool(layer).append(
            _cells(cell_mean if layer.space == "mean" else largest)
        )
    space = nn.AdaptiveAvgPool2d(1) if layer.space == "mean" else nn.AdaptiveMaxPool2d(1)
    return _plain_group_pool(layer).extend([space, nn.Flatten(1)])


@torch.no_grad()
def _plain_layer_norm(layer: GroupLayerNorm) -> nn.Module:
    field, affine = layer.in_field, layer.weight is not None
    norm = nn.LayerNorm(
        (field.channels, field.group.order), layer.eps, affine, layer.bias is not None
    )
    for mine, theirs in ((layer.weight, norm.weight), (layer.bias, norm.bias)):
        if mine is not None:
            theirs.data = mine[:, None].expand(theirs.shape).clone()
    at_each_pixel = nn.Sequential(
        as_graph(Permute(0, 2, 3, 1)),
        nn.Unflatten(-1, norm.normalized_shape),
        norm,
        nn.Flatten(-2, -1),
        as_graph(Permute(0, 3, 1, 2)),
    )
    return _then_masked(layer, at_each_pixel)


def _plain_reorder(layer: GroupRestrict | GroupInduce) -> nn.Module:
    """The maps in another order, found by sending their numbers through."""
    field = layer.in_field
    numbers = torch.arange(float(field.channels * field.group.order), dtype=torch.float64)
    maps = numbers.view(1, field.channels, field.group.order, 1, 1)
    return as_graph(Reorder(layer(maps).flatten().long()))


class Reorder(nn.Module):
    """Maps sorted by a list of their numbers."""

    order: Tensor

    def __init__(self, order: Tensor) -> None:
        super().__init__()
        self.register_buffer("order", order)

    def forward(self, x: Tensor) -> Tensor:
        return x.index_select(1, self.order)


class Permute(nn.Module):
    """`torch.permute` as a module, which torch.nn does not have.

    It copies: on maps that lie otherwise in memory a convolution adds up in another order, and
    rounds otherwise than the original.
    """

    def __init__(self, *axes: int) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.axes).contiguous()


PLANAR_CONVERTERS: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    PlanarConv: _plain_conv,
    SteerableConv2d: _plain_steerable,
    GroupBatchNorm: _plain_norm,
    GroupLayerNorm: _plain_layer_norm,
    GroupDropout: _plain_dropout,
    GroupMaxPool2d: _plain_max,
    GroupAvgPool2d: _plain_average,
    GroupPool: _plain_group_pool,
    InvariantReadout: _plain_readout,
    GroupRestrict: _plain_reorder,
    GroupInduce: _plain_reorder,
}
