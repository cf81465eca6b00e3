"""Signals on whole spheres to look at: made-up planets, digits, and the Earth's topography."""

from __future__ import annotations

import math
import os
from pathlib import Path

import torch
from torch import Tensor

from equivlab.data.archives import read_arrays
from equivlab.projection import project_image
from equivlab.projection.grids import SphereGrid, sphere_grid
from equivlab.so3 import SO3
from equivlab.sphere import healpix_isht, healpix_sht, s2_ifft, ud_grade

__all__ = ["earth_topography", "globe_signals"]

EARTH = "earth_topo_m_nside64_ring"
WITHOUT_FILE = (
    f"Give path=... or point EQUIVLAB_TOPOGRAPHY at an .npz file with the array {EARTH} "
    "(a HEALPix map of heights in metres, RING, nside 64), or take the made-up planets: "
    "equivlab.data.globe_signals"
)


def globe_signals(
    bandwidth: int | None = None, nside: int | None = None, seed: int = 0
) -> dict[str, Tensor]:
    """Four signals that show a rotation well, computed and not loaded.

    Args:
        bandwidth: gives samples ``(1, 2b, 2b)``.
        nside: instead of it, gives HEALPix maps ``(1, 12·nside²)``.
        seed: of the planet.

    Returns:
        By name: ``'planet'`` with continents, a ``'gas giant'`` with bands and a spot, ``'dots'``
        at the corners of a cube, one missing, and a ``'digit'``. Float32, about −1 to 1.

    >>> {name: tuple(x.shape) for name, x in globe_signals(nside=8).items()}
    {'planet': (1, 768), 'gas giant': (1, 768), 'dots': (1, 768), 'digit': (1, 768)}
    """
    grid = sphere_grid(bandwidth, nside, "globe_signals")
    points = grid.points()[:, 0]  # (K, 3)
    made = {
        "planet": _planet(grid, seed),
        "gas giant": _gas_giant(points),
        "dots": _dots(points),
        "digit": _digit(grid).flatten(),
    }
    return {name: x.float().reshape(1, *grid.shape) for name, x in made.items()}


def earth_topography(
    path: str | os.PathLike[str] | None = None,
    *,
    bandwidth: int | None = None,
    nside: int | None = None,
) -> Tensor:
    """Heights of the Earth in kilometres, the sea floor included.

    Args:
        path: an ``.npz`` file; else ``$EQUIVLAB_TOPOGRAPHY``.
        bandwidth: gives samples ``(1, 2b, 2b)``, low-passed.
        nside: instead of it, gives a HEALPix map ``(1, 12·nside²)``.

    Raises:
        FileNotFoundError: neither a path nor the variable names a file.
        ValueError: another file, a bandwidth above 129, no or two grids.
    """
    grid = sphere_grid(bandwidth, nside, "earth_topography")
    source = path or os.environ.get("EQUIVLAB_TOPOGRAPHY")
    if not source:
        raise FileNotFoundError(f"No file of topography was named. {WITHOUT_FILE}")
    array = read_arrays(Path(source), [EARTH], "topography", instead=WITHOUT_FILE)[EARTH]
    if array.shape != (12 * 64**2,):
        raise ValueError(f"{EARTH} holds 49152 pixels; got {array.shape}. {WITHOUT_FILE}")
    heights = torch.from_numpy(array).float()[None] / 1000
    if grid.nside is not None:
        return ud_grade(heights, grid.nside)
    b = grid.shape[0] // 2
    if b > 129:
        raise ValueError(f"A map of nside 64 holds 129 degrees; got bandwidth {b}.")
    return s2_ifft(healpix_sht(heights, b - 1), b)


def _planet(grid: SphereGrid, seed: int) -> Tensor:
    """Continents: a random field with large structures, its middle values made steep."""
    degrees = min(24, grid.shape[0] // 2 if grid.nside is None else 2 * grid.nside)
    generator = torch.Generator().manual_seed(seed)
    c = torch.randn(degrees**2, generator=generator, dtype=torch.float64)
    degree = torch.arange(degrees**2, dtype=torch.float64).sqrt().floor()
    c = c * torch.where(degree > 0, (degree + 0.5) ** -1.6, 0.0)
    field = s2_ifft(c, grid.shape[0] // 2) if grid.nside is None else healpix_isht(c, grid.nside)
    field = field.flatten()
    return torch.tanh(2.5 * (field - 0.2 * field.std()) / field.std()) * 0.7 + 0.2 * field


def _gas_giant(points: Tensor) -> Tensor:
    x, y, z = points.unbind(-1)
    longitude = torch.atan2(y, x)
    waves = z + 0.03 * torch.sin(5 * longitude) * torch.sqrt(1 - z * z)
    spot = torch.tensor([math.cos(-0.4), 0.0, math.sin(-0.4)], dtype=points.dtype)
    return 0.7 * torch.sin(11 * waves) - 1.2 * torch.exp(18 * (points @ spot - 1))


def _dots(points: Tensor) -> Tensor:
    """Seven of a cube's eight corners: no turn maps the signal to itself but those about one."""
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=points.dtype)] * 3)[:-1]
    heights = torch.linspace(1, 0.4, len(corners), dtype=points.dtype)
    return (torch.exp(25 * (points @ corners.mT / math.sqrt(3) - 1)) * heights).sum(1)


def _digit(grid: SphereGrid) -> Tensor:
    from equivlab.data.digits import digit_images

    image = digit_images()[0][4:5].double()
    there = SO3.from_zyz(0.0, math.pi / 2, 0.0)
    return project_image(
        image, bandwidth=grid.bandwidth, nside=grid.nside, extent=2.0, rotation=there
    )
