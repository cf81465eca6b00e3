"""Tables that are made once and remembered: Wigner functions, quadratures, products of a group.

PyTorch has many modes: a default device that may be ``meta``, fake tensors without numbers,
`torch.inference_mode`, autocast, `torch.func.vmap`, a compiler or an exporter that looks on. A
table that is made in one of them carries it into every later call. So none is made where it is
asked for: a thread of its own makes it, and a new thread is in no mode at all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

__all__ = ["apart", "in_a_mode", "in_no_mode", "legible", "ordinary", "remembered", "taken_up"]

Args = ParamSpec("Args")
Table = TypeVar("Table")

_thread = threading.local()  # .makes_tables is set in the threads below


def apart(make: Callable[Args, Table], *args: Args.args, **kwargs: Args.kwargs) -> Table:
    """``make(*args, **kwargs)``, outside all modes, by a thread of its own, without gradients.

    What it raises is raised here. Under `FakeTensorMode` give the result to `taken_up`.

    >>> with torch.device("meta"):
    ...     apart(torch.arange, 3)
    tensor([0, 1, 2])
    """
    if getattr(_thread, "makes_tables", False):  # one table needs another
        return make(*args, **kwargs)
    found: list[Table] = []
    failed: list[BaseException] = []

    def work() -> None:
        _thread.makes_tables = True
        try:
            with torch.no_grad():
                found.append(make(*args, **kwargs))
            for value in (*args, *kwargs.values()):
                if isinstance(value, torch.device) and value.type == "cuda":
                    torch.cuda.synchronize(value)  # who asked may compute on another stream
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


def in_no_mode(make: Callable[Args, Table]) -> Callable[Args, Table]:
    """A decorator: what is made has numbers in every mode, and is made anew each time.

    >>> @in_no_mode
    ... def counted(count: int) -> Tensor:
    ...     return torch.arange(count)
    >>> with torch.device("meta"):
    ...     counted(3)
    tensor([0, 1, 2])
    """

    @wraps(make)
    def outside(*args: Args.args, **kwargs: Args.kwargs) -> Table:
        return apart(make, *args, **kwargs)

    return outside


def remembered(
    maxsize: int = 64,
) -> Callable[[Callable[Args, Table]], Callable[Args, Table]]:
    """A decorator for what makes tables: the last `maxsize` are kept, for every thread.

    Such a function takes sizes, a dtype, a device, never tensors; makes its table in float64 or in
    integers on the CPU and casts at the end; and nobody ever writes to what it gives: a tensor, a
    dataclass of tensors, or anything that is no tensor. To an exporter the tensors are constants,
    and under `FakeTensorMode` they are fake ones.

    >>> @remembered()
    ... def squares(count: int) -> Tensor:
    ...     return torch.arange(count) ** 2
    >>> with torch.inference_mode():
    ...     squares(3).is_inference()
    False
    """

    def decorate(make: Callable[Args, Table]) -> Callable[Args, Table]:
        @lru_cache(maxsize=maxsize)
        def kept(*args: Any, **kwargs: Any) -> Any:
            return apart(make, *args, **kwargs)

        @wraps(make)
        def remember(*args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_dynamo_compiling():
                return make(*args, **kwargs)  # a part of the graph: nothing to remember
            try:
                table = kept(*args, **kwargs)
            except TypeError:  # an exporter's sizes have no hash; as numbers they are fixed
                args = tuple(int(a) if isinstance(a, torch.SymInt) else a for a in args)
                table = kept(*args, **kwargs)
            return taken_up(table) if in_a_mode() else table

        return remember

    return decorate


def in_a_mode() -> bool:
    """Is anybody between us and the numbers: fake tensors, an exporter, a profiler of calls?"""
    return torch._C._len_torch_dispatch_stack() > 0


def ordinary(x: Tensor) -> bool:
    """Has `x` numbers, and nobody between us and them: no compiler, exporter, vmap, or meta?"""
    if torch.compiler.is_compiling() or x.is_meta or in_a_mode():
        return False
    return not torch._C._functorch.is_functorch_wrapped_tensor(x)


def legible(x: Tensor) -> bool:
    """Can the numbers of `x` be looked at here and now, at no cost: ordinary ones, on the CPU?"""
    return x.device.type == "cpu" and ordinary(x)


def taken_up(table: Any) -> Any:
    """A table made outside as the modes of now want it: as they treat a tensor from a literal."""
    if not in_a_mode():
        return table
    if isinstance(table, Tensor):
        return torch.ops.aten.lift_fresh.default(table)
    if isinstance(table, tuple):
        return tuple(taken_up(part) for part in table)
    if is_dataclass(table) and not isinstance(table, type):
        parts = {part.name: getattr(table, part.name) for part in fields(table)}
        return replace(table, **{name: taken_up(part) for name, part in parts.items()})
    return table
