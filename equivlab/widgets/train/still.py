"""A still picture of `TrainLive`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

from equivlab.widgets.page.still import DOTS

__all__ = ["still_training"]

Point = Sequence[float | None]


def still_training(
    losses: Sequence[Point],
    accuracies: Sequence[Point],
    pictures: tuple[Tensor, Tensor],
    *,
    now: float,
    steps: int,
    color: str,
    title: str,
) -> Figure:
    """The curves, the first filters and the maps of one picture.

    Args:
        losses: ``(step, loss)``.
        accuracies: ``(step, upright, turned)``.
        pictures: filters ``(F, k, k)`` and maps ``(C, G, h, h)`` in uint8, 128 for zero.
        now: the step of the pictures.
        steps: of an epoch.
        color: of the network.
        title: what it is, and its numbers.
    """
    figure = Figure(figsize=(6.8, 4.4), dpi=DOTS, layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.1), squeeze=False)[0]
    above, below = left.subplots(2, 1, sharex=True)
    _curve(above, losses, 1, 1.0, steps=steps, color=color)
    above.set(ylabel="loss", ylim=(0, None))
    _curve(below, accuracies, 1, 100.0, steps=steps, color=color, label="upright")
    _curve(
        below, accuracies, 2, 100.0, steps=steps, color="#222222", linestyle="--", label="turned"
    )
    below.set(ylabel="accuracy (%)", xlabel="epochs", ylim=(0, 104))
    below.legend(fontsize=8, loc="lower right", framealpha=0.7)
    for ax in (above, below):
        ax.axvline(now / steps, color="#888888", linewidth=1, linestyle=":")
        ax.grid(alpha=0.3)
    filters, maps = pictures
    _tiles(right, filters, maps)
    figure.suptitle(title, fontsize=10)
    return figure


def _curve(ax: Any, points: Sequence[Point], place: int, scale: float, **style: Any) -> None:
    """One value of each point against the epochs, where it is known."""
    known = [
        (step, value) for step, value in ((p[0], p[place]) for p in points) if value is not None
    ]
    xs = [step / style["steps"] for step, _ in known]
    line = {name: value for name, value in style.items() if name != "steps"}
    ax.plot(xs, [scale * value for _, value in known], marker="." if len(xs) < 30 else "", **line)


def _tiles(figure: Any, filters: Tensor, maps: Tensor) -> None:
    """Filters in a row or two, maps below them: a row for each channel."""
    rows = (["filters"] if len(filters) else []) + (["maps"] if len(maps) else [])
    if not rows:
        return
    parts = figure.subfigures(len(rows), 1, height_ratios=[1.0, 2.2][: len(rows)], squeeze=False)
    for part, name in zip(parts[:, 0], rows, strict=True):
        tiles = filters[:, None] if name == "filters" else maps
        grid = tiles.transpose(0, 1) if tiles.shape[1] == 1 else tiles
        axes = part.subplots(*grid.shape[:2], squeeze=False)
        for ax, tile in zip(axes.flat, grid.flatten(0, 1), strict=True):
            ax.imshow(tile.numpy(), cmap="RdBu_r", vmin=0, vmax=255)
            ax.set_axis_off()
        part.suptitle({"filters": "first filters", "maps": "maps of one picture"}[name], fontsize=9)
