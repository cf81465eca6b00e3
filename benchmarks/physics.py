"""The zoo of physics images: how fast, how it looks, and what a network learns from it.

    python benchmarks/physics.py speed                 # images a second of each family, on one core
    python benchmarks/physics.py pictures              # a picture of all of them
    python benchmarks/physics.py pretrain --network P4M --per-class 600 --leave-out diffraction
    python benchmarks/physics.py ship --network P4M --per-class 600 --leave-out diffraction
    python benchmarks/physics.py transfer --target lenses:I --start zoo --network P4M --seeds 0 1 2
    python benchmarks/physics.py table                 # what is done so far
    python benchmarks/physics.py pretrain --per-class 6 --epochs 1 --width 8 --size 32    # a try

One network learns the union of the classes of all families but `charges`, whose classes a mirror
exchanges. Sets, checkpoints and results lie in `benchmarks/runs/physics`; a killed call goes on,
and what is done is not done again. Training, validation and test images have the seeds 0, 1 and 2,
and those of `transfer` 10, 11 and 12. `transfer` goes to a family left out, to the lenses of
another survey than the zoo's (`lenses:I`), to `digits`, or to `galaxies:FILE`, real ones lensed by
Model IV; it starts from `scratch`, from `lenses` or from the `zoo`.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from kept import RUNS as ALL_RUNS
from kept import keep, machine
from matplotlib.figure import Figure
from scipy import stats
from torch import Tensor

from equivlab.data.digits import digit_images, rotate_each
from equivlab.data.lenses.images import lens_recipe, simulate
from equivlab.data.lenses.stamps import galaxy_stamps
from equivlab.data.physics import physics_families, physics_images, physics_to_shards
from equivlab.data.sets import Batches, ShardedImages, TensorImages, stratified
from equivlab.data.sets.manifest import sha256_of
from equivlab.training import (
    GradualUnfreezing,
    ImageClassifier,
    Machine,
    Recipe,
    auc_with_intervals,
    fit_lightning,
    predict,
)
from equivlab.training.finetuning import begin
from equivlab.training.finetuning.running import thawing
from equivlab.transfer import learning_rates
from equivlab.weights import ModelCard, Preparation, load_pretrained, measure, save_pretrained

ROOT = Path(__file__).resolve().parents[1]
RUNS = ALL_RUNS / "physics"
RESULTS = ROOT / "benchmarks" / "results"
PICTURE = ROOT / "docs" / "notes" / "physics-families.jpg"
ROUNDS = 5
STEPS = (("sqrt_stretch", {}), ("standardize_each", {}))
FRACTIONS = (0.01, 0.03, 0.1, 0.3, 1.0)
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
    """What the training images of each family are like, from some hundreds of each."""
    sample = torch.linspace(0, len(train) - 1, min(len(train), 8000)).long().tolist()
    images, labels = train.batch(sample)
    kinds = [train.classes[label].partition("/")[0] for label in labels.tolist()]
    return measure(images, prepare, kinds)


def scores_of(learner: ImageClassifier, test: Union | TensorImages) -> Tensor:
    """Scores of all test images, some at a time."""
    parts = torch.arange(len(test)).split(500)
    return torch.cat([predict(learner, test.batch(these.tolist())[0]).cpu() for these in parts])


def ship(a: argparse.Namespace) -> None:
    """Put a finished network into the package, with its checksum."""
    folder = ROOT / "equivlab" / "weights"
    name = f"physics-{a.network.lower()}"
    model, card = load_pretrained(pretrained_folder(a) / "model.safetensors")
    path = save_pretrained(model, folder / f"{name}.safetensors", card)
    known = json.loads((folder / "registry.json").read_text()) | {name: sha256_of(path)}
    text = json.dumps(dict(sorted(known.items())), indent=1) + "\n"
    (folder / "registry.json").write_text(text)
    print(path, f"{path.stat().st_size:,} bytes", card.metrics)


def target(a: argparse.Namespace) -> tuple[TensorImages, TensorImages, TensorImages]:
    """Training, validation and test images of what is learnt after the pre-training."""
    counts = (
        a.target_per_class,
        max(20, a.target_per_class // 10),
        150,
    )
    if a.target == "digits":
        images, labels = digit_images(a.size)
        images, _ = rotate_each(images, torch.Generator().manual_seed(0))
        place = torch.arange(len(images)) % 10
        parts = (place < 6, place == 6, place > 6)
        names = tuple(map(str, range(10)))
        return tuple(TensorImages(images[part], labels[part], names) for part in parts)  # type: ignore[return-value]
    if a.target.startswith("galaxies:"):
        stamps, recipe = galaxy_stamps(a.target.partition(":")[2]), lens_recipe("IV", a.size)
        share = np.arange(len(stamps)) % 7  # no galaxy is behind images of two parts
        behind = (stamps[share < 5], stamps[share == 5], stamps[share == 6])
        sets = [
            simulate(recipe, range(3 * count), seed, some)
            for count, seed, some in zip(counts, (10, 11, 12), behind, strict=True)
        ]
        names = physics_families()["lenses"].classes
    elif a.target.startswith("lenses:"):
        recipe = lens_recipe(a.target.partition(":")[2], a.size)
        names = physics_families()["lenses"].classes
        sets = [
            simulate(recipe, range(3 * count), seed)
            for count, seed in zip(counts, (10, 11, 12), strict=True)
        ]
    else:
        names = physics_families()[a.target].classes
        sets = [
            physics_images(a.target, range(len(names) * count), seed=seed, size=a.size)
            for count, seed in zip(counts, (10, 11, 12), strict=True)
        ]
    return tuple(TensorImages(torch.from_numpy(x), torch.from_numpy(y), names) for x, y in sets)  # type: ignore[return-value]


def transfer(a: argparse.Namespace) -> None:
    """Learn the target from so many of its labels, from one start, with each seed."""
    train, validate, test = target(a)
    for fraction in a.fractions:
        for seed in a.seeds:
            learn(a, (train, validate, test), fraction, seed)


def learn(
    a: argparse.Namespace, sets: tuple[TensorImages, ...], fraction: float, seed: int
) -> None:
    train, validate, test = sets
    what = a.target.replace(":", "_").replace("/", "_")
    size = f"{a.size}px-w{a.width}-{a.steps}steps-{a.target_per_class}a"
    folder = RUNS / f"transfer-{what}-{a.start}-{a.network}-{size}-{fraction:g}of-seed{seed}"
    if (folder / "result.json").exists():
        return
    channels, classes = train.images.shape[1], train.classes or ()
    torch.manual_seed(seed)
    before = pretrained_folder(a) / "model.safetensors" if a.start == "zoo" else a.lenses
    if a.start == "scratch":
        card = fresh_card(a, classes)
        model = ModelCard(card.network, card.settings | {"in_channels": channels}, "", "").build()
    else:
        model, _ = begin(before, classes, channels, seed)
    chosen = stratified(train.labels(), fraction, seed)
    batch_size = min(a.batch_size, max(2, len(chosen) // 4))
    # Few labels, more epochs: every network takes that many steps or more.
    epochs = max(8, -(-a.steps * batch_size // len(chosen)))
    recipe = Recipe(epochs, batch_size, a.lr, seed=seed)
    started = a.start != "scratch"
    learner = ImageClassifier(
        model, classes, recipe, Preparation(STEPS), learning_rates if started else None
    )
    report = fit_lightning(
        learner, Batches(train, chosen), validate, folder, machine=Machine(devices=1),
        callbacks=[GradualUnfreezing(thawing(model, epochs))] if started else [],
        progress=sys.stderr.isatty(),
    )  # fmt: skip
    areas = auc_with_intervals(scores_of(learner, test), test.labels(), classes, logits=True)
    area = areas["macro"]
    row = {"target": a.target, "start": a.start, "network": a.network, "labels": fraction}
    row |= {"seed": seed, "images": len(chosen), "auc": area.value, "low": area.low}
    print(keep(folder / "result.json", row | {"high": area.high, "best": report.best_epoch + 1}))


def table(_: argparse.Namespace) -> None:
    """All finished transfers as rows of a CSV file; means over seeds with their 95 % intervals."""
    found = [json.loads(p.read_text()) for p in sorted(RUNS.glob("transfer-*/result.json"))]
    if not found:
        raise SystemExit("Nothing is done yet.")
    with (RESULTS / "physics-transfer.csv").open("w", newline="") as stream:
        rows = csv.DictWriter(stream, list(found[0]), lineterminator="\n")
        rows.writeheader()
        rows.writerows(found)
    cells: dict[tuple, list[float]] = {}
    for row in found:
        key = (row["target"], row["labels"], row["network"], row["start"])
        cells.setdefault(key, []).append(row["auc"])
    for key, areas in sorted(cells.items()):
        many = len(areas)
        half = stats.t.ppf(0.975, many - 1) * stats.sem(areas) if many > 1 else float("nan")
        print(*key, f"{statistics.mean(areas):.3f} ± {half:.3f}, {many} seeds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = {f.__name__: f for f in (speed, pictures, pretrain, ship, transfer, table)}
    parser.add_argument("what", choices=list(commands))
    parser.add_argument("--network", default="P4M", choices=["P4M", "P4", "plain"])
    parser.add_argument("--per-class", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--steps", type=int, default=150, help="of transfer, at least")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0, help="of the pre-training")
    parser.add_argument("--leave-out", nargs="*", default=[], choices=list(physics_families()))
    parser.add_argument("--workers", type=int, default=1, help="processes that simulate")
    parser.add_argument("--target", default="lenses:I")
    parser.add_argument("--target-per-class", type=int, default=1000)
    parser.add_argument("--start", default="zoo", choices=["scratch", "lenses", "zoo"])
    parser.add_argument("--lenses", default="lenses-i-p4m", help="the network of that start")
    parser.add_argument("--fractions", type=float, nargs="+", default=list(FRACTIONS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    commands[arguments.what](arguments)


if __name__ == "__main__":
    main()
