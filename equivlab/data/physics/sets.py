"""Families of physics images as sets on disk."""

from __future__ import annotations

import operator
import os
import platform
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equivlab.data.physics.families import physics_families, physics_images
from equivlab.data.sets.plans import Source, Workers
from equivlab.data.sets.shards import ShardedImages
from equivlab.data.sets.writer import write_source

__all__ = ["physics_source", "physics_to_shards"]


def physics_source(name: str, *, seed: int = 0, size: int = 64) -> Source:
    """What `write_shards` and `write_part` take of a family; see `physics_images`.

    Raises:
        KeyError, ValueError, TypeError: as `physics_images`.
    """
    from equivlab import __version__  # late: equivlab imports us

    physics_images(name, [], seed=seed, size=size)  # says what is wrong
    seed, size = operator.index(seed), operator.index(size)
    about = {
        "family": name,
        "seed": seed,
        "size": size,
        "pixel": physics_families()[name].pixel,
        "versions": {"equivlab": __version__, "numpy": np.__version__},
        "machine": platform.machine(),
    }
    make = partial(_images, name=name, seed=seed, size=size)
    return Source(make, about, physics_families()[name].classes)


def physics_to_shards(
    folder: str | os.PathLike[str],
    name: str,
    count: int,
    *,
    seed: int = 0,
    size: int = 64,
    shard_size: int = 1024,
    workers: Workers = 1,
    progress: bool = True,
) -> ShardedImages:
    """Write images of a family into shards; image ``n`` is image ``n`` of `physics_images`.

    Args:
        folder: where to.
        name: of `physics_families`.
        count: how many, all classes together.
        seed: of everything random.
        size: rows and columns.
        shard_size: images in a file.
        workers: processes, or an executor; see `write_shards`.
        progress: show a bar.

    Returns:
        The finished set; see `write_shards` for what it raises and how a set grows.
    """
    source = physics_source(name, seed=seed, size=size)
    return write_source(
        folder, source, count, shard_size=shard_size, workers=workers, progress=progress
    )


def _images(
    numbers: Sequence[int], name: str, seed: int, size: int
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """A function of a module, as it travels to other processes."""
    return physics_images(name, numbers, seed=seed, size=size)
