"""A still picture of `AccuracyVsAngle`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from equivlab.widgets.page.still import DOTS

__all__ = ["still_accuracy"]


def still_accuracy(curves: Mapping[str, Tensor], hues: Sequence[str], angle_deg: float) -> Figure:
    """Accuracies ``(steps,)`` against the angle, by name, and one angle marked."""
    figure = Figure(figsize=(6.4, 3.4), dpi=DOTS, layout="constrained")
    ax = figure.subplots()
    styles = ("-", "--", ":", "-.")
    for (name, curve), style, hue in zip(curves.items(), styles, hues, strict=False):
        closed = torch.cat([curve, curve[:1]])
        angles = torch.linspace(0, 360, len(closed))
        known = ~closed.isnan()
        ax.plot(angles[known], 100 * closed[known], style, color=hue, label=name)
    ax.axvline(angle_deg, color="#888888", linewidth=1, linestyle=":")
    ax.set(xlabel="angle of the test images (degrees)", ylabel="accuracy (%)", ylim=(0, 104))
    ax.set_xticks(range(0, 361, 45))
    ax.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    return figure
