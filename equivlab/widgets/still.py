"""A still picture of a widget, for previews where no page can run."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from equivlab.widgets.rotate_image import RotateImage

__all__ = ["still_picture"]


def still_picture(widget: RotateImage) -> str:
    """A PNG in base64: the present image and its maps, channels down, orientations across."""
    maps = widget.atlas.pixels[widget.image, int(widget.mirror)]
    step = round(widget.angle_deg * len(maps) / 360) % len(maps)
    frame = maps[step]  # (C, G, h, h)
    rows, columns = frame.shape[:2]
    figure = Figure(figsize=(1.5 * (columns + 1), 1.5 * rows + 0.5), dpi=72, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns + 1, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    picture = widget.images[widget.image].movedim(0, -1).numpy()
    axes[0, 0].imshow(picture[..., :3] if picture.shape[-1] >= 3 else picture[..., 0], cmap="gray")
    axes[0, 0].set_title("input", fontsize=10)
    for c in range(rows):
        for g in range(columns):
            axes[c, g + 1].imshow(frame[c, g].numpy(), cmap="RdBu_r", vmin=0, vmax=255)
    figure.suptitle(f"{widget.titles[0]}: run the notebook to turn it", fontsize=10)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return base64.b64encode(stream.getvalue()).decode()
