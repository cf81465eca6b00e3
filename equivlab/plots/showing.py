"""One of two figures that show the same: matplotlib's, or plotly's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from equivlab.plots.style import Spec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from equivlab.plots.interactive import InteractiveFigure

__all__ = ["shown"]


def shown(
    still: Figure, spec: Callable[[], Spec], says: str, interactive: bool
) -> Figure | InteractiveFigure:
    """The figure that was asked for.

    Args:
        still: drawn by matplotlib; previews of the other kind show it.
        spec: makes the same for plotly.
        says: what the figure shows, for those who do not see it.
        interactive: which of the two.
    """
    if not interactive:
        return still
    from equivlab.plots.interactive import InteractiveFigure

    return InteractiveFigure(spec(), still, says)
