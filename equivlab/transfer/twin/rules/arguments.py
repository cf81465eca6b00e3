"""The arguments of a call by their names, as a layer of torch or a function has them."""

from __future__ import annotations

from typing import Any

from equivlab.transfer.twin.reading import Call
from equivlab.transfer.twin.writing import Writer

__all__ = ["bind", "one", "setting"]


def bind(call: Call, **defaults: Any) -> dict[str, Any]:
    """All arguments of a function by name, in the order of `defaults`, which fill in."""
    names = list(defaults)
    given = dict(zip(names, call.args, strict=False))
    named = {key: value for key, value in call.kwargs.items() if key in defaults}
    return {**defaults, **given, **named}


def setting(call: Call, place: int, name: str, default: Any = None) -> Any:
    """One argument: an attribute of the layer, or the function's by place or name."""
    if call.layer is not None:
        return getattr(call.layer, name, default)
    return call.kwargs.get(name, call.args[place] if len(call.args) > place else default)


def one(writer: Writer, call: Call, value: Any, name: str) -> int:
    """One number for both axes."""
    sides = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(sides) == 1:
        sides *= 2
    if len(sides) != 2 or sides[0] != sides[1] or not isinstance(sides[0], int):
        writer.refuse(
            call, f"{call.name} has {name}={value!r}, which a quarter turn would change",
            f"Use one number for both axes, {name}={sides[0]!r}.",
        )  # fmt: skip
    return int(sides[0])
