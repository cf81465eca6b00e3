"""A still picture of `RotateSphere`, for previews where no page can run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from torch import Tensor

from equivlab.so3 import SO3
from equivlab.sphere import view_sphere
from equivlab.widgets.still import png_text

if TYPE_CHECKING:
    from equivlab.widgets.rotate_sphere import RotateSphere

__all__ = ["sphere_still"]

SIZE = 150


def sphere_still(widget: RotateSphere) -> str:
    """A PNG in base64: the globe in its pose, its features, and the features turned back."""
    rotation = torch.tensor(widget.rotation, dtype=torch.float64).view(3, 3)
    facing = SO3.from_zyz(0.0, torch.pi / 2, 0.0)  # the page looks along −x, north up
    globes = torch.frombuffer(bytearray(widget._globes), dtype=torch.uint8)
    globe = globes.view(len(widget.names), *widget._spec["globe"])[widget.signal]
    levels = widget._answer().levels[:, min(widget.channel, len(widget.engine.channels) - 1)]
    shown = levels.amax(1) if widget.gamma < 0 else levels[:, widget.gamma]
    views = [
        ("input", globe, rotation.mT @ facing, "cividis"),
        ("features", shown[0], facing, "RdBu_r"),
        ("features, turned back", shown[1], facing, "RdBu_r"),
    ]
    figure = Figure(figsize=(6.6, 3.0), dpi=72, layout="constrained")
    for ax, (title, picture, pose, colours) in zip(figure.subplots(1, 3), views, strict=True):
        ax.imshow(_disc(picture, pose, colours).numpy())
        ax.set_title(title, fontsize=10)
        ax.set_axis_off()
    figure.supxlabel("run the notebook to turn it", fontsize=9)
    return png_text(figure)


def _disc(picture: Tensor, pose: Tensor, colours: str) -> Tensor:
    """A square picture in β and α, seen from outside: ``(SIZE, SIZE, 4)`` colours."""
    seen = view_sphere(picture[None, None].float(), SIZE, rotation=pose, background=-1.0)[0, 0]
    coloured = torch.tensor(colormaps[colours](seen.clamp(min=0).div(254).numpy()))
    coloured[..., 3] = (seen >= 0).to(coloured.dtype)
    return coloured
