"""ModelNet10: train on upright shapes, test on upright, turned and freely rotated ones.

    EQUIVLAB_MODELNET10=modelnet10_voxels.npz python benchmarks/shapes.py --epochs 6

Networks: ``steerable``; its plain twins ``plain`` (as many parameters) and ``wide`` (as many
channels); each also ``+full``, trained on shapes turned freely, anew in each epoch. Grids are 30³
voxels; empty ones go, and test grids that equal a training grid. They get 6 empty voxels on every
side (a free turn moves corners outwards), are turned there, trilinearly, blurred by a Gaussian of
2 voxels and averaged to 14³. The network after the last epoch is tested. Every epoch is kept in
`benchmarks/runs`, so a killed run goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.data import modelnet10
from equivlab.data.shape_rotation import random_rotations
from equivlab.fields import rotate_voxels
from equivlab.models.space import EQUAL_WIDTH, PlainCNN3d, SteerableCNN3d
from equivlab.train import accuracy, fit

RUNS = Path(__file__).parent / "runs"
FRAME, BLUR, STEP = 6, 2.0, 3  # voxels
NETWORKS = ("steerable", "plain", "plain+full", "wide", "wide+full", "steerable+full")
TESTS = ("upright", "about z", "free")


def framed(grids: Tensor) -> Tensor:
    """Grids ``(N, D, D, D)`` of bytes as ``(N, 1, D+12, ...)`` with a frame of empty voxels."""
    return F.pad(grids[:, None].float(), 6 * (FRAME,))


def coarse(grids: Tensor) -> Tensor:
    """A Gaussian blur and averages of 3³ voxels: what the coarse grid can hold."""
    side = grids.shape[-1]
    at = torch.arange(side, dtype=torch.float32)
    blur = torch.exp(-((at[:, None] - at) ** 2) / (2 * BLUR**2)) / (BLUR * math.sqrt(2 * math.pi))
    along = blur.view(side // STEP, STEP, side).mean(1)  # (side / 3, side), for each axis
    return torch.einsum("ncdhw,ad,bh,ew->ncabe", grids, along, along, along)


def turned_anew(grids: Tensor, generator: torch.Generator) -> Tensor:
    """The augmentation: each shape by its own free rotation."""
    return coarse(rotate_voxels(framed(grids[:, 0]), random_rotations(len(grids), generator)))


def tests(grids: Tensor) -> dict[str, Tensor]:
    """The test shapes upright, turned about z and turned freely, by rotations of seed 1."""
    out = {"upright": torch.cat([coarse(framed(some)) for some in grids.split(64)])}
    for name, about in (("about z", "z"), ("free", "any")):
        turns = random_rotations(len(grids), torch.Generator().manual_seed(1), about)
        out[name] = torch.cat(
            [
                coarse(rotate_voxels(framed(some), R))
                for some, R in zip(grids.split(64), turns.split(64), strict=True)
            ]
        )
    return out


def network(name: str, seed: int, dropout: float) -> nn.Module:
    """A network by its name, its weights drawn with `seed`."""
    torch.manual_seed(seed)
    kind = name.removesuffix("+full")
    if kind == "steerable":
        return SteerableCNN3d(10, dropout=dropout)
    return PlainCNN3d(10, dropout=dropout, **({"widths": EQUAL_WIDTH} if kind == "wide" else {}))


def run(name: str, arguments: argparse.Namespace, data: dict[str, Tensor]) -> dict:
    """Train (or go on training) one network and test it once."""
    model = network(name, arguments.seed, arguments.dropout)
    augmented = name.endswith("+full")
    grids = data["x_train"][:, None]
    if not augmented:
        grids = torch.cat([coarse(framed(some)) for some in data["x_train"].split(64)])
    stem = f"shapes-{name}-{arguments.epochs}epochs-seed{arguments.seed}"
    started = time.process_time()
    losses = fit(
        model,
        grids,
        data["y_train"].long(),
        epochs=arguments.epochs,
        batch_size=32,
        lr=arguments.lr,
        seed=arguments.seed,
        augment=turned_anew if augmented else None,
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
        "final loss": round(losses[-1], 4),
        "seed": arguments.seed,
        "CPU seconds in this call": round(time.process_time() - started),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}",
    }
    (RUNS / f"{stem}.json").write_text(json.dumps(result, indent=1))
    return result


def main() -> None:
    """Run the networks asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=os.environ.get("EQUIVLAB_MODELNET10"))
    parser.add_argument("--networks", nargs="+", default=NETWORKS[:5], choices=NETWORKS)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--shapes", type=int, help="only so many, to try the program")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    RUNS.mkdir(exist_ok=True)
    data = modelnet10(arguments.data)
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
