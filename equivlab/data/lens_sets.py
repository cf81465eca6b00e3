"""Simulate lenses into shards on disk."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equivlab.data.lensing import CLASSES, LensRecipe, Stamps, simulate
from equivlab.data.shard_writer import write_shards
from equivlab.data.shards import ShardedImages

__all__ = ["simulate_to_shards"]


def simulate_to_shards(
    folder: str | os.PathLike[str],
    recipe: LensRecipe,
    count: int,
    *,
    seed: int = 0,
    stamps: Stamps | None = None,
    shard_size: int = 1024,
    workers: int = 1,
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
        workers: processes.
        progress: show a bar.

    Returns:
        The finished set; see `write_shards` for what it raises.
    """
    from equivlab import __version__  # late: equivlab imports us

    pixels = None if stamps is None else np.ascontiguousarray(stamps).tobytes()
    about = {
        "recipe": asdict(recipe),
        "seed": seed,
        "classes": list(CLASSES),
        "stamps": pixels and hashlib.sha256(pixels).hexdigest(),
        "versions": {"equivlab": __version__, "numpy": np.__version__},
        "machine": platform.machine(),
    }
    make = partial(_simulate, recipe=recipe, seed=seed, stamps=stamps)
    return write_shards(
        folder, make, count, about, shard_size=shard_size, workers=workers, progress=progress
    )


def _simulate(
    numbers: Sequence[int], recipe: LensRecipe, seed: int, stamps: Stamps | None
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    return simulate(recipe, numbers, seed, stamps)
