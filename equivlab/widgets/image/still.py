"""A still picture of `RotateImage`."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from equivlab.equivariance import ErrorBudget
from equivlab.fields import draw_hexagons
from equivlab.widgets.page.budget import draw_budget
from equivlab.widgets.page.palette import hue
from equivlab.widgets.page.still import DOTS, WIDEST

__all__ = ["still_image"]

MOST_ACROSS = 9  # pictures in a row; more orientations go on below
SIZE = 1.2  # inches of a picture, at most
LEAST_WIDTH = 4.8  # inches, for the words


def still_image(
    image: Tensor,
    maps: Tensor,
    title: str,
    budgets: Sequence[tuple[str, tuple[str, int], ErrorBudget]],
    most: float,
    *,
    hexagons: bool = False,
) -> Figure:
    """An image, its maps, channels down, orientations across, and what the error consists of.

    Args:
        image: ``(C, H, H)``.
        maps: one frame of an atlas, ``(C, G, h, h)`` uint8.
        title: the network's name.
        budgets: of each network its title, its role, and its budget in this pose.
        most: the largest error in any pose.
        hexagons: whether the image and the maps are hexagons.
    """
    channels, orientations = maps.shape[:2]
    columns = min(orientations, MOST_ACROSS - 1)
    lines = -(-orientations // columns)  # of one channel
    rows, below = channels * lines, 0.5 * len(budgets)
    size = min(SIZE, WIDEST / (columns + 1))
    across = max(columns + 1, round(LEAST_WIDTH / size))  # empty at the right, if need be
    heights = (size * rows + 0.3, below)
    shape = (size * across, sum(heights) + 0.35)
    figure = Figure(figsize=shape, dpi=DOTS, layout="constrained")
    pictures, bars = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)[:, 0]
    axes = pictures.subplots(rows, across, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    picture = image[:3].movedim(0, -1) if len(image) >= 3 else image[0]
    _draw(axes[0, 0], picture, hexagons, "gray")
    axes[0, 0].set_title("input", fontsize=10)
    for c in range(channels):
        for g in range(orientations):
            ax = axes[c * lines + g // columns, 1 + g % columns]
            _draw(ax, maps[c, g], hexagons, "RdBu_r", (0, 255))
    pictures.suptitle(title, fontsize=10, x=0.01, ha="left")
    named = [(name, hue(role), budget) for name, role, budget in budgets]
    draw_budget(bars.subplots(), named, most)
    return figure


def _draw(
    ax: Axes, picture: Tensor, hexagons: bool, cmap: str, limits: tuple[int, int] | None = None
) -> None:
    if hexagons:
        grey = picture.mean(-1) if picture.dim() == 3 else picture
        draw_hexagons(grey.float(), ax, cmap=cmap, limits=limits)
        return
    low, high = limits or (None, None)
    ax.imshow(picture.numpy(), cmap=cmap, vmin=low, vmax=high)
