"""Test errors of one network with several groups on the rotMNIST protocol, beside the paper's.

    EQUIVLAB_MNIST=mnist.npz python benchmarks/rotmnist.py --epochs 60 --threads 1
    EQUIVLAB_MNIST=mnist.npz python benchmarks/rotmnist.py --group Z2 P4 P4M P6 C8 C16 D8 SO2

All have about 25,000 parameters (Z2 21,750). Beside the error stands that of the same digits turned
by a further 45°, and of upright digits after training on upright ones only (`--upright`). For P6
and P6M the digits, turned on squares as for all, are resampled to hexagons. With `--disc` the
features end at the inscribed circle, without the corners of the frame: what a network that has
seen upright digits only needs to know them at 45°. With `--halve-after` and no numbers the features
keep all pixels, and `--blur` smooths the digits first.

The protocol: permute all 70,000 MNIST digits with seed 0; take 10,000 to train, 2,000 to
validate, 50,000 to test; turn each by its own uniform angle with bilinear interpolation and
zero fill. Nothing is chosen on the test digits: the settings are chosen on the validation
digits (`--validate`), the reported networks are trained on all 12,000 and tested once, after
their last epoch. Every epoch is kept in `benchmarks/runs`, so a killed run goes on.
"""

from __future__ import annotations

import argparse
import math
import time

import torch
from kept import RUNS, keep, parsed
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from equivlab.data import mnist, rotate_each
from equivlab.fields import rotate_maps
from equivlab.groups import group_of
from equivlab.models import DigitCNN
from equivlab.projection import to_hexagons
from equivlab.training import accuracy, fit

PAPER = {"Z2CNN": 5.03, "P4CNN": 2.28}
BATCH = 128
RADIUS = 14  # of the hexagons: as many cells across as the digits have pixels


def protocol(upright: bool = False) -> dict[str, tuple[Tensor, Tensor]]:
    """The three sets, standardised by the mean and deviation of the training digits.

    With `upright` nothing is turned.
    """
    digits = mnist()
    images = torch.cat([digits["x_train"], digits["x_test"]])[:, None].float() / 255
    labels = torch.cat([digits["y_train"], digits["y_test"]]).long()
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(images), generator=generator)[:62_000]
    turned = images[order]
    if not upright:
        turned = torch.cat([rotate_each(part, generator)[0] for part in turned.split(2000)])
    turned = (turned - turned[:12_000].mean()) / turned[:12_000].std()
    labels = labels[order]
    cuts = {"train": slice(0, 10_000), "validate": slice(10_000, 12_000)}
    cuts |= {"all": slice(0, 12_000), "test": slice(12_000, 62_000)}
    return {name: (turned[cut], labels[cut]) for name, cut in cuts.items()}


def network(
    name: str, dropout: float | None, halve_after: list[int] | None = None, disc: bool = False
) -> nn.Module:
    """A network by its name, its weights drawn with seed 0."""
    torch.manual_seed(0)
    options = {} if dropout is None else {"dropout": dropout}
    group = None if name == "Z2CNN" else group_of(name.removesuffix("CNN"))
    return DigitCNN(group, halve_after=halve_after, disc=disc, **options)


def smooth(x: Tensor, deviation: float) -> Tensor:
    """The digits after a Gaussian of so many pixels."""
    deviations = (0, 0, deviation, deviation)
    return torch.from_numpy(gaussian_filter(x.numpy(), deviations, mode="nearest", truncate=3))


def eighth(x: Tensor, mode: str) -> Tensor:
    """The digits turned by a further 45°, a thousand at a time; what comes in is background."""
    low = x.min()
    return torch.cat([rotate_maps(part - low, math.pi / 4, mode) + low for part in x.split(1000)])


def seen(name: str, x: Tensor, blur: float) -> Tensor:
    """The digits as this network takes them: for P6 and P6M on hexagons, around which are zeros."""
    x = smooth(x, blur) if blur else x
    if not name.startswith("P6"):
        return x
    return torch.cat([to_hexagons(part - x.min(), RADIUS) for part in x.split(1000)])


def run(name: str, arguments: argparse.Namespace, sets: dict[str, tuple[Tensor, Tensor]]) -> dict:
    """Train (or go on training) one network and test it once."""
    learn, judge = ("train", "validate") if arguments.validate else ("all", "test")
    model = network(name, arguments.dropout, arguments.halve_after, arguments.disc)
    drop = "" if arguments.dropout is None else f"-drop{arguments.dropout}"

    def given(x: Tensor) -> Tensor:
        return seen(name, x, arguments.blur)

    def error(x: Tensor, labels: Tensor) -> float:
        return round(100 * (1 - accuracy(model, given(x), labels)), 2)

    augment = (lambda x, g: given(rotate_each(x, g)[0])) if arguments.augment else None
    extra = ("-augmented" if arguments.augment else "") + ("-upright" if arguments.upright else "")
    stem = f"{name}{drop}{extra}-{learn}-{arguments.epochs}epochs-seed{arguments.seed}"
    if arguments.halve_after is not None:
        stem += "-halved" + "".join(map(str, arguments.halve_after))
    if arguments.disc:
        stem += "-disc"
    if arguments.blur:
        stem += f"-blur{arguments.blur}"
    if arguments.batch_size != BATCH:
        stem += f"-batch{arguments.batch_size}"
    started = time.perf_counter()
    images, labels = sets[learn]
    losses = fit(
        model,
        images if arguments.augment else given(images),
        labels,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        augment=augment,
        checkpoint=RUNS / f"{stem}.safetensors",
    )
    images, labels = sets[judge]
    # Digits in all directions went through one bilinear turn before; upright ones through none.
    turned = eighth(images, "bicubic" if arguments.upright else "bilinear")
    result = {
        "network": name,
        "parameters": sum(p.numel() for p in model.parameters()),
        "trained on": learn,
        "epochs": arguments.epochs,
        "error on": judge,
        "error %": error(images, labels),
        "error at 45° %": error(turned, labels),
        "paper %": PAPER.get(name),
        "final loss": round(losses[-1], 4),
        "seed": arguments.seed,
        "seconds in this call": round(time.perf_counter() - started),
    }
    return keep(RUNS / f"{stem}.json", result)


def main() -> None:
    """Run the networks asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", nargs="+", default=["P4CNN", "Z2CNN"])
    parser.add_argument(
        "--group", nargs="+", help="instead of networks: Z2, P4, P4M, C8, C16, D8, SO2, ..."
    )
    parser.add_argument("--upright", action="store_true", help="train and test on upright digits")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=BATCH)
    parser.add_argument("--dropout", type=float, help="instead of the networks' own")
    parser.add_argument("--augment", action="store_true", help="turn the digits anew each epoch")
    parser.add_argument("--halve-after", nargs="*", type=int, help="layers, instead of the usual")
    parser.add_argument("--disc", action="store_true", help="features end at the circle")
    parser.add_argument("--blur", type=float, default=0.0, help="pixels, of the digits")
    parser.add_argument("--validate", action="store_true", help="10k to train, error on the 2k")
    arguments = parsed(parser)
    sets = protocol(arguments.upright)
    names = [f"{group}CNN" for group in arguments.group or ()] or arguments.networks
    results = [run(name, arguments, sets) for name in names]
    print("| network | parameters | epochs | error on | error % | turned by 45° % | paper % |")
    print("|---|---|---|---|---|---|---|")
    for r in results:
        print(
            f"| {r['network']} | {r['parameters']:,} | {r['epochs']} | {r['error on']} "
            f"| {r['error %']:.2f} | {r.get('error at 45° %', '–')} | {r['paper %'] or '–'} |"
        )


if __name__ == "__main__":
    main()
