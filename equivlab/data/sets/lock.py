"""One writer at a time, in an output folder or of one file; the second is refused by name.

The lock is a file ``.writing`` in the folder, made in one step, that says which process writes; for
one file it is called after it. It goes when the writer is done, and a lock whose writer was killed
is taken over: on the same machine when that process is gone, from another machine when the
writer's sign of life stays out.

>>> import tempfile
>>> folder = tempfile.mkdtemp()
>>> with locked(folder):
...     with locked(folder):
...         pass
Traceback (most recent call last):
    ...
equivlab.data.sets.lock.InUseError: ...is being written by process ...
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from equivlab.data.owners import Owner

__all__ = ["InUseError", "locked"]

NAME = ".writing"
BEAT = 3.0  # seconds between two signs of life
PATIENCE = 4 * BEAT  # without one, a writer on another machine counts as gone
TRIES = 20


class InUseError(BlockingIOError):
    """Another process, or another thread, writes the same."""


@contextlib.contextmanager
def locked(folder: str | os.PathLike[str], file: str = "") -> Iterator[Path]:
    """Hold the lock of a folder, or of one file in it, while the block runs.

    Processes that this one forks meanwhile neither hold the lock nor give it back.

    Args:
        folder: made if needed.
        file: only this file of it, by its name; the rest of the folder is free.

    Yields:
        The folder.

    Raises:
        InUseError: another process, or another thread of this one, holds it; the message says
            which, on which machine and since when.
        OSError: the folder cannot be made or written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / (f".{file}{NAME}" if file else NAME)
    what = folder / file
    mine = json.dumps(
        asdict(Owner.this())
        | {"since": time.strftime("%Y-%m-%d %H:%M:%S"), "token": uuid.uuid4().hex}
    )
    _acquire(lock, mine, what)
    for draft in folder.glob(f"{glob.escape(lock.name)}-*.part"):  # what a kill left
        draft.unlink(missing_ok=True)
    done = threading.Event()
    beats = threading.Thread(target=_beat, args=(lock, done), daemon=True)
    beats.start()
    try:
        yield folder
    finally:
        done.set()
        beats.join()
        if _read(lock) == mine:
            lock.unlink(missing_ok=True)


def _beat(lock: Path, done: threading.Event) -> None:
    while not done.wait(BEAT):
        with contextlib.suppress(OSError):
            os.utime(lock)


def _acquire(lock: Path, mine: str, what: Path) -> None:
    for _ in range(TRIES):
        if _create(lock, mine):
            return
        theirs = _read(lock)
        if theirs is None:
            continue  # it was given back just now
        if not _is_stale(lock, theirs):
            raise InUseError(_message(lock, theirs, what))
        if _take_over(lock, theirs, mine):
            return
        time.sleep(0.02)
    raise InUseError(
        f"{what} is being taken over by other processes, again and again. If none runs, "
        f"delete {lock} and {_guard(lock).name} there."
    )


def _create(path: Path, content: str) -> bool:
    """Make a file with its content in one step, unless there is one."""
    draft = path.with_name(f"{path.name}-{uuid.uuid4().hex}.part")
    try:
        draft.write_text(content)
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
        except OSError:  # file systems without hard links
            try:
                with path.open("x") as stream:
                    stream.write(content)
            except FileExistsError:
                return False
        return True
    finally:
        draft.unlink(missing_ok=True)


def _read(lock: Path) -> str | None:
    try:
        return lock.read_text()
    except FileNotFoundError:
        return None


def _is_stale(lock: Path, theirs: str) -> bool:
    """Whether the writer is gone: by its number, or by waiting for its sign of life."""
    try:
        said = json.loads(theirs)
        gone = Owner(str(said["host"]), int(said["pid"]), str(said["began"])).is_gone()
    except (ValueError, KeyError, TypeError):
        gone = None  # being written just now, or damaged
    if gone is not None:
        return gone
    before = _last_sign(lock)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        time.sleep(0.1)
        if _last_sign(lock) != before or _read(lock) != theirs:
            return False
    return True


def _last_sign(lock: Path) -> int | None:
    try:
        with lock.open() as stream:  # network file systems ask the server when a file is opened
            return os.fstat(stream.fileno()).st_mtime_ns
    except FileNotFoundError:
        return None


def _guard(lock: Path) -> Path:
    return lock.with_name(f"{lock.name}-taken-over")


def _take_over(lock: Path, theirs: str, mine: str) -> bool:
    """Put our lock in the place of a stale one; of several that try, one does."""
    guard = _guard(lock)
    if not _create(guard, mine):
        left = _read(guard)
        if left is not None and _is_stale(guard, left):  # killed within these few lines
            guard.unlink(missing_ok=True)
        return False
    draft = lock.with_name(f"{lock.name}-{uuid.uuid4().hex}.part")
    try:
        if _read(lock) != theirs:
            return False
        draft.write_text(mine)
        os.replace(draft, lock)
        return True
    finally:
        draft.unlink(missing_ok=True)
        guard.unlink(missing_ok=True)


def _message(lock: Path, theirs: str, what: Path) -> str:
    try:
        said = json.loads(theirs)
        who = f"process {said['pid']} on {said['host']}, since {said['since']}"
    except (ValueError, KeyError, TypeError):
        who = "another process"
    return (
        f"{what} is being written by {who}. Wait for it, or give another place; if it is gone for "
        f"certain, delete {lock}."
    )
