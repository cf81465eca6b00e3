"""Spherical harmonics, and features made of irreps, as surfaces.

The surface stands in each direction as far from the middle as the function is large there, red
where it is positive and blue where it is negative.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from equivlab.fields.irreps import Irreps, as_irreps, harmonics
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

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from equivlab.plots.interactive import InteractiveFigure

__all__ = ["directions", "plot_harmonics", "plot_irreps"]

HIGHEST = 6  # degree, of which the surfaces can be told apart
ROW = 4  # features side by side
WIDE, HIGH = 2.2, 2.7  # from center to center, in largest values; a name stands below each


def directions(north_south: int = 25, around: int = 48) -> Tensor:
    """Unit vectors ``(north_south, around + 1, 3)``, poles included and the circle closed."""
    beta = torch.linspace(0, torch.pi, north_south, dtype=torch.float64)[:, None]
    alpha = torch.linspace(0, 2 * torch.pi, around + 1, dtype=torch.float64)[None]
    flat = beta.sin()
    return torch.stack(
        [flat * alpha.cos(), flat * alpha.sin(), beta.cos().expand(-1, around + 1)], -1
    )


def plot_harmonics(lmax: int = 3, *, interactive: bool = False) -> Figure | InteractiveFigure:
    """The real spherical harmonics: a row for each degree ``l``, the orders ``m = −l…l`` in it.

    Args:
        lmax: the highest degree, 0 to 6.
        interactive: a figure of plotly that turns, instead of matplotlib's.

    Raises:
        ValueError: `lmax` outside 0…6.

    Source:
        `equivlab.fields.harmonics`, in this package's axes: degree 1 is ``y, z, x``.
    """
    if not 0 <= lmax <= HIGHEST:
        raise ValueError(f"plot_harmonics takes lmax from 0 to {HIGHEST}; got {lmax}.")
    at = directions()
    names, labels, values, centers = [], [], [], []
    for degree in range(lmax + 1):
        for order, one in enumerate(harmonics(degree, at).unbind(-1), -degree):
            names.append(f"l = {degree}, m = {order}")
            labels.append(f"{degree}, {order}".replace("-", "−"))
            values.append(one.numpy() / np.sqrt(2 * degree + 1))
            centers.append((0.0, WIDE * order, -HIGH * degree))
    says = f"Spherical harmonics up to degree {lmax}"
    still = (labels, f"{says}: l, m", max(1.0, (2 * lmax + 1) / 8))
    return _surfaces(names, values, centers, says, interactive, still)


def plot_irreps(
    irreps: str | Irreps, features: Tensor, *, interactive: bool = False
) -> Figure | InteractiveFigure:
    """The features of one point, each irrep as the function ``p ↦ Σ_m f_m Y_m(p)``.

    It turns as the features do: the surface of ``D(g) f`` is that of ``f``, turned by ``g``.

    Args:
        irreps: what the features are, for example ``"1x0e + 2x1o"``, degrees up to 6.
        features: ``(C,)``, in the order of `irreps`.
        interactive: a figure of plotly that turns, instead of matplotlib's.

    Raises:
        ValueError: no such irreps, or another number of features.
    """
    kinds = as_irreps(irreps, "plot_irreps")
    features = torch.as_tensor(features).detach().cpu().double()
    if tuple(features.shape) != (kinds.dim,):
        raise ValueError(
            f"plot_irreps takes the features of one point, ({kinds.dim},) for {kinds}; got "
            f"{tuple(features.shape)}. Choose one: x[0]"
        )
    at = directions()
    names: list[str] = []
    values: list[Floats] = []
    for (count, kind), cut in zip(kinds, kinds.slices(), strict=True):
        if kind.l > HIGHEST:
            raise ValueError(f"plot_irreps draws degrees up to {HIGHEST}; got {kind}.")
        for copy, one in enumerate(features[cut].view(count, kind.dim), 1):
            names.append(f"{kind}" if count == 1 else f"{kind}, {copy} of {count}")
            values.append((harmonics(kind.l, at) @ one).numpy() / np.sqrt(2 * kind.l + 1))
    largest = max(map(limit_of, values))
    wide, high = WIDE * largest, HIGH * largest
    centers = [(0.0, wide * (place % ROW), -high * (place // ROW)) for place in range(len(values))]
    says = f"Features {kinds}"
    return _surfaces(names, values, centers, says, interactive, (names, says, 1.0))


def _surfaces(
    names: list[str],
    values: list[Floats],
    centers: list[tuple[float, float, float]],
    says: str,
    interactive: bool,
    still: tuple[list[str], str, float],
) -> Figure | InteractiveFigure:
    """Functions on `directions`, each a surface about its own center.

    `still` is what matplotlib's figure has: words below each, its title, and its size.
    """
    at = directions().numpy()
    limit = max(map(limit_of, values))
    bodies = [
        np.abs(one)[..., None] * at + center for one, center in zip(values, centers, strict=True)
    ]
    drawn = _still(values, bodies, centers, limit, *still)

    def spec() -> Spec:
        data: list[dict[str, Any]] = [
            {
                "type": "surface",
                "name": name,
                **dict(zip("xyz", np.moveaxis(body, -1, 0), strict=True)),
                "surfacecolor": one,
                "cmin": -limit,
                "cmax": limit,
                "colorscale": colorscale(),
                "showscale": place == 0,
                "colorbar": {"len": 0.6, "thickness": 12},
                "hovertemplate": f"{name}<br>%{{surfacecolor:.2f}}<extra></extra>",
            }
            for place, (name, one, body) in enumerate(zip(names, values, bodies, strict=True))
        ]
        camera = {"eye": {"x": 1.6, "y": 0.0, "z": 0.4}, "projection": {"type": "orthographic"}}
        return {
            "data": data,
            "layout": layout(title={"text": says}, scene=scene() | {"camera": camera}),
        }

    return shown(drawn, spec, says, interactive)


def _still(
    values: list[Floats],
    bodies: list[Floats],
    centers: list[tuple[float, float, float]],
    limit: float,
    labels: list[str],
    title: str,
    size: float,
) -> Figure:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    figure = new_figure(6.4 * size, 5 * size)
    ax: Any = figure.add_subplot(projection="3d", proj_type="ortho")
    norm = Normalize(-limit, limit)
    colors = colormaps[SIGNED]
    for label, one, body, center in zip(labels, values, bodies, centers, strict=True):
        drawn = ax.plot_surface(
            *np.moveaxis(body, -1, 0),
            facecolors=colors(norm(one)),
            rcount=99,
            ccount=99,
            shade=False,
        )
        drawn.set_label(label)
        drawn.set(rasterized=True, clip_on=False)
        below = center[2] - 1.1 * limit
        ax.text(center[0], center[1], below, label, fontsize=9, ha="center", va="top")
    whole = np.concatenate([body.reshape(-1, 3) for body in bodies])
    ax.set_box_aspect(np.maximum(np.ptp(whole, 0), limit), zoom=1.28)
    ax.view_init(elev=14, azim=0)
    ax.set_axis_off()
    ax.set_title(title)
    figure.colorbar(ScalarMappable(norm, colors), ax=ax, shrink=0.6)
    return figure
