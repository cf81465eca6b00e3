"""What tests of sets on the disk share: folders compared, and work that is killed in between."""

from __future__ import annotations

import filecmp
import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path


def same_folders(one: Path, two: Path) -> bool:
    """Whether both have the same files, byte for byte."""
    names = sorted(path.name for path in one.iterdir())
    if names != sorted(path.name for path in two.iterdir()):
        return False
    return filecmp.cmpfiles(one, two, names, shallow=False)[0] == names


def in_child(work: Callable[[], object]) -> int:
    """Run `work` in a forked process; its exit code, minus the signal if killed."""
    child = get_context("fork").Process(target=work)
    child.start()
    child.join()
    assert child.exitcode is not None
    return child.exitcode


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Run `work` in a forked process, killed before it moves or removes its file number `step`.

    Returns:
        Whether it was; False if it ended with success, having fewer steps.
    """

    def counted() -> None:
        count = 0

        def counting(change: Callable[..., None]) -> Callable[..., None]:
            def wrapped(*arguments: object) -> None:
                nonlocal count
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                count += 1
                change(*arguments)

            return wrapped

        os.replace, os.unlink = counting(os.replace), counting(os.unlink)  # type: ignore[assignment]
        work()

    return in_child(counted) != 0
