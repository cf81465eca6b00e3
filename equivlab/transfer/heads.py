"""A new last layer, for other classes.

>>> from equivlab.groups import P4
>>> from equivlab.models import ResNet18
>>> replace_head(ResNet18(P4, classes=3, width=8), classes=5).out_features
5
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from equivlab.fields import Field, Invariant
from equivlab.nn.base import FieldModule
from equivlab.transfer.staging import stages

__all__ = ["replace_head"]


def replace_head(model: nn.Module, classes: int, seed: int = 0) -> nn.Linear:
    """Give a network a new last linear layer, for other classes.

    Args:
        model: the network, changed in place; so is the `out_field` of what holds the layer.
        classes: class scores of the new head.
        seed: of its weights.

    Returns:
        The new layer.

    Raises:
        TypeError: the network does not end in `torch.nn.Linear`.
        ValueError: fewer than one class.
    """
    if classes < 1:
        raise ValueError(f"replace_head takes one class or more; got classes={classes}.")
    members = list(stages(model).values())[-1]
    old = members[-1]
    if type(old) is not nn.Linear or any(isinstance(part, FieldModule) for part in members):
        raise TypeError(
            f"replace_head wants a network that ends in nn.Linear; {type(model).__name__} ends in "
            f"{type(old).__name__}. Build a new network, and load the other stages by name."
        )
    name = next(name for name, part in model.named_modules() if part is old)
    path = name.split(".")
    holders = [model.get_submodule(".".join(path[:n])) for n in range(len(path))]
    fields = {part: _resized(part.out_field, classes) for part in holders if _says(part)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = nn.Linear(old.in_features, int(classes), old.bias is not None)
    head = head.to(old.weight).train(old.training)
    setattr(holders[-1], path[-1], head)
    for part, field in fields.items():
        part.out_field = field  # type: ignore[assignment]  # an attribute, no module
    return head


def _says(part: nn.Module) -> bool:
    return isinstance(getattr(part, "out_field", None), Field)


def _resized(field: object, classes: int) -> Invariant[Any]:
    """The field of class scores, with another number of them."""
    if isinstance(field, Invariant):
        return Invariant(field.group, classes)
    raise TypeError(
        "replace_head gives class scores, which no group changes, an Invariant; the network's "
        f"out_field is {field}. Set it to None first, or build a new network."
    )
