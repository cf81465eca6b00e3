"""The layers in space against e3nn, SciPy and definitions written with loops."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from e3nn import o3
from e3nn.nn.models.v2106.points_convolution import Convolution
from scipy.spatial import cKDTree
from scipy.special import sph_harm_y
from torch import Tensor, nn

from equivlab.fields.irreps import degree_matrix, harmonics
from equivlab.nn import (
    IrrepBatchNorm,
    IrrepDownsample3d,
    IrrepLinear,
    PointConv,
    SteerableConv3d,
    find_neighbors,
)
from equivlab.nn.space.jets import jet_basis, monomial_taps
from equivlab.nn.space.kernel import PROFILES, KernelShape, Profile, evaluate_basis, grid_basis
from equivlab.so3 import SO3, e3nn_matrix
from tests.laws import relative
from tests.nn.oracles import oracle_of

TURNS = SO3.random_elements(4, torch.Generator().manual_seed(0))
#: Degree and parity in, degree and parity out.
PAIRS = [
    (0, 1, 0, 1), (0, 1, 1, -1), (1, -1, 0, 1), (1, -1, 1, -1), (1, -1, 1, 1), (0, -1, 1, 1),
    (0, 1, 2, 1), (2, 1, 1, -1), (2, 1, 2, 1), (2, -1, 2, 1), (3, -1, 2, 1), (1, 1, 3, -1),
]  # fmt: skip


@pytest.fixture
def e3nn_in_double() -> Iterator[None]:
    """Let e3nn make Wigner's D in double precision, which it takes from torch's default."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def random_points(count: int, seed: int = 0) -> Tensor:
    """Normal points, float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, generator=generator, dtype=torch.float64)


@pytest.mark.usefixtures("e3nn_in_double")
@pytest.mark.parametrize("pair", PAIRS, ids=str)
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("profile", PROFILES)
def test_kernels_obey_the_constraint_with_e3nns_wigner_d(
    pair: tuple[int, int, int, int], mirrored: bool, profile: Profile
) -> None:
    """K(g·p) = D_out(g) K(p) D_in(g)ᵀ at random points, for rotations and with the inversion."""
    l_in, p_in, l_out, p_out = pair
    points, shape = 1.5 * random_points(20), KernelShape(7, profile=profile)
    kernels = evaluate_basis(pair, shape, points)  # (T, o, i, n)
    assert len(kernels) > 0
    for rotation in TURNS:
        g = -rotation if mirrored else rotation
        D_in = o3.Irrep(l_in, p_in).D_from_matrix(e3nn_matrix(g))
        D_out = o3.Irrep(l_out, p_out).D_from_matrix(e3nn_matrix(g))
        turned = evaluate_basis(pair, shape, points @ g.T)
        for one, other in zip(turned, kernels, strict=True):
            wanted = torch.einsum("ab,bcn,dc->adn", D_out, other, D_in)
            assert relative(one, wanted) < 1e-12


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_the_kernels_are_all_there_and_independent(pair: tuple[int, int, int, int]) -> None:
    """As many angular parts as degrees between, each with every shell that has room for it."""
    l_in, p_in, l_out, p_out = pair
    between = range(abs(l_in - l_out), l_in + l_out + 1)
    degrees = [f for f in between if (-1) ** f == p_in * p_out]
    basis = grid_basis(pair, KernelShape(7))
    assert len(basis) == sum(2 * r >= f for f in degrees for r in range(4))
    assert torch.linalg.matrix_rank(basis.flatten(1)) == len(basis)


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_smooth_kernels_are_sums_of_products_along_the_axes(
    pair: tuple[int, int, int, int],
) -> None:
    shape = KernelShape(7, width=1.1, profile="gaussian")
    wanted = evaluate_basis(pair, shape, shape.points())
    basis = jet_basis(pair, shape)
    found = torch.einsum("toim,mzyx->toizyx", basis, monomial_taps(shape))
    scale = wanted.square().sum((1, 2, 3, 4, 5), keepdim=True) / wanted.shape[1]
    assert len(basis) == len(wanted) > 0
    assert relative(found, wanted / scale.sqrt()) < 1e-12
    assert torch.linalg.matrix_rank(basis.flatten(1)) == len(basis)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 7, "padding": 3},
        {"kernel_size": 4, "padding": 1, "stride": 2},
        {"kernel_size": 5, "padding": "same", "dilation": 2, "width": 0.8},
        {"kernel_size": 3},
    ],
    ids=str,
)
def test_smooth_kernels_act_as_pytorchs_convolution(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    layer = SteerableConv3d(
        "2x0e + 1x1o", "2x0e + 1x1o + 1x2e", dtype=torch.float64, profile="gaussian", **options
    )
    assert layer.bias is not None
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 5, 10, 9, 11, dtype=torch.float64)
    kernel, bias = layer.kernel()
    wanted = F.conv3d(x, kernel, bias, layer.stride, options.get("padding", 0), layer.dilation)
    assert relative(layer(x), wanted) < 1e-12


@pytest.mark.usefixtures("e3nn_in_double")
@pytest.mark.parametrize("degree", range(6))
def test_our_wigner_d_is_e3nns(degree: int) -> None:
    for g in [*TURNS, *SO3.cube_rotations()[::4]]:
        wanted = o3.Irrep(degree, 1).D_from_matrix(e3nn_matrix(g))
        assert float((degree_matrix(degree, g) - wanted).abs().max()) < 1e-12


def scipy_harmonics(degree: int, points: Tensor) -> Tensor:
    """Real harmonics m = −l…l with Σ_m Y² = 2l + 1, from SciPy's complex ones."""
    x, y, z = points.numpy().T
    colatitude, longitude = np.arctan2(np.hypot(x, y), z), np.arctan2(y, x)
    rows = []
    for m in range(-degree, degree + 1):
        Y = sph_harm_y(degree, abs(m), colatitude, longitude) * math.sqrt(4 * math.pi)
        part = Y.imag if m < 0 else Y.real
        rows.append(part * (1 if m == 0 else math.sqrt(2) * (-1) ** m))
    return torch.from_numpy(np.stack(rows, -1))


@pytest.mark.parametrize("degree", range(7))
def test_harmonics_are_scipys(degree: int) -> None:
    points = random_points(50)
    assert relative(harmonics(degree, points), scipy_harmonics(degree, points)) < 1e-12


def test_a_vectors_components_are_y_z_x() -> None:
    points = F.normalize(random_points(5))
    assert relative(harmonics(1, points), math.sqrt(3) * points[:, [1, 2, 0]]) < 1e-12


@pytest.mark.parametrize("degree", range(4))
def test_kernels_from_scalars_are_shells_times_scipys_harmonics(degree: int) -> None:
    points, shape = 2 * random_points(30), KernelShape(7, width=0.8)
    kernels = evaluate_basis((0, 1, degree, (-1) ** degree), shape, points)
    distance = torch.linalg.vector_norm(points, dim=1)
    radii = [r for r in range(4) if 2 * r >= degree]
    for kernel, radius in zip(kernels, radii, strict=True):
        shell = torch.exp(-((distance - radius) ** 2) / (2 * 0.8**2))
        wanted = shell * scipy_harmonics(degree, points).T / math.sqrt(2 * degree + 1)
        assert (
            relative(kernel[:, 0] * kernel[:, 0].sum().sign(), wanted * wanted.sum().sign()) < 1e-12
        )


@oracle_of(SteerableConv3d)
def test_the_kernel_by_definition() -> None:
    """Every number of the kernel as a sum over the basis, feature by feature."""
    layer = SteerableConv3d("2x0e + 1x1o", "1x0e + 2x1o", 3, dtype=torch.float64)
    kernel, bias = layer.kernel()
    start, row = 0, 0
    for m_out, out in layer.out_field.irreps:
        column = 0
        for m_in, into in layer.in_field.irreps:
            basis = grid_basis((into.l, into.p, out.l, out.p), KernelShape(3))
            weight = layer.weight[start:].detach()
            for n, (v, u) in enumerate(itertools.product(range(m_out), range(m_in))):
                own = weight[n * len(basis) : (n + 1) * len(basis)]
                wanted = sum(w * b for w, b in zip(own, basis, strict=True))
                top, left = row + v * out.dim, column + u * into.dim
                found = kernel[top : top + out.dim, left : left + into.dim]
                assert relative(found, wanted) < 1e-12
            start += m_out * m_in * len(basis)
            column += m_in * into.dim
        row += m_out * out.dim
    assert start == layer.weight.numel()
    assert bias is not None
    assert bias.shape == (7,)


def test_white_noise_keeps_its_variance() -> None:
    torch.manual_seed(0)
    layer = SteerableConv3d("8x0e + 4x1o + 2x2e", "8x0e + 4x1o + 2x2e", 5, bias=False)
    y = layer(torch.randn(2, 30, 12, 12, 12))
    for (_, irrep), cut in zip(
        layer.out_field.irreps, layer.out_field.irreps.slices(), strict=True
    ):
        assert 0.5 < float(y[:, cut].detach().std()) < 1.5, irrep


@oracle_of(IrrepLinear)
def test_linear_is_e3nns() -> None:
    irreps_in, irreps_out = o3.Irreps("3x0e + 2x1o + 1x0e + 2x2e"), o3.Irreps("4x1o + 2x0e + 1x3o")
    theirs, ours = o3.Linear(irreps_in, irreps_out), IrrepLinear(irreps_in, irreps_out)
    blocks = {1: [], 0: []}  # degree: the blocks of each input, one below the other
    for instruction, weight in zip(theirs.instructions, theirs.weight_views(), strict=True):
        blocks[irreps_out[instruction.i_out].ir.l].append(weight * instruction.path_weight)
    with torch.no_grad():
        ours.weight.copy_(torch.cat([torch.cat(blocks[degree]).flatten() for degree in (1, 0)]))
    x = torch.randn(5, irreps_in.dim)
    assert relative(ours(x), theirs(x)) < 1e-6


class Given(nn.Module):
    """A radial network that gives these numbers."""

    def __init__(self, numbers: Tensor) -> None:
        super().__init__()
        self.numbers = numbers

    def forward(self, _: Tensor) -> Tensor:
        return self.numbers


@oracle_of(PointConv)
@pytest.mark.usefixtures("e3nn_in_double")
def test_point_convolution_is_e3nns() -> None:
    """The same tensor product, sum and mixing as e3nn's own point convolution.

    They overlap where e3nn's first linear map is the identity and its node attributes are 1.
    """
    into, out = o3.Irreps("5x0e + 3x1o + 2x2e"), o3.Irreps("4x0e + 3x1o + 2x1e + 2x2e")
    sphere = o3.Irreps.spherical_harmonics(2)
    theirs = Convolution(into, "0e", sphere, out, [8, 16], 12.0)
    ours = PointConv(
        into, out, 2.5, 2, mean_neighbors=12.0, self_interaction=False, dtype=torch.float64
    )
    points = random_points(30, seed=4)
    near = find_neighbors(points, 2.5)
    weights = torch.randn(len(near), theirs.tp.weight_numel)
    ours.radial = Given(weights)

    # e3nn sorts the middle irreps; slot p[n] holds path n, in our order of paths.
    middle = [
        (m, made)
        for m, irrep in into
        for _, degree in sphere
        for made in irrep * degree
        if made in out
    ]
    p = o3.Irreps(middle).sort().p
    mixing = {}
    for instruction, weight in zip(
        theirs.lin2.instructions, theirs.lin2.weight_views(), strict=True
    ):
        # To multiply with 1 is a coupling too, with numbers 1 / sqrt(2l + 1).
        dim = out[instruction.i_out].ir.dim
        scaled = weight[:, 0] * instruction.path_weight / math.sqrt(dim)
        mixing[p.index(instruction.i_in1), instruction.i_out] = scaled
    with torch.no_grad():
        for block, target in enumerate(ours.mix):
            order = sorted(n for n, b in mixing if b == block)
            target.copy_(torch.cat([mixing[n, block] for n in order]))

    x = torch.randn(30, into.dim)
    ones = torch.ones(30, 1)
    edges = theirs.tp(x[near.source], harmonics_for_e3nn(near.vector), weights)
    summed = torch.zeros(30, edges.shape[1]).index_add(0, near.target, edges) / 12**0.5
    assert relative(ours(x, near), theirs.lin2(summed, ones)) < 1e-12


def harmonics_for_e3nn(vector: Tensor) -> Tensor:
    """The edge attributes as e3nn's users make them, in e3nn's axes."""
    axes = vector[:, [1, 2, 0]]
    return o3.spherical_harmonics(o3.Irreps.spherical_harmonics(2), axes, True, "component")


@pytest.mark.parametrize("seed", range(3))
def test_neighbours_are_scipys(seed: int) -> None:
    points = random_points(200, seed)
    near = find_neighbors(points, 0.7)
    wanted = cKDTree(points.numpy()).query_pairs(0.7)
    found = set(zip(near.source.tolist(), near.target.tolist(), strict=True))
    assert found == wanted | {(j, i) for i, j in wanted}
    assert torch.equal(near.vector, points[near.source] - points[near.target])
    assert bool((near.target.diff() >= 0).all())


def test_neighbours_of_a_batch_are_those_of_each_cloud() -> None:
    points = random_points(60)
    batch = torch.randint(0, 4, (60,), generator=torch.Generator().manual_seed(0))
    near = find_neighbors(points, 1.0, batch)
    wanted = set()
    for cloud in range(4):
        places = (batch == cloud).nonzero()[:, 0]
        own = find_neighbors(points[places], 1.0)
        wanted |= set(zip(places[own.source].tolist(), places[own.target].tolist(), strict=True))
    assert set(zip(near.source.tolist(), near.target.tolist(), strict=True)) == wanted


def test_neighbours_in_a_periodic_box_are_scipys() -> None:
    side = 4.0
    points = 3 * random_points(80) + 1  # many lie outside the box
    near = find_neighbors(points, 1.1, cell=side * torch.eye(3))
    inside = points.numpy() % side
    pairs = cKDTree(inside, boxsize=side).query_pairs(1.1)
    found = sorted(zip(near.source.tolist(), near.target.tolist(), strict=True))
    assert found == sorted([(i, j) for i, j in pairs] + [(j, i) for i, j in pairs])
    shift = near.vector - (points[near.source] - points[near.target])
    assert float((shift / side - (shift / side).round()).abs().max()) < 1e-12
    assert float(near.distance().max()) < 1.1


def test_a_crystal_sees_the_right_number_of_neighbours() -> None:
    """One atom in a face-centred cubic cell: 12 nearest, then 6, all of them its own images."""
    cell = torch.tensor([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]], dtype=torch.float64)
    atom = torch.tensor([[0.3, -5.0, 2.0]], dtype=torch.float64)
    assert len(find_neighbors(atom, 1.5, cell=cell)) == 12
    assert len(find_neighbors(atom, 2.1, cell=cell)) == 18


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_crystal_in_metres_is_the_same_crystal(dtype: torch.dtype) -> None:
    """The volume of a cell of some 1e-10 m is 1e-30 m³, and not nothing."""
    cell = 2e-10 * torch.tensor([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]], dtype=dtype)
    atom = 2e-10 * torch.tensor([[0.3, 0.5, 0.2]], dtype=dtype)
    near = find_neighbors(atom, 3e-10, cell=cell)
    assert len(near) == 12
    assert relative(near.distance(), torch.full((12,), 2e-10 * 2**0.5, dtype=dtype)) < 1e-6


@oracle_of(IrrepDownsample3d)
def test_downsampling_is_two_averages_along_each_axis() -> None:
    """Boxes of 2 and 2 (odd size) or 3 (even size) voxels, edges repeated."""
    for size, second in ((7, 2), (8, 3)):
        x = torch.randn(1, 4, size, size, size, dtype=torch.float64)
        padded = F.pad(x, 6 * (1,), mode="replicate")
        wanted = F.avg_pool3d(F.avg_pool3d(padded, 2, 1), second, 2)
        assert relative(IrrepDownsample3d("1x0e + 1x1o")(x), wanted) < 1e-12


@oracle_of(IrrepBatchNorm)
def test_batch_norm_of_scalars_is_torchs() -> None:
    ours, theirs = IrrepBatchNorm("4x0e"), nn.BatchNorm3d(4)
    for _ in range(3):
        x = 3 * torch.randn(5, 4, 3, 3, 3) + 2
        assert relative(ours(x), theirs(x)) < 1e-5
    assert theirs.running_mean is not None
    assert relative(ours.mean, theirs.running_mean) < 1e-5
    ours.eval()
    theirs.eval()
    assert relative(ours(x), theirs(x)) < 2e-2  # torch keeps the unbiased variance, n / (n − 1)


def test_batch_norm_gives_vectors_unit_power() -> None:
    layer = IrrepBatchNorm("3x1o + 2x2e")
    y = layer(7 * torch.randn(6, 19, 4, 4, 4))
    power = y.square().mean((0, 2, 3, 4))
    assert torch.allclose(power[:9].view(3, 3).mean(1), torch.ones(3), atol=1e-4)
    assert torch.allclose(power[9:].view(2, 5).mean(1), torch.ones(2), atol=1e-4)


def test_without_centring_empty_space_stays_empty_and_power_is_one() -> None:
    layer = IrrepBatchNorm("2x0e + 1x1o", center=False)
    x = torch.randn(6, 5, 4, 4, 4) + 2
    power = layer(x).square().mean((0, 2, 3, 4))
    assert torch.allclose(power[:2], torch.ones(2), atol=1e-4)
    assert layer.bias is None
    assert float(layer.eval()(torch.zeros(1, 5, 3, 3, 3)).detach().abs().max()) == 0
