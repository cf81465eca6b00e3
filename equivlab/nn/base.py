"""What every planar layer shares: the fields it maps between, and the checks that need them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equivlab.fields import Field

__all__ = ["FieldModule", "square"]


class FieldModule(nn.Module):
    """A module that knows which field it takes (`in_field`) and which it gives (`out_field`).

    Every subclass obeys ``layer(in_field.act(g, x)) == out_field.act(g, layer(x))`` for all
    elements ``g`` of the group, wherever the geometry is exact (see `equivlab.nn.planar`).
    """

    in_field: Field
    out_field: Field

    def __init__(self, in_field: Field, out_field: Field) -> None:
        super().__init__()
        self.in_field = in_field
        self.out_field = out_field
        #: A short name for messages, such as ``'GroupPool(P4, 8)'``.
        self.label = f"{type(self).__name__}({in_field.group}, {in_field.channels})"

    def check(self, x: Tensor) -> Tensor:
        """Return `x` if this layer can take it, else raise with the remedy."""
        return self.in_field.validate(x, self.label)

    def extra_repr(self) -> str:
        """The fields, for `print(model)`."""
        return f"{self.in_field} -> {self.out_field}"


def check_home(x: Tensor, weight: Tensor, label: str) -> None:
    """Raise `ValueError` unless `x` lives where `weight` does and has its dtype.

    Under autocast the dtypes may differ: the convolution casts both.
    """
    if x.device != weight.device:
        raise ValueError(
            f"{label} has its weights on {weight.device}; got an input on {x.device}. "
            f"Move one of them: x.to({str(weight.device)!r}), or model.to({str(x.device)!r})"
        )
    if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
        raise ValueError(
            f"{label} has weights of {weight.dtype}; got an input of {x.dtype}. "
            f"Convert one of them: x.to({weight.dtype}), or model.to({x.dtype})"
        )


def square(value: int | tuple[int, int], name: str, label: str) -> int:
    """One number for both axes, from a number or an equal pair.

    Raises:
        ValueError: the pair differs, so that a quarter turn would not map the layer to itself.
    """
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or pair[0] != pair[1]:
        raise ValueError(
            f"{label} turns its filters by 90°, so {name} must be one number or an equal pair; "
            f"got {value!r}. Use {name}={pair[0]}"
        )
    return int(pair[0])
