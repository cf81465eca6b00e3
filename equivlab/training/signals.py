"""How a command ends that somebody stops: soon, with the exit code that a shell expects."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["exit_code", "on_stop", "stop_others", "stopped_by_signals"]

MESSAGE = "\nstopped; the same command goes on\n"
STOPS = (signal.SIGTERM, signal.SIGINT)  # of a cluster or a shell, and of Ctrl-C
PATIENCE = 10.0  # seconds for a stopped command to clean up; clusters give about thirty
Handler = Callable[[int, Any], None]


def exit_code(number: int) -> int:
    """What a shell gives for the end by a signal: 143 for SIGTERM, 130 for Ctrl-C."""
    return 128 + number


def on_stop(handler: Handler) -> dict[int, Any]:
    """Let `handler` take the signals that stop a command; those of before, to be put back."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, handler) for number in STOPS}


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """A command that can be stopped at any moment, by SIGTERM or Ctrl-C, and says how to go on.

    Raises:
        SystemExit: 143 or 130, as shells count.
    """

    def stop(number: int, frame: object) -> None:
        stop_others(number, None)
        raise SystemExit(exit_code(number))

    before = on_stop(stop)
    try:
        yield
    except SystemExit as end:
        if end.code in [exit_code(number) for number in STOPS]:
            sys.stderr.write(MESSAGE)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_others(number: int, launcher: Any) -> None:
    """Stop the other processes of a run, and see to it that this one ends soon.

    Args:
        number: of the signal.
        launcher: Lightning's, which knows processes that were not forked; or None.
    """
    for other in STOPS:  # once is enough
        signal.signal(other, signal.SIG_IGN)
    threading.Thread(target=_insist, args=(exit_code(number),), daemon=True).start()
    if launcher is not None:
        launcher.kill(signal.SIGTERM)
    for child in multiprocessing.active_children():
        if not child.daemon:  # those that load images end with this process
            child.terminate()


def _insist(code: int) -> None:
    """End the process where the exception was caught on its way, or cleaning up takes too long.

    What a run writes is whole at every moment, so nothing is lost.
    """
    time.sleep(PATIENCE)
    try:
        sys.stderr.write(MESSAGE)
        sys.stderr.flush()
    finally:  # nobody may be left to read it: a closed terminal, a pipe that broke
        os._exit(code)
