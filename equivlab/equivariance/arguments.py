"""What a model is called with: which field each input is, and what to look at of the output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Integral
from typing import Generic

import torch
from torch import Tensor, nn

from equivlab.equivariance.containers import map_tensors, tensors_of
from equivlab.equivariance.domains import Domain
from equivlab.equivariance.recording import evaluating, record
from equivlab.fields.base import Field, G
from equivlab.fields.invariant import Invariant
from equivlab.nn.space import Neighbors

__all__ = ["Arguments", "look_at", "prepare", "split"]


def split(x: object) -> tuple[tuple[object, ...], dict[str, object]]:
    """One input, a tuple of several, or a dictionary by name, as arguments of a call."""
    if isinstance(x, Mapping):
        return (), {str(name): value for name, value in x.items()}
    return (x if isinstance(x, tuple) else (x,)), {}


def look_at(output: int | str | Callable[[object], object] | None) -> Callable[[object], Tensor]:
    """A function that takes the one tensor to look at out of what a model gives.

    Raises:
        TypeError: what is found there is no tensor.
    """

    def look(y: object) -> Tensor:
        found = y
        if callable(output):
            found = output(y)
        elif isinstance(output, str) and not isinstance(y, Mapping):
            found = getattr(y, output, None)
        elif isinstance(y, Mapping) and output is not None:
            found = y.get(output)
        elif isinstance(output, Integral):
            found = None
            if isinstance(y, Sequence) and -len(y) <= int(output) < len(y):
                found = y[int(output)]
        if isinstance(found, Tensor):
            return found
        raise TypeError(
            f"audit takes a model that gives one tensor; got {type(found).__name__}"
            + (f" for output={output!r}" if output is not None else "")
            + ". Say which to look at: output=0, output='logits', or output=lambda y: y[0].logits"
        )

    return look


class Arguments(Generic[G]):
    """What a model is called with, and how the group acts on it.

    Args:
        domain: the elements, and how they move an argument.
        inputs: by place.
        named: by name.
        fields: of the tensors in them, in the order of `tensors_of`; None for a whole number.
    """

    def __init__(
        self,
        domain: Domain[G],
        inputs: tuple[object, ...],
        named: Mapping[str, object],
        fields: Sequence[Field[G] | None],
    ) -> None:
        self.domain, self.fields = domain, list(fields)
        self.inputs, self.named = inputs, dict(named)

    def turned(self, g: G) -> Arguments[G]:
        """All of them turned by `g`."""
        known = {id(x): f for x, f in zip(self.tensors(), self.fields, strict=True)}
        inputs = tuple(self.domain.move(g, value, lambda x: known[id(x)]) for value in self.inputs)
        named = {
            name: self.domain.move(g, value, lambda x: known[id(x)])
            for name, value in self.named.items()
        }
        return Arguments(self.domain, inputs, named, self.fields)

    def mapped(self, function: Callable[[Field[G] | None, Tensor], Tensor]) -> Arguments[G]:
        """Each tensor replaced by what `function` makes of its field and itself."""
        known = {id(x): f for x, f in zip(self.tensors(), self.fields, strict=True)}

        def new(x: Tensor) -> Tensor:
            return function(known.get(id(x)), x)

        inputs = tuple(map_tensors(new, value) for value in self.inputs)
        named = {name: map_tensors(new, value) for name, value in self.named.items()}
        return Arguments(self.domain, inputs, named, self.fields)

    def call(self, model: nn.Module) -> object:
        """What the model gives for copies of them: it may change its inputs in place."""
        copies = self.mapped(lambda _, x: x.clone())
        return model(*copies.inputs, **copies.named)

    def tensors(self) -> list[Tensor]:
        """All of them, in the order of `fields`."""
        return tensors_of((self.inputs, self.named))


def prepare(
    model: nn.Module,
    inputs: tuple[object, ...],
    named: dict[str, object],
    in_field: object,
    domain: Domain[G],
) -> Arguments[G]:
    """The arguments, each tensor with its field, and only what the group acts on.

    Raises:
        TypeError: whole numbers where a field is wanted.
        ValueError: an input that is empty, not finite or no field.
    """
    given = dict(_fields_given(inputs, named, in_field, domain))
    values = [*inputs, *named.values()]
    moving = [x for value in values if not isinstance(value, Neighbors) for x in tensors_of(value)]
    floating = [x for x in moving if x.is_floating_point()]
    if any(x.is_meta for x in moving):
        raise ValueError("The law is measured on numbers; got an input on the meta device.")
    own = domain.adapt(getattr(model, "in_field", None))
    if not floating and not any(isinstance(value, Neighbors) for value in values):
        if own is not None and moving:
            own.validate(moving[0], "audit")
        raise ValueError(_unclear(domain, values[0] if values else None))
    if own is not None and floating and id(floating[0]) not in given and floating[0] is moving[0]:
        given[id(floating[0])] = own
    if any(id(x) not in given for x in floating):
        given = _of_first_layers(model, inputs, named, domain) | given
    for x in floating:
        if id(x) not in given:
            kinds = domain.input_kinds(x)
            if not kinds:
                raise ValueError(_unclear(domain, x))
            given[id(x)] = kinds[0]
        field = given[id(x)]
        if not isinstance(field, Invariant):
            field.validate(x, "audit", finite=True)
        elif not bool(torch.isfinite(x).all()):
            raise ValueError("audit takes finite numbers; got NaN or infinity in an input.")

    fields = [given.get(id(x)) for x in tensors_of((inputs, named))]
    everything = Arguments(domain, inputs, named, fields)
    return everything.mapped(lambda field, x: x if field is None else domain.seen(field, x))


def _fields_given(
    inputs: tuple[object, ...], named: dict[str, object], in_field: object, domain: Domain[G]
) -> Iterator[tuple[int, Field[G]]]:
    """What the user says of each argument."""
    values: list[object] = [*inputs, *named.values()]
    if isinstance(in_field, Mapping):
        unknown = [str(name) for name in in_field if name not in named]
        if unknown:
            raise ValueError(
                f"in_field names {', '.join(unknown)}, and the inputs by name are "
                f"{', '.join(named) or 'none'}. Give a list for inputs by place."
            )
        said: list[object] = [None for _ in inputs]
        said += [in_field.get(name) for name in named]
    elif isinstance(in_field, list | tuple):
        said = list(in_field)
    else:
        said = [in_field]
    if len(said) > len(values):
        raise ValueError(f"audit got {len(said)} fields in in_field for {len(values)} inputs.")
    for value, one in zip(values, said, strict=False):
        field = domain.adapt(one)
        if one is not None and field is None:
            raise ValueError(f"in_field={one!r} is no field on which {domain.group} acts.")
        for x in tensors_of(value):
            if field is not None and x.is_floating_point():
                yield id(x), field


def _of_first_layers(
    model: nn.Module, inputs: tuple[object, ...], named: dict[str, object], domain: Domain[G]
) -> dict[int, Field[G]]:
    """What the layers that take the inputs say that they take."""
    with evaluating(model):
        calls = record(model, *inputs, **named)
    kept = tensors_of((calls[-1].inputs, calls[-1].named))
    mine = {id(k): id(x) for k, x in zip(kept, tensors_of((inputs, named)), strict=True)}
    found: dict[int, Field[G]] = {}
    for call in calls[:-1]:
        field = domain.adapt(getattr(call.module, "in_field", None))
        first = next(iter(tensors_of(call.inputs)), None)
        if field is not None and first is not None and id(first) in mine:
            found.setdefault(mine[id(first)], field)
    return found


def _unclear(domain: Domain[G], value: object) -> str:
    if not tensors_of(value):
        return f"audit takes tensors; got {type(value).__name__}. Convert it: torch.as_tensor(x)"
    shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
    return domain.wanted.format(shape=shape)
