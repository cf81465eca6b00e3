"""Take a network away: as an ordinary PyTorch network, or as a file of weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from equivlab.checkpoint import load, save
from equivlab.nn import (
    GroupAvgPool2d,
    GroupBatchNorm,
    GroupDropout,
    GroupLayerNorm,
    GroupMaxPool2d,
    GroupPool,
    InvariantReadout,
)
from equivlab.nn.conv import PlanarConv
from equivlab.transfer_norms import renew_norms
from equivlab.transfer_space import SPACE_CONVERTERS
from equivlab.transfer_stages import (
    freeze,
    from_plain,
    learning_rates,
    replace_head,
    stages,
    unfreeze,
)

__all__ = [
    "freeze",
    "from_plain",
    "learning_rates",
    "load",
    "renew_norms",
    "replace_head",
    "save",
    "stages",
    "to_plain",
    "unfreeze",
]


def to_plain(model: nn.Module) -> nn.Module:
    """The same function as an ordinary network of `nn.Conv2d` (or `nn.Conv3d`) and batch norms.

    Every layer of equivlab is replaced by layers of `torch.nn` on maps ``(B, C·G, H, W)``, the
    orientations of a field next to each other; all other modules are copied. ``to_plain(m)(x)``
    equals ``m(x)`` to rounding where ``m`` ends in numbers or scalar maps, and
    ``m(x).flatten(1, 2)`` where it ends in regular maps, both in `eval()`. Train the original:
    the copy's weights and statistics are free, and training it loses the symmetry.

    Args:
        model: a network of equivlab layers and pointwise modules (activations, dropout), in
            any nesting whose `forward` does not look at the group axis itself.

    Returns:
        A new network; `model` is untouched. Mode, dtype, device and memory format are kept.

    Raises:
        TypeError: a layer that has no ordinary twin, such as `GroupDownsample2d`, whose filter
            depends on the size of its input.

    >>> import torch
    >>> from equivlab.groups import P4
    >>> from equivlab.nn import GroupPool, LiftingConv2d
    >>> to_plain(nn.Sequential(LiftingConv2d(P4, 1, 2, 3), nn.ReLU()))
    Sequential(
      (0): Conv2d(1, 8, kernel_size=(3, 3), stride=(1, 1))
      (1): ReLU()
    )
    """
    for kind, convert in _CONVERTERS.items():
        if isinstance(model, kind):
            return convert(model).train(model.training)
    if type(model).__module__.startswith("equivlab.nn"):
        raise TypeError(
            f"{type(model).__name__} has no twin in torch.nn. Replace it before converting, or "
            "keep the whole network with torch.export.export(model, (x,))."
        )
    children = dict(model.named_children())
    plain = copy.copy(model) if children else copy.deepcopy(model)
    if children:
        plain.__dict__ = {
            key: copy.deepcopy(value) if key in ("_parameters", "_buffers") else copy.copy(value)
            for key, value in model.__dict__.items()
        }
        for name, child in children.items():
            setattr(plain, name, to_plain(child))
    return plain


@torch.no_grad()
def _plain_conv(layer: PlanarConv) -> nn.Module:
    bank, bias = layer.filter_bank()  # (O·G, I·A, k, k), (O·G,)
    conv = nn.Conv2d(
        bank.shape[1] * layer.groups,
        len(bank),
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        layer.bias is not None,
        layer.padding_mode,  # type: ignore[arg-type]  # checked by the layer
        device=bank.device,
        dtype=bank.dtype,
    )
    conv.weight.copy_(bank)
    if bias is not None and conv.bias is not None:
        conv.bias.copy_(bias)
    channels_last = layer.weight.is_contiguous(memory_format=torch.channels_last)
    if channels_last and not layer.weight.is_contiguous():
        conv = conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return conv


@torch.no_grad()
def _plain_norm(layer: GroupBatchNorm) -> nn.Module:
    order = layer.in_field.group.order
    if not layer.track_running_stats:  # the statistics of a batch are shared by the orientations
        shared = nn.BatchNorm3d(layer.num_features, layer.eps, None, layer.affine, False)
        for name, value in layer.state_dict().items():
            setattr(shared, name, nn.Parameter(value.clone()))
        return nn.Sequential(_unflatten(layer), shared, nn.Flatten(1, 2))
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
    return norm


def _unflatten(layer: Any) -> nn.Module:
    return nn.Unflatten(1, (layer.in_field.channels, layer.in_field.group.order))


def _plain_dropout(layer: GroupDropout) -> nn.Module:
    drop = nn.Dropout3d(layer.p, layer.inplace)
    return nn.Sequential(_unflatten(layer), drop, nn.Flatten(1, 2))


def _plain_max(layer: GroupMaxPool2d) -> nn.Module:
    return nn.MaxPool2d(
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        ceil_mode=layer.ceil_mode,
    )


def _plain_average(layer: GroupAvgPool2d) -> nn.Module:
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
    return nn.Sequential(_unflatten(layer), pools[layer.mode](), nn.Flatten(1, 2))


def _plain_readout(layer: InvariantReadout) -> nn.Module:
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
    return nn.Sequential(
        _Permute(0, 2, 3, 1),
        nn.Unflatten(-1, norm.normalized_shape),
        norm,
        nn.Flatten(-2, -1),
        _Permute(0, 3, 1, 2),
    )


class _Permute(nn.Module):
    """`torch.permute` as a module, which torch.nn does not have."""

    def __init__(self, *axes: int) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.axes)


_CONVERTERS: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    PlanarConv: _plain_conv,
    GroupBatchNorm: _plain_norm,
    GroupLayerNorm: _plain_layer_norm,
    GroupDropout: _plain_dropout,
    GroupMaxPool2d: _plain_max,
    GroupAvgPool2d: _plain_average,
    GroupPool: _plain_group_pool,
    InvariantReadout: _plain_readout,
    **SPACE_CONVERTERS,
}
