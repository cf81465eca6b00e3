"""What the compiled kernel saves: P4 and P4M layers and networks with it and without, in one run.

    make bench BENCH=compiled                      # layers, on one thread and on two
    make bench BENCH=compiled ARGS="--networks"    # training steps and evaluation of networks
    make bench BENCH=compiled ARGS="--lenses 64"   # P4M ResNet-18 on lenses of 96²: time and memory
    make bench BENCH=compiled ARGS="--table"       # many layers, also where the kernel loses
    make bench BENCH=compiled ARGS="--table --group C8 D8"
    make bench BENCH=compiled ARGS="--table --lifting --group P4M P4 C8 D8"
    ATEN_CPU_CAPABILITY=avx2 python benchmarks/compiled.py     # the 256-bit build

Times are ratios of CPU time, of all threads: of layers to the `torch.nn.Conv2d` with as many maps,
of networks and of the table, which `route.pays` was read from, to ours without the kernel.
Contestants take turns; medians (quartiles) of the ratios within a round.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from timing import Calls, both_ways, cell, cpu_seconds, in_turns, ratios
from torch import Tensor, nn

import equivlab
from equivlab.data.lenses import lens_recipe, simulate
from equivlab.groups import P4, P4M, PointGroup, as_point_group, group_of
from equivlab.models import P4CNN, ResNet18
from equivlab.nn import GroupConv2d, LiftingConv2d, fuse
from equivlab.nn.planar.compiled import route

# Group, maps, kernel_size, side of the image, batch.
LAYERS = [
    (P4M, 256, 3, 28, 16),
    (P4M, 128, 3, 28, 16),
    (P4M, 64, 3, 28, 16),
    (P4M, 64, 3, 28, 1),
    (P4M, 256, 5, 28, 4),
    (P4, 256, 3, 28, 16),
    (P4, 128, 3, 28, 16),
    (P4, 64, 3, 28, 16),
]


# The table: kernel_size, stride, fields in and out; each on images of four sizes, one and sixteen.
KINDS = [
    (3, 1, (1, 2, 4, 8, 16, 32)),
    (1, 1, (2, 8, 32)),
    (5, 1, (2, 8, 24)),
    (3, 2, (2, 8, 32)),
    (1, 2, (8, 32)),
]
FINER_KINDS = [(3, 1, (1, 4, 16)), (5, 1, (1, 4, 12)), (7, 1, (4,)), (5, 2, (4, 16)), (1, 1, (8,))]
# Of images: kernel_size, stride, fields out; each of one channel and of three.
IMAGE_KINDS = [
    (3, 1, (1, 2, 8, 24)),
    (5, 1, (1, 2, 8, 24)),
    (7, 1, (1, 2, 8, 24)),
    (1, 1, (8,)),
    (3, 2, (2, 8, 24)),
    (7, 2, (2, 8, 24)),
]


@contextmanager
def ordinary() -> Any:
    """Everything the ordinary way."""
    found, route.load = route.load, lambda: None
    try:
        yield
    finally:
        route.load = found


def without(call: Callable[[], object]) -> Callable[[], object]:
    def plain() -> object:
        with ordinary():
            return call()

    return plain


def layer_calls(row: tuple[Any, ...], learning: bool) -> Calls:
    """The convolution of torch, and our layer both ways."""
    group, maps, kernel, size, batch = row
    fields = maps // group.order
    x = torch.randn(batch, maps, size, size, requires_grad=learning)
    regular = x.detach().unflatten(1, (fields, group.order)).requires_grad_(learning)
    plain = nn.Conv2d(maps, maps, kernel, padding=kernel // 2)
    ours = GroupConv2d(group, fields, fields, kernel, padding=kernel // 2)

    def caller(layer: nn.Module, given: Tensor) -> Callable[[], object]:
        return both_ways(layer, given, leaf=False) if learning else lambda: layer(given)

    call = caller(ours, regular)
    return {"plain": caller(plain, x), "conv2d": without(call), "kernel": call}


def step_calls(model: nn.Module, x: Tensor) -> Calls:
    """A training step of a network both ways."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()

    return {"conv2d": without(step), "kernel": step}


def evaluation_calls(model: nn.Module, x: Tensor) -> Calls:
    """A network that evaluates both ways, and fused."""
    fused = fuse(model.eval())
    call, quick = (torch.no_grad()(lambda m=m: m(x)) for m in (model, fused))
    return {"conv2d": without(call), "kernel": call, "fused": quick}


Layers = Iterator[tuple[str, nn.Module, Tensor]]  # what it is, the layer, its input


def group_layers(groups: list[PointGroup]) -> Layers:
    """Layers from fields to as many."""
    for group in groups:
        kinds = KINDS if group in (P4, P4M) else FINER_KINDS
        for (kernel, stride, fields), size, batch in product(kinds, (3, 7, 14, 28), (1, 16)):
            for count in fields:
                label = f"{group} {count} fields k{kernel} stride {stride} {size}² b{batch}"
                layer = GroupConv2d(group, count, count, kernel, stride, kernel // 2)
                yield label, layer, torch.randn(batch, count, group.order, size, size)


def lifting_layers(groups: list[PointGroup]) -> Layers:
    """Layers that lift images."""
    kinds = product(groups, IMAGE_KINDS, (7, 14, 28, 56), (1, 16), (1, 3))
    for group, (kernel, stride, fields), size, batch, channels in kinds:
        for count in fields:
            what = f"{channels} channels to {count} fields"
            label = f"{group} {what} k{kernel} stride {stride} {size}² b{batch}"
            layer = LiftingConv2d(group, channels, count, kernel, stride, kernel // 2)
            yield label, layer, torch.randn(batch, channels, size, size)


def table_calls(layers: Layers, leaf: bool) -> Iterator[tuple[str, str, Calls]]:
    """Layers both ways, with gradients to their input where it is a `leaf`."""
    route.pays = lambda *_: True
    for label, layer, x in layers:
        evaluate = torch.no_grad()(lambda layer=layer, x=x: layer(x))
        for use, call in (("unchanged", evaluate), ("both", both_ways(layer, x, leaf))):
            yield label, use, {"conv2d": without(call), "kernel": call}


def megabytes(reset: bool = False) -> float:
    """Peak of resident memory, in MB (Linux), since the last `reset`."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return next(int(row.split()[1]) for row in status.splitlines() if "VmHWM" in row) / 1024


def lenses(batch: int, steps: int, note: Callable[..., None]) -> None:
    """Training steps of the P4M ResNet-18 on simulated lenses, both ways in turns."""
    arrays = simulate(lens_recipe("I", pixels=96), range(batch))
    images, labels = (torch.from_numpy(array) for array in arrays)
    model = ResNet18(P4M, 1, classes=3)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()

    ways = {"conv2d": without(step), "kernel": step}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    peaks: dict[str, float] = dict.fromkeys(ways, 0.0)
    model(images[:2]).sum().backward()  # tables are made before memory is measured
    for _, (name, call) in product(range(steps), ways.items()):
        megabytes(reset=True)
        spent[name].append(cpu_seconds(call, 1))
        peaks[name] = max(peaks[name], megabytes())
    found = ratios(spent, "conv2d")["kernel"]
    threads = f"{torch.get_num_threads()} threads"
    name = f"P4M ResNet-18, lenses 96², batch {batch}"
    note(name, threads, "training step, over conv2d", "", " ".join(f"{r:.2f}" for r in found))
    for way, peak in peaks.items():
        note(name, threads, f"peak memory, {way}", "", f"{peak:.0f} MB")


NETWORKS = {
    "P4CNN, 28², batch 32": lambda: (P4CNN(P4), torch.randn(32, 1, 28, 28)),
    "P4M CNN, 28², batch 32": lambda: (P4CNN(P4M), torch.randn(32, 1, 28, 28)),
    "P4M ResNet-18, 96², batch 4": lambda: (ResNet18(P4M, 1), torch.randn(4, 1, 96, 96)),
    "P4M ResNet-18 width 8, 64², batch 16": lambda: (
        ResNet18(P4M, width=8, exact_size=True),
        torch.randn(16, 1, 64, 64),
    ),
}


def main() -> None:
    """Print the rows, and write them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", action="store_true", help="training steps, evaluation")
    parser.add_argument("--lenses", type=int, nargs="*", default=[], help="batches of lenses")
    parser.add_argument("--steps", type=int, default=3, help="of those, in turns")
    parser.add_argument("--table", action="store_true", help="many layers")
    parser.add_argument("--lifting", action="store_true", help="the table of those that lift")
    parser.add_argument("--group", nargs="+", default=["P4M", "P4"], help="those of the table")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each number")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--csv", help="a file to which the rows are added")
    arguments = parser.parse_args()
    print(equivlab.show_config())

    def note(*cells: str) -> None:
        print(" | ".join(cells), flush=True)
        if arguments.csv:
            with open(arguments.csv, "a", newline="") as stream:
                csv.writer(stream, lineterminator="\n").writerow(cells)

    for threads in arguments.threads:
        torch.set_num_threads(threads)
        for batch in arguments.lenses:
            lenses(batch, arguments.steps, note)
        if arguments.lenses:
            continue
        if arguments.networks:
            for name, make in NETWORKS.items():
                spent = in_turns(step_calls(*make()), rounds=5, seconds=arguments.seconds)
                found = cell(ratios(spent, "conv2d")["kernel"])
                note(name, f"{threads} threads", "training step, over conv2d", "", found)
                spent = in_turns(evaluation_calls(*make()), rounds=5, seconds=arguments.seconds)
                for way, values in ratios(spent, "conv2d").items():
                    use = f"evaluation, {way} over conv2d"
                    note(name, f"{threads} threads", use, "", cell(values))
            continue
        if arguments.table:
            groups = [as_point_group(group_of(name), "--group") for name in arguments.group]
            layers = (lifting_layers if arguments.lifting else group_layers)(groups)
            for label, use, calls in table_calls(layers, leaf=not arguments.lifting):
                spent = in_turns(calls, rounds=5, turn=2e-3)
                note(label, f"{threads} threads", use, "", cell(ratios(spent, "conv2d")["kernel"]))
            continue
        for row in LAYERS:
            group, maps, kernel, size, batch = row
            for use in ("unchanged", "both"):
                with torch.set_grad_enabled(use == "both"):
                    calls = layer_calls(row, use == "both")
                    spent = in_turns(calls, rounds=5, seconds=arguments.seconds, turn=1e-3)
                found = ratios(spent, "plain")
                label = f"{group} {maps} maps k{kernel} {size}² b{batch}"
                both = (cell(found["conv2d"]), cell(found["kernel"]))
                note(label, f"{threads} threads", use, *both)


if __name__ == "__main__":
    main()
