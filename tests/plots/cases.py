"""Every figure, a row each: how it is made, and where its numbers stand in either kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from equivlab import plots
from equivlab.equivariance import AuditReport, audit
from equivlab.groups import P4
from equivlab.nn import S2Conv, SO3Conv

Numbers = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Case:
    """One figure, small.

    Attributes:
        make: the figure, of either kind.
        still: its numbers in matplotlib's.
        moving: the same in plotly's, of its traces.
        flat: whether it has two dimensions.
    """

    make: Callable[..., Any]
    still: Callable[[Figure], Numbers]
    moving: Callable[[list[dict[str, Any]]], Numbers]
    flat: bool = False


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def seeded(kind: Any, *sizes: int) -> Any:
    torch.manual_seed(0)
    return kind(*sizes)


def report() -> AuditReport:
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(1, 2, 3, padding=1), torch.nn.ReLU()
    return audit(torch.nn.Sequential(*layers), noise(2, 1, 9, 9), P4, angles=8)


def faces(figure: Figure) -> Numbers:
    """The colors of all surfaces."""
    drawn: list[Any] = list(figure.axes[0].collections)
    return np.concatenate([each._facecolor3d[:, :3] for each in drawn])


def tinted(traces: list[dict[str, Any]]) -> Numbers:
    """The colors of plotly's surfaces by matplotlib's scale, a face for each four points."""
    from matplotlib import colormaps

    found = []
    for each in traces:
        part = (each["surfacecolor"] - each["cmin"]) / (each["cmax"] - each["cmin"])
        found.append(colormaps["RdBu_r"](part[:-1, :-1].ravel())[:, :3])
    return np.concatenate(found)


def offsets(figure: Figure) -> Numbers:
    """Places and colors of points in space."""
    points: Any = next(one for one in figure.axes[0].collections if hasattr(one, "_offsets3d"))
    return np.stack([*points._offsets3d, points.get_array()])


def marks(traces: list[dict[str, Any]]) -> Numbers:
    points = next(one for one in traces if "markers" in one.get("mode", ""))
    return np.stack([*(points[name] for name in "xyz"), points["marker"]["color"]])


def lines(figure: Figure) -> Numbers:
    """The heights of all curves of the figure's axes."""
    found = [np.asarray(line.get_ydata()) for ax in figure.axes for line in ax.get_lines()]
    return np.concatenate(found)


def cells(figure: Figure) -> Numbers:
    drawn: Any = figure.axes[0].collections[0]
    return np.asarray(np.ma.filled(drawn.get_array(), np.nan))


def pixels(traces: list[dict[str, Any]]) -> Numbers:
    """A number for each pixel and, as in the projection, again for those at the edge of it."""
    numbers = np.full(192, np.nan)
    first = traces[0]["i"] // 4
    numbers[first] = traces[0]["intensity"]
    return numbers


def errors(figure: Figure) -> Numbers:
    """Of each element the errors of the layers; then their own breaks; then the curve."""
    left, right = figure.axes
    layers = [line for line in left.get_lines() if len(line.get_xdata()) == 3]
    found = [np.log10(np.asarray(line.get_xdata(), float)) for line in layers]
    return np.concatenate([*found, *(np.asarray(line.get_ydata()) for line in right.get_lines())])


def shades(traces: list[dict[str, Any]]) -> Numbers:
    table, *curves = traces
    return np.concatenate([table["z"].T.ravel(), *(curve["y"] for curve in curves)])


def holed() -> torch.Tensor:
    values = noise(12 * 4**2)
    values[3] = torch.nan
    return values


ANGLES = np.arange(0, 360, 15.0)
CURVES = {"P4CNN": 0.9 + 0.0 * ANGLES, "linear": 0.5 + 0.4 * np.cos(np.radians(ANGLES))}
RUNS = {"loss": {"P4": [2, 1, 0.5], "plain": [2, 1.5, 1]}, "accuracy": {"P4": [0.1, 0.6, 0.9]}}

CASES = {
    "harmonics": Case(lambda **kind: plots.plot_harmonics(2, **kind), faces, tinted),
    "irreps": Case(
        lambda **kind: plots.plot_irreps("2x0e + 1x1o + 1x2e", noise(10), **kind), faces, tinted
    ),
    "kernel on S²": Case(
        lambda **kind: plots.plot_kernel(seeded(S2Conv, 1, 2, 8, 4), **kind), faces, tinted
    ),
    "kernel on SO(3)": Case(
        lambda **kind: plots.plot_kernel(seeded(SO3Conv, 1, 2, 4, 4), 1, **kind), offsets, marks
    ),
    "sky": Case(lambda **kind: plots.plot_healpix(holed(), "a sky", **kind), cells, pixels),
    "points": Case(
        lambda **kind: plots.plot_points(
            noise(6, 3), values=noise(6), vectors=noise(6, 3), names="HCNOOH", bonds=1.5, **kind
        ),
        offsets,
        marks,
    ),
    "accuracy": Case(
        lambda **kind: plots.plot_accuracy(ANGLES, CURVES, equivariant=["P4CNN"], **kind),
        lines,
        lambda traces: np.concatenate([each["r"] for each in traces]),
        flat=True,
    ),
    "runs": Case(
        lambda **kind: plots.plot_runs(RUNS, equivariant=["P4"], **kind),
        lines,
        lambda traces: np.concatenate([each["y"] for each in traces]),
        flat=True,
    ),
    "audit": Case(lambda **kind: report().plot(**kind), errors, shades, flat=True),
}
