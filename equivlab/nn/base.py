"""What all layers share: the fields they map between, and the checks of inputs and arguments."""

from __future__ import annotations

from numbers import Integral
from typing import TypedDict

import torch
from torch import Tensor, nn

from equivlab.fields import Field

__all__ = ["FieldModule", "Home", "check_home", "integer"]


class FieldModule(nn.Module):
    """A module that knows which field it takes (`in_field`) and which it gives (`out_field`).

    Every subclass obeys ``layer(in_field.act(g, x)) == out_field.act(g, layer(x))`` for all
    elements ``g`` of the group, as exactly as its docstring says.
    """

    in_field: Field[int] | Field[Tensor]
    out_field: Field[int] | Field[Tensor]

    def __init__(
        self, in_field: Field[int] | Field[Tensor], out_field: Field[int] | Field[Tensor]
    ) -> None:
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


class Home(TypedDict):
    """Where the numbers of a layer live and of which type they are, to hand on to its parts."""

    device: torch.device | str | None
    dtype: torch.dtype | None


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


def integer(value: int, name: str, label: str, least: int = 1) -> int:
    """`value` as an `int`: what counts or measures, also one of NumPy's integers.

    Args:
        value: what was given.
        name: of the argument, for the message.
        label: of the layer, for the message.
        least: the smallest number allowed.

    Raises:
        TypeError: no whole number; a boolean is none either.
        ValueError: less than `least`.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{label}: {name} must be a whole number; got {value!r}.")
    if value < least:
        raise ValueError(f"{label}: {name} must be {least} or more; got {value}.")
    return int(value)
