"""How many of torch's threads an answer is worth, beside a browser that wants the cores too."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

import torch

__all__ = ["Threads"]

TRIES = 3  # of each, after a first call that makes tables
WORTH = 0.75  # of the time of one thread is what all threads must not take more than


class Threads:
    """All of torch's threads for what they make faster, else one.

    Threads of OpenMP spin while they wait for each other. An answer of ten milliseconds is often
    no sooner there with two, and takes from the browser the core with which it would be painted.
    So the first calls of each kind are timed, with one thread and with all in turns.
    """

    def __init__(self) -> None:
        self.spent: dict[Hashable, list[float]] = {}

    def count(self, kind: Hashable) -> int:
        """How many threads the next call of this kind gets."""
        every = torch.get_num_threads()
        spent = self.spent.get((kind, every), [])
        if every == 1 or len(spent) < 1 + 2 * TRIES:
            return 1 if len(spent) % 2 else every
        return every if min(spent[2::2]) < WORTH * min(spent[1::2]) else 1

    @contextmanager
    def lent(self, kind: Hashable) -> Iterator[None]:
        """A block that runs in so many threads; afterwards all is as before."""
        every, count = torch.get_num_threads(), self.count(kind)
        spent = self.spent.setdefault((kind, every), [])
        if count != every:
            torch.set_num_threads(count)
        began = time.perf_counter()
        try:
            yield
            if len(spent) < 1 + 2 * TRIES:
                spent.append(time.perf_counter() - began)
        finally:
            if count != every:
                torch.set_num_threads(every)
