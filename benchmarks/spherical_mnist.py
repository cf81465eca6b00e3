"""Spherical MNIST: test accuracies NR/NR, R/R and NR/R of spherical networks and a planar one.

    EQUIVLAB_MNIST=mnist.npz python benchmarks/spherical_mnist.py --networks smooth planar

The protocol of Cohen et al. (ICLR 2018, section 5.2): all 60,000 digits are projected onto one
hemisphere, around the pole (NR), or each turned by its own uniform rotation, drawn once (R); so
are the 10,000 test digits. A network that was trained on NR is tested on both. Nothing is
chosen on the test digits: settings were chosen on the last 5,000 training digits (`--validate`),
and each network is tested once, after its last epoch. Every epoch is kept in `benchmarks/runs`,
so a killed run goes on. `--device cuda` trains on a GPU, each step a CUDA graph.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from kept import RUNS, keep, parsed
from torch import Tensor, nn

from equivlab.data import mnist
from equivlab.models.sphere import (
    planar_digit_cnn,
    smooth_spherical_digit_cnn,
    spherical_digit_cnn,
    spin_digit_cnn,
)
from equivlab.nn import SO3Integrate, SO3Moments
from equivlab.projection import project_image
from equivlab.so3 import SO3
from equivlab.sphere import rotate_s2
from equivlab.training import accuracy, fit
from equivlab.weights.files import read_tensors

PAPER = {"planar": "0.98 / 0.23 / 0.11", "paper": "0.96 / 0.95 / 0.94"}
NETWORKS: dict[str, tuple[Callable[..., nn.Module], float]] = {  # and the rate of Adam
    "planar": (planar_digit_cnn, 5e-4),
    "paper": (spherical_digit_cnn, 5e-3),
    "smooth": (smooth_spherical_digit_cnn, 2e-2),
    "spin": (spin_digit_cnn, 2e-2),
}
BANDWIDTH, HELD_OUT = 30, 5000
SEEDS = {"train": 1, "test": 2}  # of the rotations


def sphere_digits(part: str, rotated: bool, device: str = "cpu") -> tuple[Tensor, Tensor]:
    """All digits of a part on the sphere ``(N, 1, 60, 60)``, standardised, and their labels."""
    digits = mnist()
    images = digits[f"x_{part}"][:, None].float() / 255
    rotations: list[Tensor | None] = [None] * math.ceil(len(images) / 500)
    if rotated:
        generator = torch.Generator().manual_seed(SEEDS[part])
        rotations = list(SO3.random_elements(len(images), generator).split(500))
    signals = [
        project_image(
            x.to(device), bandwidth=BANDWIDTH, projection="stereographic", extent=math.pi,
            rotation=R,
        )
        for x, R in zip(images.split(500), rotations, strict=True)
    ]  # fmt: skip
    # Mean and deviation of the upright training digits, on the grid.
    return (torch.cat(signals) - 0.1452) / 0.3057, digits[f"y_{part}"].long().to(device)


def train(name: str, rotated: bool, arguments: argparse.Namespace) -> nn.Module:
    """One network on one training set, or on its first 55,000 digits with `--validate`."""
    x, y = sphere_digits("train", rotated, arguments.device)
    count = len(x) - (HELD_OUT if arguments.validate else 0)
    count = min(count, arguments.digits or count)
    build, rate = NETWORKS[name]
    torch.manual_seed(arguments.seed)
    model = build(**options(name, arguments)).to(arguments.device)
    if arguments.start:
        tensors, _ = read_tensors(arguments.start)
        kept = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
        model.load_state_dict(kept)
    fit(
        model, x[:count], y[:count], epochs=arguments.epochs, batch_size=32,
        lr=arguments.lr or rate, seed=arguments.seed, capture=arguments.device == "cuda",
        checkpoint=RUNS / f"sphere-{stem(name, rotated, count, arguments)}.safetensors",
    )  # fmt: skip
    return model


def options(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """What is not the network's default."""
    fine = arguments.grids and name == "smooth"
    return {"grids": tuple(arguments.grids)} if fine else {}


def stem(name: str, rotated: bool, digits: int, arguments: argparse.Namespace) -> str:
    """The name of a run's files."""
    kind = "R" if rotated else "NR"
    name = "-".join([name, *map(str, options(name, arguments).get("grids", ()))])
    again = f"-again-lr{arguments.lr:g}" if arguments.start else ""
    return f"{name}-{kind}-{digits}digits-{arguments.epochs}epochs{again}-seed{arguments.seed}"


@torch.no_grad()
def law_errors(model: nn.Module) -> dict[str, float]:
    """How the invariant features in front of the last layer change when 200 digits turn.

    Relative to their size, and to their spread over the digits. The digits are band-limited
    first, and their rotation is exact.
    """
    device = str(next(model.parameters()).device)
    x = rotate_s2(sphere_digits("test", False, device)[0][:200], SO3.identity)
    turned = rotate_s2(x, SO3.random_elements(200, torch.Generator().manual_seed(3)))
    layers = list(model.children())
    last = max(k for k, layer in enumerate(layers) if isinstance(layer, SO3Integrate | SO3Moments))
    still, moved = (nn.Sequential(*layers[: last + 1]).eval()(z) for z in (x, turned))
    off, spread = (moved - still).norm(), (still - still.mean(0)).norm()
    return {"of size": float(off / still.norm()), "of spread": float(off / spread)}


def run(name: str, rotated: bool, arguments: argparse.Namespace) -> dict:
    """Train (or go on) and test once, on the test digits or, with `--validate`, held-out ones."""
    started = time.process_time(), time.monotonic()
    model = train(name, rotated, arguments)
    seconds = time.process_time() - started[0], time.monotonic() - started[1]
    scores = {}
    for turned in (True,) if rotated else (False, True):
        x, y = sphere_digits("train" if arguments.validate else "test", turned, arguments.device)
        if arguments.validate:
            x, y = x[-HELD_OUT:], y[-HELD_OUT:]
        key = f"{'R' if rotated else 'NR'}/{'R' if turned else 'NR'}"
        scores[key] = round(accuracy(model, x, y), 4)
    result = {
        "network": name,
        "grids": arguments.grids,
        "started from": arguments.start and Path(arguments.start).name,
        "parameters": sum(p.numel() for p in model.parameters()),
        "epochs": arguments.epochs,
        "digits": arguments.digits or 60_000 - (HELD_OUT if arguments.validate else 0),
        "accuracy on": "held-out training digits" if arguments.validate else "test digits",
        "accuracy": scores,
        "law error of the invariant features": {} if name == "planar" else law_errors(model),
        "seed": arguments.seed,
        "CPU and wall seconds of this call's training": [round(s) for s in seconds],
    }
    file = f"sphere-{stem(name, rotated, result['digits'], arguments)}"
    file += "-validate" if arguments.validate else ""
    print(json.dumps(keep(RUNS / f"{file}.json", result)), flush=True)
    return result


def main() -> None:
    """Run what is asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", nargs="+", default=["planar", "smooth"], choices=NETWORKS)
    parser.add_argument("--train", nargs="+", default=["NR", "R"], choices=["NR", "R"])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--digits", type=int, help="train on so many only")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--grids", type=int, nargs=3, help="of the smooth network")
    parser.add_argument("--start", help="go on from the weights of this run's file of weights")
    parser.add_argument("--lr", type=float, help="the rate of Adam, if not the network's own")
    parser.add_argument("--validate", action="store_true", help="score on held-out digits")
    arguments = parsed(parser)
    if bool(arguments.start) != bool(arguments.lr):
        parser.error("--start and --lr go together: the rate at which training goes on")
    print("| network | parameters | epochs | NR/NR | R/R | NR/R | paper |")
    print("|---|---|---|---|---|---|---|")
    for name in arguments.networks:
        results = [run(name, kind == "R", arguments) for kind in arguments.train]
        scores = {key: f"{v:.4f}" for r in results for key, v in r["accuracy"].items()}
        row = [scores.get(key, "–") for key in ("NR/NR", "R/R", "NR/R")]
        print(
            f"| {name} | {results[0]['parameters']:,} | {arguments.epochs} | "
            + " | ".join(row)
            + f" | {PAPER.get(name, '–')} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
