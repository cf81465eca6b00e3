"""A still picture of `FilterOrbit`."""

from __future__ import annotations

from matplotlib.figure import Figure
from torch import Tensor

from equivlab.fields import draw_hexagons
from equivlab.groups import PointGroup

__all__ = ["still_orbit"]

MOST_ACROSS = 8
SIZE = 1.6  # inches of a copy


def still_orbit(orbit: Tensor, group: PointGroup) -> Figure:
    """The copies ``(G, k, k)`` of a filter in all its orientations."""
    columns = min(group.turns, MOST_ACROSS)
    rows = -(-group.order // columns)
    size = (SIZE * max(columns, 2), 1.8 * rows + 0.4)
    figure = Figure(figsize=size, dpi=72, layout="constrained")
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
