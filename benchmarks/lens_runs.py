"""One training on simulated lenses: its images, its network, its run, and what it is judged by."""

from __future__ import annotations

import json
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

from equivlab.data.digits import rotate_each
from equivlab.data.lenses.images import CLASSES, lens_recipe
from equivlab.data.lenses.sets import simulate_to_shards
from equivlab.data.lenses.stamps import galaxy_stamps
from equivlab.data.sets.batches import Batches, stratified
from equivlab.data.sets.shards import ShardedImages
from equivlab.data.stretch import crop_center, sqrt_stretch, standardize_each
from equivlab.groups import P4, P4M, SO2, Cyclic, Dihedral
from equivlab.models.resnet import ResNet18
from equivlab.training import (
    GradualUnfreezing,
    ImageClassifier,
    Machine,
    Recipe,
    RenewedNorms,
    auc_with_intervals,
    fit_lightning,
    predict,
)
from equivlab.transfer import learning_rates
from equivlab.weights.files import read_tensors, write_tensors

RUNS = ALL_RUNS / "lensing"
GROUPS = {"plain": None, "P4": P4, "P4M": P4M, "C8": Cyclic(8), "D8": Dihedral(8), "SO2": SO2}
USUAL = ["plain", "P4", "P4M"]


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
        middle = x if crop is None else crop_center(x, crop)
        return standardize_each(sqrt_stretch(middle))

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
