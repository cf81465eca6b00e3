"""Linear maps whose gradient is a transpose that one can write down.

A transform is asked for by the name of its family and its sizes, and comes with its transpose. So
it can stand in a compiled graph as one operator, whose tables the compiler never sees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from equivlab.tables import in_a_mode

__all__ = ["Family", "LinearMap", "linear", "transform_family"]

LinearMap = Callable[[Tensor], Tensor]
Sizes = Sequence[int]
Maps = Callable[[Sizes, torch.dtype, torch.device], tuple[LinearMap, LinearMap]]
Shapes = Callable[[Sizes, Sequence[int], bool], Sequence[int]]


@dataclass(frozen=True)
class Family:
    """Transforms of all sizes.

    Attributes:
        maps: a transform of given sizes, and its transpose.
        shape: of what it makes, from the sizes, the shape of what it takes, and whether it is the
            transpose.
        opaque: whether it leaves PyTorch on the way, so that nobody can look on.
    """

    maps: Maps
    shape: Shapes
    opaque: bool = False


FAMILIES: dict[str, Family] = {}


def transform_family(name: str, shape: Shapes, opaque: bool = False) -> Callable[[Maps], Maps]:
    """A decorator: these are the transforms of that name, see `Family`."""

    def enter(maps: Maps) -> Maps:
        FAMILIES[name] = Family(maps, shape, opaque)
        return maps

    return enter


def linear(x: Tensor, family: str, sizes: Sizes, transposed: bool = False) -> Tensor:
    """A transform of `x`, with its transpose as gradient; never in half precision by autocast.

    Args:
        x: what it takes.
        family: its name in `transform_family`.
        sizes: whole numbers, as the family takes them.
        transposed: take the transpose instead.
    """
    if torch.compiler.is_dynamo_compiling() or (
        FAMILIES[family].opaque and (x.is_meta or in_a_mode())
    ):
        found: Tensor = torch.ops.equivlab.linear(x, family, list(sizes), transposed)
        return found
    wanted = x.requires_grad and torch.is_grad_enabled()
    if FAMILIES[family].opaque:
        wanted |= torch._C._functorch.is_functorch_wrapped_tensor(x)  # vmap: one by one
    # An exporter writes down the plain sums, and derives them itself.
    if torch.compiler.is_compiling() or not wanted:
        return _plainly(x, family, sizes, transposed)
    out: Tensor = _Linear.apply(x, family, sizes, transposed)  # type: ignore[no-untyped-call]
    return out


class _Linear(torch.autograd.Function):
    """A linear map that knows its transpose, which is its gradient: nothing is stored.

    The transpose is such a map again, so everything is differentiable as often as one likes.
    """

    @staticmethod
    def forward(x: Tensor, family: str, sizes: Sizes, transposed: bool) -> Tensor:
        return _plainly(x, family, sizes, transposed)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.transform = inputs[1:]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        family, sizes, transposed = ctx.transform
        return linear(gradients[0], family, sizes, not transposed), None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor, *transform: Any) -> tuple[Tensor, int]:
        return torch.stack([linear(one, *transform) for one in x.unbind(in_dims[0])]), 0


def _plainly(x: Tensor, family: str, sizes: Sizes, transposed: bool) -> Tensor:
    """The transform of `x`, in its own precision under autocast too."""
    apply = FAMILIES[family].maps(sizes, x.dtype, x.device)[transposed]
    if x.is_meta or not torch.is_autocast_enabled(x.device.type):
        return apply(x)
    with torch.autocast(x.device.type, enabled=False):
        return apply(x)


@torch.library.custom_op("equivlab::linear", mutates_args=())
def _operator(x: Tensor, family: str, sizes: list[int], transposed: bool) -> Tensor:
    """`linear` for a compiler."""
    return _plainly(x, family, sizes, transposed).contiguous()


@_operator.register_fake
def _(x: Tensor, family: str, sizes: list[int], transposed: bool) -> Tensor:
    return x.new_empty(FAMILIES[family].shape(sizes, x.shape, transposed))


@_operator.register_vmap
def _(info: Any, in_dims: Any, x: Tensor, *transform: Any) -> tuple[Tensor, int]:
    return _Linear.vmap(info, in_dims, x, *transform)


def _keep(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.transform = inputs[1:]


def _transpose(ctx: Any, gradient: Tensor) -> Any:
    family, sizes, transposed = ctx.transform
    return _operator(gradient.contiguous(), family, sizes, not transposed), None, None, None


_operator.register_autograd(_transpose, setup_context=_keep)
