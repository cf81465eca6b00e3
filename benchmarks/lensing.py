"""Plain, P4 and P4M ResNet-18 on simulated lenses: AUC on turned and mirrored test images.

    python benchmarks/lensing.py main --epochs 8 --threads 1
    python benchmarks/lensing.py fixed --epochs 8 --threads 1      # the fixed-orientation defect
    python benchmarks/lensing.py labels --threads 1                # 1, 3, 10, 30, 100 % of labels
    python benchmarks/lensing.py transfer --threads 1              # Model I first, then Model II
    python benchmarks/lensing.py main --model IV --galaxies stamps.npz       # real galaxies
    python benchmarks/lensing.py table                             # what is done so far
    python benchmarks/lensing.py sets --workers 16                 # simulate, and no more
    python benchmarks/lensing.py scores                            # main without the intervals
    python benchmarks/lensing.py ship --fractions 1 --networks P4   # its weights into the package

Every network has the same images, number of epochs, augmentation (each image by a random
element of P4M, which costs nothing; with `--augment any` by a random angle too, in the Fourier
domain, which leaves the noise as it is), preparation and read-out over space; the epoch is
chosen on validation images, the test images are used once. Image sets, checkpoints and results
lie in `benchmarks/runs`; a killed run goes on. The published size on a GPU, and on two cores (P4M
in two hours and a quarter):

    python benchmarks/lensing.py main --model I --pixels 150 --per-class 30000 --width 32 \
        --augment any --batch-size 128 --workers 12
    python benchmarks/lensing.py main --model I --pixels 150 --per-class 30000 --width 17 \
        --augment any --crop 96 --renew 64 --epochs 10 --workers 2

`--crop` looks at the middle of the turned image, outside of which Model I has only noise; `--renew`
validates and tests with statistics of the batch norms from so many training batches.

Real galaxies are shared out before anything is simulated: of every seven, five lie behind the
training images, one behind those of validation and one behind those of the test, so no network has
seen the galaxies that it is tested on.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from kept import RUNS as ALL_RUNS
from kept import keep
from torch import Tensor

from equivlab.checkpoint import read_tensors, write_tensors
from equivlab.data.batches import Batches, stratified
from equivlab.data.digits import rotate_each
from equivlab.data.lens_sets import simulate_to_shards
from equivlab.data.lens_stamps import galaxy_stamps
from equivlab.data.lensing import CLASSES, lens_recipe
from equivlab.data.shards import ShardedImages, sha256_of
from equivlab.data.stretch import crop_centre, sqrt_stretch, standardise_each
from equivlab.groups import P4, P4M
from equivlab.models.resnet import ResNet18
from equivlab.pretrained import ModelCard, save_pretrained
from equivlab.train import predict
from equivlab.training import (
    GradualUnfreezing,
    ImageClassifier,
    Machine,
    Recipe,
    RenewedNorms,
    auc_with_intervals,
    fit_lightning,
)
from equivlab.transfer import learning_rates

RUNS = ALL_RUNS / "lensing"
GROUPS = {"plain": None, "P4": P4, "P4M": P4M}
WHAT = ("main", "fixed", "labels", "transfer", "table", "ship", "sets", "scores")
FRACTIONS = (0.01, 0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True)
class Sets:
    """Which images: the seeds differ, so no image is in two of them."""

    model: str
    pixels: int | None
    per_class: int
    orientation: str = "uniform"
    galaxies: str = ""
    workers: int = 1

    def make(self, name: str) -> ShardedImages:
        """``train``, ``validate`` or ``test``, simulated once."""
        share = {"train": 1.0, "validate": 1 / 6, "test": 1 / 3}[name]
        seed = {"train": 0, "validate": 1, "test": 2}[name]
        count = 3 * max(2, round(self.per_class * share))
        recipe = lens_recipe(self.model, self.pixels, orientation=self.orientation)
        size = recipe.camera.pixels
        folder = RUNS / f"set-{self.model}-{size}px-{self.orientation}{self.behind}-{name}-{count}"
        return simulate_to_shards(
            folder, recipe, count, seed=seed, stamps=self.stamps(name), workers=self.workers,
            progress=sys.stderr.isatty(),
        )  # fmt: skip

    @property
    def behind(self) -> str:
        """For the names of folders: what the sources are."""
        return "-galaxies" if self.galaxies else ""

    def stamps(self, name: str) -> np.ndarray | None:
        """The real galaxies of this set; no galaxy is in two of them."""
        if not self.galaxies:
            return None
        all_of_them = galaxy_stamps(self.galaxies)
        place = np.arange(len(all_of_them)) % 7
        return all_of_them[{"train": place < 5, "validate": place == 5, "test": place == 6}[name]]


@dataclass(frozen=True)
class Task:
    """One training: everything that its result follows from."""

    network: str
    sets: Sets
    width: int
    stem: str
    epochs: int
    batch_size: int = 64
    fraction: float = 1.0
    seed: int = 0
    start: str = "scratch"
    lr: float = 2e-3
    tune: str = "all"
    augment: str = "quarter"
    crop: int | None = None
    renew: int = 0

    @property
    def folder(self) -> Path:
        """Where its checkpoints and its result lie."""
        s = self.sets
        parts = [self.network, f"w{self.width}-{self.stem}", f"{s.model}-{s.pixels or 'own'}px"]
        parts += [s.orientation + s.behind, f"{s.per_class}a", f"{self.fraction:g}of"]
        parts += [f"{self.epochs}ep", self.start]
        parts += [] if self.lr == Task.lr else [f"lr{self.lr:g}"]
        parts += [] if self.tune == "all" else [self.tune]
        parts += [] if self.augment == Task.augment else [self.augment]
        parts += [] if self.batch_size == Task.batch_size else [f"batch{self.batch_size}"]
        parts += [f"crop{self.crop}"] if self.crop else []
        parts += [f"renew{self.renew}"] if self.renew else []
        return RUNS / "-".join([*parts, f"seed{self.seed}"])


def preparation(crop: int | None) -> Callable[[Tensor], Tensor]:
    """The middle, photon noise equally strong everywhere, each image to mean 0, deviation 1."""

    def prepare(x: Tensor) -> Tensor:
        middle = x if crop is None else crop_centre(x, crop)
        return standardise_each(sqrt_stretch(middle))

    return prepare


def network(task: Task) -> ImageClassifier:
    """The network with weights drawn from the seed."""
    torch.manual_seed(zlib.crc32(task.network.encode()) + task.seed)
    group = GROUPS[task.network]
    channels = lens_recipe(task.sets.model).channels
    model = ResNet18(group, channels, 3, task.width, stem=task.stem, exact_size=True)  # type: ignore[arg-type]
    recipe = Recipe(task.epochs, task.batch_size, task.lr, augment=task.augment, seed=task.seed)  # type: ignore[arg-type]
    groups = learning_rates if task.tune == "gradual" else None
    return ImageClassifier(model, len(CLASSES), recipe, preparation(task.crop), groups)


def begin_with(classifier: ImageClassifier, before: Task) -> None:
    """The weights of another run's best epoch; its one channel is shared by the colours."""
    best = torch.load(before.folder / "best.ckpt", weights_only=True)["state_dict"]
    colours = classifier.model.conv1.weight.shape[1]
    first = best["model.conv1.weight"]
    best["model.conv1.weight"] = first.expand(-1, colours, -1, -1) / colours
    classifier.load_state_dict(best)


def renewing(task: Task) -> list[RenewedNorms]:
    """Statistics for validation, from so many training batches."""
    return [RenewedNorms(task.renew)] if task.renew else []


def thawing(task: Task) -> list[GradualUnfreezing]:
    """All at once, the head only, or from the head down in the first half of the epochs."""
    if task.tune == "all":
        return []
    down = ("layer4", "layer3", "layer2", "layer1", "stem") if task.tune == "gradual" else ()
    plan: dict[int, tuple[str, ...]] = {}
    for n, stage in enumerate(down, 1):
        epoch = round(n * task.epochs / 2 / len(down))
        plan[epoch] = (*plan.get(epoch, ()), stage)
    return [GradualUnfreezing(plan)]


def run(task: Task, before: Task | None = None) -> dict:
    """Train (or go on training) and test once; the result is kept."""
    path = task.folder / "result.json"
    if path.exists():
        return json.loads(path.read_text())
    result = train_and_test(task, before)
    result["test"] = judge(read_tensors(task.folder / "scores.safetensors")[0])
    path.write_text(json.dumps(result, indent=1))
    return result


def train_and_test(task: Task, before: Task | None = None) -> dict:
    """The training, then the scores of all test images, with the best epoch's weights."""
    path = task.folder / "trained.json"
    if path.exists():
        return json.loads(path.read_text())
    train, validate = task.sets.make("train"), task.sets.make("validate")
    chosen = stratified(train.labels(), task.fraction, task.seed)
    # Few images, many epochs: then fewer validation images too, or they would take all the time.
    judges = torch.arange(len(validate) if task.fraction == 1 else min(450, len(validate)))
    classifier = network(task)
    if before is not None:
        begin_with(classifier, before)
    started = time.process_time(), time.monotonic()
    on_gpu = torch.cuda.is_available()
    report = fit_lightning(
        classifier,
        Batches(train, chosen),
        Batches(validate, judges),
        task.folder,
        machine=Machine(devices=1, workers=task.sets.workers if on_gpu else 0),
        callbacks=[*thawing(task), *renewing(task)],
        progress=sys.stderr.isatty(),
    )
    seconds = time.process_time() - started[0], time.monotonic() - started[1]
    tests = {"": task.sets.make("test")}
    if task.sets.orientation == "fixed":
        tests["random orientations, "] = replace(task.sets, orientation="uniform").make("test")
    scores = {k: v for n, t in tests.items() for k, v in scores_of(classifier, t, n).items()}
    write_tensors(scores, task.folder / "scores.safetensors", {})
    result = {
        "network": task.network,
        "images": len(chosen),
        "parameters": sum(p.numel() for p in classifier.model.parameters()),
        "epochs": task.epochs,
        "best epoch": report.best_epoch + 1,
        "validation AUC": report.best_auc,
        "CPU seconds in the last call": round(seconds[0]),
        "seconds in the last call": round(seconds[1]),
        "curve": report.curve,
    }
    return keep(path, result)


def scores_of(classifier: ImageClassifier, test: ShardedImages, prefix: str) -> dict[str, Tensor]:
    """Scores of the test images as they are, turned by any angle, mirrored, by a quarter turn."""
    # The law to rounding: cuDNN would take ten bits of the weights and images.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    device = "cuda" if torch.cuda.is_available() else "cpu"
    classifier.to(device)
    angles = torch.Generator().manual_seed(3)
    found: dict[str, list[Tensor]] = {}
    for these in torch.arange(len(test)).split(1000):
        x = test.batch(these.tolist())[0].to(device)
        for name, images in {
            "upright": x,
            "rotated": rotate_each(x, angles, "fourier")[0],
            "mirrored": x.flip(-1),
            "quarter turn": torch.rot90(x, 1, (-2, -1)),
        }.items():
            found.setdefault(prefix + name, []).append(predict(classifier, images).cpu())
    return {k: torch.cat(v) for k, v in found.items()} | {prefix + "labels": test.labels()}


def judge(scores: dict[str, Tensor]) -> dict[str, dict]:
    """AUCs with intervals, of three classes and of two: substructure or none."""
    found = {}
    for name, values in scores.items():
        before, comma, which = name.rpartition(", ")
        if which == "labels":
            continue
        prefix = before + comma
        labels = scores[prefix + "labels"]
        chances = values.softmax(1)
        intervals = auc_with_intervals(chances, labels, CLASSES)
        row = {k: [v.value, v.low, v.high] for k, v in intervals.items()}
        row["accuracy"] = float((values.argmax(1) == labels).double().mean())
        off = (values - scores[prefix + "upright"]).abs().max()
        row["largest change of a score"] = float(off)
        for k in (1, 2):  # only the lenses without and with that substructure
            pair = (labels == 0) | (labels == k)
            two = torch.stack([values[pair, 0], values[pair, k]], 1).softmax(1)
            one = auc_with_intervals(two, (labels[pair] == k).long(), ("no_sub", CLASSES[k]))
            v = one[CLASSES[k]]
            row[f"no_sub or {CLASSES[k]}"] = [v.value, v.low, v.high]
        found[name] = row
    return found


def ship(task: Task) -> None:
    """Put the weights of a finished run into the package, with their card and checksum."""
    result = json.loads((task.folder / "result.json").read_text())
    best = torch.load(task.folder / "best.ckpt", weights_only=True)
    classifier = network(task)
    classifier.load_state_dict(best["state_dict"])
    sets, images = task.sets, lens_recipe(task.sets.model, task.sets.pixels)
    middle, those = (f"crop_centre(flux, {task.crop})", "all") if task.crop else ("flux", "both")
    group = "none" if task.network == "plain" else task.network
    settings = {"group": group, "in_channels": 1, "classes": 3}
    settings |= {"width": task.width, "stem": task.stem, "exact_size": True}
    card = ModelCard(
        "ResNet18",
        settings,
        f"{result['images']} simulated lenses of {images.name} in the classes {', '.join(CLASSES)} "
        f"(equivlab.data.simulate, seed 0), orientations {sets.orientation}; the epoch chosen on "
        "others (seed 1)",
        f"{classifier.recipe!r}; the best epoch of {task.epochs}; benchmarks/lensing.py",
        {
            f"macro AUC, {k} test images (seed 2)": round(v["macro"][0], 4)
            for k, v in result["test"].items()
        },
        prepare=f"standardise_each(sqrt_stretch({middle})), {those} of equivlab.data",
    )
    size = "" if images.camera.pixels == 64 else f"{images.camera.pixels}px-"
    name = f"lenses-{sets.model.lower()}-{size}{task.network.lower()}"
    folder = Path(__file__).parents[1] / "equivlab" / "weights"
    path = save_pretrained(classifier.model, folder / f"{name}.safetensors", card)
    registry = folder / "registry.json"
    known = json.loads(registry.read_text()) if registry.exists() else {}
    known[name] = sha256_of(path)
    registry.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    print(f"{path}: {path.stat().st_size:,} bytes")


def show(results: list[dict], tests: list[str]) -> None:
    """The table in markdown."""
    print("| network | parameters | images | epochs (best) | " + " | ".join(tests) + " | CPU s |")
    print("|---" * (5 + len(tests)) + "|")
    for r in results:
        cells = []
        for test in tests:
            value, low, high = r["test"][test]["macro"]
            cells.append(f"{value:.4f} ({low:.4f} to {high:.4f})")
        print(
            f"| {r['network']} | {r['parameters']:,} | {r['images']:,} | {r['epochs']} "
            f"({r['best epoch']}) | {' | '.join(cells)} | {r['CPU seconds in the last call']} |"
        )


def main() -> None:
    """Do what is asked for and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("--networks", nargs="+", default=list(GROUPS), choices=list(GROUPS))
    parser.add_argument("--model", default="II")
    parser.add_argument("--pixels", type=int)
    parser.add_argument("--per-class", type=int, default=3000)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--stem", default="full")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--galaxies", default="", help="an .npz file of real galaxies as sources")
    parser.add_argument("--first-per-class", type=int, help="Model I images of a class to begin on")
    parser.add_argument("--lr", type=float, default=Task.lr, help="of the run after the first")
    parser.add_argument("--tune", default="all", choices=["all", "gradual", "frozen"])
    parser.add_argument("--augment", default="quarter", choices=["none", "quarter", "any"])
    parser.add_argument("--equal-steps", action="store_true", help="at every share of labels")
    parser.add_argument("--fractions", type=float, nargs="+", default=FRACTIONS)
    parser.add_argument("--crop", type=int, help="the middle so many pixels, of the turned image")
    parser.add_argument("--renew", type=int, default=0, help="batches that renew the norms")
    parser.add_argument("--batch-size", type=int, default=Task.batch_size)
    parser.add_argument("--workers", type=int, default=1, help="processes that simulate, load")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    sets = Sets(a.model, a.pixels, a.per_class, galaxies=a.galaxies, workers=a.workers)
    base = [
        Task(
            n, sets, a.width, a.stem, a.epochs, a.batch_size,
            seed=a.seed, augment=a.augment, crop=a.crop, renew=a.renew,
        )
        for n in a.networks
    ]  # fmt: skip
    tests = ["upright", "rotated", "mirrored"]
    results: list[dict] = []
    if a.what == "sets":
        for name in ("train", "validate", "test"):
            sets.make(name)
    elif a.what == "scores":
        for task in base:
            train_and_test(task)
    elif a.what == "main":
        results = [run(task) for task in base]
    elif a.what == "fixed":
        fixed = replace(sets, orientation="fixed")
        results = [run(replace(task, sets=fixed)) for task in base]
        tests = ["upright", "random orientations, upright"]
    elif a.what in ("labels", "transfer", "ship"):
        for task in base:
            # The first run is the one whose weights the package has, whatever the second does.
            first = Sets("I", 64, a.first_per_class or a.per_class)
            first = replace(task, sets=first, augment=Task.augment, crop=None, renew=0)
            start = f"transfer{a.first_per_class or ''}"
            if a.what == "transfer":
                run(first)
            for fraction in a.fractions:
                # Fewer images, more epochs: the number of steps falls with the square root.
                share = fraction if a.equal_steps else math.sqrt(fraction)
                part = replace(task, fraction=fraction, epochs=round(a.epochs / share))
                if a.what == "ship":
                    ship(part)
                elif a.what == "transfer":
                    part = replace(part, start=start, lr=a.lr, tune=a.tune)
                    results.append(run(part, first))
                else:
                    results.append(run(part))
    else:
        results = [json.loads(path.read_text()) for path in sorted(RUNS.glob("*/result.json"))]
    if results:
        show(results, tests)


if __name__ == "__main__":
    main()
