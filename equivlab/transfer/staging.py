"""Take a trained network to other data: freeze, thaw, a rate for each stage.

>>> from equivlab.groups import P4
>>> from equivlab.models import ResNet18
>>> model = ResNet18(P4, classes=3, width=8)
>>> list(stages(model))
['stem', 'layer1', 'layer2', 'layer3', 'layer4', 'head']
>>> freeze(model, "stem", "layer1")
['stem', 'layer1']
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from equivlab.nn.base import FieldModule
from equivlab.nn.running import is_batch_norm
from equivlab.transfer.norms import is_held, stay_in_eval

__all__ = ["freeze", "learning_rates", "stages", "unfreeze"]

#: Modules by the name of their stage. Each stands for its own parameters, not for its children's.
Stages = dict[str, list[nn.Module]]


def stages(model: nn.Module) -> Stages:
    """The named parts of a network, from the image to the class scores.

    A model with a table ``stages`` from names to submodules (such as `ResNet18`) names them itself.
    Any other is cut before each layer of filters or weights: ``'stage1'``, ``'stage2'``, ..., and
    the last is ``'head'``. A `FieldModule` is one layer with all that is inside it.

    Returns:
        The modules of each stage, every one for itself: a module's children are listed too, and
        a container with a parameter of its own stands in the stage of its first layer.

    Raises:
        ValueError: a network without parameters.
    """
    model = getattr(model, "_orig_mod", model)  # what torch.compile wraps
    table = _table(model)
    found = _by_layers(model) if table is None else _by_table(model, table)
    if not found:
        raise ValueError(f"{type(model).__name__} has no parameters, so it has no stages.")
    return found


def _table(model: nn.Module) -> Mapping[str, tuple[str, ...]] | None:
    """The model's own table; other things may be called `stages` too."""
    table = getattr(model, "stages", None)
    if not isinstance(table, Mapping) or not table:
        return None
    names = [name for members in table.values() if isinstance(members, tuple) for name in members]
    known = {name for name, _ in model.named_modules()}
    ours = all(isinstance(members, tuple) for members in table.values()) and known.issuperset(names)
    return table if ours else None


def _by_table(model: nn.Module, table: Mapping[str, tuple[str, ...]]) -> Stages:
    found = {
        name: [part for member in members for part in model.get_submodule(member).modules()]
        for name, members in table.items()
    }
    named = {id(part) for members in found.values() for part in members}
    others = [part for part in model.modules() if id(part) not in named and _has_own(part)]
    found[next(iter(found))] += others
    return found


def _by_layers(model: nn.Module) -> Stages:
    cuts: list[list[nn.Module]] = []
    waiting: list[nn.Module] = []  # what comes before its first layer
    for layer in _layers(model, set()):
        dims = [p.dim() for part in layer for p in part.parameters(recurse=False)]
        container = len(layer) == 1 and any(True for _ in layer[0].children())
        if container or (not dims and not cuts):
            waiting += layer
        elif any(dim > 1 for dim in dims) or (dims and not cuts):
            cuts.append(waiting + layer)
            waiting = []
        elif cuts:  # a norm belongs to the filters before it
            cuts[-1] += layer
    if waiting:
        cuts[-1:] = [(cuts[-1] if cuts else []) + waiting]
    names = [f"stage{n}" for n in range(1, len(cuts))] + ["head"]
    return dict(zip(names, cuts, strict=True)) if cuts else {}


def _layers(
    module: nn.Module, seen: set[nn.Module], root: bool = True
) -> Iterator[list[nn.Module]]:
    """The layers in their order; a container with parameters of its own comes before them."""
    if module in seen:
        return
    seen.add(module)
    children = list(module.children())
    if not children or (isinstance(module, FieldModule) and not root):
        parts = [part for part in module.modules() if part is module or part not in seen]
        seen.update(parts)
        if any(_has_own(part) for part in parts):
            yield parts
        return
    if any(True for _ in module.parameters(recurse=False)):
        yield [module]
    for child in children:
        yield from _layers(child, seen, root=False)


def _has_own(module: nn.Module) -> bool:
    """Whether there is something in the module itself that training changes."""
    return is_batch_norm(module) or any(True for _ in module.parameters(recurse=False))


def _chosen(model: nn.Module, names: tuple[str, ...]) -> Stages:
    found = stages(model)
    unknown = [name for name in names if name not in found]
    if unknown:
        raise ValueError(
            f"{type(model).__name__} has the stages {', '.join(found)}; got {', '.join(unknown)}."
        )
    return {name: found[name] for name in names}


def freeze(model: nn.Module, *names: str) -> list[str]:
    """Stop stages from learning: their weights, and the statistics of their batch norms.

    Setting ``requires_grad`` alone would let the running means and variances drift to the new
    images in `train()`; a frozen norm stays in `eval()`, whatever mode the model is put into.

    Args:
        model: the network, changed in place.
        names: of `stages`; all but the last by default.

    Returns:
        The names of the frozen stages.

    Raises:
        ValueError: an unknown name.
    """
    chosen = _chosen(model, names or tuple(stages(model))[:-1])
    for part in (part for members in chosen.values() for part in members):
        for parameter in part.parameters(recurse=False):
            parameter.requires_grad_(False)
        if is_batch_norm(part):
            part.eval()
        # Layers such as `NormedConv` use their norm without calling it: they hold it themselves.
        holds = isinstance(part, FieldModule) and any(map(is_batch_norm, part.children()))
        if (is_batch_norm(part) or holds) and not is_held(part):
            part.register_forward_pre_hook(stay_in_eval)
    return list(chosen)


def unfreeze(model: nn.Module, *names: str) -> list[str]:
    """Let stages learn again; all of them by default. The counterpart of `freeze`."""
    chosen = _chosen(model, names or tuple(stages(model)))
    for part in (part for members in chosen.values() for part in members):
        for parameter in part.parameters(recurse=False):
            parameter.requires_grad_(True)
        for key, hook in list(part._forward_pre_hooks.items()):
            if hook is stay_in_eval:
                del part._forward_pre_hooks[key]
                part.train(model.training)
    return list(chosen)


def learning_rates(model: nn.Module, lr: float, decay: float = 0.5) -> list[dict[str, Any]]:
    """Discriminative learning rates: the head learns with `lr`, each stage before with less.

    Args:
        model: the network.
        lr: rate of the last stage.
        decay: the rate of a stage is this times the rate of the next (Howard & Ruder, ACL 2018,
            take 1/2.6).

    Returns:
        Parameter groups for any optimiser, every parameter once; frozen ones too, so they can be
        thawed later.

    >>> from equivlab.models import Z2CNN
    >>> [group["lr"] for group in learning_rates(Z2CNN(), 0.1, 0.5)][-3:]
    [0.025, 0.05, 0.1]
    """
    found = stages(model)
    last = len(found) - 1
    seen: set[nn.Parameter] = set()
    groups = []
    for n, (name, members) in enumerate(found.items()):
        own = {p: None for part in members for p in part.parameters(recurse=False) if p not in seen}
        seen.update(own)
        groups.append({"params": list(own), "lr": lr * decay ** (last - n), "name": name})
    return groups
