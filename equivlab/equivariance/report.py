"""What `equivlab.audit` found: a table, a curve, sentences and a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from equivlab.equivariance.measuring import MeasuredLayer
from equivlab.fields.base import G

if TYPE_CHECKING:  # loaded when a report is made, and when it is drawn
    import pandas as pd
    from matplotlib.figure import Figure

    from equivlab.plots.interactive import InteractiveFigure

__all__ = ["AuditReport", "make_report"]


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
        verdict: what there is to say where no layer is to blame.
    """

    table: pd.DataFrame
    curve: pd.DataFrame
    elements: list[str]
    causes: list[str]
    exact: float
    verdict: str = ""

    @property
    def max_error(self) -> float:
        """The largest relative error of the model's output over the group elements."""
        return float(self.table["max"].iloc[-1])

    @property
    def cause(self) -> str:
        """The first cause in plain words, or that there is none to look for."""
        return self.causes[0] if self.causes else self.verdict

    def _number(self, error: float) -> str:
        if math.isnan(error):
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

    def plot(self, *, interactive: bool = False) -> Figure | InteractiveFigure:
        """The error of each layer, and of the model at any angle, beside the resampling's.

        Args:
            interactive: a figure of plotly, layer × element; pointing at a layer tells the cause.
                Needs ``pip install "equivlab[plotly]"``.
        """
        from equivlab.equivariance.figure import draw
        from equivlab.equivariance.pointing import heat
        from equivlab.plots.showing import shown

        still = draw(self.table, self.curve, self.elements, self.exact)
        spec = partial(heat, self.table, self.curve, self.elements, self.exact, self.causes)
        return shown(still, spec, f"Audit of {len(self.table)} layers", interactive)


def make_report(
    layers: Sequence[MeasuredLayer[G]],
    rows: Sequence[tuple[float, float, float]],
    names: list[str],
    causes: list[str],
    exact: float,
    verdict: str,
) -> AuditReport:
    """The report of measured layers, the whole model last, and of a curve."""
    import pandas as pd

    table = pd.DataFrame([_row(layer, names) for layer in layers]).set_index("layer")
    curve = pd.DataFrame(list(rows), columns=["angle_deg", "error", "baseline"], dtype=float)
    return AuditReport(table, curve, names, causes, exact, verdict)


def _row(layer: MeasuredLayer[G], names: list[str]) -> dict[str, object]:
    y = layer.y
    row: dict[str, object] = {
        "layer": layer.call.name,
        "type": type(layer.call.module).__name__,
        "field": "unknown" if layer.field is None else type(layer.field).__name__,
        "shape": None if y is None else tuple(y.shape),
    }
    row |= zip(names, layer.errors, strict=True)
    return row | {"max": max(layer.errors), "own": layer.own}
