"""Pictures of hexagons in matplotlib.

>>> import torch
>>> from matplotlib.figure import Figure
>>> cells = draw_hexagons(torch.zeros(5, 5), Figure().subplots())
>>> len(cells.get_paths())
19
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from equivlab.groups import hexagon

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection

__all__ = ["draw_hexagons"]


def draw_hexagons(
    values: Tensor,
    ax: Axes,
    *,
    cmap: str = "viridis",
    limits: tuple[float, float] | None = None,
) -> PolyCollection:
    """Draw one hexagon of cells, each filled with the colour of its number.

    Args:
        values: ``(2R + 1, 2R + 1)``, one map of `equivlab.fields.HexMaps`.
        ax: axes of matplotlib; cells come out regular, the middle at (0, 0), 1 apart.
        cmap: a colour map of matplotlib.
        limits: the numbers at its ends; by default the least and the largest. Take symmetric ones
            and ``'RdBu_r'`` for feature maps.

    Returns:
        The cells, for ``figure.colorbar(cells)``; the axes are left without ticks.

    Raises:
        ValueError: no hexagon.
    """
    from matplotlib.collections import PolyCollection  # late: importing fields draws nothing

    values = torch.as_tensor(values)
    if values.dim() != 2 or values.shape[0] != values.shape[1] or values.shape[0] % 2 == 0:
        raise ValueError(
            f"draw_hexagons takes one map (2R + 1, 2R + 1); got {tuple(values.shape)}. Choose one: "
            "images[0, 0]"
        )
    radius = values.shape[0] // 2
    inside = hexagon(radius).numpy()
    r, q = np.nonzero(inside)[0] - radius, np.nonzero(inside)[1] - radius
    middles = np.stack([q + r / 2, -math.sqrt(3) / 2 * r], -1)  # upwards, as axes are
    turns = np.pi / 6 + np.pi / 3 * np.arange(6)
    corners = np.stack([np.cos(turns), np.sin(turns)], -1) / math.sqrt(3)
    cells = PolyCollection(
        list(middles[:, None] + corners), array=values.detach().cpu().numpy()[inside], cmap=cmap,
        edgecolors="face", linewidths=0.2,
    )  # fmt: skip
    if limits is not None:
        cells.set_clim(*limits)
    ax.add_collection(cells)
    ax.set(aspect="equal", xlim=(-radius - 0.6, radius + 0.6), xticks=[], yticks=[])
    ax.set_ylim(*(np.array([-1, 1]) * (math.sqrt(3) / 2 * radius + 0.7)))
    return cells
