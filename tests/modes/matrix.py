"""Layers × modes, each cell a process: ``python -m tests.modes.matrix MODE,MODE`` prints JSON.

A cell is a fork of a process that has imported everything and computed nothing, so that no table
has been made. It passes if the layer gives in the mode, and afterwards without it, what it gives
in a process that never heard of modes.
"""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from tests.modes.cases import CASES, NETWORKS, build, inputs

NEAR = 1e-5
HALF = 3e-2  # of an autocast product: eight bits, a few of them
Cell = Callable[[str, Tensor], None]


def same(found: Tensor, wanted: Tensor, bound: float = NEAR) -> None:
    assert found.shape == wanted.shape, f"shape {tuple(found.shape)} for {tuple(wanted.shape)}"
    off = (found.detach().double() - wanted.double()).norm() / wanted.double().norm()
    assert float(off) <= bound, f"off by {float(off):.1e}"


def each(args: Any, change: Callable[[Tensor], Tensor]) -> tuple[Any, ...]:
    """Every tensor in `args` changed, in those that are dataclasses of tensors too."""

    def one(value: Any) -> Any:
        if isinstance(value, Tensor):
            return change(value)
        if not is_dataclass(value):
            return value
        return replace(
            value,
            **{part.name: one(getattr(value, part.name)) for part in fields(value) if part.init},
        )

    return tuple(one(value) for value in args)


def afterwards(name: str, wanted: Tensor) -> None:
    """A new layer, in no mode, on the same inputs, and its gradient."""
    layer, args = build(name), inputs(name)
    x = args[0].clone().requires_grad_()
    y = layer(x, *args[1:])
    same(y, wanted)
    y.square().sum().backward()
    assert x.grad is not None
    assert bool(torch.isfinite(x.grad).all())


def exported(name: str, wanted: Tensor) -> None:
    layer, args = build(name), inputs(name)
    same(torch.export.export(layer, args).module()(*args), wanted)
    same(layer(*args), wanted)


def exported_strictly(name: str, wanted: Tensor) -> None:
    layer, args = build(name), inputs(name)
    same(torch.export.export(layer, args, strict=True).module()(*args), wanted)
    same(layer(*args), wanted)


def compiled(name: str, wanted: Tensor, backend: str = "aot_eager") -> None:
    layer, args = build(name), inputs(name)
    x, x_too = (args[0].clone().requires_grad_() for _ in range(2))
    y = torch.compile(layer, backend=backend, fullgraph=True)(x, *args[1:])
    same(y, wanted)
    y.square().sum().backward()
    layer(x_too, *args[1:]).square().sum().backward()
    assert x.grad is not None
    assert x_too.grad is not None
    same(x.grad, x_too.grad)


def compiled_by_inductor(name: str, wanted: Tensor) -> None:
    compiled(name, wanted, "inductor")


def on_meta(name: str, wanted: Tensor) -> None:
    args = inputs(name)
    away = each(args, lambda part: part.to("meta"))
    with torch.device("meta"):
        layer = build(name)
        y = layer(*away)
    assert y.is_meta
    assert y.shape == wanted.shape
    layer = layer.to_empty(device="cpu")
    layer.load_state_dict(build(name).state_dict())
    same(layer(*args), wanted)


def fake(name: str, wanted: Tensor) -> None:
    from torch._subclasses import FakeTensorMode

    args = inputs(name)
    with FakeTensorMode() as mode:
        layer = build(name)
        fakes = each(args, mode.from_tensor)
        assert layer(*fakes).shape == wanted.shape


def inferred(name: str, wanted: Tensor) -> None:
    args = inputs(name)
    with torch.inference_mode():
        same(build(name)(*args), wanted)
    layer = build(name).double()
    x, *rest = each(args, lambda part: part.double() if part.is_floating_point() else part)
    same(layer(x, *rest), wanted)
    x.requires_grad_()
    layer.train()(x, *rest).square().sum().backward()
    for p in (x, *layer.parameters()):
        assert p.grad is not None
        assert bool(torch.isfinite(p.grad).all())


def autocast(name: str, wanted: Tensor, dtype: torch.dtype) -> None:
    layer, args = build(name), inputs(name)
    x = args[0].clone().requires_grad_()
    with torch.autocast("cpu", dtype=dtype):
        y = layer(x, *args[1:])
    same(y, wanted, HALF)
    y.float().square().sum().backward()
    assert x.grad is not None
    assert bool(torch.isfinite(x.grad).all())


def autocast_bfloat16(name: str, wanted: Tensor) -> None:
    autocast(name, wanted, torch.bfloat16)


def autocast_float16(name: str, wanted: Tensor) -> None:
    autocast(name, wanted, torch.float16)


def functional(name: str, wanted: Tensor) -> None:
    layer, args = build(name), inputs(name)
    weights = {key: value.detach().clone() for key, value in layer.named_parameters()}
    same(torch.func.functional_call(layer, weights, args), wanted)

    def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(layer, weights, (x, *args[1:])).pow(3).sum()

    by_weight, by_x = torch.func.grad(loss, (0, 1))(weights, args[0])
    x = args[0].clone().requires_grad_()
    layer(x, *args[1:]).pow(3).sum().backward()  # of squares a norm would have nothing left
    assert x.grad is not None
    same(by_x, x.grad)
    for key, value in layer.named_parameters():
        assert value.grad is not None
        same(by_weight[key], value.grad)


def vmapped(name: str, wanted: Tensor) -> None:
    layer, args = build(name), inputs(name)
    many = torch.stack([args[0], 2 * args[0]])
    y = torch.func.vmap(lambda x: layer(x, *args[1:]))(many)
    same(y[0], wanted)
    same(y[1], layer(2 * args[0], *args[1:]))


def deep_copied(name: str, wanted: Tensor) -> None:
    layer, args = build(name), inputs(name)
    same(layer(*args), wanted)
    same(copy.deepcopy(layer)(*args), wanted)
    same(copy.deepcopy(layer).double().float()(*args), wanted)


def pickled(name: str, wanted: Tensor) -> None:
    layer, args = build(name), inputs(name)
    same(layer(*args), wanted)
    again = pickle.loads(pickle.dumps(layer))  # noqa: S301
    same(again(*args), wanted)


def threaded(name: str, wanted: Tensor) -> None:
    layer, args = build(name), inputs(name)
    found: list[Any] = []

    def work() -> None:
        try:
            with torch.no_grad():
                found.append(layer(*args))
        except BaseException as error:
            found.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for y in found:
        if isinstance(y, BaseException):
            raise y
        same(y, wanted)


def forked(name: str, wanted: Tensor) -> None:
    layer, args = build(name), inputs(name)
    same(layer(*args), wanted)
    outcome = in_a_fork(lambda: (same(layer(*args), wanted), afterwards(name, wanted)))
    assert outcome == "ok", outcome


MODES: dict[str, Cell] = {
    "export": exported,
    "strict export": exported_strictly,
    "compile": compiled,
    "inductor": compiled_by_inductor,
    "meta": on_meta,
    "fake": fake,
    "inference": inferred,
    "bfloat16": autocast_bfloat16,
    "float16": autocast_float16,
    "functional": functional,
    "vmap": vmapped,
    "deepcopy": deep_copied,
    "pickle": pickled,
    "threads": threaded,
    "fork": forked,
}
FEW = {"inductor": ("S2Conv", "GroupConv2d")}  # a C++ compiler runs for each
# Those in which a table once made stays with the process: here every network too.
POISON = ("export", "meta", "fake", "inference")


def rows(mode: str) -> list[str]:
    """Layers, and where it matters networks, that have a cell in the mode."""
    return [*FEW.get(mode, CASES), *(NETWORKS if mode in POISON else ())]


def forked_bytes(work: Callable[[], bytes]) -> bytes:
    """What `work` gives in a process of its own, or the error that it ends with."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        torch.set_num_threads(1)  # a pool of its own, before threads would all make one
        try:
            found = work()
        except BaseException as error:
            found = f"{type(error).__name__}: {error}"[:4000].encode()
        with os.fdopen(write, "wb") as pipe:
            pipe.write(found)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        found = pipe.read()
    os.waitpid(child, 0)
    return found or b"the process died"


def in_a_fork(work: Callable[[], Any]) -> str:
    """``'ok'``, or the error that `work` ends with in a process of its own."""

    def run() -> bytes:
        work()
        return b"ok"

    return forked_bytes(run).decode(errors="replace")


@cache
def reference(name: str) -> Tensor:
    """What the layer gives where nothing ever was in a mode."""

    def run() -> bytes:
        kept = io.BytesIO()
        with torch.no_grad():
            torch.save(build(name)(*inputs(name)), kept)
        return kept.getvalue()

    saved = forked_bytes(run)
    if not saved.startswith(b"PK"):
        raise RuntimeError(f"{name}: {saved.decode()}")
    found: Tensor = torch.load(io.BytesIO(saved))
    return found


def column(mode: str, names: list[str]) -> dict[str, str]:
    """The outcome for every row."""
    cell = MODES[mode]
    found = {}
    for name in names:
        wanted = reference(name)

        def work(name: str = name, wanted: Tensor = wanted) -> None:
            cell(name, wanted)
            afterwards(name, wanted)

        found[name] = in_a_fork(work)
    return found


def main() -> None:
    import torch._dynamo
    import torch._functorch.aot_autograd
    import torch.export

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    modes, *names = sys.argv[1:]
    found = {mode: column(mode, names or rows(mode)) for mode in modes.split(",")}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
