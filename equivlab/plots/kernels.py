"""The kernels of spherical layers: on the sphere as a globe, on SO(3) as points in a ball."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from equivlab.fields.irreps import harmonics
from equivlab.nn.sphere.conv import S2Conv, SO3Conv
from equivlab.plots.harmonics import directions
from equivlab.plots.showing import shown
from equivlab.plots.style import (
    SIGNED,
    Floats,
    Spec,
    colorscale,
    layout,
    limit_of,
    new_figure,
    scene,
)
from equivlab.so3 import SO3

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from equivlab.plots.interactive import InteractiveFigure

__all__ = ["plot_kernel"]


def plot_kernel(
    layer: S2Conv | SO3Conv,
    out_channel: int = 0,
    in_channel: int = 0,
    *,
    interactive: bool = False,
) -> Figure | InteractiveFigure:
    """The kernel from one channel to another.

    Of an `S2Conv`, whose kernel is ``Σ_p w_p δ(p)`` on the sphere: what the layer's degrees leave
    of it, ``Σ_lm (Σ_p w_p Y_lm(p)) Y_lm``, as colors of a globe, seen from above the pole. Of an
    `SO3Conv`: its weights ``w_p``, each at its rotation, which stands in the ball of radius π at
    its axis times its angle.

    Args:
        layer: the convolution.
        out_channel: which output.
        in_channel: which input.
        interactive: a figure of plotly that turns, instead of matplotlib's.

    Raises:
        TypeError: another layer.
        IndexError: no such channel.
    """
    if not isinstance(layer, S2Conv | SO3Conv):
        raise TypeError(f"plot_kernel takes an S2Conv or SO3Conv; got {type(layer).__name__}.")
    weights = layer.kernel[in_channel, out_channel].detach().cpu().double()
    says = f"Kernel of {type(layer).__name__}, channel {in_channel} to {out_channel}"
    if isinstance(layer, S2Conv):
        beta, alpha = layer.kernel_grid.double().cpu().unbind(1)
        flat = beta.sin()
        points = torch.stack([flat * alpha.cos(), flat * alpha.sin(), beta.cos()], -1)
        at = directions(61, 90)
        values = torch.zeros(at.shape[:2], dtype=torch.float64)
        for degree in range(layer.lmax + 1):  # Y has the sum of squares 2l + 1, not that over 4π
            spectrum = weights @ harmonics(degree, points)
            values += harmonics(degree, at) @ spectrum / (4 * torch.pi)
        return _globe(at.numpy(), values.numpy(), says, interactive)
    return _ball(_axis_angles(layer), weights.numpy(), says, interactive)


def _axis_angles(layer: SO3Conv) -> Floats:
    """The rotations of a kernel's points as axis times angle, ``(P, 3)``."""
    beta, alpha, gamma = layer.kernel_grid.double().cpu().unbind(1)
    R = SO3.from_zyz(alpha, beta, gamma)
    angle = ((R.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1).acos()
    # Of R + Rᵀ + (1 − tr R) every column is along the axis; the longest is the safest. Its sign
    # comes from R − Rᵀ, and is free at half a turn.
    trace = R.diagonal(dim1=-2, dim2=-1).sum(-1)
    both = R + R.mT + (1 - trace)[:, None, None] * torch.eye(3, dtype=R.dtype)
    longest = both.norm(dim=1).argmax(-1)
    axis = torch.nn.functional.normalize(both[torch.arange(len(R)), :, longest], dim=-1)
    odd = R - R.mT
    sense = torch.stack([odd[:, 2, 1], odd[:, 0, 2], odd[:, 1, 0]], -1)
    axis = torch.where(((axis * sense).sum(-1) < 0)[:, None], -axis, axis)
    found: Floats = (axis * angle[:, None]).numpy()
    return found


def _globe(at: Floats, values: Floats, says: str, interactive: bool) -> Figure | InteractiveFigure:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    limit = limit_of(values)
    x, y, z = np.moveaxis(at, -1, 0)
    figure, colors, norm = new_figure(5.2, 4.4), colormaps[SIGNED], Normalize(-limit, limit)
    ax: Any = figure.add_subplot(projection="3d", proj_type="ortho", computed_zorder=False)
    ax.plot_surface(x, y, z, facecolors=colors(norm(values)), rcount=99, ccount=99, shade=False)
    ax.set_box_aspect((1, 1, 1), zoom=1.4)
    ax.view_init(elev=60, azim=0)
    ax.set_axis_off()
    ax.set_title(says)
    figure.colorbar(ScalarMappable(norm, colors), ax=ax, shrink=0.7)

    def spec() -> Spec:
        globe = {
            "type": "surface",
            "x": x,
            "y": y,
            "z": z,
            "surfacecolor": values,
            "cmin": -limit,
            "cmax": limit,
            "colorscale": colorscale(),
            "colorbar": {"len": 0.6, "thickness": 12},
            "hovertemplate": "%{surfacecolor:.3g}<extra></extra>",
        }
        camera = {"eye": {"x": 0.8, "y": 0.0, "z": 1.4}}
        return {
            "data": [globe],
            "layout": layout(title={"text": says}, scene=scene() | {"camera": camera}),
        }

    return shown(figure, spec, says, interactive)


def _ball(at: Floats, weights: Floats, says: str, interactive: bool) -> Figure | InteractiveFigure:
    limit = limit_of(weights)
    figure = new_figure(5.6, 4.6)
    ax: Any = figure.add_subplot(projection="3d")
    drawn = ax.scatter(
        *at.T, c=weights, cmap=SIGNED, vmin=-limit, vmax=limit, s=30, depthshade=False
    )
    drawn.set_edgecolor("#777777")
    drawn.set_linewidth(0.3)
    ax.set(xlim=(-np.pi, np.pi), ylim=(-np.pi, np.pi), zlim=(-np.pi, np.pi), title=says)
    ax.set(xlabel="axis × angle, x", ylabel="y", zlabel="z")
    ax.set_box_aspect((1, 1, 1))
    figure.colorbar(drawn, ax=ax, shrink=0.6)

    def spec() -> Spec:
        angles = np.degrees(np.linalg.norm(at, axis=-1))
        points = {
            "type": "scatter3d",
            "mode": "markers",
            **dict(zip("xyz", at.T, strict=True)),
            "marker": {
                "size": 5,
                "color": weights,
                "cmin": -limit,
                "cmax": limit,
                "colorscale": colorscale(),
                "colorbar": {"len": 0.6, "thickness": 12, "title": {"text": "weight"}},
                "line": {"width": 1, "color": "#777777"},
            },
            "customdata": angles,
            "hovertemplate": "a turn by %{customdata:.0f}°: %{marker.color:.3g}<extra></extra>",
        }
        box = {"range": [-np.pi, np.pi], "showbackground": False}
        axes = {f"{name}axis": box | {"title": {"text": name}} for name in "xyz"}
        space = {"aspectmode": "cube", **axes}
        return {"data": [points], "layout": layout(title={"text": says}, scene=space)}

    return shown(figure, spec, says, interactive)
