"""A still picture of `SeeThrough`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from equivlab.widgets.page.still import DOTS

__all__ = ["still_lens"]

Array = NDArray[np.float64]


def still_lens(
    levels: NDArray[np.uint8],
    half: float,
    curves: tuple[Sequence[Array], Sequence[Array]],
    source_at: tuple[float, float],
    bars: Mapping[str, tuple[str, Sequence[str], Sequence[float]]],
    title: str,
) -> Figure:
    """The picture with its critical curves, the source behind the caustics, and the answers.

    Args:
        levels: ``(H, W)``, the lowest row first.
        half: half a side, arc seconds.
        curves: critical curves and caustics, ``(n, 2)`` each, turned already.
        source_at: arc seconds.
        bars: by the name of a classifier its color, classes and probabilities.
        title: what it is.
    """
    figure = Figure(figsize=(7.8, 3.3), dpi=DOTS, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1)  # type: ignore[union-attr, call-arg]
    sky, behind, said = figure.subplots(1, 3, width_ratios=(1.1, 1, 1))
    box = (-half, half, -half, half)
    sky.imshow(levels, cmap="cividis", origin="lower", extent=box, vmin=0, vmax=255)
    behind.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal")
    behind.plot(*source_at, "*", color="#222222", markersize=10)
    for line in curves[0]:
        sky.plot(*line.T, color="white", linewidth=1)
    for line in curves[1]:
        behind.plot(*line.T, color="#6e6e6e", linewidth=1)
    sky.set(title="seen", xlabel="arc seconds", xlim=(-half, half), ylim=(-half, half))
    behind.set_title("source and caustics")
    high = 0.8 / max(len(bars), 1)
    for n, (name, (color, classes, chances)) in enumerate(bars.items()):
        places = -np.arange(len(classes)) - n * high
        said.barh(places, chances, height=0.9 * high, color=color, label=name)
        said.set_yticks(-np.arange(len(classes)), classes)
    said.set(xlim=(0, 1), title="said" if bars else "no classifier")
    if bars:
        low = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.1), "ncols": 2}
        said.legend(fontsize=9, frameon=False, **low)
    figure.suptitle(title, fontsize=10)
    return figure
