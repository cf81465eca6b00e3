"""Small modules of a twin that are no layers: what stands for numbers and cuts of a plain network.

Each has a counterpart on maps ``(B, C·G, H, W)`` in `TWIN_CONVERTERS`, for `to_plain`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from equivlab.fields import RegularMaps, ScalarMaps
from equivlab.groups import PointGroup
from equivlab.nn import FieldModule
from equivlab.transfer.plain_planar import unflatten
from equivlab.transfer.tracing import as_graph

__all__ = [
    "TWIN_CONVERTERS",
    "FieldReduce",
    "FieldRepeat",
    "FieldSplit",
    "FieldValues",
    "TrivialLift",
]

REDUCTIONS: dict[str, Callable[..., Tensor]] = {
    "mean": torch.mean,
    "sum": torch.sum,
    "amax": torch.amax,
    "amin": torch.amin,
}


class FieldValues(nn.Module):
    """A learned number for each field, the same for its orientations: layer scale, for instance.

    Added to regular maps or multiplied with them it obeys the law. It takes no input.

    Shape:
        to ``(1, C, 1, 1, 1)``.
    """

    def __init__(self, group: PointGroup, values: Tensor, learned: bool = True) -> None:
        super().__init__()
        self.group = group
        self.value: Tensor
        if learned:
            self.value = nn.Parameter(values)
        else:
            self.register_buffer("value", values)

    def forward(self) -> Tensor:
        """The numbers, to be broadcast."""
        return self.value.view(1, -1, 1, 1, 1)


class FieldSplit(FieldModule):
    """Cut the fields of regular maps into blocks: ``(B, C, G, H, W)`` to a tuple of such."""

    def __init__(self, group: PointGroup, blocks: tuple[int, ...]) -> None:
        field = RegularMaps(group, sum(blocks))
        super().__init__(field, field)
        self.blocks = tuple(blocks)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """The blocks, in their order."""
        return torch.split(self.check(x), list(self.blocks), 1)


class FieldReduce(FieldModule):
    """Reduce the fields at each pixel and orientation to one: ``(B, C, G, H, W)`` to one field.

    ``out[h, x] = mean_c f[c, h, x]`` (or the sum, or an extremum), which obeys the law.
    """

    def __init__(self, group: PointGroup, channels: int, how: str) -> None:
        super().__init__(RegularMaps(group, channels), RegularMaps(group, 1))
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        """One field, ``(B, 1, G, H, W)``."""
        return REDUCTIONS[self.how](self.check(x), 1, keepdim=True)


class FieldRepeat(FieldModule):
    """One field many times: ``(B, 1, G, H, W)`` to ``(B, C, G, H, W)``."""

    def __init__(self, group: PointGroup, channels: int) -> None:
        super().__init__(RegularMaps(group, 1), RegularMaps(group, channels))

    def forward(self, x: Tensor) -> Tensor:
        """The same field in each place."""
        return self.check(x).repeat(1, self.out_field.channels, 1, 1, 1)


class TrivialLift(FieldModule):
    """An image as regular maps, all orientations alike: ``(B, C, H, W)`` to ``(B, C, G, H, W)``."""

    def __init__(self, group: PointGroup, channels: int) -> None:
        super().__init__(ScalarMaps(group, channels), RegularMaps(group, channels))
        self.order = group.order

    def forward(self, x: Tensor) -> Tensor:
        """The same maps for each orientation."""
        return self.check(x).unsqueeze(2).repeat(1, 1, self.order, 1, 1)


class _Values(nn.Module):
    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.value = values

    def forward(self) -> Tensor:
        return self.value


def _plain_values(part: FieldValues) -> nn.Module:
    spread = part.value.detach().repeat_interleave(part.group.order).view(1, -1, 1, 1)
    learned = isinstance(part.value, nn.Parameter)
    return as_graph(_Values(nn.Parameter(spread) if learned else spread))


class _Split(nn.Module):
    def __init__(self, blocks: list[int]) -> None:
        super().__init__()
        self.blocks = blocks

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return torch.split(x, self.blocks, 1)


class _Reduce(nn.Module):
    def __init__(self, part: FieldReduce) -> None:
        super().__init__()
        self.how, self.unflatten = REDUCTIONS[part.how], unflatten(part)

    def forward(self, x: Tensor) -> Tensor:
        return self.how(self.unflatten(x), 1)


class _Repeat(nn.Module):
    def __init__(self, times: int, each: bool) -> None:
        super().__init__()
        self.times, self.each = times, each

    def forward(self, x: Tensor) -> Tensor:
        if self.each:
            return torch.repeat_interleave(x, self.times, 1)
        return x.repeat(1, self.times, 1, 1)


TWIN_CONVERTERS: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    FieldValues: _plain_values,
    FieldSplit: lambda part: as_graph(_Split([n * part.in_field.group.order for n in part.blocks])),
    FieldReduce: lambda part: as_graph(_Reduce(part)),
    FieldRepeat: lambda part: as_graph(_Repeat(part.out_field.channels, each=False)),
    TrivialLift: lambda part: as_graph(_Repeat(part.in_field.group.order, each=True)),
}
