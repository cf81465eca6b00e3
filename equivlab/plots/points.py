"""Point clouds and molecules, with a number and an arrow at each point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from equivlab.plots.showing import shown
from equivlab.plots.style import (
    GREY,
    HUES,
    SIGNED,
    Floats,
    Spec,
    colorscale,
    layout,
    limit_of,
    new_figure,
    scene,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from equivlab.plots.interactive import InteractiveFigure

__all__ = ["plot_points"]

HEAD, STILL_HEAD = 0.3, 0.12  # of an arrow, as a part of its length; a still has no cone
KINDS = "#767676", *HUES["plain"], "#c07a00", "#a8447f", "#8a3b12"  # of points with names


def plot_points(
    places: Tensor,
    *,
    values: Tensor | None = None,
    vectors: Tensor | None = None,
    names: Sequence[str] | None = None,
    bonds: float = 0.0,
    title: str = "",
    interactive: bool = False,
) -> Figure | InteractiveFigure:
    """Points in space: atoms of a molecule, or of a cloud.

    Args:
        places: ``(N, 3)``, columns ``x y z``; of irreps, kept as ``y z x``, ``v[:, [2, 0, 1]]``.
        values: a number for each, ``(N,)``, as a color with zero in the middle.
        vectors: an arrow at each, ``(N, 3)``, drawn at its length.
        names: of each, a letter for its kind; points of one name have one color.
        bonds: join points that are nearer than this.
        title: what stands above.
        interactive: a figure of plotly that turns, instead of matplotlib's.

    Raises:
        ValueError: shapes that do not fit.
    """
    at = _columns(places, "places", 3)
    count = len(at)
    arrows = np.zeros((0, 3)) if vectors is None else _columns(vectors, "vectors", 3, count)
    numbers = None if values is None else _columns(values, "values", 0, count)
    if names is not None and len(names) != count:
        raise ValueError(f"plot_points takes a name for each of {count} points; got {len(names)}.")
    words = list(names or [""] * count)
    kinds = sorted(set(words))
    colors: Any = [KINDS[kinds.index(word) % len(KINDS)] for word in words]
    marker: dict[str, Any] = {"size": 7 if count < 100 else 3, "color": colors}
    limit = limit_of(numbers) if numbers is not None else 1.0
    if numbers is not None:
        bar = {"len": 0.6, "thickness": 12}
        marker |= {"color": numbers, "cmin": -limit, "cmax": limit, "colorscale": colorscale()}
        marker |= {"colorbar": bar}
    lines = _bonds(at, bonds)
    still = _still(at, arrows, numbers, colors, words, lines, limit, title)

    def spec() -> Spec:
        said = [
            (f"{word} " if word else "")
            + f"({x:.2f}, {y:.2f}, {z:.2f})"
            + ("" if numbers is None else f": {numbers[place]:.3g}")
            for place, (word, (x, y, z)) in enumerate(zip(words, at, strict=True))
        ]
        points = {
            "type": "scatter3d",
            "mode": "markers" if names is None else "markers+text",
            **_xyz(at),
            "marker": marker,
            "text": words,
            "textposition": "middle right",
            "hovertext": said,
            "hovertemplate": "%{hovertext}<extra></extra>",
        }
        joined = _strokes(at[lines[:, 0]], at[lines[:, 1]], GREY, 4)
        data = [*([joined] if len(lines) else []), points]
        if len(arrows):
            data += _arrows(at, arrows)
        shared = layout(title={"text": title}, scene=scene(), showlegend=False)
        return {"data": data, "layout": shared}

    says = f"{count} points" + (", an arrow at each" if len(arrows) else "")
    return shown(still, spec, f"{says}: {title}" if title else says, interactive)


def _columns(values: Tensor, name: str, width: int, count: int | None = None) -> Floats:
    found = torch.as_tensor(values).detach().cpu().double()
    wanted = (count if count is not None else len(found), *([width] if width else []))
    if tuple(found.shape) != wanted or not wanted[0]:
        letters = f"(N, {width})" if width else "(N,)"
        raise ValueError(
            f"plot_points takes {name} {letters}, a row for each point; got {tuple(found.shape)}."
        )
    return np.asarray(found.numpy())


def _bonds(at: Floats, reach: float) -> np.ndarray[Any, np.dtype[np.int64]]:
    far = np.linalg.norm(at[:, None] - at[None], axis=-1)
    return np.argwhere(np.triu(far < reach, 1))


def _xyz(at: Floats) -> dict[str, Floats]:
    return dict(zip("xyz", at.T, strict=True))


def _strokes(begin: Floats, end: Floats, color: str, width: int) -> dict[str, Any]:
    """Lines, with a gap after each."""
    gaps = np.full_like(begin, np.nan)
    ends = np.stack([begin, end, gaps], 1).reshape(-1, 3)
    line = {"color": color, "width": width}
    return {"type": "scatter3d", "mode": "lines", **_xyz(ends), "line": line, "hoverinfo": "skip"}


def _arrows(at: Floats, arrows: Floats) -> list[dict[str, Any]]:
    """Shafts and heads; plotly's cones alone would all have one size of their own choice."""
    color = HUES["equivariant"][0]
    tips = at + arrows
    length = np.linalg.norm(arrows, axis=-1, keepdims=True)
    heads = {
        "type": "cone",
        **_xyz(tips),
        **dict(zip("uvw", (HEAD * arrows).T, strict=True)),
        "anchor": "tip",
        "sizemode": "raw",
        "sizeref": 1,
        "colorscale": [[0, color], [1, color]],
        "showscale": False,
        "customdata": length[:, 0],
        "hovertemplate": "an arrow of length %{customdata:.3g}<extra></extra>",
    }
    return [_strokes(at, tips - 0.5 * HEAD * arrows, color, 5), heads]


def _still(
    at: Floats,
    arrows: Floats,
    numbers: Floats | None,
    colors: Any,
    words: list[str],
    lines: np.ndarray[Any, np.dtype[np.int64]],
    limit: float,
    title: str,
) -> Figure:
    figure = new_figure(5.2, 4.6)
    ax: Any = figure.add_subplot(projection="3d")
    for one, other in lines:
        ax.plot(*np.stack([at[one], at[other]]).T, color=GREY, lw=1.5, zorder=1)
    signed = {"c": numbers, "vmin": -limit, "vmax": limit, "cmap": SIGNED}
    shades = {"c": colors} if numbers is None else signed
    size = 60 if len(at) < 100 else 8
    drawn = ax.scatter(*at.T, s=size, depthshade=False, **shades)
    if numbers is not None:
        figure.colorbar(drawn, ax=ax, shrink=0.6)
    for place, word in zip(at, words, strict=True):
        ax.text(*place, f"  {word}", fontsize=9)
    if len(arrows):
        ax.quiver(*at.T, *arrows.T, color=HUES["equivariant"][0], arrow_length_ratio=STILL_HEAD)
    ends = np.concatenate([at, at + arrows]) if len(arrows) else at
    middle = (ends.min(0) + ends.max(0)) / 2
    half = 0.6 * np.maximum(np.ptp(ends, 0), 0.1 * np.ptp(ends))  # with room for heads
    (x, u), (y, v), (z, w) = zip(middle - half, middle + half, strict=True)
    ax.set(xlim=(x, u), ylim=(y, v), zlim=(z, w))
    ax.set_box_aspect(half)
    ax.set_axis_off()
    ax.set_title(title)
    return figure
