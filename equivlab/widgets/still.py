"""A still picture of a widget, for previews where no page can run."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from equivlab.widgets.accuracy_vs_angle import AccuracyVsAngle
    from equivlab.widgets.filter_orbit import FilterOrbit
    from equivlab.widgets.rotate_image import RotateImage

__all__ = ["png_text", "still_accuracy", "still_orbit", "still_picture"]


def still_picture(widget: RotateImage) -> str:
    """A PNG in base64: the present image and its maps, channels down, orientations across."""
    maps = widget.atlas.pixels[widget.image, int(widget.mirror)]
    step = round(widget.angle_deg * len(maps) / 360) % len(maps)
    frame = maps[step]  # (C, G, h, h)
    rows, columns = frame.shape[:2]
    figure = Figure(figsize=(1.5 * (columns + 1), 1.5 * rows + 0.5), dpi=72, layout="constrained")
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
    return png_text(figure)


def still_accuracy(widget: AccuracyVsAngle) -> str:
    """A PNG in base64: accuracy against the angle, on the side that is up."""
    figure = Figure(figsize=(6.4, 3.4), dpi=72, layout="constrained")
    ax = figure.subplots()
    for k, (name, curve) in enumerate(widget.curves.items()):
        side = curve[min(int(widget.mirror), len(curve) - 1)]
        angles = [360 * step / len(side) for step in range(len(side) + 1)]
        style, colour = ("-", "--", ":", "-.")[k], ("#D55E00", "#0072B2", "#009E73", "#CC79A7")[k]
        ax.plot(angles, 100 * torch.cat([side, side[:1]]), style, color=colour, label=name)
    ax.set(xlabel="angle of the test images (degrees)", ylabel="accuracy (%)", ylim=(0, 104))
    ax.set_xticks(range(0, 361, 45))
    ax.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    figure.supxlabel("Run the notebook to turn the images", fontsize=9)
    return png_text(figure)


def still_orbit(widget: FilterOrbit) -> str:
    """A PNG in base64: the drawn filter in all its orientations."""
    group = widget.group
    rows = group.order // 4
    figure = Figure(figsize=(6.4, 1.8 * rows + 0.4), dpi=72, layout="constrained")
    limit = float(widget.filter.abs().max().clamp_min(1e-12))
    for g, ax in zip(group.elements, figure.subplots(rows, 4).flat, strict=True):
        ax.imshow(group.move(g, widget.filter).numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit)
        ax.set_title(group.element_name(g), fontsize=10)
        ax.set_axis_off()
    figure.supxlabel("Run the notebook to paint the filter", fontsize=9)
    return png_text(figure)


def png_text(figure: Figure) -> str:
    """A figure as PNG in base64, the same bytes each time."""
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return base64.b64encode(stream.getvalue()).decode()
