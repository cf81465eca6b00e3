"""The bar of an error's parts in still pictures, see ``page/budget.js``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from equivlab.equivariance.budget import EXACT, PARTS, ErrorBudget

__all__ = ["draw_budget", "error_words"]

GREY = "#8c8c8c"  # of interpolation, as of resampling everywhere
EMPTY = "#e4e4e4"


def error_words(error: float) -> str:
    """An error as the pages say it: what is rounding alone is none."""
    return "0 (exact)" if error < EXACT else f"{error:.2g}"


def draw_budget(ax: Axes, rows: Sequence[tuple[str, str, ErrorBudget]], most: float) -> None:
    """Stacked bars, each with its number and words above.

    Args:
        ax: for the bars alone.
        rows: of each network its title, its colour, and its budget, of single numbers.
        most: the error at which a bar is full.
    """
    ax.set(xlim=(0, 1), ylim=(len(rows) - 0.45, -0.75))
    ax.set_axis_off()
    for row, (title, colour, budget) in enumerate(rows):
        ax.barh(row, 1, height=0.34, color=EMPTY)
        left, whole = 0.0, float(budget.total)
        for name, value in zip(PARTS, budget.shares().tolist(), strict=True):
            part = value / most if math.isfinite(value) and most > 0 else 0.0
            face = GREY if name == "interpolation" else "white" if name == "grid" else colour
            part = min(part, 1 - left)
            stripes, edge = ("////", colour) if name == "grid" else (None, None)
            ax.barh(row, part, 0.34, left=left, color=face, hatch=stripes, edgecolor=edge, lw=0)
            left += part
        parts = budget.words().replace(", ", " + ")
        words = error_words(whole) + ("" if whole < EXACT else f" = {parts}")
        ax.text(0, row - 0.28, f"{title}: error {words}", fontsize=9, color=colour, va="bottom")
