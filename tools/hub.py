"""How much memory and time kernels take that run notebooks at the same time, to size a hub.

    python -m tools.hub 4 notebooks/00_start_here.ipynb notebooks/01_groups_and_fields.ipynb

Each kernel runs the notebooks one after the other, as a learner would, each from a fresh start. The
memory is the proportional set size: pages that kernels share count once, divided among them.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient

EVERY = 0.5  # seconds between two looks


def kernels() -> Iterator[psutil.Process]:
    """The kernels that this process started."""
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            if "ipykernel_launcher" in " ".join(child.cmdline()):
                yield child


def watch(stop: threading.Event, peaks: dict[int, int], seconds: dict[int, float]) -> list[int]:
    """Look at all kernels until told to stop; the sums of their memory at each look."""
    sums = []
    while not stop.wait(EVERY):
        total = 0
        for kernel in kernels():
            with contextlib.suppress(psutil.Error):
                memory = kernel.memory_full_info().pss
                seconds[kernel.pid] = sum(kernel.cpu_times()[:2])
                peaks[kernel.pid] = max(peaks.get(kernel.pid, 0), memory)
                total += memory
        sums.append(total)
    return sums


def run(paths: list[Path]) -> None:
    for path in paths:
        where = {"metadata": {"path": str(path.parent)}}
        NotebookClient(nbformat.read(path, 4), timeout=3600, resources=where).execute()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("count", type=int, help="of kernels at the same time")
    parser.add_argument("notebooks", type=Path, nargs="+")
    given = parser.parse_args()
    stop, peaks, seconds = threading.Event(), dict[int, int](), dict[int, float]()
    started, load = time.perf_counter(), os.getloadavg()[0]
    with ThreadPoolExecutor(given.count + 1) as pool:
        watcher = pool.submit(watch, stop, peaks, seconds)
        learners = [pool.submit(run, given.notebooks) for _ in range(given.count)]
        for learner in learners:
            learner.result()
        stop.set()
    wall = time.perf_counter() - started
    print(
        f"{given.count} kernels, {len(given.notebooks)} notebooks each, on {os.cpu_count()} cores"
    )
    print(f"load before {load:.1f}; {wall:.0f} s in all")
    print(f"memory: one kernel at most {max(peaks.values()) / 1e6:.0f} MB")
    print(f"        all kernels together at most {max(watcher.result()) / 1e6:.0f} MB")
    print(f"processor: {sum(seconds.values()) / given.count:.0f} s for each learner")


if __name__ == "__main__":
    main()
