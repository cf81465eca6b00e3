"""The law measured, layer by layer: what a tensor is, how far it is off, and who did it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Generic

from torch import Tensor, nn

from equivlab.equivariance.arguments import Arguments
from equivlab.equivariance.containers import tensors_of
from equivlab.equivariance.domains import Domain, UnknownField
from equivlab.equivariance.error import equivariance_error
from equivlab.equivariance.recording import OUTPUT, Call, record
from equivlab.fields.base import Field, G

__all__ = ["FAILURES", "MeasuredLayer", "first_tensor", "measure"]

LOOSE = 1e3  # times rounding: what a tensor made by code may be off, and still be told
FAILURES = (RuntimeError, ValueError, TypeError, IndexError, AttributeError)  # of a layer by itself


class MeasuredLayer(Generic[G]):
    """One call of a layer, and what is found out about it.

    Attributes:
        call: the layer, and what went in and out.
        y: the tensor of its output that is looked at; None if there is none.
        field: what `y` is, once settled; None if nobody knows.
        source: what its input is.
        errors: of `y`, one for each element.
        own: the largest error of the layer whose input is acted on exactly; NaN if not known.
    """

    def __init__(
        self, call: Call, domain: Domain[G], y: Tensor | None, given: Tensor | None
    ) -> None:
        self.call, self.domain, self.y, self.given = call, domain, y, given
        self.fields: list[Field[G]] = []
        self.sources: list[Field[G]] = [] if given is None else domain.kinds(given)
        self.field: Field[G] | None = None
        self.source: Field[G] | None = None
        self.errors: list[float] = []
        self.own = math.nan
        self._found: list[list[float]] = []
        self._of_inputs: list[list[float]] = []

    def consider(self, known: Field[G] | None, candidates: dict[int, list[Field[G]]]) -> None:
        """Make a list of what the output may be: what it says, what went in, what it looks like."""
        said = known or self.domain.adapt(getattr(self.call.module, "out_field", None))
        if said is not None:
            self.fields = [said]
        elif self.y is not None and self.y is not self.given and id(self.y) in candidates:
            self.fields = candidates[id(self.y)]  # handed on, as a container does: the layer knew
        elif self.y is not None:
            same = self.given is not None and self.given.shape == self.y.shape
            before = candidates.get(id(self.given), []) if same else []
            self.fields = [*dict.fromkeys([*before, *self.domain.kinds(self.y)])]
        if self.y is not None:
            candidates.setdefault(id(self.y), self.fields)
        self._found = [[] for _ in self.fields]
        self._of_inputs = [[] for _ in self.sources]

    def repeats_badly(self, exact: float) -> bool:
        """Does the layer give something else when it is run twice on the same?"""
        identity = self.domain.group.identity
        try:
            one, two = self.run(identity, {}), self.run(identity, {})
        except (UnknownField, *FAILURES):
            return False
        return equivariance_error(one, two) > exact

    def compare(self, g: G, y: Tensor | None, given: Tensor | None) -> None:
        """Add what went in and out when the network's input was turned by `g`."""
        for field, one in zip(self.fields, self._found, strict=True):
            one.append(self._off(field, g, self.y, y))
        for field, one in zip(self.sources, self._of_inputs, strict=True):
            one.append(self._off(field, g, self.given, given))

    def settle(self, field_of: dict[int, Field[G]], exact: float) -> None:
        """Choose the fields of input and output, and measure the layer's own break."""
        self.source = self._find_source(field_of, exact)
        own = self._own_breaks(field_of)
        best = _choice(self.fields, self.source, self._found, own)
        if best is None:
            self.errors = [math.nan] * len(self.domain.elements)
            return
        self.field, self.errors, self.own = self.fields[best], self._found[best], own[best]
        said = self.domain.adapt(getattr(self.call.module, "out_field", None))
        sure = self.domain.complete or self.source is not None or said == self.field
        if not sure and self.call.name != OUTPUT and max(self.errors) > LOOSE * exact:
            self.field, self.errors = None, [math.nan] * len(self.domain.elements)
        elif self.y is not None and self.field is not None:
            field_of.setdefault(id(self.y), self.field)

    def run(
        self, g: G, field_of: Mapping[int, Field[G]], through: nn.Module | None = None
    ) -> Tensor:
        """What the layer gives when its input is turned by `g`; `through` one more layer.

        Raises:
            UnknownField: nobody says how an argument turns.
        """

        def of(x: Tensor) -> Field[G] | None:
            return self.source if x is self.given else field_of.get(id(x))

        inputs = [self.domain.move(g, value, of) for value in self.call.inputs]
        named = {name: self.domain.move(g, value, of) for name, value in self.call.named.items()}
        y = first_tensor(self.call.module(*inputs, **named))
        y = y if through is None or y is None else first_tensor(through(y))
        if y is None:
            raise UnknownField
        return y

    def break_of(
        self,
        field: Field[G],
        field_of: Mapping[int, Field[G]],
        through: nn.Module | None = None,
    ) -> float:
        """The largest error of the layer by itself, if its output is a `field`; NaN if unknown."""
        try:
            rest = self.run(self.domain.group.identity, field_of, through)
            return max(
                self._off(field, g, rest, self.run(g, field_of, through))
                for g in self.domain.elements
            )
        except (UnknownField, *FAILURES):
            return math.nan

    def _own_breaks(self, field_of: Mapping[int, Field[G]]) -> list[float]:
        """The same for each field that the output may be; the layer runs once an element."""
        unknown = [math.nan] * len(self.fields)
        if self.source is None or not self.fields:
            return unknown
        worst = [0.0] * len(self.fields)
        try:
            rest = self.run(self.domain.group.identity, field_of)
            for g in self.domain.elements:
                turned = self.run(g, field_of)
                off = [self._off(field, g, rest, turned) for field in self.fields]
                worst = [max(pair) for pair in zip(worst, off, strict=True)]
        except (UnknownField, *FAILURES):
            return unknown
        return worst

    def _find_source(self, field_of: Mapping[int, Field[G]], exact: float) -> Field[G] | None:
        said = self.domain.adapt(getattr(self.call.module, "in_field", None))
        known = None if self.given is None else field_of.get(id(self.given))
        if said is not None or known is not None:
            return said or known
        worst = [max(one) for one in self._of_inputs]  # made by code: seen by how it moves
        best = _choice(self.sources, None, self._of_inputs, worst)
        if best is None or (worst[best] > LOOSE * exact and not self.domain.complete):
            return None
        return self.sources[best]

    def _off(self, field: Field[G], g: G, mine: Tensor | None, theirs: Tensor | None) -> float:
        if mine is None or theirs is None:
            return math.inf
        try:
            wanted = field.act(g, mine)
            found = self.domain.seen(field, theirs)
        except FAILURES:  # a field that was guessed from the shape, wrongly
            return math.inf
        return equivariance_error(found, wanted)


def _choice(
    fields: Sequence[Field[G]],
    source: Field[G] | None,
    errors: Sequence[Sequence[float]],
    own: Sequence[float],
) -> int | None:
    """Which of the fields it is: as the input, unless only another obeys."""
    if not fields:
        return None
    breaks = [max(e) if math.isnan(o) else o for o, e in zip(own, errors, strict=True)]
    alike = [n for n, field in enumerate(fields) if field == source]
    alike += [n for n, field in enumerate(fields) if type(field) is type(source)]
    first = alike[0] if alike else 0
    best = min(range(len(fields)), key=lambda n: breaks[n])
    return best if breaks[best] < 1e-3 * breaks[first] else first


def first_tensor(value: object) -> Tensor | None:
    """The first tensor of floating-point numbers in what a layer takes or gives."""
    return next((x for x in tensors_of(value) if x.is_floating_point()), None)


def measure(
    model: nn.Module,
    arguments: Arguments[G],
    known: Mapping[str, Field[G]],
    look: Callable[[object], Tensor],
    exact: float,
) -> tuple[list[MeasuredLayer[G]], dict[int, Field[G]]]:
    """Every layer of a model in `eval()`, in order, the model itself last.

    Args:
        model: the network.
        arguments: what it is called with.
        known: fields of the outputs of layers, by name.
        look: which tensor of the model's output to look at.
        exact: errors up to here are rounding.

    Returns:
        The layers; and the field of each tensor that was met, by its id, for as long as they live.
    """
    domain = arguments.domain
    calls = record(model, *arguments.inputs, **arguments.named)
    layers = [MeasuredLayer(call, domain, _seen(call, look), _given(call)) for call in calls]
    roots = tensors_of((calls[-1].inputs, calls[-1].named))
    field_of = {
        id(x): field for x, field in zip(roots, arguments.fields, strict=True) if field is not None
    }
    candidates = {at: [field] for at, field in field_of.items()}
    for layer in layers:
        layer.consider(known.get(layer.call.name), candidates)
    for g in domain.elements:
        turned = arguments.turned(g)
        moved = {call.name: call for call in record(model, *turned.inputs, **turned.named)}
        for layer in layers:
            other = moved.get(layer.call.name)
            if other is not None:
                layer.compare(g, _seen(other, look), _given(other))
            else:  # a network that takes another way
                layer.compare(g, None, None)
    for layer in layers:
        layer.settle(field_of, exact)
    return layers, field_of


def _seen(call: Call, look: Callable[[object], Tensor]) -> Tensor | None:
    return look(call.output) if call.name == OUTPUT else first_tensor(call.output)


def _given(call: Call) -> Tensor | None:
    return first_tensor((call.inputs, call.named))
