"""Images, longitude-latitude grids: against closed forms on the sphere, there and back."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from equivlab.projection.grids import SphereGrid
from equivlab.projection.lonlat import project_lonlat
from equivlab.projection.pictures import project_image, view_sphere
from equivlab.so3 import SO3
from equivlab.sphere import rotate_s2

NAMES = ("gnomonic", "stereographic", "orthographic", "equirectangular")
EXTENT = {"gnomonic": 1.6, "stereographic": 3.0, "orthographic": 2.2, "equirectangular": 2.0}
GRIDS = ({"bandwidth": 24}, {"nside": 16})


def directions(name: str, extent: float, size: int) -> Tensor:
    """Unit vectors of the pixels of an image on the north pole, by polar formulas."""
    step = (torch.arange(size, dtype=torch.float64) + 0.5) / size * 2 - 1
    up, right = torch.meshgrid(-step, step, indexing="ij")
    if name == "equirectangular":
        lon, lat = right * extent / 2, up * extent / 2
        toward, east, north = lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()
        return torch.stack([-north, east, toward], -1)
    # Distance from the pole against distance from the middle of the image.
    radius = {"gnomonic": math.tan, "stereographic": lambda a: 2 * math.tan(a / 2)}
    half = radius.get(name, math.sin)(extent / 2)
    rho = torch.hypot(up, right) * half
    angle = {"gnomonic": torch.atan, "stereographic": lambda r: 2 * torch.atan(r / 2)}
    theta = angle.get(name, lambda r: torch.asin(r.clamp(max=1)))(rho)
    phi = torch.atan2(right, -up)  # right is +y, up is −x
    return torch.stack([theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()], -1)


def smooth(points: Tensor) -> Tensor:
    """A function of directions without any symmetry."""
    x, y, z = points.unbind(-1)
    return 1 + 0.5 * x - 0.3 * y * z + 0.2 * z * z * x


def points_of(grid: dict[str, int]) -> Tensor:
    of = SphereGrid(grid.get("bandwidth"), grid.get("nside"))
    return of.points()[:, 0].reshape(*of.shape, 3)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_known_function_lands_where_it_belongs(name: str, grid: dict[str, int]) -> None:
    """At a random place with a random roll: position, orientation, scale and handedness."""
    g = SO3.random_element(torch.Generator().manual_seed(2))
    extent = EXTENT[name]
    image = smooth(directions(name, extent, 200))[None, None]
    found = project_image(image, projection=name, extent=extent, rotation=g, **grid)[0, 0]
    local = points_of(grid) @ g  # R⁻¹ x
    inside = local[..., 2] > math.cos(0.9 * extent / 2)
    assert int(inside.sum()) > 100
    # A HEALPix pixel's mean is not its centre's value: its centroid lies up to 0.07 px away.
    assert float((found - smooth(local)).abs()[inside].max()) < (5e-3 if "nside" in grid else 2e-3)
    far = local[..., 2] < -0.75
    assert float(found[far].abs().max()) == 0 or name == "stereographic"


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", NAMES)
def test_there_and_back(name: str, grid: dict[str, int]) -> None:
    g = SO3.from_zyz(1.0, 0.8, 0.4)
    image = smooth(directions(name, EXTENT[name], 64))[None, None]
    there = project_image(image, projection=name, extent=EXTENT[name], rotation=g, **grid)
    back = view_sphere(there, 64, projection=name, extent=EXTENT[name], rotation=g)
    middle = slice(16, 48)
    assert float((back - image)[..., middle, middle].abs().max()) < 5e-3


def test_the_whole_sphere_in_one_image() -> None:
    """Across the seam and over both poles."""
    step = math.pi / 60
    lat = math.pi / 2 - (torch.arange(60, dtype=torch.float64)[:, None] + 0.5) * step
    lon = (torch.arange(120, dtype=torch.float64) + 0.5) * step - math.pi
    full = torch.stack(torch.broadcast_tensors(-lat.sin(), lat.cos() * lon.sin()), -1)
    full = torch.cat([full, (lat.cos() * lon.cos())[..., None]], -1)
    for grid in GRIDS:
        found = project_image(
            smooth(full)[None, None],
            projection="equirectangular",
            extent=2 * math.pi,
            **grid,
        )
        assert float((found[0, 0] - smooth(points_of(grid))).abs().max()) < 3e-3
    with_view = view_sphere(found, (60, 120), projection="equirectangular", extent=2 * math.pi)
    assert float((with_view[0, 0] - smooth(full)).abs().max()) < 6e-3


@pytest.mark.parametrize("grid", GRIDS)
def test_fine_detail_is_averaged_and_not_folded(grid: dict[str, int]) -> None:
    """A chessboard of single pixels, far finer than the grid, is grey."""
    size = 512
    i = torch.arange(size)
    board = ((i[:, None] + i) % 2).double()[None, None]
    found = project_image(board, extent=1.2, **grid)[0, 0]
    inside = points_of(grid)[..., 2] > math.cos(0.5)
    assert float((found[inside] - 0.5).abs().max()) < 0.02


def test_a_coarse_view_averages() -> None:
    """Stripes around the sphere, far finer than the pixels of the view."""
    stripes = (torch.arange(512) % 2).float().view(1, 1, 512, 1).expand(1, 1, 512, 512)
    seen = view_sphere(stripes, 8, extent=1.0, rotation=SO3.from_zyz(0, math.pi / 2, 0))
    assert float((seen - 0.5).abs().max()) < 0.1


def test_a_turned_image_is_a_turned_signal() -> None:
    u = torch.linspace(-1, 1, 96, dtype=torch.float64)
    blob = torch.exp(-8 * ((u - 0.1) ** 2 + (2 * u[:, None]) ** 2))[None, None]
    g = SO3.from_zyz(0.5, 1.3, 2.0)
    at_pole = project_image(blob, bandwidth=32, extent=2.0)
    there = project_image(blob, bandwidth=32, extent=2.0, rotation=g)
    assert float((rotate_s2(at_pole, g) - there).norm() / there.norm()) < 0.01


def test_one_rotation_each_gradients_and_missing_pixels() -> None:
    images = torch.rand(3, 2, 20, 20, dtype=torch.float64, requires_grad=True)
    g = SO3.random_elements(3, torch.Generator().manual_seed(0))
    found = project_image(images, nside=8, rotation=g)
    alone = project_image(images[1:2], nside=8, rotation=g[1])
    assert torch.allclose(found[1:2], alone, atol=1e-14)
    found.sum().backward()
    assert float(images.grad.abs().min()) > 0
    holed = images.detach().clone()
    holed[:, :, 5:8, 5:8] = math.nan
    filled = project_image(holed, nside=8, rotation=g)
    missing = torch.isnan(filled)
    assert 0 < int(missing.sum()) < 0.1 * filled.numel()
    assert torch.allclose(project_image(images, nside=8, rotation=g, background=0.0), found)
    ones = project_image(torch.ones(1, 1, 9, 9), nside=8, background=-2.0)
    assert float(ones.min()) == -2.0
    assert float(ones.max()) == pytest.approx(1.0)


def test_sizes_of_numpy() -> None:
    four, eight = np.int64(4), np.int64(8)
    image = torch.ones(1, 1, 8, 8)
    for grid in ({"bandwidth": four}, {"nside": four}):
        signal = project_image(image, **grid)  # type: ignore[arg-type]
        assert view_sphere(signal, eight).shape == (1, 1, 8, 8)  # type: ignore[arg-type]


def test_what_projections_refuse() -> None:
    image = torch.zeros(1, 1, 8, 8)
    with pytest.raises(ValueError, match="bandwidth=None and nside=None"):
        project_image(image)
    with pytest.raises(ValueError, match="bandwidth=4 and nside=2"):
        project_image(image, bandwidth=4, nside=2)
    with pytest.raises(ValueError, match="power of two"):
        project_image(image, nside=3)
    with pytest.raises(ValueError, match="bandwidth of 1 or more"):
        project_image(image, bandwidth=0)
    with pytest.raises(ValueError, match="stereographic, orthographic"):
        project_image(image, nside=2, projection="mercator")
    with pytest.raises(ValueError, match=r"less than 3\.142 radians; got 3\.142"):
        project_image(image, nside=2, extent=math.pi)
    with pytest.raises(ValueError, match="got -1"):
        view_sphere(torch.zeros(1, 1, 8, 8), 8, extent=-1.0)
    with pytest.raises(ValueError, match=r"image\[None, None\]"):
        project_image(image[0, 0], nside=2)
    with pytest.raises(ValueError, match=r"uint8.*image\.float\(\)"):
        project_image(image.byte(), nside=2)
    with pytest.raises(ValueError, match=r"at least one; got \(0, 1, 8, 8\)"):
        project_image(image[:0], nside=2)
    with pytest.raises(ValueError, match="one rotation or 1; got 2"):
        project_image(image, nside=2, rotation=SO3.random_elements(2))
    with pytest.raises(ValueError, match=r"\(B, C, 2b, 2b\)"):
        view_sphere(torch.zeros(1, 1, 8, 7), 8)


@pytest.mark.parametrize("south_first", [False, True])
@pytest.mark.parametrize("west", [0.0, -180.0, -179.5])
@pytest.mark.parametrize("grid", GRIDS)
def test_lonlat_in_every_layout(grid: dict[str, int], west: float, south_first: bool) -> None:
    lat = np.arange(-89.0, 90, 2) * (1 if south_first else -1)
    lon = west + np.arange(0.0, 360, 2)
    values = smooth(on_sphere(lat, lon))
    found = project_lonlat(values, lon, lat, **grid)
    assert float((found - smooth(points_of(grid))).abs().max()) < 5e-3
    closed = project_lonlat(torch.cat([values, values[:, :1]], 1), [*lon, west + 360], lat, **grid)
    assert torch.allclose(closed, found, atol=1e-12)


def on_sphere(lat: np.ndarray, lon: np.ndarray) -> Tensor:
    theta = torch.deg2rad(90 - torch.from_numpy(lat))[:, None]
    phi = torch.deg2rad(torch.from_numpy(lon))
    parts = (theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos())
    return torch.stack(torch.broadcast_tensors(*parts), -1)


def test_lonlat_of_a_part_leaves_the_rest_empty() -> None:
    lat, lon = np.arange(-30.0, 31), np.arange(-20.0, 41)
    found = project_lonlat(smooth(on_sphere(lat, lon)), lon, lat, nside=16)
    points = points_of({"nside": 16})
    phi = torch.rad2deg(torch.atan2(points[:, 1], points[:, 0]))
    theta = torch.rad2deg(torch.asin(points[:, 2]))
    inside = (theta.abs() < 30) & (phi > -20) & (phi < 40)
    outside = (theta.abs() > 33) | (phi < -23) | (phi > 43)
    assert float((found - smooth(points)).abs()[inside].max()) < 5e-3
    assert bool(torch.isnan(found[outside]).all())
    band = project_lonlat(torch.ones(61, 360), np.arange(360.0), lat, nside=16)
    assert bool((torch.isnan(band) == (theta.abs() > 31.8)).float().mean() > 0.97)


def test_lonlat_of_arrays_rounded_and_wrapped() -> None:
    """As files have them: big-endian NumPy, coordinates in float32, a step from 180 to −180."""
    lat, lon = np.arange(-89.0, 90, 2), np.arange(0.0, 360, 2)
    values = smooth(on_sphere(lat, lon))
    wanted = project_lonlat(values, lon, lat, bandwidth=8)
    array = values.numpy().astype(">f8")
    wrapped = (lon + 180) % 360 - 180
    for found in (
        project_lonlat(array, lon, lat, bandwidth=8),
        project_lonlat(array, wrapped, lat, bandwidth=8),
        project_lonlat(np.roll(array, 20, 1), np.roll(lon, 20), lat, bandwidth=8),
    ):
        assert torch.allclose(found, wanted, atol=1e-12)
    fine = np.arange(0, 360, 1 / 120, dtype=np.float64)  # steps that float32 rounds by 3e-3
    row = project_lonlat(
        np.ones((3, len(fine))), fine.astype(np.float32), [-60, 0, 60], bandwidth=2
    )
    assert torch.allclose(row, torch.ones(()).double(), equal_nan=True)


def test_what_lonlat_refuses() -> None:
    lat, lon = np.arange(-88.0, 90, 4), np.arange(0.0, 360, 4)
    with pytest.raises(ValueError, match=r"values\.mT"):
        project_lonlat(torch.zeros(90, 45), lon, lat, nside=8)
    with pytest.raises(ValueError, match="evenly spaced latitudes"):
        project_lonlat(torch.zeros(45, 90), lon, np.sort(lat**3), nside=8)
    with pytest.raises(ValueError, match="longitudes that grow"):
        project_lonlat(torch.zeros(45, 90), lon[::-1], lat, nside=8)
    with pytest.raises(ValueError, match=r"values\.float"):
        project_lonlat(torch.zeros(45, 90, dtype=torch.int32), lon, lat, nside=8)
    with pytest.raises(ValueError, match="order lon_deg, lat_deg"):
        project_lonlat(torch.zeros(45, 90), lat, lon, nside=8)
    with pytest.raises(ValueError, match=r"one row of finite numbers"):
        project_lonlat(torch.zeros(45, 90), lon[None], lat, nside=8)
