"""A still picture of `RotateShape`, for previews where no page can run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from equivlab.so3 import SO3
from equivlab.widgets.shape_poses import AZIMUTH
from equivlab.widgets.still import png_text

if TYPE_CHECKING:
    from equivlab.widgets.rotate_shape import RotateShape

__all__ = ["still_shape"]

INPUT_COLOUR = "#8c8c8c"
ARROW = 0.45  # length of the longest arrow, in units of half the grid


def still_shape(widget: RotateShape) -> str:
    """A PNG in base64: the upright shape, and the features of each network in its places."""
    columns = 1 + len(widget.views)
    figure = Figure(figsize=(3.2 * columns, 3.5), dpi=72, layout="constrained")
    places = widget.positions[widget.shape]
    scene = _scene(figure, columns, 1, "input")
    scene.scatter(*places.T.numpy(), s=20, color=INPUT_COLOUR)
    for number, view in enumerate(widget.views):
        glyphs = view.glyphs(widget.shape, SO3.identity)
        scene = _scene(figure, columns, number + 2, widget.titles[number])
        colours = glyphs[:, 0].numpy()
        style = {"cmap": "RdBu_r", "vmin": -1, "vmax": 1, "edgecolors": "#555555"}
        scene.scatter(*places.T.numpy(), s=26, c=colours, linewidths=0.4, **style)
        if "arrows" in view.specification()["shown"]:
            arrows = ARROW * glyphs[:, 1:4]
            scene.quiver(*places.T.numpy(), *arrows.T.numpy(), color="#333333", linewidth=0.8)
    figure.suptitle("Run the notebook to turn it", fontsize=10)
    return png_text(figure)


def _scene(figure: Figure, columns: int, number: int, title: str) -> Any:
    scene: Any = figure.add_subplot(1, columns, number, projection="3d")
    scene.set_title(title, fontsize=10)
    scene.set_axis_off()
    scene.set_box_aspect((1, 1, 1), zoom=1.6)
    scene.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-1, 1))
    scene.view_init(elev=20, azim=math.degrees(AZIMUTH) - 90)
    return scene
