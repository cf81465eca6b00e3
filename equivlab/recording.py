"""Watch a network at work: what went into each of its layers and what came out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Call", "evaluating", "record"]


@dataclass(frozen=True)
class Call:
    """One call of one layer; `name` has ``#2`` and so on where a layer is called again."""

    name: str
    module: nn.Module
    inputs: tuple[Any, ...]
    output: Any


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """`model` in `eval()` without gradients; each module's own mode comes back afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield model
    finally:
        for module, mode in modes:
            module.training = mode


def record(model: nn.Module, x: Tensor) -> list[Call]:
    """Run ``model(x)`` and list the calls of its layers, in order; the last is the model itself.

    A layer is a module without children, or one that says which field it gives.
    """
    calls: list[Call] = []
    counts: dict[str, int] = {}
    handles = []

    def watch(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            counts[name] = counts.get(name, 0) + 1
            again = f"#{counts[name]}" if counts[name] > 1 else ""
            calls.append(Call(name + again, module, inputs, output))

        return hook

    try:
        for name, module in model.named_modules():
            if name and not any(module.children()):
                handles.append(module.register_forward_hook(watch(name)))
        output = model(x)
    finally:
        for handle in handles:
            handle.remove()
    calls.append(Call("output", model, (x,), output))
    return calls
