"""Write a set of shards: in parallel, with a progress bar, resumable after a kill."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed, wait
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from equivlab.data.sets.lock import InUseError, locked
from equivlab.data.sets.pieces import Job, write_one
from equivlab.data.sets.plans import (
    Make,
    Source,
    Workers,
    drop_drafts,
    finish,
    forget,
    planned,
    spans_of,
    take_up,
    to_do,
)
from equivlab.data.sets.shards import ShardedImages

__all__ = ["write_part", "write_shards", "write_source"]

PATIENCE = 30.0  # seconds to wait for the lock that parts hold for a moment


def write_shards(
    folder: str | os.PathLike[str],
    make: Make,
    count: int,
    about: Mapping[str, Any],
    *,
    classes: Sequence[str] = (),
    shard_size: int = 1024,
    workers: Workers = 1,
    progress: bool = True,
) -> ShardedImages:
    """Make `count` images and write them as shards; go on where an earlier call stopped.

    The bytes do not depend on `workers`, nor on kills in between, as long as `make` gives the
    same image for the same number. A set grows by the same call with a larger `count`: the images
    that are there stay, and it ends in the bytes of a set that was made at once. The folder is
    locked for the whole call.

    Args:
        folder: where to; made if needed.
        make: ``make(numbers) -> images (B, C, H, W), labels (B,)``; with several workers a
            function of a module (or a `functools.partial` of one), as it travels to them.
        count: how many images.
        about: what they are made of, kept in the manifest; a resumed call must have the same.
        classes: the names of the labels 0, 1, ..., kept in the manifest; they travel with the set.
        shard_size: images in a file.
        workers: processes; 1 works in this one. Or an executor as of `concurrent.futures`, of a
            cluster whose machines all see the folder: dask's ``Client(address).get_executor()``,
            ``mpi4py.futures.MPIPoolExecutor()``. What it has lost is made by the same call again.
        progress: show a bar.

    Returns:
        The finished set.

    Raises:
        TypeError: `about` is no JSON, or `make` gives no arrays, or masked ones.
        ValueError: no images, the folder holds a set of something else or a larger one, or `make`
            gives another number, shape or kind of images or labels than it was asked for.
        InUseError: another call writes into the folder.
        OSError: the disk is full or read-only; what is whole stays.
    """
    return write_source(
        folder, Source(make, about, tuple(classes)), count,
        shard_size=shard_size, workers=workers, progress=progress,
    )  # fmt: skip


def write_source(
    folder: str | os.PathLike[str],
    source: Source,
    count: int,
    *,
    shard_size: int = 1024,
    workers: Workers = 1,
    progress: bool = True,
) -> ShardedImages:
    """What `write_shards` does, with all that is made in one `Source`.

    Args:
        folder: where to; made if needed.
        source: such as `lens_source` and `physics_source` give.
        count: how many images.
        shard_size: images in a file.
        workers: processes, or an executor.
        progress: show a bar.

    Returns:
        The finished set; see `write_shards` for what is raised.
    """
    job, plan = planned(Path(folder), source, count, shard_size, workers)
    with locked(job.folder):
        _refuse_parts(job.folder)
        drop_drafts(job.folder)
        if take_up(job.folder, plan):
            forget(job.folder)
        else:
            todo = to_do(job.folder, plan)
            _write(job, plan, todo, range(len(spans_of(plan))), workers, progress)
            finish(job.folder, plan)
    return ShardedImages(folder)


def write_part(
    folder: str | os.PathLike[str],
    source: Source,
    count: int,
    part: tuple[int, int],
    *,
    shard_size: int = 1024,
    workers: Workers = 1,
    progress: bool = True,
) -> int:
    """Write one part of the shards of a set, beside others that write theirs, on any machines.

    Part ``n`` of ``N`` writes the shards ``n − 1, n − 1 + N, ...`` into a folder that all see. The
    part that ends last writes the manifest. Where the folder is not shared, copy the files of all
    parts into one and call `write_shards`, which makes what is missing and finishes the set. Either
    way the bytes are those of one call of `write_shards`.

    Args:
        folder: where to, the same for all parts.
        source: what is written.
        count: images of all parts together.
        part: its number, from 1, and how many there are.
        shard_size: images in a file.
        workers: of this part, as for `write_shards`.
        progress: show a bar.

    Returns:
        The shards that are still to be written by other parts. At 0 the set is finished.

    Raises:
        ValueError: a number out of range, or more parts than shards; and as `write_shards`.
        InUseError: the same part is being written, the whole set is, or another division of it.
    """
    job, plan = planned(Path(folder), source, count, shard_size, workers)
    number, parts = part
    if not 1 <= number <= parts:
        raise ValueError(f"write_part takes a part from 1 to {parts}; got {number} of {parts}.")
    shards = len(spans_of(plan))
    if parts > shards:
        raise ValueError(
            f"{count:,} images in shards of {shard_size:,} are {shards} shards, too few for "
            f"{parts} parts. Take fewer parts, or a shard_size of {max(1, count // parts):,}."
        )
    division = f"-of-{parts}-for-{count}"
    with locked(job.folder, f"part-{number}{division}"):
        with _turn(job.folder):
            _refuse_parts(job.folder, but=division)
            done = take_up(job.folder, plan)
        if done:
            return 0
        mine = range(number - 1, shards, parts)
        todo = sorted(set(to_do(job.folder, plan)) & set(mine))
        drop_drafts(job.folder, mine)
        _write(job, plan, todo, mine, workers, progress)
        with _turn(job.folder):
            if take_up(job.folder, plan):  # by another, just now
                return 0
            left = to_do(job.folder, plan)
            if not left:
                finish(job.folder, plan)
            return len(left)


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """The lock of the folder, which other parts hold for a moment only."""
    end = time.monotonic() + PATIENCE
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locked(folder))
                break
            except InUseError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        yield


def _refuse_parts(folder: Path, but: str = "-") -> None:
    """Raise `InUseError` where parts of the set are being written, unless they are of ours."""
    for lock in folder.glob(".part-*.writing"):
        name = lock.name.removeprefix(".").removesuffix(".writing")
        if not name.endswith(but):
            with locked(folder, name):  # what a killed one left goes
                pass


def _write(
    job: Job,
    plan: dict[str, Any],
    todo: list[int],
    mine: Sequence[int],
    workers: Workers,
    show: bool,
) -> None:
    """The shards `todo` of those that are ours, with a bar of images."""
    spans = spans_of(plan)
    total, missing = (sum(spans[n][1] - spans[n][0] for n in some) for some in (mine, todo))
    with tqdm(total=total, initial=total - missing, unit="image", disable=not show) as bar:
        for made in _run(job, todo, spans, workers):
            bar.update(made)
    drop_drafts(job.folder, mine)  # of workers that a cluster has lost


def _run(
    job: Job, todo: Sequence[int], spans: Sequence[tuple[int, int]], workers: Workers
) -> Iterator[int]:
    """Write the shards `todo`; the number of images in each as it is done."""
    if workers == 1 or (len(todo) < 2 and isinstance(workers, int)):
        for number in todo:
            yield write_one(job, number, spans[number])
        return
    with contextlib.ExitStack() as stack:
        if isinstance(workers, int):
            # A fresh process, not a fork: forking a process with threads can lock up.
            fresh = get_context("spawn")
            own = ProcessPoolExecutor(workers, fresh, _follow_parent, (os.getpid(),))
            pool: Executor = stack.enter_context(own)
        else:
            pool = workers
            job = replace(job, folder=job.folder.resolve())  # they work somewhere else
        futures = [pool.submit(write_one, job, n, spans[n]) for n in todo]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()
            wait(futures)  # what runs on must not write when others may


def _follow_parent(parent: int) -> None:
    """End this worker when the process that started it is gone, killed or not."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
