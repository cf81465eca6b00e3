"""The zoo of physics images: how fast, how it looks, and what a network learns from it.

    python benchmarks/physics.py speed                 # images a second of each family, on one core
    python benchmarks/physics.py pictures              # a picture of all of them
    python benchmarks/physics.py pretrain --network P4M --per-class 600 --leave-out diffraction
    python benchmarks/physics.py ship --network P4M --per-class 600 --leave-out diffraction
    python benchmarks/physics.py likeness --per-class 200    # what is unlike the images of a class
    python benchmarks/physics.py pretrain --per-class 6 --epochs 1 --width 8 --size 32    # a try

One network learns the union of the classes of all families but `charges`, whose classes a mirror
exchanges. Sets, checkpoints and results lie in `benchmarks/runs/physics`; a killed call goes on,
and what is done is not done again. Training, validation and test images have the seeds 0, 1 and 2.
What the networks are worth as a start for other images: `physics_transfer.py`.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from kept import RUNS as ALL_RUNS
from kept import keep, machine, parsed
from matplotlib.figure import Figure
from torch import Tensor, nn

from equivlab.data.physics import physics_families, physics_images, physics_to_shards
from equivlab.data.sets import ShardedImages, TensorImages
from equivlab.data.sets.manifest import sha256_of
from equivlab.training import (
    ImageClassifier,
    Machine,
    Recipe,
    auc_with_intervals,
    fit_lightning,
    predict,
)
from equivlab.weights import ModelCard, Preparation, load_pretrained, measure, save_pretrained

ROOT = Path(__file__).resolve().parents[1]
RUNS = ALL_RUNS / "physics"
RESULTS = ROOT / "benchmarks" / "results"
PICTURE = ROOT / "docs" / "notes" / "physics-families.jpg"
ROUNDS = 5
STEPS = (("sqrt_stretch", {}), ("standardize_each", {}))
SLOW = "reaction_diffusion"  # a few images a second
ODD = [name for name, family in physics_families().items() if family.mirror_odd]


def speed(_: argparse.Namespace) -> None:
    """Images a second of processor time, 64×64, medians of some rounds that take turns."""
    families = physics_families()
    rates: dict[str, list[float]] = {name: [] for name in families}
    for turn in range(ROUNDS + 1):
        for name, family in families.items():
            count = 2 * len(family.classes)
            start = time.thread_time()
            physics_images(name, range(count), seed=turn)
            if turn:  # the first loads and caches
                rates[name].append(count / (time.thread_time() - start))
    with (RESULTS / "physics-speed.csv").open("w", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["family", "classes", "images a second"])
        for name, family in families.items():
            row = [name, len(family.classes), f"{statistics.median(rates[name]):.0f}"]
            rows.writerow(row)
            print(*row)


def pictures(_: argparse.Namespace, columns: int = 6) -> None:
    """A row of images for each family, its classes in turn."""
    families = physics_families()
    figure = Figure((1.25 * columns + 1.4, 1.42 * len(families)), layout="constrained")
    axes = figure.subplots(len(families), columns)
    for row, (name, family) in zip(axes, families.items(), strict=True):
        images, labels = physics_images(name, range(columns), seed=1)
        for ax, image, label in zip(row, images[:, 0], labels, strict=True):
            seen = np.sqrt(np.maximum(image, 0)) if family.stretch == "sqrt" else image
            ax.imshow(seen, cmap="magma")
            ax.set_title(family.classes[label], fontsize=8, pad=2)
            ax.set(xticks=[], yticks=[])
        row[0].set_ylabel(name.replace("_", "\n"), fontsize=9, rotation=0, ha="right", va="center")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, dpi=80, pil_kwargs={"quality": 88})
    print(PICTURE)


def family_set(name: str, per_class: int, seed: int, a: argparse.Namespace) -> ShardedImages:
    """A family on the disk, simulated once."""
    classes = physics_families()[name].classes
    count = max(2, per_class) * len(classes)
    return physics_to_shards(
        RUNS / f"set-{name}-{a.size}px-seed{seed}-{count}", name, count, seed=seed, size=a.size,
        shard_size=256, workers=a.workers, progress=sys.stderr.isatty(),
    )  # fmt: skip


class Union:
    """Several sets as one, with the classes of all."""

    def __init__(self, sets: dict[str, ShardedImages]) -> None:
        self.names, self.sets = list(sets), list(sets.values())
        self.classes = tuple(f"{name}/{one}" for name, part in sets.items() for one in part.classes)
        self.starts = np.cumsum([0, *map(len, self.sets)])
        self.firsts = np.cumsum([0, *(len(part.classes) for part in self.sets)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def labels(self) -> Tensor:
        parts = zip(self.sets, self.firsts.tolist(), strict=False)
        return torch.cat([part.labels() + first for part, first in parts])

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        places = np.searchsorted(self.starts, np.asarray(indices), side="right") - 1
        pairs = [
            self.sets[place].batch([int(index - self.starts[place])])
            for place, index in zip(places, indices, strict=True)
        ]
        images, labels = (torch.cat(part) for part in zip(*pairs, strict=True))
        return images, labels + torch.from_numpy(self.firsts[places])


def zoo(per_class: int, seed: int, a: argparse.Namespace) -> Union:
    """All families that are learnt from."""
    names = [name for name in physics_families() if name not in (*ODD, *a.leave_out)]
    return Union({name: family_set(name, per_class, seed, a) for name in names})


def fresh_card(a: argparse.Namespace, classes: tuple[str, ...]) -> ModelCard:
    """A network without training: P4M, P4 or plain, by the same recipe."""
    group = "none" if a.network == "plain" else a.network
    settings = {"group": group, "in_channels": 1, "classes": len(classes), "width": a.width}
    settings |= {"stem": "full", "exact_size": True}
    return ModelCard("ResNet18", settings, "", "", classes=classes, steps=STEPS)


def pretrained_folder(a: argparse.Namespace) -> Path:
    without = "".join(f"-no_{name}" for name in sorted(a.leave_out))
    size = f"{a.size}px-{a.per_class}a-{a.epochs}ep-w{a.width}"
    return RUNS / f"pretrained-{a.network}-{size}{without}-seed{a.seed}"


def pretrain(a: argparse.Namespace) -> None:
    """Learn all classes; the network, its card and what it reached go into the run's folder."""
    folder = pretrained_folder(a)
    if (folder / "result.json").exists():
        print((folder / "result.json").read_text())
        return
    train, validate, test = (
        zoo(max(2, round(a.per_class * share)), seed, a)
        for seed, share in ((0, 1), (1, 0.1), (2, 0.2))
    )
    torch.manual_seed(a.seed)
    card = fresh_card(a, train.classes)
    prepare = Preparation(STEPS)
    recipe = Recipe(a.epochs, a.batch_size, a.lr, seed=a.seed)
    learner = ImageClassifier(card.build(), train.classes, recipe, prepare)
    report = fit_lightning(
        learner, train, validate, folder, machine=Machine(devices=1), progress=sys.stderr.isatty()
    )
    scores = scores_of(learner, test)
    areas = auc_with_intervals(scores, test.labels(), train.classes, logits=True)
    without = "".join(f", without {name}" for name in (*ODD, *a.leave_out))
    about = asdict(card) | {
        "data": f"{len(train)} images of {len(train.classes)} classes in {len(train.sets)} "
        f"families of equivlab.data.physics, seed 0{without}",
        "recipe": f"{recipe!r}; the best epoch of {a.epochs}; benchmarks/physics.py on {machine()}",
        "metrics": {"macro AUC, test images (seed 2)": round(areas["macro"].value, 4)}
        | shares_right(scores, test),
        "prepare": "standardize_each(sqrt_stretch(image))",
        "seen": like(train, prepare),
    }
    save_pretrained(learner.model.cpu(), folder / "model.safetensors", ModelCard(**about))
    result = {"test": {name: asdict(area) for name, area in areas.items()}, "curve": report.curve}
    keep(folder / "result.json", result | {"right": shares_right(scores, test)})
    print(folder, areas["macro"])


def shares_right(scores: Tensor, test: Union) -> dict[str, float]:
    """The share of each family's test images that get their class, of all families' classes."""
    right = (scores.argmax(1) == test.labels()).double()
    parts = zip(test.starts[:-1].tolist(), test.starts[1:].tolist(), strict=True)
    each = [float(right[start:stop].mean()) for start, stop in parts]
    found = {f"accuracy, {name}": share for name, share in zip(test.names, each, strict=True)}
    return {
        name: round(share, 3) for name, share in ({"accuracy": float(right.mean())} | found).items()
    }


def like(train: Union, prepare: Preparation) -> dict:
    """What the training images of each class are like, from some hundreds of each."""
    sample = torch.linspace(0, len(train) - 1, min(len(train), 8000)).long().tolist()
    images, labels = train.batch(sample)
    return measure(images, prepare, [train.classes[label] for label in labels.tolist()])


def scores_of(learner: ImageClassifier, test: Union | TensorImages) -> Tensor:
    """Scores of all test images, some at a time."""
    parts = torch.arange(len(test)).split(500)
    return torch.cat([predict(learner, test.batch(these.tolist())[0]).cpu() for these in parts])


def ship(a: argparse.Namespace) -> None:
    """Put a finished network into the package, with its checksum."""
    put(
        f"physics-{a.network.lower()}", *load_pretrained(pretrained_folder(a) / "model.safetensors")
    )


def put(name: str, model: nn.Module, card: ModelCard) -> None:
    """Write a network of the package, and its checksum into the registry."""
    folder = ROOT / "equivlab" / "weights"
    path = save_pretrained(model, folder / f"{name}.safetensors", card)
    known = json.loads((folder / "registry.json").read_text()) | {name: sha256_of(path)}
    text = json.dumps(dict(sorted(known.items())), indent=1) + "\n"
    (folder / "registry.json").write_text(text)
    print(path, f"{path.stat().st_size:,} bytes", card.metrics)


def likeness(a: argparse.Namespace) -> None:
    """Measure anew what the images of each class are like, for the networks of the package."""
    images, kinds = [], []
    for name, family in physics_families().items():
        if name in (*ODD, "diffraction"):
            continue
        many = max(2, round(a.per_class * (0.3 if name == SLOW else 1))) * len(family.classes)
        x, labels = physics_images(name, range(many), seed=0)
        images.append(torch.from_numpy(x))
        kinds += [f"{name}/{family.classes[label]}" for label in labels]
    seen = measure(torch.cat(images), Preparation(STEPS), kinds)
    for name in ("physics-p4m", "physics-plain"):
        model, card = load_pretrained(name)
        put(name, model, replace(card, seen=seen))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = {f.__name__: f for f in (speed, pictures, pretrain, ship, likeness)}
    parser.add_argument("what", choices=list(commands))
    parser.add_argument("--network", default="P4M", choices=["P4M", "P4", "plain"])
    parser.add_argument("--per-class", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--leave-out", nargs="*", default=[], choices=list(physics_families()))
    parser.add_argument("--workers", type=int, default=1, help="processes that simulate")
    arguments = parsed(parser)
    commands[arguments.what](arguments)


if __name__ == "__main__":
    main()
