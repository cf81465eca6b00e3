"""Shards: the same bytes after any kill and with any workers; nothing is read but a batch."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from equivlab.data.lenses.images import lens_recipe, simulate
from equivlab.data.lenses.sets import simulate_to_shards
from equivlab.data.sets.shards import ShardedImages
from equivlab.data.sets.verify import verify_shards
from equivlab.data.sets.writer import write_shards
from tests.data.sets.folders import killed_at, same_folders
from tests.forking import needs_fork

RECIPE = lens_recipe("II", pixels=8)
Pair = tuple[np.ndarray, np.ndarray]


def make(numbers: Sequence[int]) -> Pair:
    """Image ``n`` is full of ``n``."""
    ramp = np.array(numbers, np.float32)
    return np.broadcast_to(ramp[:, None, None, None], (len(ramp), 1, 4, 4)), np.array(numbers) % 3


def make_large(numbers: Sequence[int]) -> Pair:
    return np.ones((len(numbers), 1, 128, 128), np.float32), np.array(numbers) % 3


def test_images_come_back(tmp_path: Path) -> None:
    found = simulate_to_shards(tmp_path / "set", RECIPE, 10, seed=3, shard_size=4, progress=False)
    wanted, labels = simulate(RECIPE, range(10), seed=3)
    assert len(found) == 10
    assert found.shape == (1, 8, 8)
    order = [9, 0, 4, 3, 3]
    images, given = found.batch(order)
    assert np.array_equal(images.numpy(), wanted[order])
    assert given.tolist() == labels[order].tolist()
    assert np.array_equal(found[7][0].numpy(), wanted[7])
    assert found.labels().tolist() == labels.tolist()
    about = found.manifest["about"]
    assert about["seed"] == 3
    assert about["recipe"]["camera"]["pixels"] == 8
    with pytest.raises(IndexError, match="images 0 to 9; got 10"):
        found.batch([10])


def test_a_loader_takes_whole_batches(tmp_path: Path) -> None:
    found = write_shards(tmp_path, make, 10, {}, shard_size=4, progress=False)
    halved = ShardedImages(tmp_path, transform=lambda x: x / 2)
    loader = DataLoader(halved, batch_size=5, collate_fn=halved.collate)
    images, labels = (torch.cat(parts) for parts in zip(*loader, strict=True))
    assert images[:, 0, 0, 0].tolist() == [n / 2 for n in range(10)]
    assert torch.equal(labels, found.labels())


@pytest.mark.parametrize("mapped_mb", [0, 1e-3, None])
def test_mapped_or_read_is_the_same(tmp_path: Path, mapped_mb: float | None) -> None:
    write_shards(tmp_path, make, 30, {}, shard_size=8, progress=False)
    found = ShardedImages(tmp_path, mapped_mb=mapped_mb)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0)).tolist()
    images, labels = found.batch(order)
    assert images[:, 0].eq(torch.tensor(order)[:, None, None]).all()
    assert labels.tolist() == [n % 3 for n in order]
    maps = sum(shard.mapped is not None for shard in found._open.values())
    assert maps == {0: 0, 1e-3: 1, None: 4}[mapped_mb]


def test_only_some_files_stay_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are read, with workers too, and none is left open in the end."""
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no list of open files on this system")
    monkeypatch.setattr("equivlab.data.sets.shards._most_open", lambda: 2)
    write_shards(tmp_path, make, 30, {}, shard_size=8, progress=False)
    found = ShardedImages(tmp_path, mapped_mb=0)

    def open_shards() -> int:
        links = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
        return sum(link.name.startswith("images-") for link in links)

    order = torch.randperm(30, generator=torch.Generator().manual_seed(0)).tolist()
    assert found.batch(order)[0][:, 0, 0, 0].tolist() == order
    assert open_shards() == 2
    loader = DataLoader(found, batch_size=5, collate_fn=found.collate, num_workers=2)
    assert torch.cat([images for images, _ in loader])[:, 0, 0, 0].tolist() == list(range(30))
    assert found.batch([])[0].shape == (0, 1, 4, 4)
    for number in (0, 3):  # one that is open, and one that is opened for each image
        path = tmp_path / f"images-{number:05d}.npy"
        os.truncate(path, path.stat().st_size - 4)
        with pytest.raises(ValueError, match=r"images-0000\d.npy was cut short while it was read"):
            found.batch([min(8 * number + 7, 29)])
    del found, loader
    gc.collect()
    assert open_shards() == 0


def test_more_shards_than_files_that_may_be_open(tmp_path: Path) -> None:
    """A map of a file holds it open as well."""
    resource = pytest.importorskip("resource")
    write_shards(tmp_path, make, 50, {}, shard_size=1, progress=False)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    here = Path("/dev/fd") if Path("/dev/fd").is_dir() else pytest.skip("no list of open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(here.iterdir())) + 40, hard))
    try:
        images, _ = ShardedImages(tmp_path).batch(range(50))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert images[:, 0, 0, 0].tolist() == list(range(50))


@pytest.mark.slow
def test_workers_change_nothing(tmp_path: Path) -> None:
    for workers in (1, 2):
        simulate_to_shards(
            tmp_path / str(workers), RECIPE, 20, shard_size=6, workers=workers, progress=False
        )
    assert same_folders(tmp_path / "1", tmp_path / "2")


@needs_fork
def test_a_kill_at_every_step_changes_nothing(tmp_path: Path) -> None:
    """SIGKILL before and after every file that is moved to its place or removed."""
    whole = tmp_path / "whole"
    write_shards(whole, make, 7, {"seed": 0}, shard_size=3, progress=False)
    steps, done = 0, False
    while not done:
        folder = tmp_path / str(steps)

        again = partial(write_shards, folder, make, 7, {"seed": 0}, shard_size=3, progress=False)
        done = not killed_at(steps, again)
        again()
        assert same_folders(whole, folder), steps
        steps += 1
    assert steps > 12  # 3 shards of 3 files, 2 manifests, and the notes


@needs_fork
def test_kills_within_a_shard_change_nothing(tmp_path: Path) -> None:
    """Each child stands still after some images, wherever that is, and is killed there."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    write_shards(whole, make, 2000, {}, shard_size=100, progress=False)
    random, fork = np.random.default_rng(0), get_context("fork")
    for most in random.integers(1, 380, 5).tolist():
        reached, made = fork.Event(), []

        def until(numbers: Sequence[int], most=most, reached=reached, made=made) -> Pair:  # type: ignore[no-untyped-def]
            if len(made) >= most:
                reached.set()
                signal.pause()
            made.extend(numbers)
            return make(numbers)

        child = fork.Process(
            target=write_shards,
            args=(broken, until, 2000, {}),
            kwargs={"shard_size": 100, "progress": False},
        )
        child.start()
        assert reached.wait(60)
        child.kill()
        child.join()
    write_shards(broken, make, 2000, {}, shard_size=100, progress=False)
    assert same_folders(whole, broken)


def test_an_unfinished_set_is_refused(tmp_path: Path) -> None:
    def failing(numbers: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        if 5 in numbers:
            raise RuntimeError("no more")
        return make(numbers)

    with pytest.raises(RuntimeError, match="no more"):
        write_shards(tmp_path, failing, 7, {}, shard_size=3, progress=False)
    with pytest.raises(ValueError, match="unfinished"):
        ShardedImages(tmp_path)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    write_shards(tmp_path, make, 10, {}, shard_size=4, progress=False)
    assert verify_shards(tmp_path) == 6
    whole = (tmp_path / "images-00001.npy").read_bytes()
    (tmp_path / "images-00001.npy").write_bytes(whole[:-1] + b"\x07")
    ShardedImages(tmp_path)
    with pytest.raises(ValueError, match=r"1 damaged files: images-00001.npy: altered"):
        verify_shards(tmp_path)
    (tmp_path / "images-00001.npy").write_bytes(whole[:-9])
    (tmp_path / "labels-00002.npy").unlink()
    with pytest.raises(ValueError, match=r"images-00001.npy: 375 bytes instead of 384; labels-00"):
        ShardedImages(tmp_path)
    again = write_shards(tmp_path, make, 10, {}, shard_size=4, progress=False)
    assert verify_shards(tmp_path) == 6
    assert again[9][0].unique().tolist() == [9]


def test_another_set_in_the_folder_is_refused(tmp_path: Path) -> None:
    write_shards(tmp_path / "set", make, 4, {"seed": 0}, progress=False)
    with pytest.raises(ValueError, match=r"about differ, .*'seed': 0.* there and .*'seed': 1"):
        write_shards(tmp_path / "set", make, 4, {"seed": 1}, progress=False)
    np.save(tmp_path / "mine.npy", np.zeros(3))
    with pytest.raises(ValueError, match=r"holds other \.npy files"):
        write_shards(tmp_path, make, 4, {}, progress=False)
    with pytest.raises(FileNotFoundError, match=r"no manifest\.json"):
        ShardedImages(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"format": "other"}))
    with pytest.raises(ValueError, match="no manifest of equivlab-shards-1"):
        ShardedImages(tmp_path)
    with pytest.raises(ValueError, match="1 or more; got 0, 5 and 1"):
        write_shards(tmp_path / "new", make, 0, {}, shard_size=5)


READ_UNDER_A_LIMIT = """
import pathlib, resource, sys
import numpy as np
import torch
from equivlab.data.sets.shards import ShardedImages

torch.set_num_threads(1)
order = torch.randperm(2048, generator=torch.Generator().manual_seed(0)).tolist()
status = pathlib.Path("/proc/self/status").read_text()
used = int(status.split("VmSize:")[1].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + 60_000_000, resource.RLIM_INFINITY))
try:
    np.empty(134_000_000, np.uint8)
except MemoryError:
    pass
else:
    sys.exit("the limit does not hold")
found = ShardedImages(sys.argv[1])
total = sum(float(found.batch(order[n : n + 64])[0].mean()) for n in range(0, 2048, 64))
sys.exit(None if total == 32 else f"the images sum up to {total}")
"""


def test_a_set_larger_than_memory_is_read(tmp_path: Path) -> None:
    """Under a limit of address space that the whole set, or all its maps, would break."""
    if not Path("/proc/self/status").exists():
        pytest.skip("limits of address space are Linux's here")
    write_shards(tmp_path, make_large, 2048, {}, shard_size=64, progress=False)  # 134 MB
    # A process of its own: memory that this one has freed would be found below any limit.
    command = [sys.executable, "-c", READ_UNDER_A_LIMIT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
