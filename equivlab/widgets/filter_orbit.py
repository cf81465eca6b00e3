"""Draw a filter, and watch all its orientations and what each of them finds in an image."""

from __future__ import annotations

from typing import Any

import torch
import traitlets
from torch import Tensor

from equivlab.groups import P4, PointGroup
from equivlab.widgets.images import as_images
from equivlab.widgets.pages import LiveView, as_bytes, colour_table, page_module
from equivlab.widgets.pictures import PICTURE, picture_bytes
from equivlab.widgets.still import still_orbit

__all__ = ["FilterOrbit"]

LARGEST_IMAGE, MOST_FILTERS = 64, 12


class FilterOrbit(LiveView):
    """A filter under the brush, its orbit under a group, and the maps of a lifting convolution.

    Paint on the filter: its copies ``act(g, ψ)`` for all elements ``g`` follow, and below each
    the map that it makes of the image. Act on the image by an element: the maps are moved and
    change places, ``Φ(g·x) = g·Φ(x)``. Two numbers say how far that holds: for all maps
    together, where it does to rounding, and for the map of the drawn filter alone, where it
    does not. The page computes all of it by itself, so it also works in an exported page.

    Keys: ``→`` acts by the next turn, ``←`` back, ``m`` mirrors, ``r`` resets the image; ``w a s
    d`` move the brush, the space bar paints, ``+``, ``0`` and ``-`` choose what it paints.

    Args:
        filters: ``(k, k)``, or several to choose from, ``(N, k, k)``, `k` odd, 3 to 9; for
            example ``layer.weight[:, 0]`` of a `LiftingConv2d`. A line of five pixels by default.
        image: what they look at, ``(H, H)`` or ``(1, H, H)``; larger than 64 is averaged down. A
            letter L by default.
        group: `P4` or `P4M`.

    Raises:
        TypeError, ValueError: filters or an image that cannot be used; the message says what can.

    Source:
        Cohen & Welling, ICML 2016, equation 10 (the lifting convolution) and section 4.
    """

    _esm = page_module("filter_orbit.js")

    weights = traitlets.List(traitlets.Float()).tag(sync=True)
    element = traitlets.Int(0).tag(sync=True)
    _spec = traitlets.Dict().tag(sync=True)
    _image = traitlets.Bytes().tag(sync=True)
    _picture = traitlets.Bytes().tag(sync=True)
    _filter_index = traitlets.Bytes().tag(sync=True)
    _image_index = traitlets.Bytes().tag(sync=True)
    _colours = traitlets.Bytes().tag(sync=True)

    def __init__(
        self, filters: Tensor | None = None, image: Any = None, *, group: PointGroup = P4
    ) -> None:
        chosen = _as_filters(filters)
        x = _as_image(image)
        side, size = chosen.shape[-1], x.shape[-1]
        super().__init__()
        self.group, self.image = group, x
        self.weights = chosen[0].flatten().tolist()
        self._image = as_bytes(x)
        self._picture = picture_bytes(x[None, None])
        self._filter_index = _moves(group, side)
        self._image_index = _moves(group, size)
        self._colours = colour_table()
        self._spec = {
            "side": side,
            "size": size,
            "picture": PICTURE,
            "elements": [group.element_name(g) for g in group.elements],
            "products": group.product_table.tolist(),
            "filters": chosen.flatten(1).tolist(),
        }

    @property
    def filter(self) -> Tensor:
        """The filter as it is drawn now, ``(k, k)``; set it to draw another."""
        side = self._spec["side"]
        return torch.tensor(self.weights).view(side, side)

    @filter.setter
    def filter(self, weight: Tensor) -> None:
        side = self._spec["side"]
        if tuple(weight.shape) != (side, side):
            raise ValueError(
                f"This FilterOrbit draws filters ({side}, {side}); got {tuple(weight.shape)}."
            )
        self.weights = _as_filters(weight)[0].flatten().tolist()

    def __repr__(self) -> str:
        side, size = self._spec["side"], self._spec["size"]
        return f"FilterOrbit({self.group}, filter {side}×{side}, image {size}×{size})"

    def still(self) -> str:
        """A PNG in base64 of what it shows now."""
        return still_orbit(self)


def _moves(group: PointGroup, side: int) -> bytes:
    """Where each pixel comes from: ``act(g, x).flatten()[p] == x.flatten()[moves[g, p]]``."""
    places = torch.arange(side * side).view(1, 1, side, side)
    moved = torch.cat([group.move(g, places) for g in group.elements])
    return as_bytes(moved.to(torch.int32))


def _as_filters(filters: Tensor | None) -> Tensor:
    """Filters ``(N, k, k)`` in float32."""
    if filters is None:
        line = torch.zeros(1, 5, 5)
        line[0, 1, 1:4], line[0, 3, 1:4] = 1.0, -1.0
        return line
    wanted = "filters (k, k) or (N, k, k), k odd and 3 to 9"
    if not isinstance(filters, Tensor):
        raise TypeError(f"FilterOrbit takes {wanted}, as a tensor; got {type(filters).__name__}.")
    w = filters.detach().cpu().float()
    w = w[None] if w.dim() == 2 else w
    if w.dim() != 3 or w.shape[1] != w.shape[2] or w.shape[1] not in (3, 5, 7, 9) or not len(w):
        raise ValueError(
            f"FilterOrbit takes {wanted}; got {tuple(filters.shape)}. Of a layer, choose an "
            "input channel: layer.weight[:, 0]"
        )
    if not bool(torch.isfinite(w).all()):
        raise ValueError("FilterOrbit takes finite filters; got NaN or infinity.")
    return w[:MOST_FILTERS]


def _as_image(image: Any) -> Tensor:
    """One image ``(H, H)`` in float32; by default an L, which no turn or mirror maps to itself."""
    if image is None:
        letter = torch.zeros(32, 32)
        letter[6:26, 10:15] = 1.0
        letter[21:26, 10:23] = 1.0
        return letter
    x = as_images(image if isinstance(image, Tensor) else [image], "FilterOrbit")
    if len(x) != 1 or x.shape[1] != 1:
        raise ValueError(
            f"FilterOrbit takes one image of one channel; got {tuple(x.shape)}. Choose one: "
            "images[0, :1]"
        )
    if x.shape[-1] > LARGEST_IMAGE:
        x = torch.nn.functional.adaptive_avg_pool2d(x, LARGEST_IMAGE)
    return x[0, 0].contiguous()
