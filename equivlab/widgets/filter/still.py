"""A still picture of `FilterOrbit`."""

from __future__ import annotations

from matplotlib.figure import Figure
from torch import Tensor

from equivlab.fields import draw_hexagons
from equivlab.groups import PointGroup
from equivlab.widgets.page.still import DOTS, WIDEST

__all__ = ["still_orbit"]

MOST_ACROSS = 8
SIZE = 1.3  # inches of a copy, at most


def still_orbit(orbit: Tensor, group: PointGroup) -> Figure:
    """The copies ``(G, k, k)`` of a filter in all its orientations."""
    columns = min(group.turns, MOST_ACROSS)
    rows = -(-group.order // columns)
    across = max(columns, 3)  # the words below need as much
    size = min(SIZE, WIDEST / across)
    shape = (size * across, (size + 0.25) * rows + 0.4)
    figure = Figure(figsize=shape, dpi=DOTS, layout="constrained")
    limit = float(orbit.abs().max().clamp_min(1e-12))
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for ax in axes:
        ax.set_axis_off()
    for g, ax in zip(group.elements, figure.axes, strict=False):
        if group.lattice == "hexagonal":
            draw_hexagons(orbit[g], ax, cmap="RdBu_r", limits=(-limit, limit))
        else:
            ax.imshow(orbit[g].numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit)
        ax.set_title(group.element_name(g), fontsize=10)
    return figure
