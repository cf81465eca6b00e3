"""Gamma rays against hadrons: networks on hexagonal pixels, and on squares resampled from them.

    python benchmarks/showers.py --images 200 2000 --steps 600 --threads 1

The images are simulated (`equivlab.data.shower_images`): seed 0 to train, 1 to validate, 2 to
test. All networks are `DigitCNN`, the same code with the group as an argument, each as wide as
gives about 24,000 parameters; all learn for the same number of steps of 64 images. On hexagons
``plain`` is the trivial group: filters of 7 cells, and nothing tied. Squares are made by
`from_hexagons` with pixels as far apart as cells are. Settings were chosen on the validation
images (`--validate`); a network is tested once, after its last step. Every epoch is kept in
`benchmarks/runs`, so a killed run goes on.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from pathlib import Path

import torch
from kept import RUNS, keep, parsed
from torch import Tensor, nn

from equivlab.data import ShowerCamera, shower_images
from equivlab.groups import P4, P4M, P6, P6M, PointGroup
from equivlab.models import DigitCNN
from equivlab.projection import from_hexagons
from equivlab.training import auc_with_intervals, fit, predict

RESULTS = Path(__file__).parent / "results"
CAMERA = ShowerCamera(radius=14)
SIDE = 28  # pixels: as far apart as the cells, they cover the camera
SEEDS = {"train": 0, "validate": 1, "test": 2}
TRIVIAL = PointGroup("plain on hexagons", 1, has_mirror=False, lattice="hexagonal")
NETWORKS: dict[str, PointGroup | None] = {
    "plain, squares": None,
    "P4, squares": P4,
    "P4M, squares": P4M,
    "plain, hexagons": TRIVIAL,
    "P6, hexagons": P6,
    "P6M, hexagons": P6M,
}
PARAMETERS = 24_000


def images(which: str, count: int, name: str) -> tuple[Tensor, Tensor]:
    """The first images of a set, faint pixels stretched, on the lattice of a network."""
    x, labels = shower_images(range(count), SEEDS[which], CAMERA)
    if name.endswith("squares"):
        x = from_hexagons(x, SIDE, spacing=1.0)
    return torch.asinh(x / 3), labels


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def network(name: str, seed: int) -> nn.Module:
    """A network by its name, of about as many parameters as the others."""
    group = NETWORKS[name]
    sizes = {
        width: parameters(DigitCNN(group, classes=2, width=width, device="meta"))
        for width in range(4, 40)
    }
    width = min(sizes, key=lambda w: abs(sizes[w] - PARAMETERS))
    torch.manual_seed(seed)
    return DigitCNN(group, classes=2, width=width)


def run(name: str, count: int, arguments: argparse.Namespace) -> dict:
    """Train (or go on training) one network on so many images, and test it once."""
    judge = "validate" if arguments.validate else "test"
    batch = min(64, count)
    epochs = -(-arguments.steps // (count // batch))
    stem = f"{name.replace(', ', '-')}-{count}-{arguments.steps}steps-seed{arguments.seed}"
    model = network(name, arguments.seed)
    started = time.process_time()
    losses = fit(
        model,
        *images("train", count, name),
        epochs=epochs,
        batch_size=batch,
        lr=arguments.lr,
        seed=arguments.seed,
        checkpoint=RUNS / "showers" / f"{stem}-lr{arguments.lr}.safetensors",
        progress=sys.stderr.isatty(),
    )
    spent = time.process_time() - started
    x, labels = images(judge, arguments.judged, name)
    scores = predict(model, x)
    macro = auc_with_intervals(scores, labels)["macro"]
    result = {
        "network": name,
        "parameters": parameters(model),
        "images": count,
        "steps": epochs * (count // batch),
        "judged on": f"{judge}, {arguments.judged}",
        "AUC": str(macro),
        "accuracy %": f"{100 * float((scores.argmax(1) == labels).double().mean()):.1f}",
        "final loss": round(losses[-1], 4),
        "seed": arguments.seed,
        "CPU s in this call": round(spent),
    }
    return keep(RUNS / "showers" / f"{stem}-{judge}.json", result)


def main() -> None:
    """Run the networks asked for, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--images", nargs="+", type=int, default=[200, 2000])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--judged", type=int, default=4000, help="images to judge by")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--csv", default="showers.csv", help="in benchmarks/results")
    arguments = parsed(parser)
    (RUNS / "showers").mkdir(exist_ok=True)
    rows = []
    for count in arguments.images:
        for name in arguments.networks:
            rows.append(run(name, count, arguments))
            print(" | ".join(str(value) for value in rows[-1].values()), flush=True)
    with (RESULTS / arguments.csv).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
