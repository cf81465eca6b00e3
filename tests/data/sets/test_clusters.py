"""A set made by a cluster: the bytes of one process, also where a worker is killed at work."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equivlab.data.sets import Source, verify_shards, write_part, write_shards
from equivlab.training.commands import main
from tests.data.sets.folders import same_folders


def slow(numbers: Sequence[int], trap: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Image ``n`` is full of ``n``; a process that finds the trap is caught in it."""
    if trap and 13 in numbers and Path(trap).exists():
        Path(trap).rename(f"{trap}-{os.getpid()}")
        time.sleep(600)  # until it is killed
    ramp = np.array(numbers, np.float32)
    return np.broadcast_to(ramp[:, None, None, None], (len(ramp), 1, 4, 4)), np.array(numbers) % 3


def write(folder: Path, make: Any = slow, workers: Any = 1) -> None:
    write_shards(folder, make, 40, {}, shard_size=3, workers=workers, progress=False)


def test_any_executor_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "one")
    with ThreadPoolExecutor(3) as pool:
        write(Path("pool"), workers=pool)
        for n in (2, 1):
            write_part("parts", Source(slow, {}), 40, (n, 2), shard_size=3, workers=pool)
    assert same_folders(tmp_path / "one", tmp_path / "pool")
    assert same_folders(tmp_path / "one", tmp_path / "parts")


def test_what_fails_in_a_pool_is_said(tmp_path: Path) -> None:
    def fails(numbers: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        if 20 in numbers:
            raise RuntimeError("no image 20")
        return slow(numbers)

    with ThreadPoolExecutor(2) as pool, pytest.raises(RuntimeError, match="no image 20"):
        write(tmp_path / "set", fails, pool)
    write(tmp_path / "set")
    write(tmp_path / "one")
    assert same_folders(tmp_path / "one", tmp_path / "set")


def test_dask_with_a_worker_killed(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="dask is not installed")
    write(tmp_path / "one")
    trap = tmp_path / "trap"
    trap.touch()
    local = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**local) as cluster, distributed.Client(cluster) as client:
        with ThreadPoolExecutor(1) as beside:
            job = beside.submit(
                write, tmp_path / "set", partial(slow, trap=str(trap)), client.get_executor()
            )
            while not (caught := list(tmp_path.glob("trap-*"))) and not job.done():
                time.sleep(0.05)
            os.kill(int(caught[0].name.removeprefix("trap-")), 9)
            job.result()
        verify_shards(tmp_path / "set")
        assert same_folders(tmp_path / "one", tmp_path / "set")
        family = ["--family", "tracks", "--pixels", "16", "--count", "9", "--shard-size", "2"]
        main(["simulate", str(tmp_path / "tracks"), *family, "--dask", cluster.scheduler_address])
        main(["simulate", str(tmp_path / "alone"), *family])
        assert same_folders(tmp_path / "alone", tmp_path / "tracks")


def test_no_scheduler_or_no_dask(tmp_path: Path) -> None:
    words = "no dask scheduler at nowhere:1|pip install distributed"
    with pytest.raises(SystemExit, match=words):
        main(["simulate", str(tmp_path), "--family", "tracks", "--dask", "nowhere:1"])
