"""Watch a network at work: what went into each of its layers and what came out.

This is the one reader of layers. A layer is a module without children, or one that says which
field it gives; what it was given and gave is kept as it was then, whatever in-place code does
to it later.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from equivlab.equivariance.containers import map_tensors

__all__ = [
    "OUTPUT",
    "Call",
    "bare",
    "evaluating",
    "find_layer",
    "layer_names",
    "read_layer",
    "record",
]

OUTPUT = "output"  # the name of what the whole model gives


@dataclass(frozen=True)
class Call:
    """One call of one layer; `name` has ``#2`` and so on where a layer is called again.

    Attributes:
        name: as in ``model.named_modules()``; ``output`` for the model itself.
        module: the layer.
        inputs: its arguments by place, as they were before it ran.
        output: what it gave, as it was then.
        named: its arguments by name.
    """

    name: str
    module: nn.Module
    inputs: tuple[object, ...]
    output: object
    named: dict[str, object] = field(default_factory=dict)


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


def record(model: nn.Module, *inputs: object, **named: object) -> list[Call]:
    """Run ``model(*inputs, **named)`` and list the calls of its layers; the last is the model.

    A layer is a module without children, or one that says which field it gives (`out_field`).
    Tensors are copied before anything can change them in place, the caller's too. Compiled
    layers run as they are written, and parallel wrappers are taken off.
    """
    return _Recorder(bare(model)).run(inputs, named)


def read_layer(
    model: nn.Module, layer: str | None, *inputs: object, **named: object
) -> tuple[nn.Module, object]:
    """Run the model as far as one layer; the layer, and what it gave.

    Args:
        model: the network.
        layer: any name in ``model.named_modules()``, with ``#2`` for its second call; ``output``
            or None for the model itself.
        inputs: of the model, by place.
        named: of the model, by name.

    Raises:
        ValueError: no such layer, or none that is called so often.
    """
    model = bare(model)
    if layer in (None, OUTPUT):
        return model, model(*inputs, **named)
    module, left = find_layer(model, str(layer))
    owner = threading.get_ident()

    def stop(_: nn.Module, __: object, output: object) -> None:
        nonlocal left
        if threading.get_ident() == owner:
            left -= 1
            if left == 0:
                raise _Reached(output)

    handle = module.register_forward_hook(stop)
    try:
        with _as_written(model):
            model(*inputs, **named)
    except _Reached as reached:
        return module, reached.output
    finally:
        handle.remove()
    raise ValueError(
        f"The model does not call layer {layer!r} so often. Its layers: {_listed(model)}."
    )


def find_layer(model: nn.Module, layer: str) -> tuple[nn.Module, int]:
    """The layer of a name such as ``features.1#2``, and which of its calls is meant.

    Raises:
        ValueError: no such layer.
    """
    name, _, count = layer.partition("#")
    module = dict(model.named_modules()).get(name) if name else None
    if module is None or not (count or "1").isdigit():
        raise ValueError(f"The model has no layer {layer!r}. It has: {_listed(model)}.")
    return module, int(count or 1)


class _Reached(Exception):  # noqa: N818, it is no error
    """The layer that is looked at has done its work; the rest of the network need not run."""

    def __init__(self, output: object) -> None:
        super().__init__()
        self.output = output


def bare(model: nn.Module) -> nn.Module:
    """The network inside of what `torch.compile` and parallel training put around it."""
    kinds = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    while isinstance(model, kinds) or hasattr(model, "_orig_mod"):
        inner = model.module if isinstance(model, kinds) else model._orig_mod
        if not isinstance(inner, nn.Module):
            break
        model = inner
    return model


def layer_names(model: nn.Module) -> list[str]:
    """The names of all layers of `model`, in the order in which it was built."""
    return [name for name, module in model.named_modules() if name and _is_layer(module)]


def _is_layer(module: nn.Module) -> bool:
    return not any(module.children()) or getattr(module, "out_field", None) is not None


def _listed(model: nn.Module) -> str:
    return ", ".join(layer_names(model))


def _as_written(model: nn.Module) -> AbstractContextManager[None]:
    """Hooks are not seen by compiled code: let it run as it is written meanwhile."""
    compiled = any(
        hasattr(m, "_orig_mod") or getattr(m, "_compiled_call_impl", None) is not None
        for m in model.modules()
    )
    return torch.compiler.set_stance("force_eager") if compiled else nullcontext()


class _Recorder:
    """Hooks on every layer, and copies of all that passed through them."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.calls: list[Call] = []
        self.counts: dict[str, int] = {}
        self.open: list[tuple[nn.Module, tuple[object, ...], dict[str, object]]] = []
        #: The copy of each tensor, with the tensor (so that its id stays its own) and its version.
        self.copies: dict[int, tuple[Tensor, int, Tensor]] = {}
        self.owner = threading.get_ident()

    def run(self, inputs: tuple[object, ...], named: dict[str, object]) -> list[Call]:
        given = tuple(map_tensors(torch.clone, one) for one in inputs)  # the model may spoil these
        given_named = {name: map_tensors(torch.clone, one) for name, one in named.items()}
        kept, kept_named = self.keep_all(given, given_named)
        handles = []
        try:
            for name, module in self.model.named_modules():
                if name and _is_layer(module):
                    handles += self.watch(name, module)
            with _as_written(self.model):
                output = self.model(*given, **given_named)
        finally:
            for handle in handles:
                handle.remove()
        self.calls.append(Call(OUTPUT, self.model, kept, self.keep(output), kept_named))
        return self.calls

    def watch(self, name: str, module: nn.Module) -> list[torch.utils.hooks.RemovableHandle]:
        name = ".".join(part for part in name.split(".") if part != "_orig_mod")

        def before(module: nn.Module, inputs: tuple[object, ...], named: dict[str, object]) -> None:
            if threading.get_ident() == self.owner:
                self.open.append((module, *self.keep_all(inputs, named)))

        def after(module: nn.Module, _: object, __: object, output: object) -> None:
            if threading.get_ident() != self.owner:
                return
            while self.open:  # a layer that raised, and was caught, left its inputs behind
                started, inputs, named = self.open.pop()
                if started is module:
                    self.counts[name] = self.counts.get(name, 0) + 1
                    again = f"#{self.counts[name]}" if self.counts[name] > 1 else ""
                    kept = self.keep(output)
                    self.calls.append(Call(name + again, module, inputs, kept, named))
                    return

        return [
            module.register_forward_pre_hook(before, with_kwargs=True),
            module.register_forward_hook(after, with_kwargs=True),
        ]

    def keep(self, value: object) -> object:
        """A copy; the same one as before for a tensor that has not changed since."""
        return map_tensors(self._keep, value)

    def keep_all(
        self, inputs: tuple[object, ...], named: dict[str, object]
    ) -> tuple[tuple[object, ...], dict[str, object]]:
        """The same of all arguments."""
        return tuple(map(self.keep, inputs)), {name: self.keep(x) for name, x in named.items()}

    def _keep(self, x: Tensor) -> Tensor:
        version = -1 if x.is_inference() else x._version
        known = self.copies.get(id(x))
        if known is not None and known[1] == version != -1:
            return known[2]
        mine = x.detach().clone()
        self.copies[id(x)] = (x, version, mine)
        return mine
