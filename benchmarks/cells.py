"""Training cells of the course with the compiled kernel and without, in turns.

    make bench BENCH=cells ARGS="--rounds 3"

Each turn is a process of its own that runs a notebook from its top to its last training cell, and
gives the CPU time of all threads in those cells. Times are ratios within a round.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
TRAINS = ("fit(", "fit_lightning(")


def training_cells(path: Path) -> dict[int, float]:
    """CPU seconds of each training cell, run here and now."""
    import matplotlib

    matplotlib.use("agg")
    from IPython.core.interactiveshell import InteractiveShell

    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = {
        n: "".join(cell["source"]) for n, cell in enumerate(cells) if cell["cell_type"] == "code"
    }
    wanted = [n for n, text in code.items() if any(f"= {call}" in text for call in TRAINS)]
    shell, spent = InteractiveShell.instance(), {}
    for n, text in code.items():
        if n > wanted[-1]:
            break
        began = time.process_time()
        shell.run_cell(text).raise_error()
        if n in wanted:
            spent[n] = time.process_time() - began
    return spent


def turn(path: Path, kernel: bool, threads: int) -> float:
    """The same in a new process, with the kernel or without; the sum."""
    settings = {"EQUIVLAB_KERNEL": str(int(kernel)), "OMP_NUM_THREADS": str(threads)}
    settings["OMP_WAIT_POLICY"] = "PASSIVE"  # a thread that spins would count
    done = subprocess.run(
        [sys.executable, __file__, "--here", str(path)],
        env={**os.environ, **settings}, cwd=NOTEBOOKS, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return sum(json.loads(done.stdout.splitlines()[-1]).values())


def main() -> None:
    """Print the rows, and write them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--notebooks", nargs="+", default=["02", "06"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--csv", help="a file to which the rows are added")
    parser.add_argument("--here", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        print(json.dumps(training_cells(Path(arguments.here))))
        return
    for start in arguments.notebooks:
        path = next(NOTEBOOKS.glob(f"{start}*.ipynb"))
        spent: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(arguments.rounds):
            for kernel in random.sample([True, False], 2):
                spent[kernel].append(turn(path, kernel, arguments.threads))
        ratios = [a / b for a, b in zip(spent[True], spent[False], strict=True)]
        row = [path.stem, f"{arguments.threads} threads", f"{statistics.median(ratios):.2f}"]
        row.append(" ".join(f"{ratio:.2f}" for ratio in ratios))
        print(" | ".join(row), flush=True)
        if arguments.csv:
            with open(arguments.csv, "a", newline="") as stream:
                csv.writer(stream, lineterminator="\n").writerow(row)


if __name__ == "__main__":
    main()
