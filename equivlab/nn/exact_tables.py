"""Tables of a layer that are made in float64 and rounded once, however the layer is converted."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from equivlab.tables import apart, taken_up

__all__ = ["ExactTables"]


class ExactTables(nn.Module):
    """A module whose tables are made again after every `.to()`; a mix-in.

    A table that went from float32 to float64 by `Module.double` would keep the rounding of
    float32, and `Module.to_empty` would leave it without content. So after every conversion the
    tables are computed anew from float64, on the CPU and outside all of torch's modes, and only
    then cast and moved. They are buffers that no `state_dict` holds.
    """

    in_half: ClassVar[bool] = True  # may the tables be in half precision?

    def tables(self) -> dict[str, Tensor]:
        """Every table by its name, as exact as it can be made: float64 or integers."""
        raise NotImplementedError

    def make_tables(self, home: Tensor) -> None:
        """Compute the tables and keep them as buffers, as `home` in dtype and device."""
        for name, table in apart(self.tables).items():
            dtype = home.dtype if table.is_floating_point() else table.dtype
            if dtype in (torch.float16, torch.bfloat16) and not self.in_half:
                dtype = torch.float32
            with torch.inference_mode(False):
                kept = taken_up(table).to(home.device, dtype)
            self.register_buffer(name, kept, persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        kept = chain(self.parameters(), self.buffers())
        self.make_tables(next(numbers for numbers in kept if numbers.is_floating_point()))
        return self
