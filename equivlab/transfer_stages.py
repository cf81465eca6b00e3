"""Take a trained network to other data: freeze, thaw, a new head, a rate for each stage.

>>> from equivlab.groups import P4
>>> from equivlab.models import ResNet18
>>> model = ResNet18(P4, classes=3, width=8)
>>> list(stages(model))
['stem', 'layer1', 'layer2', 'layer3', 'layer4', 'head']
>>> freeze(model, "stem", "layer1")
['stem', 'layer1']
>>> replace_head(model, classes=5).out_features
5
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from equivlab.fields import Invariant
from equivlab.nn.conv import PlanarConv
from equivlab.transfer_norms import is_held, stay_in_eval

__all__ = ["freeze", "from_plain", "learning_rates", "replace_head", "stages", "unfreeze"]

Stages = dict[str, list[nn.Module]]


def stages(model: nn.Module) -> Stages:
    """The named parts of a network, from the image to the class scores.

    A model with a `stages` table (such as `ResNet18`) names them itself. Any other is cut before
    each layer of filters or weights: ``'stage1'``, ``'stage2'``, ..., and the last is ``'head'``.

    Raises:
        ValueError: a network without parameters.
    """
    table: dict[str, tuple[str, ...]] | None = getattr(model, "stages", None)
    if table is not None:
        return {name: [model.get_submodule(m) for m in members] for name, members in table.items()}
    cuts: list[list[nn.Module]] = []
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        if own and (not cuts or any(p.dim() > 1 for p in own)):
            cuts.append([module])
        elif own:  # a norm belongs to the filters before it
            cuts[-1].append(module)
    if not cuts:
        raise ValueError(f"{type(model).__name__} has no parameters, so it has no stages.")
    names = [f"stage{n}" for n in range(1, len(cuts))] + ["head"]
    return dict(zip(names, cuts, strict=True))


def _chosen(model: nn.Module, names: tuple[str, ...]) -> Stages:
    found = stages(model)
    unknown = [name for name in names if name not in found]
    if unknown:
        raise ValueError(
            f"{type(model).__name__} has the stages {', '.join(found)}; got {', '.join(unknown)}."
        )
    return {name: found[name] for name in names}


def _modules(chosen: Stages) -> list[nn.Module]:
    return [part for members in chosen.values() for member in members for part in member.modules()]


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
    for part in _modules(chosen):
        for parameter in part.parameters(recurse=False):
            parameter.requires_grad_(False)
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.eval()
            if not is_held(part):
                part.register_forward_pre_hook(stay_in_eval)
    return list(chosen)


def unfreeze(model: nn.Module, *names: str) -> list[str]:
    """Let stages learn again; all of them by default. The counterpart of `freeze`."""
    chosen = _chosen(model, names or tuple(stages(model)))
    for part in _modules(chosen):
        for parameter in part.parameters(recurse=False):
            parameter.requires_grad_(True)
        for key, hook in list(part._forward_pre_hooks.items()):
            if hook is stay_in_eval:
                del part._forward_pre_hooks[key]
                part.train(model.training)
    return list(chosen)


def replace_head(model: nn.Module, classes: int, seed: int = 0) -> nn.Linear:
    """Give a network a new last linear layer, for other classes.

    Args:
        model: the network, changed in place.
        classes: class scores of the new head.
        seed: of its weights.

    Returns:
        The new layer.

    Raises:
        TypeError: the network does not end in `torch.nn.Linear`.
    """
    linear = [(name, m) for name, m in model.named_modules() if isinstance(m, nn.Linear)]
    last = stages(model)["head"][-1]
    if not linear or linear[-1][1] is not last:
        raise TypeError(
            f"replace_head wants a network that ends in nn.Linear; {type(model).__name__} ends in "
            f"{type(last).__name__}. Build a new network, and load the other stages by name."
        )
    name, old = linear[-1]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = nn.Linear(old.in_features, classes, old.bias is not None)
    head = head.to(old.weight).train(old.training)
    parent, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, head)
    if hasattr(model, "out_field"):
        group: Any = model.out_field
        model.out_field = Invariant(group.group, classes)  # type: ignore[assignment]
    return head


def learning_rates(model: nn.Module, lr: float, decay: float = 0.5) -> list[dict[str, Any]]:
    """Discriminative learning rates: the head learns with `lr`, each stage before with less.

    Args:
        model: the network.
        lr: rate of the last stage.
        decay: the rate of a stage is this times the rate of the next (Howard & Ruder, ACL 2018,
            take 1/2.6).

    Returns:
        Parameter groups for any optimiser; frozen parameters too, so they can be thawed later.

    >>> from equivlab.models import Z2CNN
    >>> [group["lr"] for group in learning_rates(Z2CNN(), 0.1, 0.5)][-3:]
    [0.025, 0.05, 0.1]
    """
    found = stages(model)
    last = len(found) - 1
    groups = []
    for n, (name, members) in enumerate(found.items()):
        parameters = [p for member in members for p in member.parameters()]
        groups.append({"params": parameters, "lr": lr * decay ** (last - n), "name": name})
    return groups


@torch.no_grad()
def from_plain(plain: nn.Module, model: nn.Module) -> nn.Module:
    """Start an equivariant network from a trained ordinary one of the same build.

    Each ordinary filter becomes the group filter that looks at one orientation only, so the
    orientations do not mix yet: orientation ``g`` of every map is what `plain` makes of the
    image turned by ``g⁻¹``, turned back. What is kept: where the read-out is the mean over the
    group and a linear layer follows, ::

        from_plain(plain, model)(x) == mean over g of plain(g⁻¹ x)

    to rounding in `eval()` (with ``exact_size=True`` in both). What is not: the scores on
    upright images alone, as all orientations vote. Training mixes the orientations from there.

    Args:
        plain: for example ``ResNet18(None, ...)``, perhaps with torchvision's weights.
        model: the same network on a group, with as many fields as `plain` has channels: for
            `ResNet18` on a group of order ``n`` ``match='width'`` and ``n`` times the width.
            Filled in place.

    Returns:
        `model`.

    Raises:
        ValueError: the networks differ in more than the group; `model` is untouched.
    """
    theirs, mine = plain.state_dict(), model.state_dict()
    filled = {}
    for name, value in mine.items():
        given = theirs.get(name)
        module = model.get_submodule(name.rpartition(".")[0])
        order = 1
        if isinstance(module, PlanarConv) and value.dim() == 4 and given is not None:
            order = value.shape[1] // given.shape[1]
        fits = given is not None and value.numel() == given.numel() * order
        if not fits or given is None or value.shape[2:] != given.shape[2:]:
            raise ValueError(
                f"from_plain wants the same network with and without a group; {name} is "
                f"{tuple(value.shape)} here and {given if given is None else tuple(given.shape)} "
                "there. Give the group network as many fields as the plain one has channels "
                "(ResNet18: match='width' and |G| times the width)."
            )
        if order > 1:
            embedded = torch.zeros_like(value).unflatten(1, (-1, order))  # (O, I, G, k, k)
            embedded[:, :, 0] = given  # ψ(h, y) is the filter where h is the identity, else 0
            filled[name] = embedded.flatten(1, 2)
        else:
            filled[name] = _like(given, value)
    model.load_state_dict(filled)
    return model


def _like(given: Tensor, value: Tensor) -> Tensor:
    return given.to(value).reshape(value.shape)
