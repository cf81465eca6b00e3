"""The one formula by which everything random in a run follows from its seed.

An epoch's order, its augmentation and a step's dropout are drawn from the seed and the number of
the epoch or step alone. So a run that was killed and resumed draws what an undisturbed one draws.
"""

from __future__ import annotations

from operator import index

import torch

__all__ = ["generator_of", "seed_of"]


def seed_of(seed: int, number: int) -> int:
    """The seed of epoch or step `number` in a run with this `seed`.

    Args:
        seed: of the run.
        number: of the epoch or step, below a million, so that no two runs share one.

    >>> seed_of(2, 5)
    2000011
    """
    return index(seed) * 1_000_003 + index(number)  # as torch takes it, one of NumPy's too


def generator_of(seed: int, number: int) -> torch.Generator:
    """A new generator, on the CPU, with `seed_of` the two."""
    return torch.Generator().manual_seed(seed_of(seed, number))
