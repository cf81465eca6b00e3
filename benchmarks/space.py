"""How much slower than an ordinary convolution is a steerable one, how much faster than a naive?

    python benchmarks/space.py                # a few minutes, one thread
    python benchmarks/space.py --only points  # or voxels, smooth, rotations

Voxels: `SteerableConv3d` from and to 16x0e + 8x1o + 4x2e (60 channels), kernel 5, against
`torch.nn.Conv3d` with 60 channels, and against the same layer that evaluates its kernels anew in
each step. Smooth: the layer with Gaussian profiles, which works along one axis at a time, against
`torch.nn.Conv3d` with as large a kernel, 7. Points: `PointConv` from and to 16x0e + 16x1o + 16x2e
on 1000 points with 23 neighbours each, against e3nn: a fully connected tensor product, whose
weights a radial network gives, and a sum over neighbours; and against e3nn's own channel-wise
point convolution.

Rotations: how far a free rotation of voxels is from the law, beside turning there and back.

All take turns, call by call, so that a noisy machine slows them alike; what is reported is the
median of the ratios of neighbouring calls, with quartiles. Time is CPU time of one thread.
``forward`` records gradients with new weights; ``both`` goes back to weights and input;
``unchanged`` has no gradients and the weights of the call before.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable
from statistics import median

import torch
from e3nn import o3
from e3nn.nn import FullyConnectedNet
from e3nn.nn.models.v2106.points_convolution import Convolution
from timing import Call, both_ways, cell, in_turns, ratios
from torch import Tensor, nn

from equivlab.fields import IrrepMaps, rotate_voxels
from equivlab.nn import PointConv, SteerableConv3d, find_neighbors
from equivlab.nn.space.kernel import evaluate_basis
from equivlab.so3 import SO3

VOXEL_IRREPS = "16x0e + 8x1o + 4x2e"
KERNEL, SMOOTH_KERNEL = 5, 7
POINT_IRREPS = "16x0e + 16x1o + 16x2e"
POINTS, NEIGHBOURS = 1000, 23
RADIAL, HIDDEN = 8, 32
USES = ("forward", "both", "unchanged")


class Naive(SteerableConv3d):
    """The same layer, its kernels evaluated in every step."""

    def forward(self, x: Tensor) -> Tensor:
        shape = self.expansion.shape
        parts = []
        for pair in dict.fromkeys(block.pair for row in self.expansion.rows for block in row):
            basis = evaluate_basis(pair, shape, shape.points())
            power = basis.square().sum((1, 2, 3, 4, 5), keepdim=True) / basis.shape[1]
            parts.append((basis / power.sqrt()).flatten())
        self.basis = torch.cat(parts).to(self.weight)
        self._memo = type(self._memo)()  # nothing remembered
        return super().forward(x)


def caller(call: Callable[[Tensor], Tensor], x: Tensor, use: str) -> Call:
    """What is timed; `compared` sees to gradients."""
    return both_ways(call, x, leaf=False) if use == "both" else lambda: call(x)


def compared(calls: dict[str, Call], base: str, use: str, seconds: float) -> dict[str, list[float]]:
    """The times of all over that of `base`."""
    with torch.set_grad_enabled(use != "unchanged"):
        return ratios(in_turns(calls, rounds=7, seconds=seconds), base)


def voxels(size: int, batch: int, use: str) -> dict[str, Call]:
    """The three convolutions on grids of `size`."""
    ours = SteerableConv3d(VOXEL_IRREPS, VOXEL_IRREPS, KERNEL, padding=KERNEL // 2)
    width = ours.in_field.channels
    layers: dict[str, nn.Module] = {
        "plain": nn.Conv3d(width, width, KERNEL, padding=KERNEL // 2),
        "equivlab": ours,
        "naive": Naive(VOXEL_IRREPS, VOXEL_IRREPS, KERNEL, padding=KERNEL // 2),
    }
    x = torch.randn(batch, width, size, size, size, requires_grad=use == "both")
    return {name: caller(layer, x, use) for name, layer in layers.items()}


def smooth_voxels(size: int, batch: int, use: str) -> dict[str, Call]:
    """A plain convolution and one with smooth steerable kernels of the same size."""
    padding = SMOOTH_KERNEL // 2
    ours = SteerableConv3d(
        VOXEL_IRREPS, VOXEL_IRREPS, SMOOTH_KERNEL, padding=padding, profile="gaussian"
    )
    width = ours.in_field.channels
    plain = nn.Conv3d(width, width, SMOOTH_KERNEL, padding=padding)
    x = torch.randn(batch, width, size, size, size, requires_grad=use == "both")
    return {"plain": caller(plain, x, use), "equivlab": caller(ours, x, use)}


def points(use: str) -> dict[str, Call]:
    """The point convolutions, with the harmonics and the radial network in what is timed."""
    generator = torch.Generator().manual_seed(0)
    positions = 10 * torch.rand(POINTS, 3, generator=generator)
    gaps = torch.cdist(positions, positions).flatten().sort().values
    cutoff = float(gaps[POINTS * (NEIGHBOURS + 1)])
    near = find_neighbors(positions, cutoff)
    irreps = o3.Irreps(POINT_IRREPS)
    sphere = o3.Irreps.spherical_harmonics(2)
    ours = PointConv(irreps, irreps, cutoff, 2, RADIAL, HIDDEN, NEIGHBOURS, self_interaction=False)
    full = o3.FullyConnectedTensorProduct(irreps, sphere, irreps, shared_weights=False)
    radial = FullyConnectedNet([RADIAL, HIDDEN, full.weight_numel], torch.nn.functional.silu)
    channels = Convolution(irreps, "0e", sphere, irreps, [RADIAL, HIDDEN], NEIGHBOURS)
    ones = torch.ones(POINTS, 1)

    def harmonics() -> Tensor:
        return o3.spherical_harmonics(sphere, near.vector[:, [1, 2, 0]], True, "component")

    def fully_connected(x: Tensor) -> Tensor:
        messages = full(x[near.source], harmonics(), radial(ours.basis(near.vector.norm(dim=1))))
        return x.new_zeros(POINTS, irreps.dim).index_add(0, near.target, messages)

    def channel_wise(x: Tensor) -> Tensor:
        numbers = ours.basis(near.vector.norm(dim=1))
        return channels(x, ones, near.source, near.target, harmonics(), numbers)

    def equivlab(x: Tensor) -> Tensor:
        near._known.clear()  # the harmonics are a part of the work of the others too
        return ours(x, near)

    x = torch.randn(POINTS, irreps.dim, requires_grad=use == "both")
    calls = {"fully connected": fully_connected, "equivlab": equivlab, "channel-wise": channel_wise}
    return {name: caller(call, x, use) for name, call in calls.items()}


def voxel_table(seconds: float) -> None:
    """Time over that of nn.Conv3d."""
    layer = SteerableConv3d(VOXEL_IRREPS, VOXEL_IRREPS, KERNEL)
    width = layer.in_field.channels
    learned = [
        sum(p.numel() for p in m.parameters()) for m in (layer, nn.Conv3d(width, width, KERNEL))
    ]
    print(f"\nTime over that of nn.Conv3d({width}, {width}, {KERNEL}); {learned[0]:,} parameters")
    print(f"against {learned[1]:,}. `naive` evaluates the kernels in each step.\n")
    print(
        "| grid, batch | "
        + " | ".join(f"{u}: {n}" for u in USES for n in ("equivlab", "naive"))
        + " |"
    )
    print("|---" * 7 + "|")
    for size, batch in ((16, 1), (16, 8), (32, 1)):
        cells = []
        for use in USES:
            found = compared(voxels(size, batch, use), "plain", use, seconds)
            cells += [cell(found["equivlab"]), cell(found["naive"])]
        print(f"| {size}³, {batch} | " + " | ".join(cells) + " |", flush=True)


def smooth_table(seconds: float) -> None:
    """Time over that of nn.Conv3d, for smooth kernels."""
    print(f"\nSmooth kernels: time over that of nn.Conv3d(60, 60, {SMOOTH_KERNEL})\n")
    print("| grid, batch | " + " | ".join(USES) + " |\n|---|---|---|---|")
    for size, batch in ((16, 1), (16, 8), (32, 1)):
        cells = [
            cell(compared(smooth_voxels(size, batch, use), "plain", use, seconds)["equivlab"])
            for use in USES
        ]
        print(f"| {size}³, {batch} | " + " | ".join(cells) + " |", flush=True)


def point_table(seconds: float) -> None:
    """How many times faster than the others."""
    print(f"\n{POINTS} points, {NEIGHBOURS} neighbours, {POINT_IRREPS}:")
    print("PointConv is so many times faster\n")
    print("| than | forward | both |\n|---|---|---|")
    rows: dict[str, list[str]] = {"fully connected": [], "channel-wise": []}
    for use in ("forward", "both"):
        for name, cells in rows.items():
            calls = points(use)
            pair = {"equivlab": calls["equivlab"], name: calls[name]}
            cells.append(cell(compared(pair, "equivlab", use, seconds)[name]))
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def smooth_noise(size: int, width: float, seed: int) -> Tensor:
    """White noise blurred by a Gaussian of `width` voxels, fading out towards the frame."""
    generator = torch.Generator().manual_seed(seed)
    k = torch.fft.fftfreq(size, dtype=torch.float64)
    low = torch.exp(-2 * (torch.pi * width) ** 2 * (k[:, None, None] ** 2 + k[:, None] ** 2 + k**2))
    noise = torch.randn(4, 1, size, size, size, generator=generator, dtype=torch.float64)
    return torch.fft.ifftn(torch.fft.fftn(noise, dim=(2, 3, 4)) * low, dim=(2, 3, 4)).real


def rotation_table(size: int = 33) -> None:
    """How near to the law a free rotation of voxels is, beside what interpolation costs."""
    torch.manual_seed(0)
    irreps = "4x0e + 4x1o + 2x2e"
    layer = SteerableConv3d("1x0e", irreps, KERNEL, padding="same").double()
    smooth = SteerableConv3d(
        "1x0e", irreps, SMOOTH_KERNEL, padding="same", profile="gaussian"
    ).double()
    plain = nn.Conv3d(1, layer.out_field.channels, KERNEL, padding="same").double()
    field, plain_field = layer.out_field, IrrepMaps(f"{layer.out_field.channels}x0e")
    at = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    distance = (at[:, None, None] ** 2 + at[:, None] ** 2 + at**2).sqrt()
    window = torch.sigmoid(0.35 * size - distance)
    inside = (distance < 0.3 * size).double()
    print(f"\nRelative error of the law inside the ball, {size}³ voxels, 8 free rotations\n")
    print("| blur in voxels | there and back | SteerableConv3d | smooth | nn.Conv3d | cube |")
    print("|---|---|---|---|---|---|")

    def off(found: Tensor, wanted: Tensor) -> float:
        return float(((found - wanted) * inside).norm() / (wanted * inside).norm())

    for blur in (1.0, 1.5, 2.0, 3.0):
        x = smooth_noise(size, blur, 0) * window
        rows = []
        with torch.no_grad():
            for g in SO3.random_elements(8, torch.Generator().manual_seed(1)):
                turned = rotate_voxels(x, g)
                back = off(rotate_voxels(turned, SO3.inverse(g)), x)
                ours = off(layer(turned), field.act(g, layer(x)))
                low = off(smooth(turned), field.act(g, smooth(x)))
                theirs = off(plain(turned), plain_field.act(g, plain(x)))
                rows.append((back, ours, low, theirs))
            cube = max(
                off(layer(rotate_voxels(x, g)), field.act(g, layer(x)))
                for g in SO3.cube_rotations()
            )
        cells = " | ".join(f"{median(column):.3f}" for column in zip(*rows, strict=True))
        print(f"| {blur} | {cells} | {cube:.0e} |", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="for each number")
    parser.add_argument("--only", choices=["voxels", "smooth", "points", "rotations"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {platform.machine()}, one thread, CPU time;")
    print(f"GLIBC_TUNABLES={os.environ.get('GLIBC_TUNABLES', '')}; median (quartiles) of ratios")
    if arguments.only in (None, "voxels"):
        voxel_table(arguments.seconds)
    if arguments.only in (None, "smooth"):
        smooth_table(arguments.seconds)
    if arguments.only in (None, "points"):
        point_table(arguments.seconds)
    if arguments.only in (None, "rotations"):
        rotation_table()


if __name__ == "__main__":
    main()
