"""ModelNet10: train on upright shapes, test on upright, turned and freely rotated ones.

    EQUIVLAB_MODELNET10=modelnet10_voxels.npz python benchmarks/shapes.py --epochs 6 --threads 1

Networks: ``steerable`` (`SmoothSteerableCNN3d`), its plain twin of as many parameters (``plain``)
and a wide one (``wide``); each also ``+full``, trained on shapes turned freely, anew in each epoch.
Grids are 30³ voxels; empty ones go, and test grids that equal a training grid. A shape is the
sum of a Gaussian at each occupied voxel (deviation 2 voxels), sampled on 18³ points 3 voxels
apart (`equivlab.data.blob_grids`): turning its centres turns it exactly. In training every
network sees each shape moved by up to 1.5 voxels along each axis and scaled by 0.9 to 1.1, anew in
each epoch. Settings were chosen with `--validate`, on 484 held-out training shapes; the test shapes
are used once, by the network after its last epoch. Every epoch is kept in `benchmarks/runs`,
so a killed run goes on.
"""

from __future__ import annotations

import argparse
import os
import time

import torch
from kept import RUNS, keep, parsed
from torch import Tensor, nn

from equivlab.data import blob_grids, modelnet10
from equivlab.data.shapes.rotation import random_rotations
from equivlab.models.space import PlainCNN3d, SmoothSteerableCNN3d
from equivlab.training import accuracy, fit

GRID = {"size": 18, "spacing": 3.0, "sigma": 2.0}  # spacing and sigma in voxels
SHIFT, SCALE = 1.5, 0.1
HELD_OUT = 484
PLAIN, WIDE = (5, 6, 7, 20), (16, 24, 32, 48)  # channels
NETWORKS = ("steerable", "plain", "plain+full", "wide", "wide+full", "steerable+full")
TESTS = ("upright", "about z", "free")


def jittered(voxels: Tensor, generator: torch.Generator, turned: bool) -> Tensor:
    """A batch ``(B, 1, D, D, D)`` moved, scaled and perhaps turned, on the network's grid."""
    count = len(voxels)
    return blob_grids(
        voxels[:, 0],
        **GRID,
        shifts=SHIFT * (2 * torch.rand(count, 3, generator=generator) - 1),
        scales=1 + SCALE * (2 * torch.rand(count, generator=generator) - 1),
        rotations=random_rotations(count, generator) if turned else None,
    )


def tests(voxels: Tensor) -> dict[str, Tensor]:
    """The shapes upright, turned about z and turned freely, by rotations of seed 1."""
    turns = {
        name: random_rotations(len(voxels), torch.Generator().manual_seed(1), about)
        for name, about in (("about z", "z"), ("free", "any"))
    }
    return {name: blob_grids(voxels, **GRID, rotations=turns.get(name)) for name in TESTS}


def network(name: str, seed: int, dropout: float) -> nn.Module:
    """A network by its name, its weights drawn with `seed`."""
    torch.manual_seed(seed)
    kind = name.removesuffix("+full")
    if kind == "steerable":
        return SmoothSteerableCNN3d(dropout=dropout)
    return PlainCNN3d(dropout=dropout, widths=WIDE if kind == "wide" else PLAIN)


def held_out(data: dict[str, Tensor]) -> dict[str, Tensor]:
    """The last 484 of the training shapes, in an order of seed 5, as the test."""
    order = torch.randperm(len(data["x_train"]), generator=torch.Generator().manual_seed(5))
    train, test = order[:-HELD_OUT], order[-HELD_OUT:]
    return {
        f"{kind}_{part}": data[f"{kind}_train"][some]
        for kind in "xy"
        for part, some in (("train", train), ("test", test))
    }


def run(name: str, arguments: argparse.Namespace, data: dict[str, Tensor]) -> dict:
    """Train (or go on training) one network and test it once."""
    model = network(name, arguments.seed, arguments.dropout)
    stem = f"shapes18-{name}-{arguments.epochs}epochs-seed{arguments.seed}"
    stem += "-validate" if arguments.validate else ""
    started = time.process_time()
    losses = fit(
        model,
        data["x_train"][:, None],
        data["y_train"].long(),
        epochs=arguments.epochs,
        batch_size=32,
        lr=arguments.lr,
        seed=arguments.seed,
        augment=lambda x, generator: jittered(x, generator, name.endswith("+full")),
        checkpoint=RUNS / f"{stem}.safetensors",
    )
    labels = data["y_test"].long()
    result = {
        "network": name,
        "parameters": sum(p.numel() for p in model.parameters()),
        "epochs": arguments.epochs,
        **{
            test: round(100 * accuracy(model, x, labels), 2)
            for test, x in tests(data["x_test"]).items()
        },
        "accuracy on": "held-out training shapes" if arguments.validate else "test shapes",
        "final loss": round(losses[-1], 4),
        "seed": arguments.seed,
        "CPU seconds in this call": round(time.process_time() - started),
    }
    return keep(RUNS / f"{stem}.json", result)


def main() -> None:
    """Run the networks asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=os.environ.get("EQUIVLAB_MODELNET10"))
    parser.add_argument("--networks", nargs="+", default=NETWORKS[:5], choices=NETWORKS)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--shapes", type=int, help="only so many, to try the program")
    parser.add_argument("--validate", action="store_true", help="test on held-out training shapes")
    arguments = parsed(parser)
    data = modelnet10(arguments.data)
    if arguments.validate:
        data = held_out(data)
    if arguments.shapes:
        data = {name: values[: arguments.shapes] for name, values in data.items()}
    print(f"| network | parameters | epochs | {' | '.join(f'{t} %' for t in TESTS)} |")
    print("|---|---|---|---|---|---|")
    for name in arguments.networks:
        r = run(name, arguments, data)
        cells = " | ".join(f"{r[test]:.1f}" for test in TESTS)
        print(f"| {name} | {r['parameters']:,} | {r['epochs']} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
