"""The laws on a GPU, and each layer and transform there against the same on the CPU.

The rest of the suite compares the CPU with independent oracles; here a GPU is compared with the
CPU in float64, forward and backward. `EQUIVLAB_TEST_DEVICE=cpu` runs the file without a GPU.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tests.nn.space.layers as space
import tests.nn.sphere.layers as sphere
from equivlab.data.digits import rotate_each
from equivlab.equivariance import assert_equivariant, audit
from equivlab.fields import rotate_maps
from equivlab.groups import P4, P4M, PointGroup
from equivlab.models import (
    P4CNN,
    PointNetwork,
    ResNet18,
    SteerableCNN3d,
    smooth_spherical_digit_cnn,
    spherical_digit_cnn,
    spin_digit_cnn,
)
from equivlab.nn import (
    FieldModule,
    GroupConv2d,
    HealpixToSphere,
    LiftingConv2d,
    PointConv,
    S2Conv,
    SO3Conv,
    SO3Moments,
    SpinActivation,
    SteerableConv3d,
    find_neighbors,
)
from equivlab.projection import project_image
from equivlab.so3 import SO3
from equivlab.sphere import (
    healpix_isht,
    healpix_sht,
    rotate_healpix,
    rotate_s2,
    rotate_so3,
    s2_fft,
    s2_ifft,
    so3_fft,
    so3_ifft,
    spin_fft,
    spin_ifft,
)
from equivlab.training import accuracy, fit, predict
from tests.laws import gradient_law_error, law_error, relative, sample
from tests.nn.cases import LAYERS
from tests.nn.planar.layers import OTHERS

NAME = os.environ.get("EQUIVLAB_TEST_DEVICE", "cuda")
DEVICE = torch.device(NAME)
pytestmark = pytest.mark.skipif(
    NAME == "cuda" and not torch.cuda.is_available(), reason="needs a CUDA device"
)
# The law's bounds are those of the CPU; a GPU adds the same numbers in another order.
LAW = {torch.float32: 2e-6, torch.float64: 1e-12}
SAME = {torch.float32: 5e-6, torch.float64: 1e-12}
DTYPES = pytest.mark.parametrize("dtype", LAW, ids=str)
GROUPS = pytest.mark.parametrize("group", [P4, P4M], ids=str)


@pytest.fixture(autouse=True)
def exact_products() -> Iterator[None]:
    """TF32 has ten bits: no law holds to rounding there."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def assert_same_as_on_the_cpu(layer: nn.Module, x: Tensor, dtype: torch.dtype) -> None:
    """Output, and the gradients in the input and the weights, against float64 on the CPU."""
    found, wanted = [], []
    for home, kind, values in (
        (DEVICE, dtype, found),
        (torch.device("cpu"), torch.float64, wanted),
    ):
        model = copy.deepcopy(layer).to(home, kind)
        z = x.detach().to(home, kind, copy=True).requires_grad_()
        y = model(z)
        assert y.device.type == home.type
        v = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        weights = [p for p in model.parameters() if p.requires_grad]
        values += [y, *torch.autograd.grad((y * v.to(y)).sum(), [z, *weights])]
    # A bias in front of a norm has gradient 0: all gradients in weights have one scale.
    scale = max((float(b.norm()) for b in wanted[2:]), default=0.0)
    for a, b, least in zip(found, wanted, [0.0, 0.0, *[scale] * (len(wanted) - 2)], strict=True):
        off = float((a.detach().cpu().double() - b.detach()).norm())
        assert off <= 4 * SAME[dtype] * max(float(b.detach().norm()), least)


@DTYPES
@GROUPS
@pytest.mark.parametrize("make", [LiftingConv2d, GroupConv2d])
@pytest.mark.parametrize(
    ("kernel_size", "options"),
    [
        (1, {}), (2, {}), (3, {"padding": 1}), (5, {"padding": "same"}), (7, {}),
        (3, {"stride": 2}), (3, {"dilation": 2}), (3, {"groups": 2}),
        (3, {"padding": 1, "padding_mode": "reflect"}),
    ],
    ids=str,
)  # fmt: skip
def test_planar_convolutions(
    make: Callable[..., FieldModule],
    kernel_size: int,
    options: dict[str, object],
    group: PointGroup,
    dtype: torch.dtype,
) -> None:
    torch.manual_seed(0)
    layer = make(group, 2, 4, kernel_size, dtype=dtype, **options)
    x = sample(layer.in_field, 9, dtype)
    assert_same_as_on_the_cpu(layer, x, dtype)
    layer = layer.to(DEVICE)
    for form in (torch.contiguous_format, torch.channels_last):
        there = x.to(DEVICE)
        if there.dim() == 4:
            there = there.contiguous(memory_format=form)
        assert law_error(layer, there) <= LAW[dtype]
    assert gradient_law_error(layer, x.to(DEVICE)) <= LAW[dtype]


@DTYPES
@GROUPS
@pytest.mark.parametrize("name", OTHERS)
def test_other_planar_layers(name: str, group: PointGroup, dtype: torch.dtype) -> None:
    layer = OTHERS[name](group, 3).to(dtype).eval()
    size = next(n for n in (8, 9, 10, 11) if getattr(layer, "is_exact", bool)(n))
    x = sample(layer.in_field, size, dtype)
    assert_same_as_on_the_cpu(layer, x, dtype)
    assert law_error(layer.to(DEVICE), x.to(DEVICE)) <= LAW[dtype]


@DTYPES
@pytest.mark.parametrize("name", sphere.LINEAR)
def test_spherical_layers(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = sphere.LINEAR[name]().to(dtype)
    x = sphere.white(layer.in_field, dtype)
    assert_same_as_on_the_cpu(layer, x, dtype)
    layer, x, turns = layer.to(DEVICE), x.to(DEVICE), sphere.ROTATIONS
    y = layer.out_field.act(turns, layer(x))
    assert y.device.type == DEVICE.type
    assert relative(layer(layer.in_field.act(turns, x)), y) <= LAW[dtype]


@DTYPES
def test_activation_of_few_orders(dtype: torch.dtype) -> None:
    layer = SpinActivation(3, 5, 2, 1)
    assert_same_as_on_the_cpu(layer, sphere.white(layer.in_field, dtype), dtype)


def there(value: Any) -> Any:
    """A tensor, or a dataclass of some, on the device."""
    if isinstance(value, Tensor):
        return value.to(DEVICE)
    if not is_dataclass(value):
        return value
    made = [part.name for part in fields(value) if part.init and not part.name.startswith("_")]
    return type(value)(*(there(getattr(value, name)) for name in made))


@DTYPES
@pytest.mark.parametrize("name", LAYERS)
def test_every_layer(name: str, dtype: torch.dtype) -> None:
    """The law there, and what the CPU gives in float64."""
    case = LAYERS[name]
    layer, given = case.build(dtype).eval(), [there(value) for value in case.given(dtype)]
    wanted = copy.deepcopy(layer).double()(*case.given(torch.float64)).detach()
    layer.to(DEVICE)
    assert relative(layer(*given).detach().cpu(), wanted) <= 4 * SAME[dtype]
    assert_equivariant(layer, tuple(given), tolerance=LAW[dtype])


@DTYPES
def test_the_linear_stack_at_the_papers_sizes(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    stack = nn.Sequential(S2Conv(1, 20, 30, 10), SO3Conv(20, 40, 10, 6)).to(DEVICE, dtype)
    x = sphere.white(stack[0].in_field, dtype).to(DEVICE)
    turned = stack(stack[0].in_field.act(sphere.ROTATIONS, x))
    assert relative(turned, stack[1].out_field.act(sphere.ROTATIONS, stack(x))) <= LAW[dtype]


def test_tilted_moments() -> None:
    layer = SO3Moments(2, 5, tilts=(1.0, -2.0))
    assert_same_as_on_the_cpu(layer, sphere.white(layer.in_field, torch.float64), torch.float32)


@DTYPES
@pytest.mark.parametrize("bandwidth", [1, 7, 16, 30, 64])
def test_transforms(bandwidth: int, dtype: torch.dtype) -> None:
    """Round trips, and coefficients equal to those of the CPU; both routes on SO(3)."""
    generator = torch.Generator().manual_seed(bandwidth)
    c = torch.randn(2, bandwidth**2, generator=generator, dtype=torch.float64)
    x = s2_ifft(c.to(DEVICE, dtype))
    assert relative(x.cpu(), s2_ifft(c)) <= SAME[dtype]
    assert relative(s2_fft(x).cpu(), c) <= SAME[dtype]
    few = c.unflatten(0, (2, 1)).expand(2, 3, -1)
    y = spin_ifft(few.to(DEVICE, dtype))
    assert relative(y.cpu(), spin_ifft(few)) <= SAME[dtype]
    assert relative(spin_fft(y).cpu(), spin_fft(spin_ifft(few))) <= SAME[dtype]
    if bandwidth == 64 and DEVICE.type == "cpu":
        return  # 4 GB
    sides = range(1, 2 * bandwidth, 2)
    blocks = [torch.randn(1, 2, n, n, generator=generator, dtype=torch.float64) / n for n in sides]
    f = so3_ifft([block.to(DEVICE, dtype) for block in blocks])
    assert relative(f.cpu(), so3_ifft(blocks)) <= SAME[dtype]
    back = torch.cat([block.flatten() for block in so3_fft(f)])
    assert relative(back.cpu(), torch.cat([block.flatten() for block in blocks])) <= SAME[dtype]


@DTYPES
@pytest.mark.parametrize("nside", [1, 4, 16, 64])
def test_healpix(nside: int, dtype: torch.dtype) -> None:
    """Analysis, synthesis and rotation against the CPU; the law of the way to other grids."""
    x = torch.randn(2, 12 * nside**2, generator=torch.Generator().manual_seed(nside)).double()
    there = x.to(DEVICE, dtype).requires_grad_()
    here = x.clone().requires_grad_()
    found, wanted = healpix_sht(there), healpix_sht(here)
    assert relative(found.cpu(), wanted) <= SAME[dtype]
    assert relative(healpix_isht(found, nside).cpu(), healpix_isht(wanted, nside)) <= SAME[dtype]
    v = torch.randn(wanted.shape, generator=torch.Generator().manual_seed(0)).double()
    (of_there,) = torch.autograd.grad((found * v.to(found)).sum(), there)
    (of_here,) = torch.autograd.grad((wanted * v).sum(), here)
    assert relative(of_there.cpu(), of_here) <= SAME[dtype]
    turn = SO3.random_element(torch.Generator().manual_seed(0))
    turned = rotate_healpix(there.detach(), turn)
    assert relative(turned.cpu(), rotate_healpix(x, turn)) <= SAME[dtype]
    if nside >= 4:
        layer = HealpixToSphere(1, nside, nside)
        maps = healpix_isht(healpix_sht(x[:, None], nside - 1), nside).to(DEVICE, dtype)
        y = layer.out_field.act(turn, layer(maps))
        assert relative(layer(layer.in_field.act(turn, maps)), y) <= 3 * LAW[dtype]


@DTYPES
def test_rotations_and_projections(dtype: torch.dtype) -> None:
    turns = SO3.random_elements(2, torch.Generator().manual_seed(0))
    s2 = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(0)).double()
    so3 = torch.randn(2, 3, 8, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    image = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0)).double()
    angles = torch.tensor([0.3, 2.0], dtype=torch.float64)
    for function, x in [
        (lambda x: rotate_s2(x, turns), s2),
        (lambda x: rotate_so3(x, turns), so3),
        (lambda x: rotate_maps(x, angles), image),
        (lambda x: rotate_maps(x, angles, "fourier"), image),
        (lambda x: rotate_each(x, torch.Generator().manual_seed(0), "fourier")[0], image),
        (lambda x: project_image(x, bandwidth=10, rotation=turns), image),
        (lambda x: project_image(x, nside=8, rotation=turns), image),
    ]:
        found = function(x.to(DEVICE, dtype))
        assert found.device.type == DEVICE.type
        assert relative(found.cpu(), function(x)) <= 20 * SAME[dtype]


@DTYPES
@pytest.mark.parametrize("profile", ["shells", "gaussian"])
def test_voxels(profile: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = SteerableConv3d(
        space.ALL_PARITIES, "2x0e + 1x1o + 1x2e", 5, padding=2, profile=profile, dtype=dtype
    )
    x = space.maps(layer.in_field.channels, 7, dtype)
    assert_same_as_on_the_cpu(layer, x, dtype)
    assert space.cube_error(layer.to(DEVICE), x.to(DEVICE)) <= LAW[dtype]


@DTYPES
@pytest.mark.parametrize("layer", space.MAP_LAYERS, ids=repr)
def test_other_layers_on_voxels(layer: FieldModule, dtype: torch.dtype) -> None:
    layer = copy.deepcopy(layer).to(dtype).eval()
    x = space.maps(layer.in_field.channels, 6, dtype)
    assert_same_as_on_the_cpu(layer, x, dtype)
    assert space.cube_error(layer.to(DEVICE), x.to(DEVICE)) <= LAW[dtype]


@DTYPES
def test_points(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = PointConv(space.ALL_PARITIES, "2x0e + 1x1o + 1x2e", 2.0, 2, dtype=dtype)
    points, batch = space.cloud(dtype)
    x = torch.randn(60, layer.in_field.channels, dtype=dtype)
    wanted = layer.double()(x.double(), find_neighbors(points.double(), 2.0, batch))
    layer, x = layer.to(DEVICE, dtype), x.to(DEVICE)
    points, batch = points.to(DEVICE), batch.to(DEVICE)
    y = layer(x, find_neighbors(points, 2.0, batch))
    assert relative(y.cpu(), wanted) <= 10 * SAME[dtype]
    for g in SO3.random_elements(2, torch.Generator().manual_seed(1)):
        near = find_neighbors(layer.in_field.move(g, points, 0 * points[0]), 2.0, batch)
        turned = layer(layer.in_field.act(g, x), near)
        assert relative(turned, layer.out_field.act(g, y)) <= space.POINT_BOUND


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "P4CNN": (P4CNN, (1, 28, 28)),
    "ResNet18": (lambda: ResNet18(P4M, width=8), (1, 40, 40)),
    "spherical_digit_cnn": (spherical_digit_cnn, (1, 60, 60)),
    "smooth_spherical_digit_cnn": (smooth_spherical_digit_cnn, (1, 60, 60)),
    "spin_digit_cnn": (spin_digit_cnn, (1, 60, 60)),
    "SteerableCNN3d": (lambda: SteerableCNN3d(classes=3), (1, 16, 16, 16)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str) -> None:
    torch.manual_seed(0)
    model = NETWORKS[name][0]().eval()
    x = torch.randn(3, *NETWORKS[name][1])
    wanted = predict(copy.deepcopy(model).double(), x.double())
    found = predict(model.to(DEVICE), x)
    assert found.device.type == "cpu"
    assert relative(found, wanted) <= 1e-4
    with torch.autocast(DEVICE.type, torch.bfloat16):
        assert relative(model(x.to(DEVICE)).cpu(), wanted) <= 0.1


def test_molecules() -> None:
    torch.manual_seed(0)
    model = PointNetwork(classes=1, cutoff=3.0, species=9).eval()
    numbers = torch.tensor([6, 1, 1, 8, 1, 1])
    points = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    batch = torch.tensor([0, 0, 0, 1, 1, 1])
    wanted = model(numbers, find_neighbors(points, 3.0, batch), batch)
    numbers, points, batch = numbers.to(DEVICE), points.to(DEVICE), batch.to(DEVICE)
    found = model.to(DEVICE)(numbers, find_neighbors(points, 3.0, batch), batch)
    assert relative(found.cpu(), wanted) <= 1e-4


def test_the_audit() -> None:
    report = audit(P4CNN().eval().to(DEVICE), torch.randn(2, 1, 28, 28, device=DEVICE), P4)
    assert report.max_error < 1e-5


def problem() -> tuple[nn.Module, Tensor, Tensor]:
    """A network with all that has a state, and something to learn."""
    torch.manual_seed(0)
    model = nn.Sequential(
        smooth_spherical_digit_cnn(classes=16, bandwidth=12), nn.Dropout(0.1), nn.Linear(16, 2)
    )
    y = torch.arange(320) % 2
    degree = torch.arange(12).repeat_interleave(2 * torch.arange(12) + 1)
    size = torch.stack([(1.0 + degree) ** -1, (1.0 + degree) ** -1.3])[y]  # rough or smooth
    x = s2_ifft(torch.randn(320, 144, generator=torch.Generator().manual_seed(0)) * size)
    return model.to(DEVICE), x[:, None].to(DEVICE), y.to(DEVICE)


def test_training(tmp_path: Path) -> None:
    """It learns; resumed, it goes on; the recorded step does what the plain one does."""
    curves = {}
    for capture in {False, DEVICE.type == "cuda"}:
        model, x, y = problem()
        options = {"batch_size": 32, "lr": 1e-2, "capture": capture, "progress": False}
        curves[capture] = fit(model, x, y, epochs=4, **options)
        assert curves[capture][-1] < 0.8 * curves[capture][0]
        assert accuracy(model, x, y) > 0.7
        file = tmp_path / f"{capture}.safetensors"
        model, x, y = problem()
        again = fit(model, x, y, epochs=4, checkpoint=file, **options)
        assert again == pytest.approx(curves[capture], rel=1e-3)
        assert fit(model, x, y, epochs=4, checkpoint=file, **options) == again
    if True in curves:
        assert curves[True] == pytest.approx(curves[False], rel=1e-2)
