"""The figure of a report for plotly: layer × element, and what breaks under the pointer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from equivlab.equivariance.figure import ORANGE, around, floor_of
from equivlab.plots.style import GREY, Spec, colorscale, layout

__all__ = ["heat"]


def heat(
    table: pd.DataFrame,
    curve: pd.DataFrame,
    elements: Sequence[str],
    exact: float,
    causes: Sequence[str],
) -> Spec:
    """The errors of each layer for each element and its own break, and the model at any angle.

    Args:
        table: of the layers, as `AuditReport` has it, like all that follows.
        curve: the error at any angle; none is drawn where it is empty.
        elements: names of the group's elements, the identity first.
        exact: what rounding alone may cost.
        causes: sentences, each of which begins with the name of its layer.
    """
    columns = [*elements[1:], "own"]
    errors = table[columns].to_numpy(float)
    names = [f"{str(name)[-22:]} ({kind})" for name, kind in table["type"].items()]
    said = [_said(str(name), causes) for name in table.index]
    wide = len(curve) > 0
    shades = {
        "type": "heatmap",
        "x": [*elements[1:], "own break"],
        "y": list(range(len(table))),
        "z": np.log10(np.clip(errors, floor_of(exact), None)),
        "zmin": float(np.log10(floor_of(exact))),
        "zmax": 0.0,
        "customdata": [
            [[f"{error:.2g}", why] for error in row]
            for row, why in zip(errors, said, strict=True)
        ],
        "text": [[_short(error, exact) for error in row] for row in errors],
        "texttemplate": "%{text}",
        "hovertemplate": "%{x}: %{customdata[0]}%{customdata[1]}<extra></extra>",
        "colorscale": colorscale("viridis"),
        "colorbar": {"title": {"text": "error"}, "thickness": 12, **_ticks(exact)},
    }  # fmt: skip
    rows = {"tickvals": list(range(len(table))), "ticktext": names, "autorange": "reversed"}
    shared = layout(
        height=int(max(320, 28 * len(table) + 140)),
        showlegend=wide,
        margin={"l": 10, "r": 10, "t": 50, "b": 50},
        xaxis={"domain": [0, 0.5 if wide else 1], "type": "category", "automargin": True},
        yaxis={**rows, "automargin": True},
    )
    if not wide:
        return {"data": [shades], "layout": shared}
    shades["colorbar"] |= {"x": 0.51}
    turned = around(curve)
    model = {"name": "model", "y": turned["error"].to_numpy(), "line": {"color": ORANGE}}
    alone = {
        "name": "baseline: resampling alone",
        "y": turned["baseline"].to_numpy(),
        "line": {"color": GREY, "dash": "dash"},
    }
    line = {"type": "scatter", "mode": "lines+markers", "xaxis": "x2", "yaxis": "y2"}
    lines = [line | {"x": turned["angle_deg"].to_numpy()} | one for one in (model, alone)]
    title = {"title": {"text": "angle in degrees"}, "dtick": 90}
    shared["xaxis2"] = {"domain": [0.68, 1], "anchor": "y2", "automargin": True, **title}
    shared["yaxis2"] = {"anchor": "x2", "title": {"text": "relative error"}, "rangemode": "tozero"}
    shared["legend"] = {
        "orientation": "h",
        "x": 1,
        "xanchor": "right",
        "y": 1.02,
        "yanchor": "bottom",
    }
    return {"data": [shades, *lines], "layout": shared}


def _short(error: float, exact: float) -> str:
    if np.isnan(error):
        return "–"
    return "exact" if error <= exact else f"{error:.0e}"


def _said(name: str, causes: Sequence[str]) -> str:
    """The cause of a layer in lines that a hover label holds; nothing where there is none."""
    for cause in causes:
        if cause.startswith(f"{name}:"):
            return "<br>" + "<br>".join(_lines(cause))
    return ""


def _lines(text: str, width: int = 60) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += f"{word} "
    return [line.strip() for line in lines]


def _ticks(exact: float) -> dict[str, Sequence[object]]:
    powers = list(range(int(np.ceil(np.log10(floor_of(exact)))), 1, 2))
    return {"tickvals": powers, "ticktext": [f"1e{power}" if power else "1" for power in powers]}
