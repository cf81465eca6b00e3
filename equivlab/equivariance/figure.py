"""The figure of a report: each layer, and any angle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equivlab.plots.style import GREY, new_figure

__all__ = ["around", "draw", "floor_of"]

BLUE, ORANGE = "#0072B2", "#D55E00"  # Okabe & Ito: safe for colour-blind eyes


def floor_of(exact: float) -> float:
    """A place on a logarithmic axis for an exact zero."""
    return exact / 1e4


def around(curve: pd.DataFrame) -> pd.DataFrame:
    """The error at any angle in their order, the circle closed."""
    found = curve.sort_values("angle_deg")
    start = found.iloc[:1]
    if float(start["angle_deg"].iloc[0]) == 0:
        found = pd.concat([found, start.assign(angle_deg=360.0)])
    return found


def draw(table: pd.DataFrame, curve: pd.DataFrame, elements: Sequence[str], exact: float) -> Figure:
    """The error of each layer, and of the model at any angle, beside the resampling's.

    Args:
        table: of the layers, as `AuditReport` has it, like all that follows.
        curve: the error at any angle; none is drawn where it is empty.
        elements: names of the group's elements, the identity first.
        exact: what rounding alone may cost.
    """
    wide = len(curve) > 0
    height = max(3.2, 0.28 * len(table) + 1.4)
    figure = new_figure(10 if wide else 6, height)
    axes = np.atleast_1d(np.asarray(figure.subplots(1, 2 if wide else 1)))
    _draw_layers(axes[0], table, elements, exact)
    if wide:
        _draw_curve(axes[1], curve)
    figure.legend(loc="outside lower center", ncols=3 if wide else 1, fontsize=9)
    return figure


def _draw_layers(ax: Axes, table: pd.DataFrame, elements: Sequence[str], exact: float) -> None:
    rows = np.arange(len(table))
    floor = floor_of(exact)
    for element in elements[1:]:
        values = table[element].astype(float).clip(lower=floor)
        ax.plot(values, rows, "o", color=BLUE, alpha=0.35, markersize=5)
    ax.plot([], [], "o", color=BLUE, alpha=0.6, label="error so far, each element")
    own = table["own"].astype(float).clip(lower=floor)
    ax.plot(own, rows, "D", color=ORANGE, markersize=6, mfc="none", label="own break")
    ax.axvline(exact, color=GREY, lw=1, ls="--", label="rounding ends here")
    names = [f"{str(name)[-22:]} ({kind})" for name, kind in table["type"].items()]
    ax.set_yticks(rows, names, fontsize=8)
    ax.set(xscale="log", xlim=(floor / 3, 10), xlabel="relative error", title="Layer by layer")
    ax.invert_yaxis()
    ax.grid(alpha=0.3)


def _draw_curve(ax: Axes, curve: pd.DataFrame) -> None:
    turned = around(curve)
    ax.plot(turned["angle_deg"], turned["error"], "o-", color=ORANGE, ms=3, label="model")
    ax.plot(
        turned["angle_deg"],
        turned["baseline"],
        "s--",
        color=GREY,
        ms=3,
        label="baseline: resampling alone",
    )
    ax.set(xlabel="angle in degrees", ylabel="relative error", title="Any angle")
    ax.set_xticks(range(0, 361, 90))
    ax.set_ylim(bottom=0)
    ax.grid(alpha=0.3)
