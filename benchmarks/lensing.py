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
from dataclasses import replace
from pathlib import Path

import torch
from lens_runs import GROUPS, RUNS, USUAL, Sets, Task, network, run, train_and_test

from equivlab.data.lenses.images import CLASSES, lens_recipe, simulate
from equivlab.data.sets.manifest import sha256_of
from equivlab.weights import ModelCard, Preparation, measure, save_pretrained

FRACTIONS = (0.01, 0.03, 0.1, 0.3, 1.0)
SEEN = 600  # training images that a card says the likes of


def ship(task: Task) -> None:
    """Put the weights of a finished run into the package, with their card and checksum."""
    result = json.loads((task.folder / "result.json").read_text())
    best = torch.load(task.folder / "best.ckpt", weights_only=True)
    classifier = network(task)
    classifier.load_state_dict(best["state_dict"])
    sets, images = task.sets, lens_recipe(task.sets.model, task.sets.pixels)
    middle, those = (f"crop_center(flux, {task.crop})", "all") if task.crop else ("flux", "both")
    crop = [("crop_center", {"size": task.crop})] if task.crop else []
    steps = (*crop, ("sqrt_stretch", {}), ("standardize_each", {}))
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
        prepare=f"standardize_each(sqrt_stretch({middle})), {those} of equivlab.data",
        classes=CLASSES,
        steps=steps,
        seen=measure(torch.from_numpy(simulate(images, range(SEEN), 0)[0]), Preparation(steps)),
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


def options() -> argparse.ArgumentParser:
    """A subcommand for each thing to do; each takes only the options that mean something to it."""
    images = argparse.ArgumentParser(add_help=False)
    images.add_argument("--model", default="II", help="of the lenses: I, II, III or IV")
    images.add_argument("--pixels", type=int, help="instead of the model's own")
    images.add_argument("--per-class", type=int, default=3000)
    images.add_argument("--galaxies", default="", help="an .npz file of real galaxies as sources")
    images.add_argument("--workers", type=int, default=1, help="processes that simulate, load")
    training = argparse.ArgumentParser(add_help=False, parents=[images])
    training.add_argument("--networks", nargs="+", default=USUAL, choices=list(GROUPS))
    training.add_argument("--width", type=int, default=16)
    training.add_argument("--stem", default="full")
    training.add_argument("--epochs", type=int, default=8)
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--augment", default="quarter", choices=["none", "quarter", "any"])
    training.add_argument("--crop", type=int, help="the middle so many pixels, once turned")
    training.add_argument("--renew", type=int, default=0, help="batches that renew the norms")
    training.add_argument("--batch-size", type=int, default=Task.batch_size)
    training.add_argument("--threads", type=int, default=torch.get_num_threads())
    shares = argparse.ArgumentParser(add_help=False, parents=[training])
    shares.add_argument("--fractions", type=float, nargs="+", default=FRACTIONS)
    shares.add_argument("--equal-steps", action="store_true", help="at every share of labels")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    what = parser.add_subparsers(dest="what", required=True)
    what.add_parser("main", parents=[training], help="train and test each network")
    what.add_parser("scores", parents=[training], help="main without the intervals")
    what.add_parser("fixed", parents=[training], help="the fixed-orientation defect")
    what.add_parser("labels", parents=[shares], help="fewer labels, from scratch")
    moving = what.add_parser("transfer", parents=[shares], help="Model I first, then this one")
    moving.add_argument("--first-per-class", type=int, help="Model I images of a class")
    moving.add_argument("--lr", type=float, default=Task.lr, help="of the run after the first")
    moving.add_argument("--tune", default="all", choices=["all", "gradual", "frozen"])
    what.add_parser("ship", parents=[shares], help="weights of finished runs into the package")
    what.add_parser("sets", parents=[images], help="simulate, and no more")
    what.add_parser("table", help="what is done so far")
    return parser


def tasks(a: argparse.Namespace) -> list[Task]:
    """One training for each network asked for."""
    sets = Sets(a.model, a.pixels, a.per_class, galaxies=a.galaxies, workers=a.workers)
    same = {"seed": a.seed, "augment": a.augment, "crop": a.crop, "renew": a.renew}
    return [Task(n, sets, a.width, a.stem, a.epochs, a.batch_size, **same) for n in a.networks]


def parts(task: Task, a: argparse.Namespace) -> list[Task]:
    """The training with each share of the labels: fewer images, more epochs.

    The number of steps falls with the square root of the share, or not at all (`--equal-steps`).
    """
    share = (lambda fraction: fraction) if a.equal_steps else math.sqrt
    return [
        replace(task, fraction=fraction, epochs=round(a.epochs / share(fraction)))
        for fraction in a.fractions
    ]


def transfer(task: Task, a: argparse.Namespace) -> list[dict]:
    """Model I first; then what it learned goes on with each share of the labels."""
    # The first run is the one whose weights the package has, whatever the second does.
    images = Sets("I", 64, a.first_per_class or a.per_class)
    first = replace(task, sets=images, augment=Task.augment, crop=None, renew=0)
    run(first)
    change = {"start": f"transfer{a.first_per_class or ''}", "lr": a.lr, "tune": a.tune}
    return [run(replace(part, **change), first) for part in parts(task, a)]


def main() -> None:
    """Do what is asked for and print its table."""
    a = options().parse_args()
    if "threads" in a:
        torch.set_num_threads(a.threads)
    tests = ["upright", "rotated", "mirrored"]
    results: list[dict] = []
    match a.what:
        case "table":
            results = [json.loads(path.read_text()) for path in sorted(RUNS.glob("*/result.json"))]
        case "sets":
            for name in ("train", "validate", "test"):
                Sets(a.model, a.pixels, a.per_class, galaxies=a.galaxies, workers=a.workers).make(
                    name
                )
        case "scores":
            for task in tasks(a):
                train_and_test(task)
        case "main":
            results = [run(task) for task in tasks(a)]
        case "fixed":
            tests = ["upright", "random orientations, upright"]
            for task in tasks(a):
                results.append(run(replace(task, sets=replace(task.sets, orientation="fixed"))))
        case "labels":
            results = [run(part) for task in tasks(a) for part in parts(task, a)]
        case "transfer":
            results = [result for task in tasks(a) for result in transfer(task, a)]
        case "ship":
            for task in tasks(a):
                for part in parts(task, a):
                    ship(part)
    if results:
        show(results, tests)


if __name__ == "__main__":
    main()
