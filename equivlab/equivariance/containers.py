"""Tensors in tuples, lists, mappings and dataclasses: what models take and give.

>>> import torch
>>> map_tensors(lambda x: 2 * x, {"a": (torch.ones(1), 3)})
{'a': (tensor([2.]), 3)}
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, MutableMapping

from torch import Tensor

__all__ = ["map_tensors", "tensors_of"]


def tensors_of(value: object) -> list[Tensor]:
    """All tensors in a tensor, tuple, list, mapping or dataclass, in their order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        parts = list(value.values())
    elif isinstance(value, tuple | list):
        parts = list(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [one.name for one in dataclasses.fields(value)]
        parts = [getattr(value, name) for name in names if not name.startswith("_")]
    else:
        return []
    return [tensor for part in parts for tensor in tensors_of(part)]


def map_tensors(function: Callable[[Tensor], object], value: object) -> object:
    """`value` with each tensor in its tuples, lists, mappings and dataclasses replaced."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, tuple) and hasattr(value, "_make"):  # a named tuple
        named: object = value._make(map_tensors(function, one) for one in value)
        return named
    if isinstance(value, tuple | list):
        parts = [map_tensors(function, one) for one in value]
        return parts if isinstance(value, list) else tuple(parts)
    if isinstance(value, Mapping):
        found = {key: map_tensors(function, one) for key, one in value.items()}
        return found if type(value) is dict else _refilled(value, found)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        members = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
        return _refilled(value, {n: map_tensors(function, part) for n, part in members.items()})
    return value


def _refilled(value: object, parts: Mapping[str, object]) -> object:
    """A shallow copy of a dataclass or mapping with other parts; no constructor runs."""
    new = copy.copy(value)
    for name, part in parts.items():
        if isinstance(new, MutableMapping):
            new[name] = part
        else:
            object.__setattr__(new, name, part)  # past `frozen`
    return new
