"""How much slower than an ordinary convolution is a group convolution? Ratios, one thread.

    make bench                                   # rows up to 4 GMAC, a few minutes
    make bench ARGS="--most-gmac 1000"           # every row of the grid, many hours
    make bench ARGS="--peers e2cnn escnn"        # with peers, where they are installed
    make bench ARGS="--group C8 C16 SO2 --peers escnn"      # filters of circular harmonics
    make bench ARGS="--targets --peers e2cnn escnn"         # what the compiled kernel is to reach

Each layer is timed against the `torch.nn.Conv2d` with as many input and output maps. All take
turns, in an order that is shuffled in each round, so that a noisy machine slows all and nobody
always follows the same neighbour; a turn is one call, or as many short calls as fit in a
millisecond. What is reported is the median of the ratios within a round, with the quartiles.
Time is CPU time of one thread; `--targets` are measured on two as well, by wall time, for threads
that wait for the next call spin and would be charged to whoever has the turn. Three ways of use:

- ``forward``: gradients recorded, weights new, so the filter bank is expanded in each call;
- ``both``: the same and the backward pass, to the weights and (group layers) to the input;
- ``unchanged``: `eval()` and `no_grad`, the weights the same as in the call before.

Peers get their input wrapped in their own tensor class beforehand, as between two layers.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from timing import Call, both_ways, cell, cpu_seconds, in_turns, ratios, wall_seconds
from torch import Tensor, nn

from equivlab.fields import CircleIrreps
from equivlab.groups import SO2, CircleGroup, PointGroup, group_of
from equivlab.nn import GroupConv2d, LiftingConv2d, SteerableConv2d

WIDTHS, KERNELS, SIZES, BATCHES = (64, 128, 256), (3, 5), (28, 64, 150), (1, 16, 64)
FORMATS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}
USES = ("forward", "both", "unchanged")
TURN = 1e-3  # seconds; a shorter call would mostly measure the caches that others emptied
IMAGE_CHANNELS = 3
MAX_FREQUENCY = 2  # of SO2: fields are functions on the circle, 5 channels each


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    kind: str
    width: int
    kernel: int
    size: int
    batch: int
    memory: str
    group: str = "P4"

    @property
    def symmetry(self) -> PointGroup | CircleGroup:
        found = group_of(self.group)
        if found is None:
            raise ValueError("The ordinary layer is in every row: leave the group none out.")
        return found

    @property
    def order(self) -> int:
        """How many maps a field has."""
        found = self.symmetry
        return found.order if isinstance(found, PointGroup) else 2 * MAX_FREQUENCY + 1

    @property
    def fields(self) -> int:
        return self.width // self.order

    @property
    def maps_out(self) -> int:
        return self.fields * self.order

    @property
    def maps_in(self) -> int:
        return IMAGE_CHANNELS if self.kind == "lifting" else self.maps_out

    @property
    def irreps(self) -> str:
        """Those of the fields of SO2."""
        return " + ".join(f"{self.fields}x{k}" for k in range(MAX_FREQUENCY + 1))

    @property
    def gmac(self) -> float:
        """Billions of multiplications in one forward pass."""
        pixels = self.batch * self.size**2
        return pixels * self.maps_in * self.maps_out * self.kernel**2 / 1e9


TARGETS = [
    Row("group", width, kernel, 28, batch, "contiguous", group)
    for group, width, kernel, batch in (
        ("P4M", 256, 3, 16),
        ("P4M", 128, 3, 16),
        ("P4M", 64, 3, 16),
        ("P4M", 64, 3, 1),
        ("P4M", 256, 5, 4),
        ("P4", 256, 3, 16),
    )
]


def grid(most_gmac: float, groups: list[str]) -> tuple[list[Row], int]:
    """The rows that cost no more than `most_gmac`, and how many were left out.

    Filters of harmonics in one memory format and of 5 and 7 pixels: of 3 pixels peers have more of
    them than we, who leave those out that alias.
    """
    kinds, every = ("lifting", "group"), []
    for group in groups:
        steerable = group not in ("P4", "P4M")
        kernels, formats = ((5, 7), ["contiguous"]) if steerable else (KERNELS, list(FORMATS))
        every += [
            Row(*values, group)
            for values in itertools.product(kinds, WIDTHS, kernels, SIZES, BATCHES, formats)
        ]
    rows = [row for row in every if row.gmac <= most_gmac]
    return rows, len(every) - len(rows)


def plain_layer(row: Row) -> nn.Module:
    """The ordinary convolution of the same width."""
    return nn.Conv2d(row.maps_in, row.maps_out, row.kernel, padding=row.kernel // 2)


def our_layer(row: Row) -> nn.Module:
    """The layer of equivlab."""
    group, window = row.symmetry, {"padding": row.kernel // 2}
    if isinstance(group, CircleGroup):
        ins = f"{IMAGE_CHANNELS}x0" if row.kind == "lifting" else row.irreps
        blocks = (CircleIrreps.parse(one, group) for one in (ins, row.irreps))
        return SteerableConv2d(*blocks, row.kernel, **window)
    if row.kind == "lifting":
        return LiftingConv2d(group, IMAGE_CHANNELS, row.fields, row.kernel, **window)
    return GroupConv2d(group, row.fields, row.fields, row.kernel, **window)


def peer_layer(name: str, row: Row) -> tuple[nn.Module, Callable[[Tensor], object]]:
    """The same layer of e2cnn or escnn, and how it wraps its input."""
    peer = __import__(f"{name}.gspaces", fromlist=["gspaces"])
    layers = __import__(f"{name}.nn", fromlist=["nn"])
    make = peer.Rot2dOnR2 if name == "e2cnn" else peer.rot2dOnR2
    if row.symmetry == SO2:
        space = make(-1, maximum_frequency=MAX_FREQUENCY)
        irreps = [space.irrep(k) for k in range(MAX_FREQUENCY + 1)]
        regular = layers.FieldType(space, row.fields * irreps)
    else:
        if row.symmetry.has_mirror:
            make = peer.FlipRot2dOnR2 if name == "e2cnn" else peer.flipRot2dOnR2
        space = make(row.symmetry.turns)
        regular = layers.FieldType(space, row.fields * [space.regular_repr])
    scalar = layers.FieldType(space, IMAGE_CHANNELS * [space.trivial_repr])
    source = scalar if row.kind == "lifting" else regular
    layer = layers.R2Conv(source, regular, row.kernel, padding=row.kernel // 2)
    return layer, lambda x: layers.GeometricTensor(x, source)


def contenders(row: Row, peers: list[str], use: str) -> dict[str, Call]:
    """What is timed for this row, the ordinary convolution first."""
    memory = FORMATS[row.memory]
    x = torch.randn(row.batch, row.maps_in, row.size, row.size).to(memory_format=memory)
    x.requires_grad_(use == "both" and row.kind == "group")
    fields = row.kind == "group" and isinstance(row.symmetry, PointGroup)
    regular = x.unflatten(1, (-1, row.order)) if fields else x

    def ready(layer: nn.Module) -> nn.Module:
        return layer.train(use != "unchanged").to(memory_format=memory)

    def caller(layer: Callable[[Any], Any], given: Any) -> Call:
        return both_ways(layer, given, leaf=False) if use == "both" else lambda: layer(given)

    regular = regular.detach().requires_grad_(x.requires_grad)
    calls = {"plain": caller(ready(plain_layer(row)), x)}
    calls["equivlab"] = caller(ready(our_layer(row)), regular)
    for name in peers:
        layer, wrap = peer_layer(name, row)
        calls[name] = caller(ready(layer), wrap(x))
    return calls


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--most-gmac", type=float, default=4.0, help="leave dearer rows out")
    parser.add_argument("--above-gmac", type=float, default=0.0, help="leave cheaper rows out")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each number")
    parser.add_argument("--peers", nargs="*", default=[], choices=["e2cnn", "escnn"])
    parser.add_argument("--group", nargs="+", default=["P4"], help="P4, P4M, C8, C16, SO2, ...")
    parser.add_argument("--csv", help="a file for the rows, as in results/planar.csv")
    parser.add_argument("--only", help="rows whose text has this, such as 'group 64 k3 28² b1 '")
    parser.add_argument("--targets", action="store_true", help="those rows, one and two threads")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    rows, left_out = grid(arguments.most_gmac, arguments.group)
    if arguments.targets:
        rows, left_out = TARGETS, 0
    names = ["equivlab", *arguments.peers]
    print(f"torch {torch.__version__}, {platform.machine()}, CPU time; of two threads wall time;")
    print(f"GLIBC_TUNABLES={os.environ.get('GLIBC_TUNABLES', '')}; median (quartiles) of ratios")
    head = ["layer", *(f"{use}: {name}" for use in USES for name in names)]
    lines = [head]
    print("| " + " | ".join(head) + " |")
    print("|---" * (1 + len(USES) * len(names)) + "|")
    for threads, row in itertools.product((1, 2) if arguments.targets else (1,), rows):
        if row.gmac <= arguments.above_gmac:
            continue
        torch.set_num_threads(threads)
        options: dict[str, Any] = {"rounds": 5, "seconds": arguments.seconds, "turn": TURN}
        options["clock"] = cpu_seconds if threads == 1 else wall_seconds
        label = f"{row.kind} {row.width} k{row.kernel} {row.size}² b{row.batch} {row.memory}"
        label = label if row.group == "P4" else f"{row.group} {label}"
        label = label if threads == 1 else f"{label}, {threads} threads"
        if arguments.only and arguments.only not in label:
            continue
        cells = []
        for use in USES:
            with torch.set_grad_enabled(use != "unchanged"):
                calls = contenders(row, arguments.peers, use)
                spent = in_turns(calls, **options)
            found = ratios(spent, "plain")
            cells += [cell(found[name]) for name in names]
        lines.append([label, *cells])
        print("| " + " | ".join(lines[-1]) + " |", flush=True)
    if arguments.csv:
        with open(arguments.csv, "w", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows(lines)
    print(f"\n{left_out} rows of more than {arguments.most_gmac} GMAC left out.")


if __name__ == "__main__":
    main()
