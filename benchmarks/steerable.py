"""How far are layers from the law between quarter turns, and how far is escnn's?

    python benchmarks/steerable.py                     # ours
    PYTHONPATH=folder-of-escnn python benchmarks/steerable.py --peers escnn

Images are formulas (sums of Gaussian blobs), so turned ones are drawn exactly and nothing is
resampled: what a layer gives at the middle of a picture is compared with what it gives there for
the turned picture, turned back by the representation. Layers have random weights; each number is
``|found − wanted| / |wanted|`` over many pictures and channels. Kernel sizes, pictures and the run
are the same for both.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from equivlab.equivariance import equivariance_error
from equivlab.groups import SO2, Cyclic
from equivlab.nn import GroupConv2d, LiftingConv2d, SteerableConv2d

SIDE, PICTURES, FIELDS = 19, 80, 4
IRREPS = f"{FIELDS}x0 + {FIELDS}x1"
BLOBS = {"smooth": (1.5, 4.0), "fine": (0.7, 1.5)}  # deviations in pixels: from, to
ANGLES = {"C8": 45.0, "C16": 22.5, "SO2": 30.0}
Net = Callable[[Tensor], Tensor]


def pictures(kind: str, angle: float) -> Tensor:
    """Sums of blobs, turned by `angle` degrees counter-clockwise, ``(B, 1, SIDE, SIDE)``."""
    generator = torch.Generator().manual_seed(0)
    at = torch.arange(SIDE, dtype=torch.float64) - (SIDE - 1) / 2
    up, right = torch.meshgrid(-at, at, indexing="ij")
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = c * right + s * up, c * up - s * right  # turned back
    numbers = torch.rand(PICTURES, 9, 4, 1, 1, generator=generator, dtype=torch.float64)
    place = 8 * numbers[:, :, :2] - 4
    low, high = BLOBS[kind]
    width = low + (high - low) * numbers[:, :, 2]
    blobs = torch.exp(-((x - place[:, :, 0]) ** 2 + (y - place[:, :, 1]) ** 2) / (2 * width**2))
    return ((2 * numbers[:, :, 3] - 1) * blobs).sum(1, keepdim=True)


def ours(name: str, size: int, deep: bool) -> tuple[Net, Callable[[Tensor], Tensor]]:
    """One layer or two, and how what they give turns by the angle."""
    margin, angle = size // 2, math.radians(ANGLES[name])
    if name == "SO2":
        layers: list[nn.Module] = [SteerableConv2d("1x0", IRREPS, size, padding=margin)]
        if deep:
            layers.append(SteerableConv2d(IRREPS, IRREPS, size, padding=margin))
        pair = SO2.harmonic(SO2.from_angle(angle), 1)
        numbers = FIELDS * [torch.ones(1, 1, dtype=torch.float64)]
        turn = torch.block_diag(*numbers, *FIELDS * [pair])
        return nn.Sequential(*layers).double(), lambda y: y @ turn.T
    group = Cyclic(int(name[1:]))
    layers = [LiftingConv2d(group, 1, FIELDS, size, padding=margin, bias=False)]
    if deep:
        layers += [nn.ReLU(), GroupConv2d(group, FIELDS, FIELDS, size, padding=margin, bias=False)]
    net = nn.Sequential(*layers).double()
    return net, lambda y: y.unflatten(1, (FIELDS, -1)).roll(1, 2).flatten(1)


def escnns(name: str, size: int, deep: bool) -> tuple[Net, Callable[[Tensor], Tensor]]:
    """The same of escnn, with its own defaults."""
    from escnn import gspaces
    from escnn import nn as layers

    margin, angle = size // 2, math.radians(ANGLES[name])
    if name == "SO2":
        space = gspaces.rot2dOnR2(-1, maximum_frequency=1)
        hidden = layers.FieldType(space, FIELDS * [space.irrep(0)] + FIELDS * [space.irrep(1)])
        element = space.fibergroup.element(angle, "radians")
    else:
        space = gspaces.rot2dOnR2(int(name[1:]))
        hidden = layers.FieldType(space, FIELDS * [space.regular_repr])
        element = space.fibergroup.element(1)
    image = layers.FieldType(space, [space.trivial_repr])
    parts: list[Any] = [layers.R2Conv(image, hidden, size, padding=margin, bias=False)]
    if deep and name != "SO2":
        parts.append(layers.ReLU(hidden))
    if deep:
        parts.append(layers.R2Conv(hidden, hidden, size, padding=margin, bias=False))
    net = layers.SequentialModule(*parts).double()
    turn = torch.as_tensor(hidden.representation(element), dtype=torch.float64)
    return lambda x: net(layers.GeometricTensor(x, image)).tensor, lambda y: y @ turn.T


def middle(y: Tensor) -> Tensor:
    """What stands at the central pixel, ``(B, C)``."""
    return y[..., SIDE // 2, SIDE // 2].flatten(1)


@torch.no_grad()
def error(
    make: Callable[..., tuple[Net, Net]], name: str, size: int, deep: bool, kind: str
) -> float:
    """Of three draws of the weights together."""
    found, wanted = [], []
    for seed in range(3):
        torch.manual_seed(seed)
        net, turn = make(name, size, deep)
        found.append(middle(net(pictures(kind, ANGLES[name]))))
        wanted.append(turn(middle(net(pictures(kind, 0.0)))))
    return equivariance_error(torch.cat(found), torch.cat(wanted))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--peers", nargs="*", default=[], choices=["escnn"])
    parser.add_argument("--csv", help="a file for the rows, as in results/steerable.csv")
    arguments = parser.parse_args()
    contestants = {"equivlab": ours} | ({"escnn": escnns} if arguments.peers else {})
    lines = [["group", "angle", "layers", "kernel", "pictures", *contestants]]
    print("| " + " | ".join(lines[0]) + " |\n" + "|---" * len(lines[0]) + "|")
    for name, angle in ANGLES.items():
        for deep in (False, True):
            for size in (3, 5, 7):
                for kind in BLOBS:
                    errors = [error(m, name, size, deep, kind) for m in contestants.values()]
                    row = [name, f"{angle:g}°", str(1 + deep), str(size), kind]
                    lines.append(row + [f"{100 * e:.2f} %" for e in errors])
                    print("| " + " | ".join(lines[-1]) + " |", flush=True)
    if arguments.csv:
        with open(arguments.csv, "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerows(lines)


if __name__ == "__main__":
    main()
