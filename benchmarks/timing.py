"""Time contestants fairly: in turns, so that a noisy machine slows all of them."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from statistics import median, quantiles
from typing import Any

import torch
from torch import Tensor

Call = Callable[[], object]
Calls = dict[str, Call]
Clock = Callable[[Call, int], float]


def cpu_seconds(call: Call, count: int) -> float:
    """CPU time of `count` calls, of all threads of this process."""
    start = time.process_time_ns()
    for _ in range(count):
        call()
    return (time.process_time_ns() - start) / 1e9


def wall_seconds(call: Call, count: int) -> float:
    """Time of `count` calls by the clock on the wall, for calls that several threads share.

    Between two calls torch's other threads spin for a while, which the processor counts as work:
    that of the contestant before is found in the turn of the next.
    """
    start = time.perf_counter_ns()
    for _ in range(count):
        call()
    return (time.perf_counter_ns() - start) / 1e9


def gpu_seconds(call: Call, count: int) -> float:
    """Time between CUDA events around `count` calls."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(count):
        call()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1e3


def in_turns(
    calls: Calls,
    *,
    rounds: int = 7,
    seconds: float = 0.0,
    turn: float = 0.0,
    shuffle: bool = True,
    clock: Clock = cpu_seconds,
) -> dict[str, list[float]]:
    """Seconds of one call of each contestant in every round.

    Args:
        calls: the contestants by name.
        rounds: at least so many.
        seconds: more rounds until so much wall time is over.
        turn: seconds of one contestant's turn: short calls are repeated, as often for each as
            fits, and one more goes before to bring back what others drove out of the caches.
        shuffle: a new order in each round, so that nobody always follows the same neighbour.
        clock: `cpu_seconds`, `wall_seconds` or `gpu_seconds`.
    """
    order = random.Random(0)
    for call in list(calls.values()) * 3:  # some compile, plan or allocate in their first calls
        call()
    counts = {name: max(1, math.ceil(turn / clock(call, 1))) for name, call in calls.items()}
    spent: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    done = 0
    while done < rounds or time.perf_counter() < end:
        names = order.sample(list(calls), len(calls)) if shuffle else list(calls)
        for name in names:
            if turn:
                calls[name]()
            spent[name].append(clock(calls[name], counts[name]) / counts[name])
        done += 1
    return spent


def milliseconds(spent: dict[str, list[float]]) -> dict[str, float]:
    """Medians of what `in_turns` found, in milliseconds."""
    return {name: 1e3 * median(found) for name, found in spent.items()}


def ratios(spent: dict[str, list[float]], base: str) -> dict[str, list[float]]:
    """Each one's time over that of `base` in the same round."""
    return {
        name: [one / other for one, other in zip(found, spent[base], strict=True)]
        for name, found in spent.items()
        if name != base
    }


def cell(values: list[float], *, inverse: bool = False) -> str:
    """Median and quartiles, as ``1.02 (1.00–1.05)``."""
    values = [1 / value for value in values] if inverse else values
    low, _, high = quantiles(values, n=4)
    return f"{median(values):.2f} ({low:.2f}–{high:.2f})"


def both_ways(function: Callable[[Any], Any], x: Tensor, leaf: bool = True) -> Call:
    """Forward and backward: to every weight on the way, and with `leaf` to the input."""

    def tensor(y: Any) -> Tensor:
        return y if isinstance(y, Tensor) else y.tensor  # peers wrap theirs

    if leaf:
        x = x.detach().clone().requires_grad_()
    upstream = torch.randn_like(tensor(function(x)).detach())  # in the output's memory format

    def call() -> None:
        if leaf:
            x.grad = None
        tensor(function(x)).backward(upstream)

    return call
