"""What people hand to a widget as shapes, made into grids or into clouds."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from equivlab.data.arrays import native
from equivlab.data.shapes.procedural import LabelledShapes

__all__ = ["as_shapes"]

WANTED = (
    "voxels (N, C, D, D, D), (N, D, D, D) or (D, D, D), or clouds (N, P, 3), (P, 3) or a list of "
    "clouds"
)


def as_shapes(shapes: Any) -> tuple[str, list[Tensor]]:
    """``'voxels'`` and grids ``(1, C, D, D, D)``, or ``'points'`` and clouds ``(P, 3)``.

    Args:
        shapes: a tensor or array; a list of single shapes; or `LabelledShapes`. Integers of 8
            bits that reach beyond 1 are divided by 255.

    Raises:
        TypeError: no numbers.
        ValueError: no shapes, another form, NaN or infinity, or a shape with nothing in it.
    """
    if isinstance(shapes, LabelledShapes):
        shapes = shapes.x
    many = shapes if isinstance(shapes, list | tuple) else [shapes]
    kinds, found = set(), []
    for one in many:
        kind, each = _split(_as_tensor(one))
        kinds.add(kind)
        found += each
    if len(kinds) != 1:
        what = "both voxels and clouds" if kinds else "an empty list"
        raise ValueError(f"RotateShape takes {WANTED}; got {what}.")
    for n, shape in enumerate(found):
        if not bool(torch.isfinite(shape).all()):
            raise ValueError(
                f"RotateShape takes finite numbers; shape {n} has NaN or infinity. Replace them: "
                "torch.nan_to_num(shapes)"
            )
        if not bool(shape.any()):
            raise ValueError(f"Shape {n} is empty: nothing in it could turn. Leave it out.")
    return kinds.pop(), found


def _split(x: Tensor) -> tuple[str, list[Tensor]]:
    """The single shapes of a tensor."""
    if x.dim() in (2, 3) and x.shape[-1] == 3 and x.numel() > 0:
        return "points", list(x if x.dim() == 3 else x[None])
    if x.numel() == 0:
        raise ValueError(f"RotateShape takes one shape or more; got none: {tuple(x.shape)}.")
    grids = x[None] if x.dim() == 3 else x
    grids = grids[:, None] if grids.dim() == 4 else grids
    if grids.dim() != 5 or len(set(grids.shape[2:])) != 1 or x.shape[-1] < 3:
        raise ValueError(
            f"RotateShape takes {WANTED}; got {tuple(x.shape)}. Pad grids to cubes: "
            "torch.nn.functional.pad"
        )
    return "voxels", list(grids.split(1))


def _as_tensor(shape: Any) -> Tensor:
    try:
        array = shape.detach().cpu() if isinstance(shape, Tensor) else native(np.array(shape))
        x = torch.as_tensor(array)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"RotateShape takes {WANTED}; got {type(shape).__name__}.") from error
    if x.dtype == torch.uint8 and x.numel() and int(x.max()) > 1:
        return x.float() / 255
    return x.float()
