"""Kills at random moments: a simulation or a run that goes on ends in the same bits.

A handful each time; ``EQUIVLAB_KILLS=50`` for so many of every kind.
"""

from __future__ import annotations

import os
import random
import time
import warnings
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from torch import Tensor

pytest.importorskip("lightning")
pytest.importorskip("jsonargparse")

from equivlab.data.lenses.images import lens_recipe
from equivlab.data.lenses.sets import simulate_to_shards
from equivlab.training import Machine, Recipe, fit
from equivlab.training.checkpoints import read_checkpoint
from equivlab.training.commands import main
from equivlab.training.finetuning import finetune
from equivlab.weights import read_tensors
from tests.training.finetuning.mixed import trained, write_folder
from tests.training.small_runs import go, plain, striped

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="Windows forks no processes"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*is missing. The run goes on:UserWarning"),
]
KILLS = int(os.environ.get("EQUIVLAB_KILLS", "3"))
End = tuple[list[dict[str, float]], dict[str, Tensor]]


def by_simulation(folder: Path) -> None:
    simulate_to_shards(folder, lens_recipe("II", 9), 1200, shard_size=40, progress=False)


def by_two_simulators(folder: Path) -> None:
    recipe = lens_recipe("II", 9)
    simulate_to_shards(folder, recipe, 600, shard_size=20, workers=2, progress=False)


def by_fit(folder: Path) -> None:
    images = striped()
    fit(
        plain(), images.images, images.labels(), epochs=12, batch_size=10,
        checkpoint=folder / "run.safetensors", progress=False,
    )  # fmt: skip


def by_lightning(folder: Path) -> None:
    go(folder, Recipe(epochs=8, batch_size=20), norm=False, ema=0.9)


def by_two_processes(folder: Path) -> None:
    two = Machine("cpu", 2, strategy="ddp_fork")
    go(folder, Recipe(epochs=8, batch_size=20), two, norm=False)


def by_command(folder: Path) -> None:
    main([
        "train", "--data.train", str(folder.parent / "lenses"), "--data.validate",
        str(folder.parent / "lenses"), "--machine.workers", "0", "--model.width", "2",
        "--model.group", "P4", "--model.stem", "small", "--model.recipe.epochs", "4",
        "--model.recipe.batch_size", "10", "--folder", str(folder), "--machine.accelerator", "cpu",
        "--progress", "false",
    ])  # fmt: skip


def by_finetune(folder: Path) -> None:
    """Twelve files of each class, or a hundred where the kills are many."""
    photos, start = folder.parent / "photos", folder.parent / "start.safetensors"
    finetune(photos, start, folder, epochs=4, batch_size=6, progress=False)


def in_child(train: Callable[[Path], None], folder: Path, seconds: float | None = None) -> int:
    """Run in a process of its own, killed after so many seconds if it is not done by then."""

    def body() -> None:
        torch.set_num_threads(1)
        warnings.simplefilter("ignore")
        train(folder)

    child = get_context("fork").Process(target=body)
    child.start()
    child.join(seconds)
    child.kill()
    child.join()
    return child.exitcode or 0


def end_of(folder: Path) -> list[object]:
    """All that stays: of a set each file, of a run the curve, the last and the best weights."""
    if (folder / "manifest.json").exists():
        return [(path.name, path.read_bytes()) for path in sorted(folder.glob("[!.]*"))]
    if (folder / "model.safetensors").exists() and (folder / "report.html").exists():
        weights, notes = read_tensors(folder / "model.safetensors")
        bits = [(name, value.numpy().tobytes()) for name, value in sorted(weights.items())]
        return [bits, sorted(notes.items()), (folder / "training" / "curve.csv").read_text()]
    if (folder / "run.safetensors").exists():
        return [(folder / "run.safetensors").read_bytes()]
    files = [read_checkpoint(folder / name) for name in ("last.ckpt", "best.ckpt")]
    weights = [[value.numpy().tobytes() for value in f["state_dict"].values()] for f in files]
    return [[f["curve"] for f in files], weights, (folder / "curve.csv").read_text()]


KINDS = [
    by_simulation,
    by_two_simulators,
    by_fit,
    by_lightning,
    by_two_processes,
    by_command,
    by_finetune,
]


@pytest.mark.parametrize("train", KINDS)
def test_kills_change_nothing(train: Callable[[Path], None], tmp_path: Path) -> None:
    if train is by_command:
        simulate_to_shards(tmp_path / "lenses", lens_recipe("II", 9), 30, progress=False)
    if train is by_finetune:
        write_folder(tmp_path / "photos", 12 if KILLS < 10 else 100)
        trained(tmp_path / "start.safetensors")
    start = time.perf_counter()
    assert in_child(train, tmp_path / "whole") == 0
    seconds = time.perf_counter() - start
    moments, killed = random.Random(0), 0
    for number in range(100 * KILLS):
        folder = tmp_path / f"killed-{killed // 3}"  # three kills, then another run
        share = moments.uniform(0, 1) if number % 2 else moments.uniform(0.2, 0.6)
        if in_child(train, folder, seconds * share) == 0:
            assert end_of(folder) == end_of(tmp_path / "whole")
            folder.rename(tmp_path / f"done-{number}")
        else:
            killed += 1
        if killed == KILLS:
            break
    assert killed == KILLS
    for folder in tmp_path.glob("killed-*"):
        assert in_child(train, folder) == 0
        assert end_of(folder) == end_of(tmp_path / "whole")
