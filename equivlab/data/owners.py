"""Which process a file belongs to, and whether that process is still there."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Owner"]


@dataclass(frozen=True)
class Owner:
    """A process: its machine, its number, and when it began, as numbers are given again.

    Attributes:
        host: name of the machine.
        pid: number of the process.
        began: a moment that differs for another process of that number; empty where the system
            does not tell.
    """

    host: str
    pid: int
    began: str

    @classmethod
    def this(cls) -> Owner:
        """The process that asks."""
        return cls(socket.gethostname(), os.getpid(), _began(os.getpid()) or "")

    def is_gone(self) -> bool | None:
        """Whether the process has ended; None where that cannot be told from here."""
        if self.host != socket.gethostname():
            return None
        if Path("/proc/self/stat").exists():
            began = _began(self.pid)
            return began is None or (bool(self.began) and began != self.began)
        if os.name == "nt":  # os.kill would end it there
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


def _began(pid: int) -> str | None:
    """When a process began, on systems that have ``/proc``; None if it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return None
    # Counted from the end of the name: the state, and the time since the machine was started.
    return None if fields[0] in "ZX" else fields[19]
