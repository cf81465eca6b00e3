"""A pytest plugin: how long every notebook runs, and how much memory its kernel takes.

    python -m pytest -p tools.notebook_budget --nbval notebooks
    python -m pytest -p tools.notebook_budget --nbval -n 2 --dist loadfile notebooks

The second line runs two notebooks at a time; each worker watches its own. A notebook over the
memory budget fails the run: it would be stopped on Binder and on a student's laptop. So does one
whose kernel computes for longer than two idle cores do within the time budget. The time by the
clock is reported only, since it depends on what else the machine does.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

TIME_BUDGET = 180  # seconds
CORES = 2
MEMORY_BUDGET = 1_000_000_000  # bytes
SAMPLING_INTERVAL = 0.05  # seconds


@dataclass
class Usage:
    """What one notebook has used so far."""

    started: float = field(default_factory=time.perf_counter)
    seconds: float = 0.0
    peak: int = 0  # bytes
    computed: float = 0.0  # seconds of processor, of all cores together

    @property
    def over_memory(self) -> bool:
        return self.peak > MEMORY_BUDGET

    @property
    def over_time(self) -> bool:
        return self.computed > CORES * TIME_BUDGET

    @property
    def over(self) -> bool:
        return self.over_memory or self.over_time

    def line(self, notebook: str) -> str:
        over = "  OVER THE MEMORY BUDGET" if self.over_memory else ""
        slow = "  over the time budget, by the clock" if self.seconds > TIME_BUDGET else ""
        over += "  OVER THE TIME BUDGET" if self.over_time else slow
        return (
            f"{notebook:45} {self.seconds:7.1f} s, {self.computed:6.1f} s of processor "
            f"{self.peak / 1e6:7.0f} MB{over}"
        )


class NotebookBudget:
    """Watches this process's children, the kernels, while the notebooks run.

    Args:
        watches: whether the notebooks run below this process, and not below its workers.
    """

    def __init__(self, watches: bool = True) -> None:
        self.watches = watches
        self.usage: dict[str, Usage] = {}
        self.current: Usage | None = None
        self.stop = threading.Event()
        self.sampler = threading.Thread(target=self.sample_until_stopped, daemon=True)

    def sample_until_stopped(self) -> None:
        while not self.stop.wait(SAMPLING_INTERVAL):
            self.sample()

    def sample(self) -> None:
        if self.current is not None:
            memory, computed = use_of_children()
            self.current.peak = max(self.current.peak, memory)
            self.current.computed = max(self.current.computed, computed)

    def pytest_sessionstart(self) -> None:
        self.sampler.start()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        notebook = nodeid.split("::")[0]
        if self.watches and notebook.endswith(".ipynb"):
            self.current = self.usage.setdefault(notebook, Usage())

    def pytest_runtest_logfinish(self) -> None:
        if self.current is not None:
            self.sample()
            self.current.seconds = time.perf_counter() - self.current.started

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.stop.set()
        self.sampler.join()
        if any(usage.over for usage in self.usage.values()):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if (output := getattr(session.config, "workeroutput", None)) is not None:
            output["notebooks"] = {name: asdict(usage) for name, usage in self.usage.items()}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take from a worker of pytest-xdist what it has watched."""
        found = getattr(node, "workeroutput", {}).get("notebooks", {})
        self.usage |= {name: Usage(**values) for name, values in found.items()}

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section(
            f"notebooks: running time (budget {TIME_BUDGET} s) and peak memory "
            f"(budget {MEMORY_BUDGET // 10**6} MB)"
        )
        for notebook, usage in self.usage.items():
            terminalreporter.line(usage.line(notebook), red=usage.over)


def use_of_children() -> tuple[int, float]:
    """Of the processes below this one, added up: peak memory in bytes, seconds of processor."""
    memory, computed = 0, 0.0
    for child in psutil.Process().children(recursive=True):
        try:
            memory += peak_memory(child)
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        computed += times.user + times.system
    return memory, computed


def peak_memory(process: psutil.Process) -> int:
    """The most memory, in bytes, that a process has held; what it holds now, outside Linux."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024
    except (OSError, IndexError):
        return int(process.memory_info().rss)


def pytest_configure(config: pytest.Config) -> None:
    # Where pytest-xdist has workers, this is asked of each of them, and of the process above them.
    above = bool(getattr(config.option, "numprocesses", None)) and not hasattr(
        config, "workerinput"
    )
    config.pluginmanager.register(NotebookBudget(watches=not above), "notebook-budget")
