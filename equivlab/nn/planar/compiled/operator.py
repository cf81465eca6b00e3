"""The kernel as two operators of PyTorch, each the other's derivative.

`group_conv` is bilinear in the input and the weights. Its gradient to the input is `group_conv`
again, with the weights of the adjoint; that to the weights is `group_conv_weight`. Both are
differentiable themselves, so second derivatives need no code of their own.

Each is there twice, with the same formulas: as an `autograd.Function`, which costs less than a
small convolution, and as an operator of `torch.library`, which costs several, for where somebody
stands between us and the numbers: a batch of gradients, a mode that counts or fakes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from equivlab.fields import RegularMaps, ScalarMaps
from equivlab.groups import P4, P4M
from equivlab.nn.planar.compiled.direct import (
    Geometry,
    convolve,
    convolve_adjoint,
    correlate,
    out_size,
)
from equivlab.nn.planar.compiled.finer import finer_by_size
from equivlab.nn.planar.compiled.places import places
from equivlab.nn.planar.filterbank import orbit_index
from equivlab.processor import at_hand
from equivlab.tables import remembered

__all__ = ["group_conv", "group_conv_weight"]


@remembered()
def orbit(order: int, sheets: int, ins: int, kernel_size: int) -> Tensor:
    """The `orbit_index` of filters on `ins` fields, or channels of an image."""
    kind = ScalarMaps if sheets == 1 else RegularMaps
    return orbit_index(kind(P4 if order == 4 else P4M, ins), kernel_size)


def group_conv(
    x: Tensor, weight: Tensor, bias: Tensor | None, elements: int, order: int, *geometry: int
) -> Tensor:
    """A group convolution of ``(B, I, G, H, W)`` with weights ``(O, I·G, k, k)``, float32, CPU.

    Or of an image ``(B, I, 1, H, W)`` with weights ``(O, I, k, k)``. The group has so many
    `elements` and lies over P4 (`order` 4) or P4M (8), see `finer`; the weights have a row for each
    coset, and their maps are sorted by cosets.
    """
    given: tuple[Any, ...] = (x, weight, bias, elements, order, *geometry)
    if not at_hand(x, weight, bias):
        found: Tensor = torch.ops.equivlab.group_conv(*given)
        return found
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in given[:3]):
        return recorded(*given)
    return convolve(*given)


def recorded(
    x: Tensor, weight: Tensor, bias: Tensor | None, elements: int, order: int, *geometry: int
) -> Tensor:
    """`group_conv` of tensors that are at hand, with a record for gradients."""
    transformed = torch._C._are_functorch_transforms_active()
    apply = _Convolution.apply if transformed else _record
    found: Tensor = apply(x, weight, bias, (elements, order, *geometry))  # type: ignore[no-untyped-call]
    return found


def group_conv_weight(
    x: Tensor, gradient: Tensor, order: int, kernel_size: int, *geometry: int
) -> Tensor:
    """The gradient of `group_conv` to its weights, from that of its output."""
    given: tuple[Any, ...] = (x, gradient, order, kernel_size, *geometry)
    if not at_hand(x, gradient):
        found: Tensor = torch.ops.equivlab.group_conv_weight(*given)
        return found
    if torch.is_grad_enabled() and (x.requires_grad or gradient.requires_grad):
        recorded: Tensor = _Correlation.apply(*given)  # type: ignore[no-untyped-call]
        return recorded
    return correlate(*given)


def input_gradient(
    gradient: Tensor, weight: Tensor, size: tuple[int, ...], order: int, geometry: Geometry
) -> Tensor:
    """The gradient of `group_conv` to its input, whose fields have `size`: ``(G or 1, H, W)``.

    With stride 1 it is a group convolution too. With others it would be one of maps that are
    mostly zeros, which costs more than it saves, so the ordinary one is taken; for an image, too.
    """
    stride, padding, dilation = geometry
    if stride > 1 or size[0] == 1:
        return _transposed(gradient, weight, size, order, geometry)
    rest = dilation * (weight.shape[-1] - 1) - padding
    if rest < 0:  # the frame of the output saw nothing but padding
        gradient = gradient[..., -rest:rest, -rest:rest]
        rest = 0
    if not torch.is_grad_enabled() and at_hand(gradient, weight):
        return convolve_adjoint(gradient, weight, order, rest, dilation)
    k = weight.shape[-1]
    index = places(order, k).adjoint
    filters = weight.reshape(len(weight), -1, len(index)).index_select(2, index).transpose(0, 1)
    filters = filters.reshape(len(filters), -1, k, k)
    return group_conv(gradient, filters, None, gradient.shape[2], order, 1, rest, dilation)


def _transposed(
    gradient: Tensor, weight: Tensor, size: tuple[int, ...], order: int, geometry: Geometry
) -> Tensor:
    stride, padding, dilation = geometry
    tables, k = finer_by_size(gradient.shape[2], order), weight.shape[-1]
    sheets = 1 if size[0] == 1 else order
    index = orbit(order, sheets, weight.shape[1] // sheets, k)
    if tables.copies > 1:
        gradient = gradient.index_select(2, tables.maps)
    bank = weight.reshape(len(weight), -1).index_select(1, index).reshape(-1, *weight.shape[1:])
    spare = [(n + 2 * padding - dilation * (k - 1) - 1) % stride for n in size[1:]]
    maps = gradient.reshape(len(gradient), -1, *gradient.shape[3:])
    found = F.conv_transpose2d(maps, bank, None, stride, padding, spare, 1, dilation)
    found = found.reshape(len(gradient), -1, *size)
    if tables.copies > 1 and sheets > 1:
        found = found.index_select(2, tables.maps.argsort())
    return found


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weight, bias, *window = inputs
    ctx.save_for_backward(x, weight)
    ctx.window, ctx.has_bias = window, bias is not None


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    x, weight = ctx.saved_tensors
    _, order, *geometry = ctx.window
    to_x = to_weight = to_bias = None
    if ctx.needs_input_grad[0]:
        to_x = input_gradient(gradient, weight, x.shape[2:], order, tuple(geometry))
    if ctx.needs_input_grad[1]:
        to_weight = group_conv_weight(x, gradient, order, weight.shape[-1], *geometry)
    if ctx.has_bias and ctx.needs_input_grad[2]:
        to_bias = gradient.sum((0, 2, 3, 4))
    return to_x, to_weight, to_bias, None, None, None, None, None


def _keep_weight(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, gradient, order, _, *geometry = inputs
    ctx.save_for_backward(x, gradient)
    ctx.order, ctx.geometry = order, tuple(geometry)


def _backward_weight(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
    x, gradient = ctx.saved_tensors
    to_x = to_gradient = None
    if ctx.needs_input_grad[0]:
        to_x = input_gradient(gradient, upstream, x.shape[2:], ctx.order, ctx.geometry)
    if ctx.needs_input_grad[1]:
        to_gradient = group_conv(x, upstream, None, gradient.shape[2], ctx.order, *ctx.geometry)
    return to_x, to_gradient, None, None, None, None, None


class _Convolution(Function):
    """`group_conv` with its gradients."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, window: tuple[int, ...]
    ) -> Tensor:
        _keep(ctx, (x, weight, bias, *window), x)
        return convolve(x, weight, bias, *window)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return _backward(ctx, gradient)[:4]


# `Function.apply` looks for transformations of torch, and for what dead ones left behind; tensors
# that are at hand come from none.
_record = super(Function, _Convolution).apply


class _Correlation(Function):
    """`group_conv_weight` with its gradients."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        _keep_weight(ctx, inputs, inputs[0])
        return correlate(*inputs)

    backward = staticmethod(_backward_weight)


_conv_operator = torch.library.custom_op(
    "equivlab::group_conv",
    convolve,
    mutates_args=(),
    schema="(Tensor x, Tensor weight, Tensor? bias, int elements, int order, int stride, "
    "int padding, int dilation) -> Tensor",
)
_weight_operator = torch.library.custom_op(
    "equivlab::group_conv_weight",
    correlate,
    mutates_args=(),
    schema="(Tensor x, Tensor gradient, int order, int kernel_size, int stride, int padding, "
    "int dilation) -> Tensor",
)


@_conv_operator.register_fake
def _(
    x: Tensor, weight: Tensor, bias: Tensor | None, elements: int, order: int, *geometry: int
) -> Tensor:
    sizes = [out_size(size, weight.shape[-1], geometry) for size in x.shape[-2:]]  # type: ignore[arg-type]
    outs = weight.shape[0] * order // elements
    return x.new_empty((x.shape[0], outs, elements, *sizes))


@_weight_operator.register_fake
def _(x: Tensor, gradient: Tensor, order: int, kernel_size: int, *_: int) -> Tensor:
    rows = gradient.shape[1] * gradient.shape[2] // order
    maps = x.shape[1] * x.shape[2]
    return x.new_empty((rows, maps, kernel_size, kernel_size))


def _one_by_one(operator: Callable[..., Tensor]) -> Callable[..., tuple[Tensor, int]]:
    """The rule of `torch.vmap` for an operator: call it for each, as for a batch of gradients."""

    def rule(info: Any, axes: tuple[int | None, ...], *given: Any) -> tuple[Tensor, int]:
        def nth(n: int) -> list[Any]:
            pairs = zip(given, axes, strict=True)
            return [each if axis is None else each.select(axis, n) for each, axis in pairs]

        return torch.stack([operator(*nth(n)) for n in range(info.batch_size)]), 0

    return rule


_conv_operator.register_autograd(_backward, setup_context=_keep)
_conv_operator.register_vmap(_one_by_one(_conv_operator))
_weight_operator.register_autograd(_backward_weight, setup_context=_keep_weight)
_weight_operator.register_vmap(_one_by_one(_weight_operator))
