"""A set that grows, and one that is written in parts: the bytes of one call, whatever happens."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Sequence
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from equivlab.data.physics import physics_images, physics_source, physics_to_shards
from equivlab.data.sets import (
    InUseError,
    ShardedImages,
    Source,
    locked,
    verify_shards,
    write_part,
    write_shards,
)
from tests.data.sets.folders import killed_at, same_folders
from tests.forking import needs_fork

Pair = tuple[np.ndarray, np.ndarray]


def make(numbers: Sequence[int]) -> Pair:
    """Image ``n`` is full of ``n``."""
    ramp = np.array(numbers, np.float32)
    return np.broadcast_to(ramp[:, None, None, None], (len(ramp), 1, 4, 4)), np.array(numbers) % 3


SOURCE = Source(make, {"seed": 0})


def whole(folder: Path, count: int, shard_size: int = 3) -> ShardedImages:
    return write_shards(folder, make, count, {"seed": 0}, shard_size=shard_size, progress=False)


def part(folder: Path, number: int, parts: int, count: int = 20) -> int:
    return write_part(folder, SOURCE, count, (number, parts), shard_size=3, progress=False)


@pytest.mark.parametrize("shard_size", [50, 60, 100, 1024])
def test_a_set_grows(tmp_path: Path, shard_size: int) -> None:
    made: list[int] = []

    def counting(numbers: Sequence[int]) -> Pair:
        made.extend(numbers)
        return make(numbers)

    whole(tmp_path / "grown", 180, shard_size)
    write_shards(
        tmp_path / "grown", counting, 240, {"seed": 0}, shard_size=shard_size, progress=False
    )
    assert sorted(made) == [0, *range(180, 240)]  # image 0 says what all are like
    whole(tmp_path / "at once", 240, shard_size)
    assert same_folders(tmp_path / "grown", tmp_path / "at once")


def test_a_set_does_not_shrink(tmp_path: Path) -> None:
    whole(tmp_path, 8)
    with pytest.raises(ValueError, match=r"same set with 8 images, more than 7. Take the first of"):
        whole(tmp_path, 7)
    with pytest.raises(ValueError, match="count, about differ"):
        write_shards(tmp_path, make, 9, {"seed": 1}, shard_size=3, progress=False)
    assert len(ShardedImages(tmp_path)) == 8


def test_what_is_damaged_does_not_grow_on(tmp_path: Path) -> None:
    whole(tmp_path / "set", 8)
    last = tmp_path / "set" / "images-00002.npy"
    last.write_bytes(last.read_bytes()[:-1] + b"\x07")  # as long as before
    (tmp_path / "set" / "labels-00000.npy").unlink()
    whole(tmp_path / "set", 11)
    whole(tmp_path / "at once", 11)
    assert same_folders(tmp_path / "set", tmp_path / "at once")


@needs_fork
def test_a_kill_at_every_step_of_growing_changes_nothing(tmp_path: Path) -> None:
    whole(tmp_path / "small", 5)
    whole(tmp_path / "large", 7)
    steps, done = 0, False
    while not done:
        folder = tmp_path / str(steps)
        shutil.copytree(tmp_path / "small", folder)

        done = not killed_at(steps, partial(whole, folder, 7))
        whole(folder, 7)
        assert same_folders(tmp_path / "large", folder), steps
        steps += 1
    assert steps > 8  # 2 shards of 3 files, 2 manifests, and the notes


def test_parts_are_the_whole_in_any_order(tmp_path: Path) -> None:
    whole(tmp_path / "whole", 20)
    left = [part(tmp_path / "parts", n, 3) for n in (2, 3, 1)]
    assert left == [5, 3, 0]  # 7 shards
    assert same_folders(tmp_path / "whole", tmp_path / "parts")
    assert verify_shards(tmp_path / "parts") == 14
    assert part(tmp_path / "parts", 2, 3) == 0  # once more: nothing to do
    for n in (1, 2):
        part(tmp_path / "parts", n, 2, count=22)  # and it grows in parts
    whole(tmp_path / "larger", 22)
    assert same_folders(tmp_path / "larger", tmp_path / "parts")


@needs_fork
def test_parts_at_the_same_time_and_one_killed(tmp_path: Path) -> None:
    whole(tmp_path / "whole", 20)
    fork = get_context("fork")
    stands = fork.Event()

    def stops(numbers: Sequence[int]) -> Pair:
        if 9 in numbers:
            stands.set()
            signal.pause()
        return make(numbers)

    folder = tmp_path / "parts"
    doomed = fork.Process(
        target=write_part, args=(folder, Source(stops, {"seed": 0}), 20, (1, 3)),
        kwargs={"shard_size": 3, "progress": False},
    )  # fmt: skip
    doomed.start()
    assert stands.wait(60)
    with pytest.raises(InUseError, match="part-1-of-3-for-20 is being written by process"):
        part(folder, 1, 3)
    with pytest.raises(InUseError, match="part-1-of-3-for-20 is being written by process"):
        whole(folder, 20)
    with pytest.raises(InUseError, match="part-1-of-3-for-20 is being written by process"):
        part(folder, 1, 2)
    others = [fork.Process(target=part, args=(folder, n, 3)) for n in (2, 3)]
    for process in others:
        process.start()
    for process in others:
        process.join()
    with pytest.raises(ValueError, match="unfinished"):
        ShardedImages(folder)
    doomed.kill()
    doomed.join()
    assert part(folder, 1, 3) == 0
    assert same_folders(tmp_path / "whole", folder)


def test_parts_of_folders_that_are_not_shared(tmp_path: Path) -> None:
    for n in (1, 2, 3):
        part(tmp_path / f"disk {n}", n, 4)
        shutil.copytree(tmp_path / f"disk {n}", tmp_path / "merged", dirs_exist_ok=True)
    whole(tmp_path / "merged", 20)  # makes what part 4 did not
    whole(tmp_path / "whole", 20)
    assert same_folders(tmp_path / "whole", tmp_path / "merged")


def test_parts_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"3 are 7 shards, too few for 40 parts. .*shard_size of 1"
    ):
        part(tmp_path, 3, 40)
    with pytest.raises(ValueError, match="from 1 to 3; got 0 of 3"):
        part(tmp_path, 0, 3)
    with locked(tmp_path), pytest.MonkeyPatch.context() as patch:
        patch.setattr("equivlab.data.sets.writer.PATIENCE", 0.0)
        with pytest.raises(InUseError):
            part(tmp_path, 1, 3)


def test_a_family_in_shards(tmp_path: Path) -> None:
    found = physics_to_shards(
        tmp_path / "whole", "tracks", 10, seed=3, size=16, shard_size=4, progress=False
    )
    images, labels = physics_images("tracks", range(10), seed=3, size=16)
    assert np.array_equal(found.batch(range(10))[0].numpy(), images)
    assert found.labels().tolist() == labels.tolist()
    assert found.classes == ("slow", "medium", "fast")
    source = physics_source("tracks", seed=3, size=16)
    for n in (3, 1, 2):
        write_part(tmp_path / "parts", source, 10, (n, 3), shard_size=4, progress=False)
    assert same_folders(tmp_path / "whole", tmp_path / "parts")
    with pytest.raises(KeyError, match="has the families lenses, galaxies"):
        physics_to_shards(tmp_path / "no", "stars", 3)
