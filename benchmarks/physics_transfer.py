"""Is a network of the zoo a good start? Other images learnt from few labels or many.

    python benchmarks/physics_transfer.py learn --target lenses:II --start zoo --network P4M
    python benchmarks/physics_transfer.py table       # what is done so far

The images are the lenses of a survey (`lenses:I`; the zoo's own are of another camera, Model II's,
and `lenses:II` are others of them), a family left out of the pre-training (`diffraction`), MNIST's
`digits`, each turned by its own angle, or `galaxies:FILE`, real ones lensed by Model IV. Training,
validation and test images have the seeds 10, 11 and 12. It starts from `scratch`, from `lenses` or
from the `zoo`, as the command ``finetune`` does. A killed call goes on; what is done is not done
again, and `table` adds it to the rows that are there.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from kept import RUNS as ALL_RUNS
from kept import keep
from physics import RESULTS, STEPS, fresh_card, scores_of
from scipy import stats
from torch import nn

from equivlab.data.digits import mnist, rotate_each
from equivlab.data.lenses.images import lens_recipe, simulate
from equivlab.data.lenses.stamps import galaxy_stamps
from equivlab.data.physics import physics_families, physics_images
from equivlab.data.sets import Batches, TensorImages, stratified
from equivlab.training import (
    GradualUnfreezing,
    ImageClassifier,
    Machine,
    Recipe,
    auc_with_intervals,
    fit_lightning,
)
from equivlab.training.finetuning import begin, schedule_for
from equivlab.training.finetuning.schedule import AT_ONCE
from equivlab.transfer import learning_rates, renew_norms
from equivlab.weights import Preparation
from equivlab.weights.preparation import resize

RUNS = ALL_RUNS / "physics"
ROWS = RESULTS / "physics-transfer.csv"
FRACTIONS = (0.01, 0.03, 0.1, 0.3, 1.0)
LENSES = {"lenses:I": "lenses-ii-{}", "lenses:II": "lenses-i-{}"}  # those of the other camera
TEST = 150  # images of a class
EPOCHS = 8  # of as many steps each; the best one by validation images is judged
Sets = tuple[TensorImages, TensorImages, TensorImages]


def target_sets(name: str, per_class: int, size: int = 64) -> Sets:
    """Training, validation and test images of what is learnt."""
    kind, _, which = name.partition(":")
    counts, seeds = (per_class, max(20, per_class // 10), TEST), (10, 11, 12)
    if kind == "digits":
        return digits(counts, size)
    classes = physics_families()["lenses" if kind in ("lenses", "galaxies") else kind].classes
    many = [range(len(classes) * count) for count in counts]
    if kind == "galaxies":
        stamps, recipe = galaxy_stamps(which), lens_recipe("IV", size)
        share = np.arange(len(stamps)) % 7  # no galaxy is behind images of two parts
        behind = (stamps[share < 5], stamps[share == 5], stamps[share == 6])
        pairs = [simulate(recipe, *of) for of in zip(many, seeds, behind, strict=True)]
    elif kind == "lenses":
        pairs = [simulate(lens_recipe(which, size), *of) for of in zip(many, seeds, strict=True)]
    else:
        pairs = [
            physics_images(kind, numbers, seed=seed, size=size)
            for numbers, seed in zip(many, seeds, strict=True)
        ]
    x = [TensorImages(torch.from_numpy(x), torch.from_numpy(y), classes) for x, y in pairs]
    return x[0], x[1], x[2]


def digits(counts: tuple[int, int, int], size: int) -> Sets:
    """MNIST's, resampled and turned; those for validation are none of those that are learnt."""
    arrays, made = mnist(), []
    for part, (count, many) in enumerate(zip(counts, ("train", "train", "test"), strict=True)):
        images, labels = arrays[f"x_{many}"], arrays[f"y_{many}"].long()
        first = counts[0] if part == 1 else 0
        these = [(labels == k).nonzero()[first : first + count, 0] for k in range(10)]
        chosen = torch.cat(these)
        x = resize(images[chosen, None].float() / 255, size)
        x, _ = rotate_each(x, torch.Generator().manual_seed(10 + part))
        made.append(TensorImages(x, labels[chosen], tuple(map(str, range(10)))))
    return made[0], made[1], made[2]


def start(a: argparse.Namespace, train: TensorImages, seed: int) -> nn.Module:
    """The network before it learns."""
    channels, classes = train.images.shape[1], train.classes or ()
    torch.manual_seed(seed)
    if a.start == "scratch":
        card = fresh_card(a, classes)
        card.settings["in_channels"] = channels
        return card.build()
    kind = a.network.lower()
    # There is no plain network of Model II's lenses.
    lenses = LENSES.get(a.target, "lenses-i-{}" if kind == "plain" else "lenses-ii-{}")
    name = "physics-{}" if a.start == "zoo" else lenses
    return begin(name.format(kind), classes, channels, seed)[0]


def learn(a: argparse.Namespace) -> None:
    """Learn the target from so many of its labels, from one start, with each seed."""
    name = a.target.partition(":")[0] if a.target.startswith("galaxies") else a.target
    done = {key(row) for row in recorded()}
    sets = None
    for fraction in a.fractions:
        for seed in a.seeds:
            what = f"{name.replace(':', '_')}-{a.start}-{a.network}-{fraction:g}of-seed{seed}"
            folder = RUNS / f"{'at-once' if a.at_once else 'transfer'}-{what}"
            row = {"target": name, "start": a.start, "network": a.network}
            row |= {"labels": fraction, "seed": seed}
            known = key(row) in done and not (a.again or a.at_once)
            if known or (folder / "result.json").exists():
                continue
            sets = sets or target_sets(a.target, a.per_class)
            found = one(a, sets, fraction, seed, folder)
            print(keep(folder / "result.json", row | found), flush=True)


def one(
    a: argparse.Namespace, sets: Sets, fraction: float, seed: int, folder: Path
) -> dict[str, float]:
    """One training, and what it came to on the test images."""
    train, validate, test = sets
    model = start(a, train, seed)
    chosen = stratified(train.labels(), fraction, seed)
    batch_size = min(32, max(2, len(chosen) // 4))
    # An epoch is a pass over the images, or several: each network takes that many steps or more.
    passes = max(1, -(-a.steps * batch_size // (EPOCHS * len(chosen))))
    recipe = Recipe(EPOCHS, batch_size, a.lr, seed=seed)
    plan = AT_ONCE if a.at_once else schedule_for(len(chosen), len(train.classes or ()))
    started, prepare = a.start != "scratch", Preparation(STEPS)
    if started:
        renew_norms(model, [prepare(train.images[some]) for some in chosen.split(50)][:20])
    rates = partial(learning_rates, decay=plan.decay) if started else None
    learner = ImageClassifier(model, train.classes or (), recipe, prepare, rates)
    thaw = [GradualUnfreezing(plan.thawing(model, EPOCHS))] if started else []
    report = fit_lightning(
        learner, Batches(train, chosen.repeat(passes)), validate, folder,
        machine=Machine(devices=1), callbacks=thaw, progress=sys.stderr.isatty(),
    )  # fmt: skip
    scores = scores_of(learner, test)
    area = auc_with_intervals(scores, test.labels(), train.classes, logits=True)["macro"]
    return {
        "images": len(chosen), "auc": round(area.value, 5), "low": round(area.low, 5),
        "high": round(area.high, 5), "best": report.best_epoch + 1,
    }  # fmt: skip


def key(row: dict) -> tuple:
    """What makes a row of the table its own."""
    names = row["target"], row["start"], row["network"]
    return (*names, float(row["labels"]), int(row["seed"]))


def recorded() -> list[dict]:
    """The rows of before."""
    if not ROWS.exists():
        return []
    with ROWS.open(newline="") as stream:
        return list(csv.DictReader(stream))


def table(_: argparse.Namespace) -> None:
    """All finished transfers as rows of a CSV file; means over seeds with their 95 % intervals."""
    new = [json.loads(p.read_text()) for p in sorted(RUNS.glob("transfer-*/result.json"))]
    rows = {key(row): row for row in [*recorded(), *new]}  # what is new replaces what was
    if not rows:
        raise SystemExit("Nothing is done yet.")
    found = [rows[which] for which in sorted(rows)]
    with ROWS.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(found[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
    cells: dict[tuple, list[float]] = {}
    for row in found:
        cell = (row["target"], float(row["labels"]), row["network"], row["start"])
        cells.setdefault(cell, []).append(float(row["auc"]))
    for cell, areas in sorted(cells.items()):
        many = len(areas)
        half = stats.t.ppf(0.975, many - 1) * stats.sem(areas) if many > 1 else float("nan")
        print(*cell, f"{statistics.mean(areas):.3f} ± {half:.3f}, {many} seeds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = {f.__name__: f for f in (learn, table)}
    parser.add_argument("what", choices=list(commands))
    parser.add_argument("--target", default="lenses:II")
    parser.add_argument("--start", default="zoo", choices=["scratch", "lenses", "zoo"])
    parser.add_argument("--network", default="P4M", choices=["P4M", "P4", "plain"])
    parser.add_argument("--fractions", type=float, nargs="+", default=list(FRACTIONS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--per-class", type=int, default=120, help="images that are 100 %%")
    parser.add_argument("--steps", type=int, default=120, help="at least")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--width", type=int, default=8, help="of a new network")
    parser.add_argument("--at-once", action="store_true", help="nothing is held back; no row")
    parser.add_argument("--again", action="store_true", help="also what has a row")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    commands[arguments.what](arguments)


if __name__ == "__main__":
    main()
