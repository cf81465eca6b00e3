"""A still picture of `RotateShape`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure, SubFigure
from torch import Tensor

from equivlab.equivariance import ErrorBudget
from equivlab.widgets.page.budget import draw_budget
from equivlab.widgets.page.palette import hue
from equivlab.widgets.page.still import DOTS
from equivlab.widgets.shape.poses import AZIMUTH

__all__ = ["still_shape"]

INPUT_COLOUR = "#8c8c8c"
ARROW = 0.45  # length of the longest arrow, in units of half the grid


def still_shape(
    places: Tensor,
    glyphs: Sequence[tuple[str, Tensor]],
    budgets: Sequence[tuple[str, tuple[str, int], ErrorBudget]],
    most: float,
) -> Figure:
    """A shape, and the features of each network in its places.

    Args:
        places: ``(N, 3)``, in units of half the grid, where they have turned to.
        glyphs: of each network its title and ``(N, GLYPH)``, at most 1 in size.
        budgets: of each network its title, its role, and what its error consists of.
        most: the largest error in any pose.
    """
    columns = 1 + len(glyphs)
    heights = (2.7, 0.5 * len(budgets))
    whole = Figure(figsize=(2.6 * columns, sum(heights) + 0.3), dpi=DOTS, layout="constrained")
    figure, bars = whole.subfigures(2, 1, squeeze=False, height_ratios=heights)[:, 0]
    named = [(name, hue(role), budget) for name, role, budget in budgets]
    draw_budget(bars.subplots(), named, most)
    scene = _scene(figure, columns, 1, "input")
    scene.scatter(*places.T.numpy(), s=20, color=INPUT_COLOUR)
    for number, (title, values) in enumerate(glyphs):
        scene = _scene(figure, columns, number + 2, title)
        colours = values[:, 0].numpy()
        style = {"cmap": "RdBu_r", "vmin": -1, "vmax": 1, "edgecolors": "#555555"}
        scene.scatter(*places.T.numpy(), s=26, c=colours, linewidths=0.4, **style)
        arrows = ARROW * values[:, 1:4]
        if bool(arrows.any()):
            scene.quiver(*places.T.numpy(), *arrows.T.numpy(), color="#333333", linewidth=0.8)
    return whole


def _scene(figure: SubFigure, columns: int, number: int, title: str) -> Any:
    left, width = (number - 1) / columns, 1 / columns
    figure.text(left + width / 2, 0.98, title, fontsize=10, ha="center", va="top")
    scene: Any = figure.add_axes((left, -0.06, width, 0.98), projection="3d")
    scene.set_axis_off()
    scene.set_box_aspect((1, 1, 1), zoom=1.5)
    scene.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-1, 1))
    scene.view_init(elev=20, azim=math.degrees(AZIMUTH) - 90)
    return scene
