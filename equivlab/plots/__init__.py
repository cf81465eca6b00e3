"""Figures to look at, to turn and to point at: harmonics, kernels, skies, molecules, curves.

Each function draws by matplotlib; with ``interactive=True`` it gives the same numbers as a figure
of plotly that one turns and hovers over, which needs ``pip install "equivlab[plotly]"``.
``Numbers`` are a list, an array or a tensor.
"""

from equivlab.plots.curves import plot_accuracy, plot_runs
from equivlab.plots.harmonics import plot_harmonics, plot_irreps
from equivlab.plots.kernels import plot_kernel
from equivlab.plots.points import plot_points
from equivlab.plots.sky import plot_healpix

__all__ = [
    "plot_accuracy",
    "plot_harmonics",
    "plot_healpix",
    "plot_irreps",
    "plot_kernel",
    "plot_points",
    "plot_runs",
]
