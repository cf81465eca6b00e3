"""Small networks of every domain, sound and with one planted defect each."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from equivlab.fields import HealpixMaps, IrrepPoints, SphereMaps
from equivlab.groups import P4, P4M, SO2
from equivlab.models import P4CNN
from equivlab.nn import (
    CircleGate,
    FieldModule,
    HealpixToSphere,
    IrrepLinear,
    IrrepNorms,
    IrrepReadout,
    PointConv,
    S2Conv,
    SO3Conv,
    SO3Integrate,
    SpinActivation,
    SpinConv,
    SteerableConv2d,
    SteerableConv3d,
    find_neighbors,
)
from equivlab.so3 import SO3
from equivlab.sphere import healpix_isht, healpix_sht, s2_ifft

Make = Callable[[], nn.Module]


def seeded(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def smooth(channels: int, bandwidth: int) -> Tensor:
    """Signals whose power falls off with the degree, as that of pictures."""
    degree = torch.arange(bandwidth**2).sqrt().floor()
    return s2_ifft(seeded(1, channels, bandwidth**2) / (1 + degree))


def smooth_healpix(nside: int, lmax: int) -> Tensor:
    degree = torch.arange((lmax + 1) ** 2).sqrt().floor()
    return healpix_isht(seeded(1, 1, (lmax + 1) ** 2) / (1 + degree), nside)


def cloud() -> tuple[Tensor, object]:
    points = seeded(10, 3)
    return torch.ones(10, 1), find_neighbors(points, 2.0)


def lattice() -> Tensor:
    """Points whose neighbours stand exactly at distance 1, far from the origin."""
    at = torch.arange(2.0)
    return torch.cartesian_prod(at, at, at) + torch.tensor([3.1, -2.3, 1.7])


class Bias(nn.Module):
    """Adds a number to every channel, to components of vectors too."""

    def __init__(self, channels: int, axes: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.linspace(0.5, 1.5, channels).view(-1, *(1,) * axes))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias


class Random(nn.Module):
    """Dropout that does not know of eval()."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x, 0.5, training=True)


class AllDegrees(FieldModule):
    """HEALPix to the sphere with more degrees than the maps hold."""

    def __init__(self, nside: int) -> None:
        self.lmax = 3 * nside - 1
        super().__init__(HealpixMaps(1, nside, self.lmax), SphereMaps(1, self.lmax + 1))

    def forward(self, x: Tensor) -> Tensor:
        return s2_ifft(healpix_sht(x, self.lmax), self.lmax + 1)


class CountNeighbours(nn.Module):
    """How many points are nearer than the cutoff, all or nothing."""

    cutoff = 1.0

    def forward(self, positions: Tensor) -> Tensor:
        gaps = torch.cdist(positions, positions, compute_mode="donot_use_mm_for_euclid_dist")
        return (gaps < self.cutoff).to(positions).sum(1, keepdim=True)


class Heights(nn.Module):
    """Reads z."""

    def forward(self, positions: Tensor) -> Tensor:
        return positions[:, 2:] * 2


class Points(nn.Module):
    """A layer on points in front of a second one, which may be anything."""

    def __init__(self, then: nn.Module) -> None:
        super().__init__()
        self.conv = PointConv("1x0e", "4x0e + 2x1o", 2.0, lmax=1)
        self.then = then
        self.norms = IrrepNorms("4x0e + 2x1o", IrrepPoints)

    def forward(self, x: Tensor, near: object) -> Tensor:
        return self.norms(self.then(self.conv(x, near)))


def voxels(then: nn.Module) -> nn.Module:
    """A steerable layer, a layer that may be anything, and a read-out."""
    irreps = "2x0e + 2x1o"
    return nn.Sequential(SteerableConv3d("1x0e", irreps, 3, padding=1), then, IrrepReadout(irreps))


def trained_norm(norm: nn.Module) -> nn.Module:
    """A norm that has seen data: each of its channels is another."""
    for number, value in enumerate(norm.state_dict().values()):
        if value.is_floating_point():
            value.copy_(torch.linspace(0.5, 2, len(value)).roll(number))
    return norm


def arrows() -> list[nn.Module]:
    """From an image to arrows, of which no shape tells that they are some."""
    gate = CircleGate("2x0 + 2x1 + 1x2")
    return [SteerableConv2d("1x0", gate.irreps_in, 5, padding=2), gate]


class Own(nn.Module):
    """Layers in a module that does not say what it gives."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def sphere(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(S2Conv(1, 4, 6, 4, lmax=2), *layers)


SOUND: dict[str, tuple[Make, Callable[[], object], object]] = {
    "P4CNN": (lambda: P4CNN(P4, width=2), lambda: seeded(1, 1, 28, 28), P4),
    "P4CNN of P4M": (lambda: P4CNN(P4M, width=1), lambda: seeded(1, 1, 28, 28), P4M),
    "P4M looked at under P4": (lambda: P4CNN(P4M, width=1), lambda: seeded(1, 1, 28, 28), P4),
    "S2Conv and SO3Conv": (
        lambda: sphere(nn.SiLU(), SO3Conv(4, 3, 4, 3), SO3Integrate(3, 3)),
        lambda: smooth(1, 6),
        SO3,
    ),
    "SpinConv": (
        lambda: nn.Sequential(
            SpinConv(1, 3, 6, 5, 0, 1, lmax=2), SpinActivation(3, 5, 1), SpinConv(3, 2, 5, 3, 1)
        ),
        lambda: smooth(1, 6),
        SO3,
    ),
    "HEALPix": (
        lambda: nn.Sequential(HealpixToSphere(1, 4, 6), S2Conv(1, 2, 6, 3), SO3Integrate(2, 3)),
        lambda: smooth_healpix(4, 5),
        SO3,
    ),
    "voxels": (lambda: voxels(nn.Dropout(0.5)), lambda: seeded(1, 1, 5, 5, 5), SO3),
    "voxels, plain norm of scalars": (
        lambda: nn.Sequential(
            SteerableConv3d("1x0e", "4x0e", 3, padding=1),
            trained_norm(nn.BatchNorm3d(4)),
            nn.ReLU(inplace=True),
            IrrepReadout("4x0e"),
        ),
        lambda: seeded(1, 1, 5, 5, 5),
        SO3,
    ),
    "plane, gate": (lambda: nn.Sequential(*arrows()), lambda: seeded(1, 1, 9, 9), SO2),
    "plane, gate in a container of its own": (
        lambda: nn.Sequential(nn.Sequential(*arrows())),
        lambda: seeded(1, 1, 9, 9),
        SO2,
    ),
    "plane, gate in a module of one's own": (
        lambda: Own(*arrows()),
        lambda: seeded(1, 1, 9, 9),
        SO2,
    ),
    "points": (
        lambda: Points(IrrepLinear("4x0e + 2x1o", "4x0e + 2x1o", bias=True)),
        cloud,
        SO3,
    ),
}

BROKEN: dict[str, tuple[Make, Callable[[], object], object, str, str]] = {
    "P4 asked for mirrors": (
        lambda: P4CNN(P4, width=2), lambda: seeded(1, 1, 28, 28), P4M, "features.0", "with P4M",
    ),
    "coarse grid": (
        lambda: nn.Sequential(S2Conv(1, 3, 8, 5), nn.ReLU(), SO3Conv(3, 3, 5, 5)),
        lambda: s2_ifft(seeded(1, 1, 64)), SO3, "1", "fold back",
    ),
    "few angles γ": (
        lambda: nn.Sequential(
            SpinConv(1, 3, 6, 5, 0, 2, lmax=2),
            SpinActivation(3, 5, 2, activation=torch.sign, angles=5),
            SpinConv(3, 2, 5, 3, 2, 2),
        ),
        lambda: s2_ifft(seeded(1, 1, 36)), SO3, "1", "angles γ",
    ),
    "convolution of the angles": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), S2Conv(2, 2, 6, 3)),
        lambda: smooth(1, 6), SO3, "0", "Use S2Conv",
    ),
    "mean of samples": (
        lambda: sphere(nn.AdaptiveAvgPool3d(1), nn.Flatten()),
        lambda: smooth(1, 6), SO3, "1", "SO3Integrate",
    ),
    "norm of samples": (
        lambda: sphere(nn.InstanceNorm3d(4), SO3Conv(4, 3, 4, 3)),
        lambda: smooth(1, 6), SO3, "1", "Use SO3BatchNorm",
    ),
    "bias of all orders": (
        lambda: nn.Sequential(
            SpinConv(1, 3, 6, 5, 0, 1, lmax=2), trained_norm(nn.BatchNorm3d(3)),
            SpinConv(3, 2, 5, 3, 1),
        ),
        lambda: smooth(1, 6), SO3, "1", "SpinBatchNorm",
    ),
    "HEALPix lmax": (
        lambda: nn.Sequential(AllDegrees(4), S2Conv(1, 2, 12, 3)),
        lambda: healpix_isht(seeded(1, 1, 144), 4), SO3, "0", "Use lmax=8",
    ),
    "HEALPix pixels by number": (
        lambda: nn.Sequential(nn.Conv1d(1, 2, 3, padding=1), HealpixToSphere(2, 4, 6)),
        lambda: smooth_healpix(4, 5), SO3, "0", "HealpixToSphere",
    ),
    "voxel stride": (
        lambda: nn.Sequential(
            SteerableConv3d("1x0e", "2x0e + 1x1o", 3, stride=2), IrrepReadout("2x0e + 1x1o")
        ),
        lambda: seeded(1, 1, 6, 6, 6), SO3, "0", "5 or 7 voxels",
    ),
    "one statistic a component": (
        lambda: voxels(trained_norm(nn.BatchNorm3d(8))),
        lambda: seeded(1, 1, 5, 5, 5), SO3, "1", "Use IrrepBatchNorm",
    ),
    "bent vectors": (
        lambda: voxels(nn.ReLU(inplace=True)),
        lambda: seeded(1, 1, 5, 5, 5), SO3, "1", "IrrepGate",
    ),
    "bias on vectors": (
        lambda: voxels(Bias(8, 3)),
        lambda: seeded(1, 1, 5, 5, 5), SO3, "1", "Only scalars 0e",
    ),
    "largest component": (
        lambda: voxels(nn.MaxPool3d(3, 1)),
        lambda: seeded(1, 1, 5, 5, 5), SO3, "1", "IrrepAvgPool3d",
    ),
    "free filters": (
        lambda: nn.Sequential(nn.Conv3d(1, 4, 3), nn.AdaptiveAvgPool3d(1), nn.Flatten()),
        lambda: seeded(1, 1, 5, 5, 5), SO3, "0", "SteerableConv3d",
    ),
    "random numbers": (
        lambda: voxels(Random()),
        lambda: seeded(1, 1, 5, 5, 5), SO3, "1", "another answer",
    ),
    "mixed components": (
        lambda: Points(nn.Linear(10, 10)), cloud, SO3, "then", "Use IrrepLinear",
    ),
    "bent vectors at points": (lambda: Points(nn.Tanh()), cloud, SO3, "then", "IrrepGate"),
    "a neighbour at the cutoff": (
        lambda: nn.Sequential(CountNeighbours(), nn.Linear(1, 2)), lattice, SO3, "0", "cutoff is 1",
    ),
    "reads z": (lambda: nn.Sequential(Heights()), lattice, SO3, "0", "by number"),
}  # fmt: skip
