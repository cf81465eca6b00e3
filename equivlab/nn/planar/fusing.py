"""Networks that only evaluate: batch norms and ReLUs folded into the convolutions before them."""

from __future__ import annotations

import copy
from collections import Counter

import torch
from torch import fx, nn
from torch.nn.utils import parametrize

from equivlab.nn.base import FieldModule
from equivlab.nn.planar.conv import PlanarConv
from equivlab.nn.planar.norm import GroupBatchNorm

__all__ = ["fuse"]


def fuse(model: nn.Module) -> nn.Module:
    """The same function in fewer steps: norms and ReLUs folded into the convolutions before them.

    A `GroupBatchNorm` in `eval()` multiplies each field by ``scale`` and adds ``shift``, which the
    convolution before it can do as well: ``weight · scale`` and ``bias · scale + shift``. A
    `torch.nn.ReLU` that follows is applied where the convolution writes. So ``fuse(model)(x)``
    equals ``model(x)`` to rounding, and obeys the same law.

    Folded is what follows a convolution directly, is called once, and has no hooks; modules whose
    `forward` torch.fx cannot follow stay as they are inside.

    Args:
        model: a network in `eval()`.

    Returns:
        A new network, for evaluation, with `torch.nn.Identity` for each layer that was folded.
        `model` is untouched, and shares no tensor with it.

    Raises:
        ValueError: a network that is training, so that its norms use the statistics of each batch.
        TypeError: a network whose own `forward` torch.fx cannot follow; fuse its parts then.

    >>> from equivlab.groups import P4
    >>> from equivlab.nn import LiftingConv2d
    >>> fuse(nn.Sequential(LiftingConv2d(P4, 1, 8, 3), GroupBatchNorm(P4, 8), nn.ReLU()).eval())
    Sequential(
      (0): LiftingConv2d(ScalarMaps(P4, 1) -> RegularMaps(P4, 8), kernel_size=3, rectified=True)
      (1): Identity()
      (2): Identity()
    )
    """
    model = getattr(model, "_orig_mod", model)  # what torch.compile wraps
    norms = (module for module in model.modules() if isinstance(module, GroupBatchNorm))
    if model.training or any(norm.training for norm in norms):
        raise ValueError(
            f"fuse folds the statistics that batch norms have kept, and {type(model).__name__} is "
            "training, or a norm in it. Call model.eval() first."
        )
    fused = copy.deepcopy(model)
    graph = _traced(fused)
    if graph is None:
        raise TypeError(
            f"torch.fx cannot follow the forward of {type(model).__name__}, so what comes after "
            "what is not known. Fuse its parts: model.features = fuse(model.features)."
        )
    for node in graph.nodes:
        conv = _layer(fused, graph, node)
        if isinstance(conv, PlanarConv) and not parametrize.is_parametrized(conv):
            _fold_what_follows(fused, graph, node, conv)
    return fused


class _Layers(fx.Tracer):
    """Looks into networks, not into layers, nor where it cannot."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        layer = isinstance(m, FieldModule | GroupBatchNorm)
        return layer or super().is_leaf_module(m, module_qualified_name) or _traced(m) is None


def _traced(module: nn.Module) -> fx.Graph | None:
    """What a module calls in which order, if that can be told without numbers."""
    try:
        return _Layers().trace(module)
    except Exception:  # it looks at its input: its forward may raise anything
        return None


def _layer(model: nn.Module, graph: fx.Graph, node: fx.Node | None) -> nn.Module | None:
    """The layer that is called here and nowhere else, if nobody watches it."""
    if node is None or node.op != "call_module":
        return None
    calls = Counter(each.target for each in graph.nodes if each.op == "call_module")
    read = any(
        each.op == "get_attr" and str(each.target).startswith(f"{node.target}.")
        for each in graph.nodes
    )
    layer = model.get_submodule(str(node.target))
    hooked = layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks
    return None if calls[node.target] > 1 or read or hooked else layer


def _next(node: fx.Node) -> fx.Node | None:
    """The one node that takes what this one gives, and nothing else."""
    users = list(node.users)
    return users[0] if len(users) == 1 and users[0].args == (node,) else None


def _fold_what_follows(model: nn.Module, graph: fx.Graph, node: fx.Node, conv: PlanarConv) -> None:
    after = _next(node)
    norm = _layer(model, graph, after)
    if after is not None and isinstance(norm, GroupBatchNorm) and _fold(conv, norm):
        model.set_submodule(str(after.target), nn.Identity().eval())
        after = _next(after)
    if after is not None and type(_layer(model, graph, after)) is nn.ReLU:
        model.set_submodule(str(after.target), nn.Identity().eval())
        conv.rectified = True


@torch.no_grad()
def _fold(conv: PlanarConv, norm: GroupBatchNorm) -> bool:
    """Let `conv` do what `norm` did; not if that keeps no statistics."""
    kept = norm.kept()
    if kept is None:
        return False
    exact = copy.deepcopy(norm).double()  # rounded once, at the end
    scale, shift = exact.affine_map(*(numbers.double() for numbers in kept))
    weight, bias = conv.weight, conv.bias
    if bias is not None:
        shift = shift + scale * bias.double()
    of_each = scale.view(-1, *[1] * (weight.dim() - 1))  # filters are pixels, cells or harmonics
    scaled = (weight.double() * of_each).to(weight.dtype)
    conv.weight = nn.Parameter(scaled, weight.requires_grad)
    conv.bias = nn.Parameter(shift.to(weight.dtype), weight.requires_grad)
    return True
