"""The budget of the notebooks: what is measured, and what fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tools.notebook_budget import CORES, TIME_BUDGET, NotebookBudget, Usage

ROOT = Path(__file__).resolve().parents[2]


def run_notebook(folder: Path, source: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Run a notebook of one cell as `make notebooks` does."""
    nbformat.write(new_notebook(cells=[new_code_cell(source)]), folder / "page.ipynb")
    command = [sys.executable, "-m", "pytest", "-p", "tools.notebook_budget", "--nbval"]
    command += ["--nbval-current-env", "-p", "no:cacheprovider", "--rootdir", str(folder), *more]
    alone = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    return subprocess.run(
        [*command, str(folder)],
        cwd=folder,
        env={**alone, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def reported_megabytes(output: str) -> float:
    return float(re.findall(r"page\.ipynb .+? s of processor +(\d+) MB", output)[0])


# 300 MB that are given back before the cell ends: the peak counts, not what is left.
OWN = "block = b'x' * 300_000_000\ndel block"
CHILD = "import time; block = b'x' * 300_000_000; time.sleep(1)"


def test_the_peak_of_the_kernel_and_of_its_children_is_told(tmp_path: Path) -> None:
    start_child = (
        f"import subprocess, sys\ndone = subprocess.run([sys.executable, '-c', {CHILD!r}])"
    )
    done = run_notebook(tmp_path, f"{OWN}\n{start_child}")
    assert done.returncode == 0, done.stdout
    assert 600 < reported_megabytes(done.stdout) < 900


@pytest.mark.parametrize("workers", [(), ("-n", "1", "--dist", "loadfile")], ids=["here", "apart"])
def test_a_notebook_over_the_memory_budget_fails(tmp_path: Path, workers: tuple[str, ...]) -> None:
    done = run_notebook(tmp_path, "block = b'x' * 1_050_000_000\ndel block", *workers)
    assert done.returncode == 1, done.stdout
    assert "OVER THE MEMORY BUDGET" in done.stdout
    assert "1 passed" in done.stdout


def test_the_processor_is_counted_beside_the_clock(tmp_path: Path) -> None:
    work = "import time\nend = time.process_time() + 2\nwhile time.process_time() < end: pass"
    done = run_notebook(tmp_path, f"{work}\ntime.sleep(4)")
    found = re.search(r"page\.ipynb +([\d.]+) s, +([\d.]+) s of processor", done.stdout)
    assert found, done.stdout
    seconds, computed = map(float, found.groups())
    assert 2 <= computed <= seconds - 2


@pytest.mark.parametrize(("computed", "fails"), [(-1, False), (1, True)])
def test_a_notebook_that_computes_too_long_fails(computed: int, fails: bool) -> None:
    used = Usage(seconds=10 * TIME_BUDGET, computed=CORES * TIME_BUDGET + computed)
    watcher = NotebookBudget()
    watcher.usage = {"page.ipynb": used}
    session = SimpleNamespace(exitstatus=0, config=SimpleNamespace())
    watcher.pytest_sessionstart()
    watcher.pytest_sessionfinish(session)
    assert session.exitstatus == int(fails)
    word = "OVER THE TIME BUDGET" if fails else "over the time budget, by the clock"
    assert used.line("page.ipynb").endswith(word)
