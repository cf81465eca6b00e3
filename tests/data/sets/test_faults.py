"""Shards when things go wrong: a full disk, two writers, torn files, makers that err."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

from equivlab.data.sets.lock import InUseError, locked
from equivlab.data.sets.shards import ShardedImages
from equivlab.data.sets.verify import verify_shards
from equivlab.data.sets.writer import write_shards
from tests.forking import needs_fork

Pair = tuple[np.ndarray, np.ndarray]


def make(numbers: Sequence[int]) -> Pair:
    """Image ``n`` is full of ``n``."""
    ramp = np.array(numbers, np.float32)[:, None, None, None]
    return ramp + np.zeros((1, 1, 8, 8), np.float32), np.array(numbers) % 3


def make_large(numbers: Sequence[int]) -> Pair:
    return np.ones((len(numbers), 1, 128, 128), np.float32), np.array(numbers) % 3


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (lambda x, y: (x[:1], y), ValueError, r"asked for 32 images .* \(32, 1, 8, 8\).*\(1, 1"),
        (lambda x, y: (x, y[:1]), ValueError, r"whole labels \(32,\); it gave \(1,\)"),
        (lambda x, y: (x.astype(np.float64), y), ValueError, "float32 as image 0; it gave .*64"),
        (lambda x, y: (x, y + 0.5), ValueError, "whole labels .* of float64"),
        (lambda x, y: (x + 1j, y), ValueError, r"complex images .*\.real, abs"),
        (lambda x, y: (np.ma.masked_less(x, 1), y), TypeError, r"masked array .*\.filled"),
        (lambda x, y: (torch.from_numpy(x), y), TypeError, "images are Tensor. Use .numpy"),
        (lambda x, y: (x, y + 1), ValueError, "no, cdm, axion have the labels 0 to 2; .* 1 to 3"),
        (lambda x, y: (x, y - 1), ValueError, r"numbers of classes, 0, 1, \.\.\.; got -1"),
    ],
)
def test_makers_that_err(
    tmp_path: Path, spoil: Callable[..., Pair], error: type[Exception], words: str
) -> None:
    def spoilt(numbers: Sequence[int]) -> Pair:
        return spoil(*make(numbers)) if len(numbers) > 1 else make(numbers)

    with pytest.raises(error, match=words):
        write_shards(tmp_path, spoilt, 40, {}, classes=("no", "cdm", "axion"), progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i2", "<u2", "?", "u1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_byte_order_and_layout_comes_back(tmp_path: Path, dtype: str, order: str) -> None:
    def made(numbers: Sequence[int]) -> Pair:
        images, labels = make(numbers)
        columns = np.stack([labels, labels], 1).astype("i8" if order == "F" else ">i4")
        return np.asarray(images, dtype, order=order), columns[:, 1]  # no neighbours in memory

    found = write_shards(tmp_path, made, 10, {}, shard_size=4, progress=False)
    wanted = torch.from_numpy(make(range(10))[0].astype(np.dtype(dtype).newbyteorder("=")))
    assert torch.equal(found.batch(range(10))[0], wanted)
    assert found.labels().tolist() == [n % 3 for n in range(10)]
    assert verify_shards(tmp_path) == 6
    assert np.load(tmp_path / "images-00000.npy").dtype.isnative


def test_names_of_classes_travel_with_the_set(tmp_path: Path) -> None:
    names = ("no", "cdm", "axion")
    found = write_shards(tmp_path / "a", make, 6, {}, classes=names, progress=False)
    assert found.classes == names
    with pytest.raises(ValueError, match="holds another set: classes differ"):
        write_shards(tmp_path / "a", make, 6, {}, classes=names[::-1], progress=False)
    with pytest.raises(ValueError, match="different names of classes"):
        write_shards(tmp_path / "b", make, 6, {}, classes=("a", "a", "b"), progress=False)
    # Older sets have no such line; of lenses the names are among the rest.
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    del manifest["classes"]
    (tmp_path / "a" / "manifest.json").write_text(json.dumps(manifest))
    assert ShardedImages(tmp_path / "a").classes == ()
    assert len(write_shards(tmp_path / "a", make, 6, {}, classes=names, progress=False)) == 6
    manifest["about"] = {"classes": list(names)}
    (tmp_path / "a" / "manifest.json").write_text(json.dumps(manifest))
    assert ShardedImages(tmp_path / "a").classes == names


def test_numbers_of_numpy_and_what_is_no_json(tmp_path: Path) -> None:
    size = np.int64(2)
    assert len(write_shards(tmp_path, make, np.int64(4), {}, shard_size=size, progress=False)) == 4
    with pytest.raises(TypeError, match=r"about is kept as JSON.*take \.item\(\) or \.tolist\(\)"):
        write_shards(tmp_path / "b", make, 4, {"a": np.zeros(3)}, progress=False)


@needs_fork
@pytest.mark.parametrize("mapped_mb", [None, 0])
def test_a_shard_that_is_cut_under_a_reader_is_named(
    tmp_path: Path, mapped_mb: float | None
) -> None:
    """Mapped, to touch what is gone would kill the process."""

    def read() -> None:
        found = write_shards(tmp_path, make_large, 4, {}, progress=False)
        found = ShardedImages(tmp_path, mapped_mb=mapped_mb)
        found.batch([0])
        os.truncate(tmp_path / "images-00000.npy", 70_000)
        with pytest.raises(ValueError, match=r"images-00000\.npy was cut short while it was read"):
            found.batch([3])
        os._exit(7)

    child = get_context("fork").Process(target=read)
    child.start()
    child.join()
    assert child.exitcode == 7


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    tools = {name: shutil.which(name) or pytest.skip(f"no {name}") for name in ("mount", "umount")}
    mount = [tools["mount"], "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a small file system cannot be mounted here: {error}")
    yield folder
    subprocess.run([tools["umount"], "-l", str(folder)], check=True)


@needs_fork
def test_a_full_disk_is_an_error_with_sizes(small_disk: Path) -> None:
    """Not the death of Python by SIGBUS; and with more room the same call goes on."""

    def fill() -> None:
        words = r"no room for shard 2 in .*disk: it takes 2\.6 MB, and .* are free .*make room"
        with pytest.raises(OSError, match=words):
            write_shards(small_disk, make_large, 200, {}, shard_size=40, progress=False)
        names = sorted(path.name for path in small_disk.iterdir())
        kinds = ("images", "labels")
        assert names == sorted(
            ["manifest.json"]
            + [f"{kind}-0000{n}.npy" for kind in kinds for n in (0, 1)]
            + [f"shard-0000{n}.json" for n in (0, 1)]
        )
        os._exit(7)

    child = get_context("fork").Process(target=fill)
    child.start()
    child.join()
    assert child.exitcode == 7
    more = [shutil.which("mount") or "", "-o", "remount,size=30m", str(small_disk)]
    subprocess.run(more, check=True, capture_output=True)
    assert len(write_shards(small_disk, make_large, 200, {}, shard_size=40, progress=False)) == 200


@needs_fork
def test_a_limit_on_the_size_of_files_is_told(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        with pytest.raises(OSError, match=r"no room for shard 0 .*takes 2\.6 MB"):
            write_shards(tmp_path, make_large, 200, {}, shard_size=40, progress=False)
        assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]
        os._exit(7)

    child = get_context("fork").Process(target=fill)
    child.start()
    child.join()
    assert child.exitcode == 7


@needs_fork
def test_two_writers_never_end_in_a_manifest_that_lies(tmp_path: Path) -> None:
    fork = get_context("fork")
    start, told = fork.Barrier(2), fork.SimpleQueue()

    def write(seed: int) -> None:
        def made(numbers: Sequence[int]) -> Pair:
            time.sleep(0.002)
            return np.full((len(numbers), 1, 4, 4), seed, np.float32), np.full(len(numbers), seed)

        start.wait()
        try:
            write_shards(tmp_path, made, 300, {"seed": seed}, shard_size=10, progress=False)
        except (InUseError, ValueError) as error:
            told.put((seed, str(error)))
        else:
            told.put((seed, ""))

    both = [fork.Process(target=write, args=(seed,)) for seed in (1, 2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    ends = dict(told.get() for _ in both)
    (seed,) = (seed for seed, words in ends.items() if not words)
    refused = ends[3 - seed]
    assert "is being written by process" in refused or "holds another set" in refused
    found = ShardedImages(tmp_path)
    assert found.manifest["about"] == {"seed": seed}
    assert found.labels().unique().tolist() == [seed]
    assert found.batch(range(300))[0].unique().tolist() == [seed]
    assert verify_shards(tmp_path) == 60


def test_a_writer_is_refused_while_another_works(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(InUseError, match="being written by process"):
        write_shards(tmp_path, make, 4, {}, progress=False)
    assert list(tmp_path.iterdir()) == []
