"""Training on Lightning: the same curve after kills and on two processes; the command line."""

from __future__ import annotations

import csv
import logging
import time
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("lightning")

from equivlab.data.batches import Batches, EpochBatches, TensorImages, loader, stratified
from equivlab.data.lens_sets import simulate_to_shards
from equivlab.data.lensing import lens_recipe
from equivlab.groups import P4, P4M
from equivlab.models.resnet import ResNet18
from equivlab.training import FitReport, ImageClassifier, Machine, Recipe, fit_lightning
from equivlab.training.classifier import turn_and_mirror

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
CPU = Machine("cpu", 1)


def striped(count: int = 120, size: int = 17) -> TensorImages:
    """Noise, in class 1 with faint stripes, in class 2 with a faint chessboard."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 3
    images = torch.randn(count, 1, size, size, generator=generator)
    wave = torch.cos(torch.arange(size) * torch.pi / 2)
    stripes, board = wave[:, None].expand(size, size), wave[:, None] * wave
    pattern = torch.stack([torch.zeros(size, size), stripes, 1.5 * board])
    return TensorImages(images + 0.8 * pattern[labels][:, None], labels)


def small(recipe: Recipe, norm: bool = True) -> ImageClassifier:
    torch.manual_seed(1)
    if norm:
        return ImageClassifier(ResNet18(P4, width=4, stem="small"), 3, recipe)
    layers = [nn.Conv2d(1, 6, 5), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return ImageClassifier(nn.Sequential(*layers, nn.Linear(6, 3)), 3, recipe)


def go(
    folder: Path,
    recipe: Recipe,
    machine: Machine = CPU,
    norm: bool = True,
    ema: float | None = None,
    swa: float | None = None,
    patience: int | None = None,
) -> tuple[FitReport, dict[str, Tensor]]:
    classifier = small(recipe, norm)
    images = striped()
    train, validate = (Batches(images, torch.arange(*span)) for span in ((0, 80), (80, 120)))
    before = torch.random.get_rng_state()
    report = fit_lightning(
        classifier, train, validate, folder, machine=machine, ema=ema, swa=swa, patience=patience,
        progress=False,
    )  # fmt: skip
    assert torch.equal(torch.random.get_rng_state(), before)  # nothing global is changed
    return report, classifier.state_dict()


def test_it_learns_and_keeps_the_best_epoch(tmp_path: Path) -> None:
    report, weights = go(tmp_path, Recipe(epochs=6, batch_size=20, lr=5e-3))
    assert len(report.curve) == 6
    assert report.best_auc == max(row["val_auc"] for row in report.curve) > 0.8
    assert report.curve[-1]["train_loss"] < report.curve[0]["train_loss"]
    best = torch.load(tmp_path / "best.ckpt", weights_only=True)
    assert best["epoch"] == report.best_epoch
    assert all(torch.equal(best["state_dict"][k], v) for k, v in weights.items())
    rows = list(csv.DictReader((tmp_path / "curve.csv").open()))
    assert [float(r["train_loss"]) for r in rows] == [r["train_loss"] for r in report.curve]
    assert list((tmp_path / "csv").glob("*/metrics.csv"))
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_a_network_in_eval_is_trained_in_train(tmp_path: Path) -> None:
    """Such as one from `load_pretrained`: its norms must see the new images."""
    curves = []
    for mode in (True, False):
        classifier = small(Recipe(epochs=1, batch_size=40)).train(mode)
        report = fit_lightning(
            classifier, striped(), striped(40), tmp_path / str(mode), machine=CPU, progress=False
        )
        curves.append(report.curve)
        assert not classifier.training
    assert curves[0] == curves[1]


def test_kills_do_not_change_the_curve(tmp_path: Path) -> None:
    recipe = Recipe(epochs=8, batch_size=20)
    whole, weights = go(tmp_path / "whole", recipe, ema=0.9)
    moments = torch.Generator().manual_seed(0)
    kills, last = 0, tmp_path / "killed" / "last.ckpt"
    for _ in range(20):
        child = get_context("fork").Process(
            target=go, args=(tmp_path / "killed", recipe), kwargs={"ema": 0.9}
        )
        changed = last.stat().st_mtime_ns if last.exists() else 0
        child.start()
        while kills < 3 and child.is_alive():  # until an epoch is done, and a little longer
            if (last.stat().st_mtime_ns if last.exists() else 0) != changed:
                time.sleep(0.3 * float(torch.rand((), generator=moments)))
                child.kill()
                kills += 1
                break
            time.sleep(0.005)
        child.join()
        if child.exitcode == 0:
            break
    resumed, same = go(tmp_path / "killed", recipe, ema=0.9)
    assert kills == 3
    assert resumed.curve == whole.curve
    assert all(torch.equal(same[k], v) for k, v in weights.items())


@pytest.mark.parametrize(("norm", "swa"), [(False, None), (False, 0.5), (True, None)])
def test_two_processes_are_one(tmp_path: Path, norm: bool, swa: float | None) -> None:
    """DDP over gloo: the same loss as one process with the same batches, up to rounding."""
    recipe = Recipe(epochs=3, batch_size=20, augment="any")
    one, weights = go(tmp_path / "one", recipe, norm=norm, swa=swa)
    machine = Machine("cpu", 2, strategy="ddp_fork", sync_norms=norm)
    two, same = go(tmp_path / "two", recipe, machine, norm=norm, swa=swa)
    close = 1e-3 if norm else 1e-5  # AdamW divides small gradients by small numbers
    for row, other in zip(one.curve, two.curve, strict=True):
        assert row == pytest.approx(other, rel=close)
    for name, value in weights.items():
        assert torch.allclose(same[name].double(), value.double(), atol=close), name


def test_early_stopping(tmp_path: Path) -> None:
    report, _ = go(tmp_path, Recipe(epochs=30, batch_size=20, lr=0.0), patience=2)
    assert len(report.curve) < 10


def test_another_recipe_is_refused(tmp_path: Path) -> None:
    go(tmp_path, Recipe(epochs=1, batch_size=40))
    with pytest.raises(ValueError, match=r"belongs to another run: Recipe\(epochs=1"):
        go(tmp_path, Recipe(epochs=2, batch_size=40))


def test_a_loss_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    images = striped(40)
    images.images[0] = float("nan")
    classifier = small(Recipe(epochs=1, batch_size=40), norm=False)
    with pytest.raises(FloatingPointError, match=r"The loss of epoch 1 is nan\. Look for NaN"):
        fit_lightning(classifier, images, striped(30), tmp_path, machine=CPU, progress=False)


def test_half_precision(tmp_path: Path) -> None:
    machine = Machine("cpu", 1, precision="bf16-mixed")
    report, weights = go(tmp_path, Recipe(epochs=2, batch_size=40), machine)
    assert report.curve[-1]["train_loss"] < 2
    assert all(v.dtype == torch.float32 for v in weights.values() if v.is_floating_point())


def test_channels_last_memory_changes_nothing_but_the_memory(tmp_path: Path) -> None:
    recipe = Recipe(epochs=2, batch_size=40)
    wanted, _ = go(tmp_path / "a", recipe, CPU)
    found, _ = go(tmp_path / "b", recipe, Machine("cpu", 1, channels_last=True))
    for row, other in zip(found.curve, wanted.curve, strict=True):
        assert row["train_loss"] == pytest.approx(other["train_loss"], rel=1e-3)
        assert row["val_loss"] == pytest.approx(other["val_loss"], rel=1e-3)


def test_the_order_is_shared_by_the_processes() -> None:
    whole = EpochBatches(23, 6, seed=4)
    parts = [EpochBatches(23, 6, seed=4, rank=rank, processes=2) for rank in (0, 1)]
    orders = []
    for epoch in (0, 1):
        for batches in (whole, *parts):
            batches.set_epoch(epoch)
        for batch, *shares in zip(whole, *parts, strict=True):
            assert sorted(batch) == sorted(shares[0] + shares[1])
            assert len(shares[0]) == len(shares[1]) == 3
        orders.append([place for batch in whole for place in batch])
        assert len(set(orders[-1])) == 18
    assert orders[0] != orders[1]
    assert [len(b) for b in EpochBatches(23, 6, seed=None)] == [6, 6, 6, 5]
    with pytest.raises(ValueError, match="batch_size=5, processes=2"):
        EpochBatches(20, 5, 0, 0, 2)


def test_a_share_of_every_class() -> None:
    labels = torch.arange(300) % 3
    few, more = stratified(labels, 0.01, seed=1), stratified(labels, 0.3, seed=1)
    assert labels[few].bincount().tolist() == [1, 1, 1]
    assert labels[more].bincount().tolist() == [30, 30, 30]
    assert set(few.tolist()) < set(more.tolist())
    with pytest.raises(ValueError, match="above 0 and up to 1; got 0"):
        stratified(labels, 0.0)


def test_a_loader_with_workers(tmp_path: Path) -> None:
    found = simulate_to_shards(tmp_path, lens_recipe("II", 8), 20, shard_size=8, progress=False)
    part = Batches(found, torch.arange(5, 20))
    images, labels = next(iter(loader(part, EpochBatches(15, 15, None), workers=1)))
    wanted = found.batch(range(5, 20))
    assert torch.equal(images, wanted[0])
    assert torch.equal(labels, wanted[1])


def test_augmentation() -> None:
    x = torch.randn(400, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    moved = turn_and_mirror(x, "quarter", torch.Generator().manual_seed(1))
    turned = torch.stack([P4M.move(g, x) for g in P4M.elements])  # (8, N, 1, 3, 3)
    same = (turned == moved).all(-1).all(-1).all(-1)  # (8, N)
    assert same.any(0).all()
    assert same.sum(1).min() > 25  # every element about 50 times
    assert torch.equal(turn_and_mirror(x, "none", torch.Generator()), x)
    shares = [
        turn_and_mirror(x[rank::2], "any", torch.Generator().manual_seed(1), rank, 2)
        for rank in (0, 1)
    ]
    whole = turn_and_mirror(x, "any", torch.Generator().manual_seed(1))
    assert torch.allclose(whole[0::2], shares[0], atol=1e-6)
    assert torch.allclose(whole[1::2], shares[1], atol=1e-6)


def test_recipes_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="epochs and batch_size of 1 or more"):
        Recipe(epochs=0)
    with pytest.raises(ValueError, match="'none', 'quarter' or 'any'; got 'flip'"):
        Recipe(augment="flip")  # type: ignore[arg-type]


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jsonargparse")
    from equivlab.training.cli import main

    monkeypatch.setattr("sys.argv", ["equivlab"])
    for name, count, seed in (("train", 30, 0), ("validate", 12, 1)):
        arguments = ["--count", str(count), "--seed", str(seed), "--pixels", "9"]
        main(["simulate", str(tmp_path / name), *arguments])
    command = [
        "train", "--data.train", str(tmp_path / "train"), "--data.validate",
        str(tmp_path / "validate"), "--data.workers", "0", "--model.group", "P4",
        "--model.width", "4", "--model.stem", "small", "--model.recipe.epochs", "2",
        "--model.recipe.batch_size", "10", "--folder", str(tmp_path / "run"),
        "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false",
        "--trainer.enable_model_summary", "false", "--model.sync_norms", "true",
        "--trainer.callbacks+=equivlab.training.EqualWeightAveraging",
        "--trainer.callbacks.init_args.start=0.5",
    ]  # fmt: skip
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    main(command)
    last = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    assert [row["epoch"] for row in last["curve"]] == [0, 1]
    assert int(last["averaging_state"]["n_averaged"]) == 6
    main(command)  # goes on: nothing is left to do
    again = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    assert again["curve"] == last["curve"]
    with pytest.raises(SystemExit):
        main(["fly"])
