"""A still picture of `RotateSphere`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from torch import Tensor

from equivlab.equivariance import ErrorBudget
from equivlab.projection import view_sphere
from equivlab.so3 import SO3
from equivlab.widgets.page.budget import draw_budget, error_words
from equivlab.widgets.page.palette import hue
from equivlab.widgets.page.still import DOTS

__all__ = ["still_sphere"]

SIZE = 200


def still_sphere(
    globe: Tensor,
    rows: Sequence[tuple[str, float, Tensor]],
    rotation: Tensor,
    budgets: Sequence[tuple[str, tuple[str, int], ErrorBudget]],
) -> Figure:
    """A globe in its pose, and of each network the features, and turned back.

    Args:
        globe: levels ``(rows, columns)``, 0 to 254.
        rows: of each network its title, if there are several, its relative error, and levels
            ``(2, rows, columns)``: as they come out, and turned back.
        rotation: of the globe, ``(3, 3)``.
        budgets: of each network its title, its role, and what its error consists of.
    """
    facing = SO3.from_zyz(0.0, torch.pi / 2, 0.0)  # the page looks along −x, north up
    heights = (2.4 * len(rows), 0.5 * len(rows))
    figure = Figure(figsize=(6.6, sum(heights) + 0.4), dpi=DOTS, layout="constrained")
    pictures, bars = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)[:, 0]
    axes = pictures.subplots(len(rows), 3, squeeze=False)
    most = max(0.01, *(error for _, error, _ in rows))
    named = [(name, hue(role), budget) for name, role, budget in budgets]
    draw_budget(bars.subplots(), named, most)
    for n, (title, error, features) in enumerate(rows):
        name = f"{title}, " if title else ""
        views = [
            ("" if n else "input", globe, rotation.mT @ facing, "cividis"),
            (f"{name}features", features[0], facing, "RdBu_r"),
            (f"turned back: error {error_words(error)}", features[1], facing, "RdBu_r"),
        ]
        for ax, (words, picture, pose, colours) in zip(axes[n], views, strict=True):
            ax.set_axis_off()
            if words:
                ax.imshow(_disc(picture, pose, colours).numpy())
                ax.set_title(words, fontsize=10)
    return figure


def _disc(picture: Tensor, pose: Tensor, colours: str) -> Tensor:
    """A square picture in β and α, seen from outside: ``(SIZE, SIZE, 4)`` colours."""
    seen = view_sphere(picture[None, None].float(), SIZE, rotation=pose, background=-1.0)[0, 0]
    coloured = torch.tensor(colormaps[colours](seen.clamp(min=0).div(254).numpy()))
    coloured[..., 3] = (seen >= 0).to(coloured.dtype)
    return coloured
