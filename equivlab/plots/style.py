"""One style for both kinds of figure: colors that keep their meaning, scales, the still.

Orange is equivariant, blue is plain, as in the widgets; signed numbers go from blue over white to
red with zero in the middle.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # loaded when something is drawn
    from matplotlib.figure import Figure

__all__ = [
    "GREY",
    "HUES",
    "Floats",
    "Spec",
    "colors_of",
    "colorscale",
    "layout",
    "limit_of",
    "new_figure",
    "packed",
    "scene",
]

Floats: TypeAlias = NDArray[np.floating[Any]]
Spec: TypeAlias = dict[str, Any]  # what plotly calls a figure: traces under "data", a "layout"

#: As on light pages, see ``widgets/page/palette.js``. After Okabe and Ito.
HUES = {
    "equivariant": ("#d55e00", "#a06a00", "#a8447f", "#8a3b12"),
    "plain": ("#0072b2", "#00806a", "#5b4bb0", "#3d6f8f"),
}
GREY = "#666666"
SIGNED, SEQUENTIAL = "RdBu_r", "viridis"


def new_figure(width: float, height: float) -> Figure:
    """A figure in inches that a notebook shows, whether or not pyplot was imported there."""
    from matplotlib.figure import Figure

    class ReportFigure(Figure):
        def _repr_png_(self) -> bytes:
            stream = io.BytesIO()
            self.savefig(stream, format="png", dpi=100)
            return stream.getvalue()

    return ReportFigure(figsize=(width, height), layout="constrained")


def colors_of(names: Iterable[str], equivariant: Collection[str]) -> dict[str, str]:
    """A color for each network by its kind, and by its number among those of that kind."""
    counts = dict.fromkeys(HUES, 0)
    found = {}
    for name in names:
        kind = "equivariant" if name in equivariant else "plain"
        found[name] = HUES[kind][counts[kind] % len(HUES[kind])]
        counts[kind] += 1
    return found


def limit_of(values: Floats) -> float:
    """The largest size among numbers, to color them with zero in the middle; 1 for zeros."""
    known = np.abs(values[np.isfinite(values)])
    return float(known.max()) if known.size and known.max() > 0 else 1.0


def colorscale(name: str = SIGNED) -> list[list[Any]]:
    """A color map of matplotlib as plotly takes it."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    at = np.linspace(0, 1, 33)
    return [[float(x), to_hex(color)] for x, color in zip(at, colormaps[name](at), strict=True)]


def layout(**more: Any) -> dict[str, Any]:
    """What all of plotly's figures share; the page adds its own ink."""
    margin = {"l": 10, "r": 10, "t": 40, "b": 10}
    hover = {"font": {"family": "system-ui, sans-serif"}}
    return {"margin": margin, "hoverlabel": hover, "font": {"size": 13}, "height": 460, **more}


def scene(axes: bool = False) -> dict[str, Any]:
    """A space in plotly in which lengths are equal in all directions."""
    names = ("x", "y", "z")
    return {"aspectmode": "data", **{f"{name}axis": {"visible": axes} for name in names}}


def packed(value: Any) -> Any:
    """A figure with its arrays as plotly's typed arrays in base64, ready for JSON."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "fiu":
            return value.tolist()
        kind = "f4" if value.dtype.kind == "f" else "i4"
        raw = np.ascontiguousarray(value, kind).tobytes()
        found = {"dtype": kind, "bdata": base64.b64encode(raw).decode()}
        return found | ({"shape": ", ".join(map(str, value.shape))} if value.ndim > 1 else {})
    if isinstance(value, Mapping):
        return {name: packed(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [packed(each) for each in value]
    return value
