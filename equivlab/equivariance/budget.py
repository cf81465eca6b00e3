"""What a relative error consists of: interpolation, the grid, the model.

Three errors are measured, each of an experiment of its own, at the same turn:

- ``E``: of the network as it is, ``|Φ(g·x) − g·Φ(x)| / |Φ(x)|``;
- ``F``: of the same layers with the same weights on a finer grid, `without_steps` or `oversampled`;
- ``R``: of resampling alone, the input turned there and back, without any network.

From them the error is shared out, one after the other:

- *grid* is what goes away on the finer grid: ``max(0, E − F)``;
- *interpolation* is as much of the rest as resampling alone would cost: ``min(rest, R)``;
- *model* is what is left: filters that know no such turn, weights that nothing ties.

So the three are never negative and add up to ``E``. They are shares of one number and not three
independent errors: vectors of an error may cancel, and what two of them explain goes to the first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["EXACT", "PARTS", "ErrorBudget", "error_budget"]

PARTS = ("interpolation", "grid", "model")
EXACT = 1e-5  # an error below is rounding


@dataclass(frozen=True)
class ErrorBudget:
    """Shares of relative errors, tensors of one shape, which add up to the errors.

    Attributes:
        interpolation: no more than what resampling alone costs.
        grid: what the same layers on a finer grid have not; NaN where that is not known, and
            then `model` is both together.
        model: the rest.
    """

    interpolation: Tensor
    grid: Tensor
    model: Tensor

    @property
    def total(self) -> Tensor:
        """The errors that were shared out."""
        return self.interpolation + self.grid.nan_to_num(0.0) + self.model

    def shares(self) -> Tensor:
        """Interpolation, grid and model, in this order, along a new last axis."""
        return torch.stack([self.interpolation, self.grid, self.model], -1)

    def words(self) -> str:
        """A single budget in words.

        >>> one = torch.tensor
        >>> error_budget(one(0.16), one(0.058), one(0.16)).words()
        'interpolation 0.058, grid 0, model 0.1'
        >>> error_budget(one(0.16), one(0.0), None).words()
        'interpolation 0, grid and model 0.16'
        """
        found = zip(PARTS, (self.interpolation, self.grid, self.model), strict=True)
        known = {name: float(value) for name, value in found if not math.isnan(float(value))}
        if "grid" not in known:
            known = {"interpolation": known["interpolation"], "grid and model": known["model"]}
        return ", ".join(f"{name} {_short(value)}" for name, value in known.items())


def _short(value: float) -> str:
    return "0" if value < EXACT else f"{value:.2g}"


def error_budget(error: Tensor, resampling: Tensor, finer: Tensor | None) -> ErrorBudget:
    """Share out errors: to the grid, to interpolation, to the model.

    Args:
        error: ``E``, of the network.
        resampling: ``R``, of turning the input there and back.
        finer: ``F``, of the same layers on a finer grid; `error` itself where the grid does
            nothing, None where it is not known.

    Returns:
        Shares of the shape of `error`; an infinite error is all the model's.

    >>> E, R, F = torch.tensor([0.5, 0.0]), torch.tensor([0.1, 0.2]), torch.tensor([0.3, 0.0])
    >>> [[round(v, 2) for v in row] for row in error_budget(E, R, F).shares().tolist()]
    [[0.1, 0.2, 0.2], [0.0, 0.0, 0.0]]
    """
    if finer is None:
        grid, rest = torch.full_like(error, math.nan), error
    else:
        rest = torch.minimum(error, finer)
        rest = torch.where(error.isfinite(), rest, error)
        grid = torch.where(error > rest, error - rest, 0.0)
    interpolation = torch.where(rest.isfinite(), torch.minimum(rest, resampling.to(rest)), 0.0)
    return ErrorBudget(interpolation, grid, rest - interpolation)
