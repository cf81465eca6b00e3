"""One writer a folder: the second is refused, what a kill leaves is taken over."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from equivlab.data.owners import Owner
from equivlab.data.sets import lock as lock_module
from equivlab.data.sets.lock import InUseError, locked
from tests.forking import needs_fork


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[BaseProcess]:
    """Another process that holds the lock."""
    fork = get_context("fork")
    held = fork.Event()

    def hold() -> None:
        with locked(tmp_path):
            held.set()
            time.sleep(60)

    process = fork.Process(target=hold)
    process.start()
    assert held.wait(60)
    yield process
    process.kill()
    process.join()


@needs_fork
def test_the_second_is_refused_by_name(tmp_path: Path, holder: BaseProcess) -> None:
    host = Owner.this().host
    with (
        pytest.raises(InUseError, match=rf"{holder.pid} on {host}, since .*delete .*writing"),
        locked(tmp_path),
    ):
        pass
    holder.kill()
    holder.join()
    with locked(tmp_path) as folder:
        assert folder == tmp_path
        said = json.loads((tmp_path / ".writing").read_text())
        assert said["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_one_file_of_a_folder(tmp_path: Path) -> None:
    said = (
        rf"a\[1\]\.ckpt is being written by process {os.getpid()} on .* delete .*\.a\[1\]\.ckpt\.wr"
    )
    with locked(tmp_path, "a[1].ckpt"), locked(tmp_path, "b.ckpt"), locked(tmp_path):
        with pytest.raises(InUseError, match=said), locked(tmp_path, "a[1].ckpt"):
            pass
        (tmp_path / ".a[1].ckpt.writing-0.part").touch()  # as a kill leaves it
    with locked(tmp_path, "a[1].ckpt"):
        assert [path.name for path in tmp_path.iterdir()] == [".a[1].ckpt.writing"]
    assert list(tmp_path.iterdir()) == []


def test_an_error_gives_it_back(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), locked(tmp_path):
            raise ZeroDivisionError


@needs_fork
def test_what_the_holder_forks_gives_nothing_back(tmp_path: Path) -> None:
    with locked(tmp_path):
        fork = get_context("fork").Process(target=time.sleep, args=(0,))
        fork.start()
        fork.join()
        with pytest.raises(InUseError), locked(tmp_path):
            pass


@needs_fork
def test_a_stopped_writer_keeps_its_lock(tmp_path: Path, holder: BaseProcess) -> None:
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGSTOP)
    with pytest.raises(InUseError, match=str(holder.pid)), locked(tmp_path):
        pass


def test_a_number_that_was_given_again_is_another_process(tmp_path: Path) -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("this system does not tell when a process began")
    this = Owner.this()
    assert this.is_gone() is False
    assert Owner(this.host, this.pid, "1").is_gone() is True
    assert Owner("elsewhere", this.pid, this.began).is_gone() is None


class Clock:
    """Stands for `time` in the lock: while somebody sleeps, another machine may beat."""

    strftime = staticmethod(time.strftime)

    def __init__(self, lock: Path) -> None:
        self.lock, self.now, self.beats = lock, 0.0, True

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.beats and self.now > lock_module.BEAT:
            os.utime(self.lock, (self.now, self.now))


@pytest.mark.parametrize("left", ["", "{", '{"host": "elsewhere", "pid": 1, "began": ""}'])
def test_from_another_machine_a_sign_of_life_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    lock = tmp_path / ".writing"
    lock.write_text(left)
    clock = Clock(lock)
    monkeypatch.setattr(lock_module, "time", clock)
    with pytest.raises(InUseError), locked(tmp_path):
        pass
    waited = clock.now
    assert lock_module.BEAT < waited < lock_module.PATIENCE
    clock.beats = False
    with locked(tmp_path):
        assert lock.read_text() != left
    assert clock.now - waited >= lock_module.PATIENCE
    assert not lock.exists()


def test_a_holder_gives_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "BEAT", 0.02)
    with locked(tmp_path):
        before = (tmp_path / ".writing").stat().st_mtime_ns
        end = time.monotonic() + 10
        while (tmp_path / ".writing").stat().st_mtime_ns == before:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_of_many_that_find_a_stale_lock_one_gets_it(tmp_path: Path) -> None:
    gone = {"host": Owner.this().host, "pid": 2**22 + 1, "began": "0", "since": "", "token": ""}
    for round_ in range(20):
        folder = tmp_path / str(round_)
        folder.mkdir()
        (folder / ".writing").write_text(json.dumps(gone))
        start, inside, most = threading.Barrier(8), [0], [0]
        got: list[bool] = []

        def enter(folder: Path = folder, start=start, inside=inside, most=most, got=got) -> None:  # type: ignore[no-untyped-def]
            start.wait()
            try:
                with locked(folder):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    time.sleep(0.01)
                    inside[0] -= 1
                    got.append(True)
            except InUseError:
                got.append(False)

        threads = [threading.Thread(target=enter) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert any(got)
        assert most == [1]
        assert list(folder.iterdir()) == []
