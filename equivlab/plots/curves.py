"""Curves of networks: accuracy against the angle, round the circle, and training runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from equivlab.plots.showing import shown
from equivlab.plots.style import Floats, Spec, colors_of, layout, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from equivlab.plots.interactive import InteractiveFigure

__all__ = ["plot_accuracy", "plot_runs"]

Numbers = Sequence[float] | Floats | Tensor
TURN = 360.0  # degrees


def plot_accuracy(
    angles_deg: Numbers,
    accuracies: Mapping[str, Numbers],
    *,
    equivariant: Collection[str] = (),
    title: str = "Accuracy at each angle",
    interactive: bool = False,
) -> Figure | InteractiveFigure:
    """Accuracies round the circle: an invariant network draws a circle, a plain one a petal.

    Args:
        angles_deg: where it was measured, ``(A,)``.
        accuracies: of each network, ``(A,)`` numbers from 0 to 1. What `AccuracyVsAngle` found is
            ``{name: curve[0] for name, curve in widget.curves.items()}``.
        equivariant: names of those that are; they are orange, the others blue.
        title: what stands above.
        interactive: a figure of plotly, instead of matplotlib's.

    Raises:
        ValueError: another number of accuracies than of angles.
    """
    angles = np.asarray(angles_deg, float)
    curves = {name: np.asarray(values, float) for name, values in accuracies.items()}
    for name, values in curves.items():
        if values.shape != angles.shape or values.ndim != 1 or not len(values):
            raise ValueError(
                f"plot_accuracy takes an accuracy for each angle, {angles.shape}; got "
                f"{values.shape} of {name!r}."
            )
    colors = colors_of(curves, equivariant)
    round_ = np.append(angles, angles[0] + TURN)
    closed = {name: np.append(values, values[0]) for name, values in curves.items()}
    figure = new_figure(5, 4.6)
    ax: Any = figure.add_subplot(projection="polar")
    for name, values in closed.items():
        ax.plot(np.radians(round_), values, color=colors[name], label=name)
    ax.set(ylim=(0, 1), yticks=[0.25, 0.5, 0.75, 1], title=title)
    figure.legend(loc="outside lower center", ncols=3)

    def spec() -> Spec:
        data = [
            {
                "type": "scatterpolar",
                "mode": "lines",
                "name": name,
                "theta": round_,
                "r": values,
                "line": {"color": colors[name]},
                "hovertemplate": f"{name}: %{{r:.1%}} at %{{theta:.0f}}°<extra></extra>",
            }
            for name, values in closed.items()
        ]
        polar = {"radialaxis": {"range": [0, 1], "tickformat": ".0%"}, "angularaxis": {}}
        shared = layout(title={"text": title}, polar=polar, showlegend=True)
        return {"data": data, "layout": shared | {"margin": {"l": 40, "r": 40, "t": 60, "b": 40}}}

    return shown(figure, spec, f"{title}: {', '.join(curves)}", interactive)


def plot_runs(
    runs: Mapping[str, Mapping[str, Numbers]],
    *,
    equivariant: Collection[str] = (),
    step: str = "epoch",
    interactive: bool = False,
) -> Figure | InteractiveFigure:
    """Training runs side by side: a panel for each quantity, a curve for each run.

    Args:
        runs: by quantity and run, ``{"loss": {"P4": fit(...), "plain": fit(...)}}``.
        equivariant: names of runs of equivariant networks; orange, the others blue.
        step: what is counted from left to right, from 1.
        interactive: a figure of plotly, instead of matplotlib's.

    Raises:
        ValueError: no quantity, or one without a run.
    """
    if not runs or not all(runs.values()):
        raise ValueError('plot_runs takes runs by quantity, {"loss": {"P4": losses}}; got none.')
    panels = {
        quantity: {name: np.asarray(values, float) for name, values in each.items()}
        for quantity, each in runs.items()
    }
    names = list(dict.fromkeys(name for each in panels.values() for name in each))
    colors = colors_of(names, equivariant)
    figure = new_figure(4.2 * len(panels) + 0.4, 3.4)
    for ax, (quantity, curves) in zip(
        np.atleast_1d(np.asarray(figure.subplots(1, len(panels)))), panels.items(), strict=True
    ):
        for name, values in curves.items():
            ax.plot(np.arange(1, len(values) + 1), values, color=colors[name], label=name)
        ax.set(xlabel=step, title=quantity)
        ax.grid(alpha=0.3)
        ax.legend()

    def spec() -> Spec:
        data: list[dict[str, Any]] = []
        shared = layout(showlegend=True, hovermode="x unified", height=380)
        shared["margin"] = {"l": 10, "r": 10, "t": 40, "b": 50}
        wide, gap = 1 / len(panels), 0.04
        for place, (quantity, curves) in enumerate(panels.items(), 1):
            which = "" if place == 1 else str(place)
            for name, values in curves.items():
                first = not any(each["name"] == name for each in data)
                data.append({
                    "type": "scatter", "mode": "lines", "name": name, "legendgroup": name,
                    "showlegend": first, "x": np.arange(1, len(values) + 1), "y": values,
                    "xaxis": f"x{which}", "yaxis": f"y{which}", "line": {"color": colors[name]},
                })  # fmt: skip
            begin = (place - 1) * wide + gap * (place > 1)
            across = {"domain": [begin, place * wide], "anchor": f"y{which}", "automargin": True}
            shared[f"xaxis{which}"] = across | {"title": {"text": step}}
            shared[f"yaxis{which}"] = {"anchor": f"x{which}", "title": {"text": quantity}}
            shared[f"yaxis{which}"]["automargin"] = True
        return {"data": data, "layout": shared}

    return shown(figure, spec, f"Training runs: {', '.join(names)}", interactive)
