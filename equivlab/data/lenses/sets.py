"""Simulate lenses into shards on disk."""

from __future__ import annotations

import hashlib
import operator
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equivlab.data.lenses.images import CLASSES, LensRecipe, Stamps, simulate
from equivlab.data.sets.plans import Source, Workers
from equivlab.data.sets.shards import ShardedImages
from equivlab.data.sets.writer import write_source

__all__ = ["lens_source", "simulate_to_shards"]


def lens_source(recipe: LensRecipe, *, seed: int = 0, stamps: Stamps | None = None) -> Source:
    """What `write_part` takes of a recipe; image ``n`` is that of `simulate`.

    Args:
        recipe: what to make; see `lens_recipe`.
        seed: of everything random.
        stamps: real galaxies as sources, ``(N, S, S)``; their checksum goes into the manifest.
    """
    from equivlab import __version__  # late: equivlab imports us

    pixels = None if stamps is None else np.ascontiguousarray(stamps).tobytes()
    about = {
        "recipe": asdict(recipe),
        "seed": operator.index(seed),
        "classes": list(CLASSES),
        "stamps": pixels and hashlib.sha256(pixels).hexdigest(),
        "versions": {"equivlab": __version__, "numpy": np.__version__},
        "machine": platform.machine(),
    }
    make = partial(_simulate, recipe=recipe, seed=seed, stamps=stamps)
    return Source(make, about, tuple(CLASSES))


def simulate_to_shards(
    folder: str | os.PathLike[str],
    recipe: LensRecipe,
    count: int,
    *,
    seed: int = 0,
    stamps: Stamps | None = None,
    shard_size: int = 1024,
    workers: Workers = 1,
    progress: bool = True,
) -> ShardedImages:
    """Simulate lenses into shards; image ``n`` is image ``n`` of `simulate`.

    Args:
        folder: where to.
        recipe: what to make; see `lens_recipe`.
        count: how many, all classes together.
        seed: of everything random.
        stamps: real galaxies as sources, ``(N, S, S)``; their checksum goes into the manifest.
        shard_size: images in a file.
        workers: processes, or an executor; see `write_shards`.
        progress: show a bar.

    Returns:
        The finished set; see `write_shards` for what it raises and how a set grows.
    """
    source = lens_source(recipe, seed=seed, stamps=stamps)
    return write_source(
        folder, source, count, shard_size=shard_size, workers=workers, progress=progress
    )


def _simulate(
    numbers: Sequence[int], recipe: LensRecipe, seed: int, stamps: Stamps | None
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    return simulate(recipe, numbers, seed, stamps)
