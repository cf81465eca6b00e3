"""How far one thing is from another, relative to its size: the one measure of the law.

>>> import torch
>>> equivariance_error(torch.tensor([3.0, 4.5]), torch.tensor([3.0, 4.0]))
0.1
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from equivlab.equivariance.containers import tensors_of

__all__ = ["equivariance_error", "equivariance_errors"]


def equivariance_error(found: object, wanted: object) -> float:
    """``|found − wanted| / |wanted|``, in double precision, over all numbers together.

    Args:
        found: what came out: a tensor, real or complex, or a tuple, list, mapping or dataclass
            of them.
        wanted: what the law asks for.

    Returns:
        0 where both are the same; infinity where they differ in shape, where one is not finite,
        or where something was found and nothing wanted.
    """
    pairs = list(zip(tensors_of(found), tensors_of(wanted), strict=False))
    if len(tensors_of(found)) != len(tensors_of(wanted)) or not pairs:
        return math.inf
    if any(a.shape != b.shape for a, b in pairs):
        return math.inf
    rows = (torch.cat([_numbers(one).flatten() for one in side]) for side in zip(*pairs))  # noqa: B905
    return float(_ratio(*(row[None] for row in rows)))


def equivariance_errors(found: Tensor, wanted: Tensor) -> Tensor:
    """`equivariance_error` of each entry of axis 0: ``(B, ...)`` and ``(B, ...)`` to ``(B,)``.

    Raises:
        ValueError: the shapes differ.
    """
    if found.shape != wanted.shape:
        raise ValueError(
            f"Errors of samples want two tensors of one shape; got {tuple(found.shape)} and "
            f"{tuple(wanted.shape)}."
        )
    return _ratio(*(_numbers(x if x.dim() > 1 else x[:, None]).flatten(1) for x in (found, wanted)))


def _numbers(x: Tensor) -> Tensor:
    """Double precision, where it is: MPS has none."""
    x = x.detach()
    x = x.cpu() if x.device.type == "mps" else x
    return x.to(torch.complex128) if x.is_complex() else x.double()


def _ratio(found: Tensor, wanted: Tensor) -> Tensor:
    """Of rows ``(B, n)``: how long the difference is, in units of what was wanted, ``(B,)``."""
    off = torch.linalg.vector_norm(found - wanted, dim=1)
    scale = torch.linalg.vector_norm(wanted, dim=1)
    errors = torch.where(off == 0, off, off / scale)  # nothing found, nothing wanted: 0
    return torch.where(errors.isfinite(), errors, math.inf)  # max() of Python skips a NaN
