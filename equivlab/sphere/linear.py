"""Linear maps whose gradient is a transpose that one can write down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["LinearMap", "linear"]

LinearMap = Callable[[Tensor], Tensor]


class _Linear(torch.autograd.Function):
    """A linear map that knows its transpose, which is its gradient: nothing is stored.

    The transpose is such a map again, so everything is differentiable as often as one likes.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, apply: LinearMap, transpose: LinearMap) -> Tensor:
        ctx.maps = transpose, apply
        return _plainly(apply, x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return linear(gradients[0], *ctx.maps), None, None


def linear(x: Tensor, apply: LinearMap, transpose: LinearMap) -> Tensor:
    """``apply(x)``, with the gradient ``transpose(g)``; never in half precision by autocast."""
    if not (x.requires_grad and torch.is_grad_enabled()):
        return _plainly(apply, x)
    out: Tensor = _Linear.apply(x, apply, transpose)  # type: ignore[no-untyped-call]
    return out


def _plainly(apply: LinearMap, x: Tensor) -> Tensor:
    """`apply` to `x`, in its own precision under autocast too."""
    if not torch.is_autocast_enabled(x.device.type):
        return apply(x)
    with torch.autocast(x.device.type, enabled=False):
        return apply(x)
