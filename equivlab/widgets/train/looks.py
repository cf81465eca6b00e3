"""What one sees of a network at a moment: its first filters, and its maps of one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

import torch
from torch import Tensor, nn

from equivlab.equivariance.recording import OUTPUT, bare, evaluating, read_layer, record
from equivlab.widgets.page.pictures import shrunk

__all__ = ["Look", "Looker"]

FILTERS, CHANNELS, ELEMENTS = 8, 4, 8  # on show at most
LARGEST = 32  # pixels; larger filters and maps are averaged down to fit


@dataclass(frozen=True)
class Look:
    """Signed pictures in uint8, 128 for zero, 255 for the limit.

    Attributes:
        levels: the filters ``(F, k, k)``, then the maps ``(C, G, h, h)``, flat.
        limits: the largest absolute value of the filters, and of the maps.
    """

    levels: Tensor
    limits: tuple[float, float]


class Looker:
    """Looks at one network and one picture, again and again.

    Args:
        model: takes the picture.
        picture: ``(1, C, H, H)``.
        layer: the name of the layer whose maps to show; by default the first with weights that
            gives square maps.

    Attributes:
        layer: that name; None where the network has no maps.
        filters: shape ``(F, k, k)`` of the filters; F is 0 where the first layer has none that
            are pictures.
        maps: shape ``(C, G, h, h)`` of the maps.

    Raises:
        ValueError: no such layer, or one that gives no square maps.
    """

    def __init__(self, model: nn.Module, picture: Tensor, layer: str | None) -> None:
        self.model, self.picture = model, picture.to(next(model.parameters()).device)
        self.layer = layer or first_maps(model, self.picture)
        self.filters: tuple[int, ...] = tuple(self._filters().shape)
        self.maps: tuple[int, ...] = tuple(self._maps().shape)

    def look(self) -> Look:
        """What they are now."""
        filters, maps = self._filters(), self._maps()
        levels = torch.cat([_levels(filters).flatten(), _levels(maps).flatten()])
        return Look(levels, (_limit(filters), _limit(maps)))

    def split(self, levels: Tensor) -> tuple[Tensor, Tensor]:
        """The filters and the maps of a look's `levels`."""
        count = torch.Size(self.filters).numel()
        return levels[:count].view(self.filters), levels[count:].view(self.maps)

    def _filters(self) -> Tensor:
        """Of the first layer with weights, ``(F, k, k)``: each as it stands, not yet turned."""
        sides = self.picture.shape[1:]
        with torch.no_grad():
            found = next(filter(None, (_pictures_of(m, sides) for m in _layers(self.model))), None)
        return shrunk(torch.zeros(0, 1, 1) if found is None else found[0][:FILTERS], LARGEST)

    def _maps(self) -> Tensor:
        if self.layer is None:
            return torch.zeros(0, 1, 1, 1)
        with evaluating(self.model):
            maps = read_layer(self.model, self.layer, self.picture)[1]
        if not _is_maps(maps):
            shape = tuple(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
            raise ValueError(
                f"TrainLive shows square maps (B, C, H, H) or (B, C, G, H, H); layer "
                f"{self.layer!r} gives {shape}. Leave layer out, or name another."
            )
        one = maps[0].detach().float().cpu()
        if one.dim() == 3:
            return shrunk(one[: 2 * CHANNELS, None], LARGEST)
        return shrunk(one[:CHANNELS, :ELEMENTS], LARGEST)


def first_maps(model: nn.Module, picture: Tensor) -> str | None:
    """The first layer with weights that gives square maps of more than a pixel."""
    with evaluating(model):
        calls = record(model, picture)
    for call in calls:
        if (
            call.name != OUTPUT
            and _is_maps(call.output)
            and any(True for _ in call.module.parameters())
        ):
            return call.name
    return None


def _is_maps(maps: object) -> TypeGuard[Tensor]:
    if not isinstance(maps, Tensor) or maps.dim() not in (4, 5):
        return False
    return maps.shape[-1] == maps.shape[-2] > 1


def _layers(model: nn.Module) -> list[nn.Module]:
    return [m for m in bare(model).modules() if any(True for _ in m.parameters(recurse=False))]


def _pictures_of(layer: nn.Module, sides: Sequence[int]) -> tuple[Tensor] | None:
    """The filters of a layer on its first channel, ``(O, k, k)``, if they are pictures."""
    weight = getattr(layer, "weight", None)
    for name in ("filter_bank", "kernel"):  # of all orientations: the first of each
        make = getattr(layer, name, None)
        if callable(make):
            weight = make()[0]
            order = getattr(getattr(layer, "out_field", None), "group", None)
            weight = weight[:: order.order] if name == "filter_bank" and order else weight
    if not isinstance(weight, Tensor) or weight.dim() not in (2, 4):
        return None
    if weight.dim() == 2:  # a linear layer that sees all pixels
        if len(sides) != 3 or weight.shape[1] != torch.Size(sides).numel():
            return None
        weight = weight.view(-1, *sides)
    if weight.shape[-1] != weight.shape[-2] or weight.shape[-1] == 1:
        return None
    return (weight[:, 0].detach().float().cpu(),)


def _limit(values: Tensor) -> float:
    return float(values.abs().amax()) if values.numel() else 0.0


def _levels(values: Tensor) -> Tensor:
    limit = max(_limit(values), 1e-12)
    return (128 + 127 * values / limit).nan_to_num(128).round().clamp(0, 255).to(torch.uint8)
