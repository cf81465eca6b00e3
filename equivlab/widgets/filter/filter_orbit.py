"""Draw a filter, and watch all its orientations and what each of them finds in an image."""

from __future__ import annotations

from typing import Any

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from equivlab.equivariance.curve import inscribed
from equivlab.fields import scalar_maps
from equivlab.groups import P4, PointGroup, hexagon
from equivlab.projection import to_hexagons
from equivlab.widgets.filter.orbit import filter_matrices, places_moved
from equivlab.widgets.filter.still import still_orbit
from equivlab.widgets.page.images import as_images
from equivlab.widgets.page.module import page_module
from equivlab.widgets.page.pictures import PICTURE, picture_bytes
from equivlab.widgets.page.view import LiveView, as_bytes, colour_table

__all__ = ["FilterOrbit"]

LARGEST_IMAGE, MOST_FILTERS, MOST_ELEMENTS = 64, 1024, 32
RADIUS = 16  # of the letter on hexagons


class FilterOrbit(LiveView):
    """A filter under the brush, its orbit under a group, and the maps of a lifting convolution.

    Paint on the filter: its copies ``act(g, ψ)`` for all elements ``g`` follow, and below each
    the map that it makes of the image. Act on the image by an element: the maps are moved and
    change places, ``Φ(g·x) = g·Φ(x)``. Two numbers say how far that holds: for all maps
    together, where it does to rounding, and for the map of the drawn filter alone, where it
    does not. The page computes all of it by itself, so it also works in an exported page.

    On hexagons (`P6`, `P6M`) all is drawn as hexagons. Groups without a lattice, such as
    ``Cyclic(8)``, take what circular harmonics can make of the painted filter, as `LiftingConv2d`
    does, and turn that; the image is resampled, which costs what the third number says.

    Keys: ``→`` acts by the next turn, ``←`` back, ``m`` mirrors, ``r`` resets the image; ``w a s
    d`` move the brush, the space bar paints, ``+``, ``0`` and ``-`` choose what it paints;
    ``PageDown`` and ``PageUp`` leaf through more than twelve filters; ``f`` fills the screen;
    ``?`` tells all keys.

    Args:
        filters: ``(k, k)``, or several to choose from, ``(N, k, k)``, `k` odd, 3 to 9; for
            example ``layer.weight[:, 0]`` of a `LiftingConv2d` of `P4`. On hexagons the array
            holds 7, 19, 37 or 61 cells. Two bars by default.
        image: what they look at, ``(H, H)`` or ``(1, H, H)``; larger than 64 is averaged down. On
            hexagons ``(2R + 1, 2R + 1)``, R up to 32. A letter L by default.
        group: any point group of up to 32 elements.

    Raises:
        TypeError, ValueError: filters or an image that cannot be used; the message says what can.

    Source:
        Cohen & Welling, ICML 2016, equation 10 (the lifting convolution) and section 4.
    """

    _esm = page_module("filter/filter_orbit.js")

    weights = traitlets.List(traitlets.Float()).tag(sync=True)
    element = traitlets.Int(0).tag(sync=True)
    page = traitlets.Int(0).tag(sync=True)
    _spec = traitlets.Dict().tag(sync=True)
    _image = traitlets.Bytes().tag(sync=True)
    _picture = traitlets.Bytes().tag(sync=True)
    _filter_moves = traitlets.Bytes().tag(sync=True)
    _image_index = traitlets.Bytes().tag(sync=True)
    _colours = traitlets.Bytes().tag(sync=True)

    def __init__(
        self, filters: Tensor | None = None, image: Any = None, *, group: PointGroup = P4
    ) -> None:
        if not isinstance(group, PointGroup) or group.order > MOST_ELEMENTS:
            raise ValueError(
                f"FilterOrbit shows a filter under each element of a point group, at most "
                f"{MOST_ELEMENTS}; got {group}. Take a finite one: Cyclic(8)"
            )
        chosen = _as_filters(filters, group)
        x = _as_image(image, group)
        side, size = chosen.shape[-1], x.shape[-1]
        super().__init__()
        self.group, self.image = group, x
        self.weights = chosen[0].flatten().tolist()
        self._image = as_bytes(x)
        hexagons = group.lattice == "hexagonal"
        self._picture = picture_bytes(x[None, None], hexagons=hexagons)
        self._matrices = filter_matrices(group, side)
        self._filter_moves = as_bytes(self._matrices.float())
        self._image_index = as_bytes(places_moved(group, size))
        self._colours = colour_table()
        self._spec = {
            "side": side,
            "size": size,
            "picture": PICTURE,
            "elements": [group.element_name(g) for g in group.elements],
            "products": group.product_table.tolist(),
            "turns": group.turns,
            "hexagons": hexagons,
            "resamples": group.lattice is None,
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
        self.weights = _as_filters(weight, self.group)[0].flatten().tolist()

    @property
    def orbit(self) -> Tensor:
        """The copies of the filter under all elements, ``(G, k, k)``."""
        copies = self._matrices @ self.filter.flatten().double()
        return copies.view(-1, *self.filter.shape).float()

    def __repr__(self) -> str:
        side, size = self._spec["side"], self._spec["size"]
        return f"FilterOrbit({self.group}, filter {side}×{side}, image {size}×{size})"

    def figure(self) -> Figure:
        """The filter in all its orientations."""
        return still_orbit(self.orbit, self.group)


def _as_filters(filters: Tensor | None, group: PointGroup) -> Tensor:
    """Filters ``(N, k, k)`` in float32; on hexagons with zeros outside."""
    if filters is None:
        line = torch.zeros(1, 5, 5)
        line[0, 1, 1:4], line[0, 3, 1:4] = 1.0, -1.0
        return line
    wanted = "filters (k, k) or (N, k, k), k odd and 3 to 9"
    if not isinstance(filters, Tensor):
        raise TypeError(
            f"FilterOrbit takes {wanted}, as a tensor; got {type(filters).__name__}. Convert them: "
            "torch.as_tensor(filters)"
        )
    w = filters.detach().cpu().float()
    w = w[None] if w.dim() == 2 else w
    if w.dim() != 3 or w.shape[1] != w.shape[2] or w.shape[1] not in (3, 5, 7, 9) or not len(w):
        how = "layer.weight[:, 0]"
        if group.lattice == "hexagonal":
            how = "filters = torch.zeros(N, k, k); filters[:, hexagon(k // 2)] = layer.weight[:, 0]"
        raise ValueError(
            f"FilterOrbit takes {wanted}; got {tuple(filters.shape)}. Of a layer, choose an "
            f"input channel: {how}"
        )
    if not bool(torch.isfinite(w).all()):
        raise ValueError("FilterOrbit takes finite filters; got NaN or infinity.")
    if len(w) > MOST_FILTERS:
        raise ValueError(
            f"FilterOrbit offers up to {MOST_FILTERS} filters to start from; got {len(w)}. Choose "
            f"some: filters[:{MOST_FILTERS}]"
        )
    return w * hexagon(w.shape[-1] // 2) if group.lattice == "hexagonal" else w


def _as_image(image: Any, group: PointGroup) -> Tensor:
    """One image ``(H, H)`` in float32; by default an L, which no turn or mirror maps to itself.

    What a turn would take out of the square is left out where the group turns freely.
    """
    if image is None:
        letter = torch.zeros(32, 32)
        letter[6:26, 10:15] = 1.0
        letter[21:26, 10:23] = 1.0
        return to_hexagons(letter, RADIUS) if group.lattice == "hexagonal" else letter
    x = as_images(image if isinstance(image, Tensor) else [image], "FilterOrbit")
    if len(x) != 1 or x.shape[1] != 1:
        raise ValueError(
            f"FilterOrbit takes one image of one channel; got {tuple(x.shape)}. Choose one: "
            "images[0, :1]"
        )
    if group.lattice == "hexagonal":
        field = scalar_maps(group, 1)
        field.validate(x, "FilterOrbit")
        if x.shape[-1] > LARGEST_IMAGE + 1:
            raise ValueError(
                f"FilterOrbit takes hexagons of radius {LARGEST_IMAGE // 2} at most; got "
                f"{x.shape[-1] // 2}. Make a smaller one: to_hexagons(image, radius=16)"
            )
        return field.mask(x)[0, 0].contiguous()
    if x.shape[-1] > LARGEST_IMAGE:
        x = torch.nn.functional.adaptive_avg_pool2d(x, LARGEST_IMAGE)
    seen = inscribed(group, x.shape[-1]).to(x) if group.lattice is None else 1
    return (x[0, 0] * seen).contiguous()
