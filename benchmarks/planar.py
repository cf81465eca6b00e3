"""How much slower than an ordinary convolution is a group convolution? Ratios, one thread.

    make bench                                   # rows up to 4 GMAC, a few minutes
    make bench ARGS="--most-gmac 1000"           # every row of the grid, many hours
    make bench ARGS="--peers e2cnn escnn"        # with peers, where they are installed

Each layer is timed against the `torch.nn.Conv2d` with as many input and output maps. All take
turns, in an order that is shuffled in each round, so that a noisy machine slows all and nobody
always follows the same neighbour; a turn is one call, or as many short calls as fit in a
millisecond. What is reported is the median of the ratios within a round, with the quartiles.
Time is CPU time of one thread. Three ways of use:

- ``forward``: gradients recorded, weights new, so the filter bank is expanded in each call;
- ``both``: the same and the backward pass, to the weights and (group layers) to the input;
- ``unchanged``: `eval()` and `no_grad`, the weights the same as in the call before.

Peers get their input wrapped in their own tensor class beforehand, as between two layers.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import torch
from torch import Tensor, nn

from equivlab.groups import P4
from equivlab.nn import GroupConv2d, LiftingConv2d

WIDTHS, KERNELS, SIZES, BATCHES = (64, 128, 256), (3, 5), (28, 64, 150), (1, 16, 64)
FORMATS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}
USES = ("forward", "both", "unchanged")
TURN = 1e6  # nanoseconds; a shorter call would mostly measure the caches that others emptied
IMAGE_CHANNELS = 3


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    kind: str
    width: int
    kernel: int
    size: int
    batch: int
    memory: str

    @property
    def maps_in(self) -> int:
        return IMAGE_CHANNELS if self.kind == "lifting" else self.width

    @property
    def gmac(self) -> float:
        """Billions of multiplications in one forward pass."""
        pixels = self.batch * self.size**2
        return pixels * self.maps_in * self.width * self.kernel**2 / 1e9


def grid(most_gmac: float) -> tuple[list[Row], int]:
    """The rows that cost no more than `most_gmac`, and how many were left out."""
    kinds = ("lifting", "group")
    every = [
        Row(*values)
        for values in itertools.product(kinds, WIDTHS, KERNELS, SIZES, BATCHES, FORMATS)
    ]
    rows = [row for row in every if row.gmac <= most_gmac]
    return rows, len(every) - len(rows)


Call = Callable[[], object]


def caller(layer: Callable[[Any], Any], x: object, use: str) -> Call:
    """What is timed, for a layer and a way of use; `main` sees to gradients."""
    if use != "both":
        return lambda: layer(x)

    def tensor(y: Any) -> Tensor:
        return y if isinstance(y, Tensor) else y.tensor  # peers wrap it

    upstream = torch.ones_like(tensor(layer(x)))  # in the memory format of the output

    def both() -> None:
        tensor(layer(x)).backward(upstream)

    return both


def plain_layer(row: Row) -> nn.Module:
    """The ordinary convolution of the same width."""
    return nn.Conv2d(row.maps_in, row.width, row.kernel, padding=row.kernel // 2)


def our_layer(row: Row) -> nn.Module:
    """The layer of equivlab, P4."""
    fields = row.width // P4.order
    if row.kind == "lifting":
        return LiftingConv2d(P4, IMAGE_CHANNELS, fields, row.kernel, padding=row.kernel // 2)
    return GroupConv2d(P4, fields, fields, row.kernel, padding=row.kernel // 2)


def peer_layer(name: str, row: Row) -> tuple[nn.Module, Callable[[Tensor], object]]:
    """The same layer of e2cnn or escnn, and how it wraps its input."""
    peer = __import__(f"{name}.gspaces", fromlist=["gspaces"])
    layers = __import__(f"{name}.nn", fromlist=["nn"])
    space = peer.Rot2dOnR2(4) if name == "e2cnn" else peer.rot2dOnR2(4)
    regular = layers.FieldType(space, row.width // 4 * [space.regular_repr])
    scalar = layers.FieldType(space, IMAGE_CHANNELS * [space.trivial_repr])
    source = scalar if row.kind == "lifting" else regular
    layer = layers.R2Conv(source, regular, row.kernel, padding=row.kernel // 2)
    return layer, lambda x: layers.GeometricTensor(x, source)


def contenders(row: Row, peers: list[str], use: str) -> dict[str, Call]:
    """What is timed for this row, the ordinary convolution first."""
    memory = FORMATS[row.memory]
    x = torch.randn(row.batch, row.maps_in, row.size, row.size).to(memory_format=memory)
    x.requires_grad_(use == "both" and row.kind == "group")
    regular = x.unflatten(1, (-1, P4.order)) if row.kind == "group" else x

    def ready(layer: nn.Module) -> nn.Module:
        return layer.train(use != "unchanged").to(memory_format=memory)

    regular = regular.detach().requires_grad_(x.requires_grad)
    calls = {"plain": caller(ready(plain_layer(row)), x, use)}
    calls["equivlab"] = caller(ready(our_layer(row)), regular, use)
    for name in peers:
        layer, wrap = peer_layer(name, row)
        calls[name] = caller(ready(layer), wrap(x), use)
    return calls


def turn(call: Call, count: int) -> float:
    """CPU time of `count` calls."""
    start = time.process_time_ns()
    for _ in range(count):
        call()
    return float(time.process_time_ns() - start)


def ratios(calls: dict[str, Call], seconds: float, order: random.Random) -> dict[str, list[float]]:
    """Call all in turn for some seconds; each one's time over that of the plain layer."""
    for call in list(calls.values()) * 2:
        call()
    count = max(1, round(TURN / turn(calls["plain"], 1)))
    out: dict[str, list[float]] = {name: [] for name in calls if name != "plain"}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(out.values()))) < 5:
        shuffled = order.sample(list(calls), len(calls))
        spent = {name: turn(calls[name], count) for name in shuffled}
        for name, found in out.items():
            found.append(spent[name] / spent["plain"])
    return out


def cell(values: list[float]) -> str:
    """Median and quartiles."""
    low, _, high = quantiles(values, n=4)
    return f"{median(values):.2f} ({low:.2f}–{high:.2f})"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--most-gmac", type=float, default=4.0, help="leave dearer rows out")
    parser.add_argument("--above-gmac", type=float, default=0.0, help="leave cheaper rows out")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each number")
    parser.add_argument("--peers", nargs="*", default=[], choices=["e2cnn", "escnn"])
    parser.add_argument("--only", help="rows whose text has this, such as 'group 64 k3 28² b1 '")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    order = random.Random(0)
    rows, left_out = grid(arguments.most_gmac)
    names = ["equivlab", *arguments.peers]
    print(f"torch {torch.__version__}, {platform.machine()}, one thread, CPU time;")
    print(f"GLIBC_TUNABLES={os.environ.get('GLIBC_TUNABLES', '')}; median (quartiles) of ratios")
    print("| layer | " + " | ".join(f"{use}: {name}" for use in USES for name in names) + " |")
    print("|---" * (1 + len(USES) * len(names)) + "|")
    for row in rows:
        if row.gmac <= arguments.above_gmac:
            continue
        label = f"{row.kind} {row.width} k{row.kernel} {row.size}² b{row.batch} {row.memory}"
        if arguments.only and arguments.only not in label:
            continue
        cells = []
        for use in USES:
            with torch.set_grad_enabled(use != "unchanged"):
                calls = contenders(row, arguments.peers, use)
                found = ratios(calls, arguments.seconds, order)
            cells += [cell(found[name]) for name in names]
        print(f"| {label} | " + " | ".join(cells) + " |", flush=True)
    print(f"\n{left_out} rows of more than {arguments.most_gmac} GMAC left out.")


if __name__ == "__main__":
    main()
