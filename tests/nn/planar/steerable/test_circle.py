"""SO(2) and O(2): kernels against their constraint, layers against the regular representation."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from equivlab import audit
from equivlab.equivariance import assert_equivariant
from equivlab.fields import CircleIrreps, CircleMaps
from equivlab.groups import O2, P4, SO2, CircleGroup, Cyclic
from equivlab.nn import (
    CircleActivation,
    CircleDouble2d,
    CircleDownsample2d,
    CircleGate,
    CircleReadout,
    GroupConv2d,
    GroupDouble2d,
    GroupDownsample2d,
    SteerableConv2d,
    fourier_matrix,
)
from equivlab.nn.planar.steerable.kernel import CircleKernels
from equivlab.nn.planar.steerable.rings import RingBasis
from tests.laws import relative
from tests.nn.oracles import oracle_of

PAIRS = [
    (SO2, "1x0 + 1x1 + 1x2", "1x0 + 2x1 + 1x3"),
    (SO2, "2x2", "1x2 + 1x0"),
    (O2, "1x0e + 1x0o + 1x1", "1x0e + 1x0o + 1x1 + 1x2"),
]


def turn_of(irreps: CircleIrreps, g: Tensor) -> Tensor:
    """D(g) on all channels, a block for each representation."""
    blocks = []
    for count, irrep in irreps:
        D = irreps.group.harmonic(g, irrep.l)
        own = D if irrep.l else D[1:, 1:] if irrep.p == -1 else D[:1, :1]
        blocks += count * [own]
    return torch.block_diag(*blocks)


@oracle_of(SteerableConv2d)
@pytest.mark.parametrize(("group", "ins", "outs"), PAIRS)
def test_kernels_obey_their_constraint(group: CircleGroup, ins: str, outs: str) -> None:
    """K(g·p) = D_out(g) K(p) D_in(g)ᵀ at free points and angles, ring by ring."""
    a, b = CircleIrreps.parse(ins, group), CircleIrreps.parse(outs, group)
    basis = RingBasis(7)
    kernels = CircleKernels(a, b, basis)
    index, signs = kernels.tables()
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(kernels.count, generator=generator, dtype=torch.float64)
    entries = (weight[index] * signs).view(b.dim, a.dim, len(basis))

    def kernel(phi: float) -> Tensor:
        """At direction `phi`; rings of one profile, which turns do not change."""
        waves = []
        for frequency, _ in basis.rows:
            waves += [math.cos(frequency * phi), math.sin(frequency * phi)][: 2 if frequency else 1]
        return entries @ torch.tensor(waves, dtype=torch.float64)

    for _ in range(5):
        g, phi = group.random_element(generator), 6 * float(torch.rand(1, generator=generator))
        mirror, angle = group.split(g)
        moved = (math.pi - phi if mirror else phi) + angle
        wanted = turn_of(b, g) @ kernel(phi) @ turn_of(a, g).T
        assert relative(kernel(moved), wanted) <= 1e-12


@pytest.mark.parametrize(("group", "ins", "outs"), PAIRS)
def test_there_are_no_other_kernels(group: CircleGroup, ins: str, outs: str) -> None:
    """As many as the dimension of the space on which the constraint is the identity."""
    a, b, basis = CircleIrreps.parse(ins, group), CircleIrreps.parse(outs, group), RingBasis(5)
    generator = torch.Generator().manual_seed(0)
    conditions = []
    elements = [SO2.random_element(generator) for _ in range(2)]
    if group.has_mirror:
        elements.append(group.from_angle(0.7, mirror=True))
    for g in elements:
        turns = [group.harmonic(g, k)[: 2 if k else 1, : 2 if k else 1] for k, _ in basis.rows]
        waves = torch.block_diag(*turns)
        own = torch.kron(torch.kron(turn_of(b, g), turn_of(a, g)), waves)
        conditions.append(own - torch.eye(len(own), dtype=torch.float64))
    free = len(own) - int(torch.linalg.matrix_rank(torch.cat(conditions), rtol=1e-8))
    kernels = CircleKernels(a, b, basis)
    assert kernels.count == free
    index, signs = kernels.tables()
    rows = torch.zeros(kernels.count, len(own), dtype=torch.float64)
    rows[index, torch.arange(len(own))] = signs
    assert (torch.cat(conditions) @ rows.T).abs().max() <= 1e-9
    assert torch.linalg.matrix_rank(rows) == kernels.count


@oracle_of(SteerableConv2d)
@torch.no_grad()
def test_regular_maps_are_their_fourier_series() -> None:
    """A layer on irreps is one on functions on C_N: the Fourier transform leads there and back."""
    most, turns = 2, 5
    irreps = CircleIrreps.parse("1x0 + 1x1 + 1x2", SO2)
    layer = SteerableConv2d(irreps, irreps, 5, bias=False, dtype=torch.float64)
    regular = GroupConv2d(Cyclic(turns), 1, 1, 5, bias=False, dtype=torch.float64)
    Q = fourier_matrix(turns, most)  # (N, N), orthogonal
    assert relative(Q.T @ Q, torch.eye(turns, dtype=torch.float64)) <= 1e-14
    # The kernel between orientations 0 and h, on the basis of rings, is the filter of C_N.
    entries = (layer.weight[layer.entry_index] * layer.entry_signs).view(turns, turns, -1)
    regular.weight.copy_(torch.einsum("f,fgb,hg->hb", Q[0], entries, Q)[None])
    x = torch.randn(2, 1, turns, 11, 11, dtype=torch.float64)
    spectrum = torch.einsum("hf,bhyx->bfyx", Q, x[:, 0])
    back = torch.einsum("hf,bfyx->bhyx", Q, layer(spectrum))
    assert relative(regular(x)[:, 0], back) <= 1e-12


@oracle_of(CircleActivation)
def test_the_activation_is_that_of_the_values() -> None:
    """Against the integral over the circle, with very many samples."""
    layer = CircleActivation(1, 2, torch.relu, oversampling=60, dtype=torch.float64)
    x = torch.randn(1, 5, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    a, b, c, d, e = x.flatten().tolist()
    theta = torch.linspace(0, 2 * math.pi, 20001, dtype=torch.float64)[:-1]
    root = math.sqrt(2)
    waves = [torch.cos(theta), torch.sin(theta), torch.cos(2 * theta), torch.sin(2 * theta)]
    values = torch.relu(a + root * sum(n * w for n, w in zip((b, c, d, e), waves, strict=True)))
    wanted = [values.mean(), *[root * (values * w).mean() for w in waves]]
    assert relative(layer(x).flatten(), torch.stack(wanted)) <= 1e-4
    same = CircleActivation(1, 2, lambda values: values, dtype=torch.float64)
    assert relative(same(x), x) <= 1e-14


@pytest.mark.parametrize(
    ("bend", "oversampling", "allowed"),
    [(F.relu, 2, 0.05), (F.elu, 2, 0.025), (F.relu, 4, 0.02), (F.elu, 4, 0.005)],
)
def test_what_sampling_costs_at_free_angles(
    bend: object, oversampling: int, allowed: float
) -> None:
    layer = CircleActivation(64, 2, bend, oversampling=oversampling, dtype=torch.float64)
    x = torch.randn(8, 320, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    field, worst = layer.in_field, 0.0
    y = layer(x)
    for angle in (0.1, 0.26, 0.5, 1.1):
        turns = SO2.from_angle(angle)[None]
        worst = max(worst, relative(layer(field._mixed(x, turns)), field._mixed(y, turns)))
    assert 1e-9 < worst < allowed


@oracle_of(CircleGate, CircleReadout)
def test_gates_and_lengths_by_hand() -> None:
    gate = CircleGate("1x0 + 1x1", torch.relu)
    x = torch.tensor([-2.0, 0.5, 3.0, 4.0]).view(1, 4, 1, 1)  # scalar, gate, pair
    found = gate(x).flatten()
    assert torch.allclose(found, torch.tensor([0.0, 3.0, 4.0]) * torch.sigmoid(torch.tensor(0.5)))
    pixels = torch.tensor([[1.0, 3.0, 4.0], [3.0, 0.0, 0.0]]).T.view(1, 3, 1, 2)
    assert CircleReadout("1x0 + 1x1")(pixels).tolist() == [[2.0, 2.5]]
    assert CircleReadout("1x0 + 1x1", "max")(pixels).tolist() == [[3.0, 5.0]]


@oracle_of(GroupDouble2d, CircleDouble2d)
def test_doubling_by_hand() -> None:
    row = torch.tensor([[[[1.0, 3.0, 7.0]]]])
    double = CircleDouble2d("1x0")
    assert double(row, (1, 5)).flatten().tolist() == [1, 2, 3, 5, 7]
    assert double(row, (1, 6)).flatten().tolist() == [1, 1.5, 2.5, 4, 6, 7]
    maps = torch.randn(2, 3, 4, 5, 5)
    wanted = torch.stack([double(maps[:, c, g, None]) for c in range(3) for g in range(4)], 1)
    found = GroupDouble2d(P4, 3)(maps)
    assert torch.allclose(found.flatten(1, 2), wanted[:, :, 0], atol=1e-6)
    with pytest.raises(ValueError, match=r"10 or 9 rows and 10 or 9 columns; got size=\(8, 9\)"):
        GroupDouble2d(P4, 3)(maps, (8, 9))


@oracle_of(CircleDownsample2d)
def test_the_blur_is_that_of_group_maps() -> None:
    x = torch.randn(2, 3, 8, 9)
    wanted = GroupDownsample2d(Cyclic(1), 3)(x[:, :, None])[:, :, 0]
    assert torch.equal(CircleDownsample2d("1x0 + 1x1")(x), wanted)


@pytest.mark.parametrize("group", [SO2, O2], ids=str)
@torch.no_grad()
def test_a_network(group: CircleGroup) -> None:
    """Exact at quarter turns; in between no further off than twice what resampling costs."""
    torch.manual_seed(0)
    zero = "0e" if group is O2 else "0"
    hidden = CircleIrreps.parse(f"4x{zero} + 4x1 + 4x2", group)
    net = torch.nn.Sequential(
        SteerableConv2d(f"1x{zero}", hidden, 7, padding=3, group=group),
        CircleActivation(4, 2, group=group),
        SteerableConv2d(hidden, hidden, 5, padding=2),
        CircleActivation(4, 2, group=group),
        CircleDownsample2d(hidden),
        SteerableConv2d(hidden, hidden, 5, padding=2),
        CircleReadout(hidden),
    ).double()
    at = torch.arange(33, dtype=torch.float64) - 16
    up, right = torch.meshgrid(-at, at, indexing="ij")
    x = torch.exp(-((right - 3) ** 2 / 16 + (up - 1) ** 2 / 4) / 2)
    x = x - 0.7 * torch.exp(-((right + 4) ** 2 / 4 + (up - 3) ** 2 / 9) / 2)
    report = audit(net, x[None, None], group)
    assert report.max_error <= 1e-12
    assert report.causes == []
    assert len(report.elements) == len(group.quarter_turns)
    curve = report.curve[report.curve.baseline > 1e-9]
    assert len(curve) == 20
    assert (curve.error <= 2 * curve.baseline).all()
    assert_equivariant(net.float(), x[None, None].float(), tolerance=2e-6)


def test_white_noise_keeps_its_variance() -> None:
    torch.manual_seed(0)
    layer = SteerableConv2d("8x0 + 8x1 + 4x2", "40x0 + 40x1 + 40x2", 5, bias=False)
    with torch.no_grad():
        y = layer(torch.randn(4, 32, 24, 24))
    for part in y.split([40, 80, 80], 1):
        assert part.var().item() == pytest.approx(1, rel=0.15)


def test_frequencies_that_no_kernel_reaches() -> None:
    with pytest.raises(ValueError, match=r"size 3 leads to frequency 2.*0 to 1, "):
        SteerableConv2d("1x0", "1x0 + 1x2", 3)
    with pytest.raises(ValueError, match="Use kernel_size=9"):
        SteerableConv2d("1x0", "1x0 + 1x2", 5, max_frequency=5)
    with pytest.raises(ValueError, match="mind the parity"):
        SteerableConv2d("1x0e", "1x0o", 5, group=O2)
    with pytest.raises(ValueError, match="SO2 acts on what goes in, O2"):
        SteerableConv2d(CircleIrreps.parse("1x0", SO2), CircleIrreps.parse("1x0", O2), 5)
    with pytest.raises(ValueError, match="scalars first"):
        CircleGate("2x1 + 2x0")
    with pytest.raises(ValueError, match="oversampling must be 1 or more"):
        CircleActivation(1, 1, oversampling=0.5)
    with pytest.raises(ValueError, match="one of mean, max"):
        CircleReadout("1x0", "sum")
    with pytest.raises(ValueError, match="square"):
        CircleMaps("1x0").act(SO2.from_angle(0.3), torch.zeros(1, 1, 4, 5))


def test_old_outputs_after_new_weights() -> None:
    """What is remembered in eval is the kernel of the weights as they are."""
    layer = SteerableConv2d("1x0", "1x0 + 1x1", 3).eval()
    x = torch.randn(1, 1, 6, 6)
    with torch.no_grad():
        before = layer(x)
        layer.weight.mul_(2)
        assert relative(layer(x), 2 * before) <= 1e-6
