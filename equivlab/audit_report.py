"""What `equivlab.audit` found: a table, a curve, sentences and a figure."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["AuditReport"]

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"  # Okabe & Ito: safe for colour-blind eyes


class ReportFigure(Figure):
    """A figure that a notebook shows, whether or not pyplot was imported there."""

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=100)
        return stream.getvalue()


@dataclass(frozen=True, repr=False)
class AuditReport:
    """The result of `equivlab.audit`.

    Attributes:
        table: one row a layer, the whole model (``output``) last. Columns: ``type``, ``field``,
            ``shape``, the relative error for each element, their ``max``, and ``own``, the
            break of the layer by itself.
        curve: ``angle_deg``, ``error`` of the whole model, ``baseline`` of resampling alone.
        elements: names of the group elements.
        causes: a sentence for each layer that breaks the law, the first one first.
        exact: errors up to here are rounding.
    """

    table: pd.DataFrame
    curve: pd.DataFrame
    elements: list[str]
    causes: list[str]
    exact: float

    @property
    def max_error(self) -> float:
        """The largest relative error of the model's output over the group elements."""
        return float(self.table["max"].iloc[-1])

    @property
    def cause(self) -> str:
        """The first cause in plain words, or that there is none to look for."""
        if self.max_error <= self.exact and not self.causes:
            return "Equivariant to rounding."
        if not self.causes:
            return (
                "No single layer breaks the law, so code between the layers does: look in "
                "forward for slices, reshapes and functions of the position."
            )
        return self.causes[0]

    def _number(self, error: float) -> str:
        if np.isnan(error):
            return "–"
        return "exact" if error <= self.exact else f"{error:.1e}"

    def _short(self) -> pd.DataFrame:
        short = self.table.drop(columns=self.elements).copy()
        for column in ("max", "own"):
            short[column] = [self._number(error) for error in short[column]]
        return short.rename(columns={"max": "error", "own": "own break"})

    def __repr__(self) -> str:
        lines = [self._short().to_string(), "", f"Whole model: {self._number(self.max_error)}."]
        return "\n".join([*lines, *(self.causes or [self.cause])])

    def _repr_html_(self) -> str:
        said = "".join(f"<li>{cause}</li>" for cause in self.causes or [self.cause])
        return f"{self._short().to_html()}<ul>{said}</ul>"

    def plot(self) -> Figure:
        """The error of each layer, and of the model at any angle, beside the resampling's."""
        wide = len(self.curve) > 0
        height = max(3.2, 0.28 * len(self.table) + 1.4)
        figure = ReportFigure(figsize=(10 if wide else 6, height), layout="constrained")
        axes = np.atleast_1d(np.asarray(figure.subplots(1, 2 if wide else 1)))
        self._plot_layers(axes[0])
        if wide:
            self._plot_curve(axes[1])
        figure.legend(loc="outside lower center", ncols=3 if wide else 1, fontsize=9)
        return figure

    def _plot_layers(self, ax: Axes) -> None:
        rows = np.arange(len(self.table))
        floor = self.exact / 1e4  # a place on a logarithmic axis for an exact zero
        for element in self.elements[1:]:
            values = self.table[element].astype(float).clip(lower=floor)
            ax.plot(values, rows, "o", color=BLUE, alpha=0.35, markersize=5)
        ax.plot([], [], "o", color=BLUE, alpha=0.6, label="error so far, each element")
        own = self.table["own"].astype(float).clip(lower=floor)
        ax.plot(own, rows, "D", color=ORANGE, markersize=6, mfc="none", label="own break")
        ax.axvline(self.exact, color=GREY, lw=1, ls="--", label="rounding ends here")
        names = [f"{str(name)[-22:]} ({kind})" for name, kind in self.table["type"].items()]
        ax.set_yticks(rows, names, fontsize=8)
        ax.set(xscale="log", xlim=(floor / 3, 10), xlabel="relative error", title="Layer by layer")
        ax.invert_yaxis()
        ax.grid(alpha=0.3)

    def _plot_curve(self, ax: Axes) -> None:
        around = self.curve.sort_values("angle_deg")
        start = around.iloc[:1]
        if float(start["angle_deg"].iloc[0]) == 0:  # the circle closes
            around = pd.concat([around, start.assign(angle_deg=360.0)])
        ax.plot(around["angle_deg"], around["error"], "o-", color=ORANGE, ms=3, label="model")
        ax.plot(
            around["angle_deg"],
            around["baseline"],
            "s--",
            color=GREY,
            ms=3,
            label="baseline: resampling alone",
        )
        ax.set(xlabel="angle in degrees", ylabel="relative error", title="Any angle")
        ax.set_xticks(range(0, 361, 90))
        ax.set_ylim(bottom=0)
        ax.grid(alpha=0.3)
