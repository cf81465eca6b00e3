"""HEALPix maps, pixel by pixel: in the Mollweide projection, or on a globe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from equivlab.plots.showing import shown
from equivlab.plots.style import (
    GREY,
    SEQUENTIAL,
    SIGNED,
    Floats,
    Spec,
    colorscale,
    layout,
    limit_of,
    new_figure,
    scene,
)
from equivlab.sphere.healpix.corners import pixel_corners
from equivlab.sphere.healpix.maps import seen, ud_grade
from equivlab.sphere.healpix.rings import nside_of_pixels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from equivlab.plots.interactive import InteractiveFigure

__all__ = ["plot_healpix"]

FINEST = 32  # nside that a page turns smoothly, 12,288 pixels


def plot_healpix(
    values: Tensor, title: str = "", *, signed: bool = True, interactive: bool = False
) -> Figure | InteractiveFigure:
    """One map on the sphere; pixels without data are grey.

    Maps finer than nside 32 are drawn at 32, by means. matplotlib's is Mollweide's projection,
    longitude 0 in the middle and growing to the right, so as the globe looks from outside.

    Args:
        values: ``(12·nside²,)``, RING order; UNSEEN and NaN are holes.
        title: what stands above.
        signed: colors with zero in the middle; else from the least to the largest.
        interactive: a globe of plotly that turns, instead of matplotlib's projection.

    Raises:
        ValueError: no single HEALPix map.
    """
    values = torch.as_tensor(values).detach().cpu().double()
    if values.dim() != 1:
        raise ValueError(
            f"plot_healpix takes one map (12·nside²,); got {tuple(values.shape)}. "
            "Choose one: x[0, 0]"
        )
    nside = nside_of_pixels(len(values))
    if nside > FINEST:
        values, nside = ud_grade(values, FINEST), FINEST
    known = seen(values).numpy()
    numbers: Floats = np.where(known, values.numpy(), np.nan)
    z, phi = pixel_corners(nside)
    limits = _limits(numbers, signed)
    name = SIGNED if signed else SEQUENTIAL
    still = _mollweide(z, phi, numbers, limits, name, title)
    says = f"HEALPix map, nside {nside}" + (f": {title}" if title else "")

    def spec() -> Spec:
        flat = np.sqrt(np.clip(1 - z**2, 0, None))
        corners = np.stack([flat * np.cos(phi), flat * np.sin(phi), z], -1).reshape(-1, 3)
        first = 4 * np.arange(len(numbers))
        # Two triangles a pixel: north, west, south, and north, south, east.
        i = np.stack([first, first], -1).ravel()
        j = np.stack([first + 1, first + 2], -1).ravel()
        k = np.stack([first + 2, first + 3], -1).ravel()
        both = np.repeat(known, 2)
        shared = {"type": "mesh3d", "flatshading": True, **dict(zip("xyz", corners.T, strict=True))}
        shared["lighting"] = {"ambient": 1, "diffuse": 0, "specular": 0}
        pixels = {
            **shared,
            "i": i[both],
            "j": j[both],
            "k": k[both],
            "intensity": np.repeat(numbers, 2)[both],
            "intensitymode": "cell",
            "cmin": limits[0],
            "cmax": limits[1],
            "colorscale": colorscale(name),
            "colorbar": {"len": 0.6, "thickness": 12},
            "customdata": np.repeat(
                np.stack([np.arange(len(numbers)), np.nan_to_num(numbers)], -1), 4, axis=0
            ),
            "hovertemplate": "pixel %{customdata[0]:d}: %{customdata[1]:.3g}<extra></extra>",
        }  # fmt: skip
        holes = {**shared, "i": i[~both], "j": j[~both], "k": k[~both], "color": GREY}
        data = [pixels] + ([holes | {"hoverinfo": "skip"}] if not known.all() else [])
        camera = {"eye": {"x": 1.4, "y": 0.0, "z": 0.5}}
        return {
            "data": data,
            "layout": layout(title={"text": title}, scene=scene() | {"camera": camera}),
        }

    return shown(still, spec, says, interactive)


def _limits(numbers: Floats, signed: bool) -> tuple[float, float]:
    if signed:
        return -limit_of(numbers), limit_of(numbers)
    known = numbers[np.isfinite(numbers)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    return low, high if high > low else low + 1


def _mollweide(
    z: Floats, phi: Floats, numbers: Floats, limits: tuple[float, float], name: str, title: str
) -> Figure:
    from matplotlib.collections import PolyCollection

    figure = new_figure(6.4, 3.6)
    ax: Any = figure.add_subplot(projection="mollweide")
    ax.set_facecolor(GREY)
    # A pixel at the edge is drawn at both ends; what stands over is cut off.
    start = 2 * np.pi * np.floor((phi.mean(1, keepdims=True) + np.pi) / (2 * np.pi))
    corners = np.stack([phi - start, np.arcsin(np.clip(z, -1, 1))], -1)
    east = corners[..., 0].max(1) > np.pi
    west = corners[..., 0].min(1) < -np.pi
    turn = np.array([2 * np.pi, 0.0])
    drawn = PolyCollection(
        [*corners, *(corners[east] - turn), *(corners[west] + turn)],
        array=np.ma.masked_invalid(np.concatenate([numbers, numbers[east], numbers[west]])),
        cmap=name, clim=limits, edgecolors="face", linewidths=0.2, rasterized=True,
    )  # fmt: skip
    ax.add_collection(drawn, autolim=False)
    ax.set(xticks=[], yticks=[], title=title)
    figure.colorbar(drawn, ax=ax, shrink=0.7)
    return figure
