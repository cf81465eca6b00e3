"""A still picture of `RotateImage`."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from equivlab.fields import draw_hexagons

__all__ = ["still_image"]

MOST_ACROSS = 9  # pictures in a row; more orientations go on below
SIZE = 1.5  # inches of a picture


def still_image(image: Tensor, maps: Tensor, title: str, *, hexagons: bool = False) -> Figure:
    """An image, and its maps, channels down, orientations across.

    Args:
        image: ``(C, H, H)``.
        maps: one frame of an atlas, ``(C, G, h, h)`` uint8.
        title: the network's name.
        hexagons: whether the image and the maps are hexagons.
    """
    channels, orientations = maps.shape[:2]
    columns = min(orientations, MOST_ACROSS - 1)
    lines = -(-orientations // columns)  # of one channel
    size = (SIZE * (columns + 1), SIZE * channels * lines + 0.7)
    figure = Figure(figsize=size, dpi=72, layout="constrained")
    axes = figure.subplots(channels * lines, columns + 1, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    picture = image[:3].movedim(0, -1) if len(image) >= 3 else image[0]
    _draw(axes[0, 0], picture, hexagons, "gray")
    axes[0, 0].set_title("input", fontsize=10)
    for c in range(channels):
        for g in range(orientations):
            ax = axes[c * lines + g // columns, 1 + g % columns]
            _draw(ax, maps[c, g], hexagons, "RdBu_r", (0, 255))
    figure.suptitle(title, fontsize=10)
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
