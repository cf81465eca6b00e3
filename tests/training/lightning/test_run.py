"""Training on Lightning: it learns, keeps the best epoch, and is the same on two processes."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("lightning")

from lightning.pytorch.callbacks import Callback

from equivlab.data.sets import Batches
from equivlab.groups import P4M
from equivlab.training import ImageClassifier, Machine, Recipe, fit_lightning, predict
from equivlab.training.lightning.keeping import BestAndLast, merit
from equivlab.training.lightning.recipe import turn_and_mirror
from tests.forking import needs_fork
from tests.training.small_runs import CPU, go, plain, small, striped

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


def test_it_learns_and_keeps_the_best_epoch(tmp_path: Path) -> None:
    report, weights = go(tmp_path, Recipe(epochs=6, batch_size=20, lr=5e-3))
    assert len(report.curve) == 6
    assert report.best_auc == max(row["val_auc"] for row in report.curve) > 0.8
    assert report.curve[-1]["train_loss"] < report.curve[0]["train_loss"]
    best = torch.load(tmp_path / "best.ckpt", weights_only=True)
    assert best["epoch"] == report.best_epoch
    assert all(torch.equal(best["state_dict"][k], v) for k, v in weights.items())
    rows = list(csv.DictReader((tmp_path / "curve.csv").read_text().splitlines()))
    assert [float(r["train_loss"]) for r in rows] == [r["train_loss"] for r in report.curve]
    assert list((tmp_path / "csv").glob("*/metrics.csv"))
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_of_epochs_with_one_area_the_one_of_the_lowest_loss_is_kept(tmp_path: Path) -> None:
    curve: list[dict[str, float]] = []
    written: list[str] = []
    trainer: Any = SimpleNamespace(save_checkpoint=lambda path: written.append(path.name))
    module: Any = SimpleNamespace(curve=curve)
    for epoch, loss in enumerate((0.5, 0.7, 0.2, 0.2, 0.1)):
        curve.append(
            {"epoch": epoch, "val_auc": (0.9, 1.0, 1.0, 1.0, 0.9)[epoch], "val_loss": loss}
        )
        BestAndLast(tmp_path).on_train_epoch_end(trainer, module)
    kept = ["best.ckpt", "last.ckpt"]
    assert written == [*kept, *kept, *kept, "last.ckpt", "last.ckpt"]
    assert max(curve, key=merit)["epoch"] == 2  # what the end of a run looks for


def test_numbers_of_numpy() -> None:
    numpys = Recipe(epochs=np.int64(3), lr=np.float64(0.002), seed=np.int32(0))  # type: ignore[arg-type]
    assert repr(numpys) == repr(Recipe(epochs=3))
    assert ImageClassifier(plain(), np.int64(3)).count == 3  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="interpreted as an integer"):
        Recipe(epochs=2.5)  # type: ignore[arg-type]


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


def test_validation_images_that_are_broken_choose_no_epoch(tmp_path: Path) -> None:
    images = striped(60)
    images.images[[43, 50]] = float("nan")
    parts = [Batches(images, torch.arange(*span)) for span in ((0, 40), (40, 60))]
    with pytest.raises(FloatingPointError, match=r"2 of 20 validation images .* is number 3\. Lo"):
        fit_lightning(
            small(Recipe(epochs=1, batch_size=40)), *parts, tmp_path, machine=CPU, progress=False
        )
    assert not list(tmp_path.glob("*.ckpt"))


def test_scores_of_an_epoch_are_those_of_the_images(tmp_path: Path) -> None:
    """By another library, from the weights that were kept."""
    from torchmetrics.functional.classification import multiclass_accuracy, multiclass_auroc

    classifier, images = small(Recipe(epochs=2, batch_size=20)), striped(67)
    parts = [Batches(images, torch.arange(*span)) for span in ((0, 30), (30, 67))]
    report = fit_lightning(classifier, *parts, tmp_path, machine=CPU, progress=False)
    row = report.curve[report.best_epoch]
    scores, labels = predict(classifier, images.images[30:]), images.labels()[30:]
    assert row["val_auc"] == pytest.approx(float(multiclass_auroc(scores, labels, 3)), abs=1e-6)
    wanted = multiclass_accuracy(scores, labels, 3, average="micro")
    assert row["val_accuracy"] == pytest.approx(float(wanted), abs=1e-6)
    loss = torch.nn.functional.cross_entropy(scores, labels)
    assert row["val_loss"] == pytest.approx(float(loss), abs=1e-5)


def test_a_classifier_is_used_twice(tmp_path: Path) -> None:
    """The second run knows nothing of the first, not even of one that was interrupted."""
    recipe = Recipe(epochs=1, batch_size=20)
    wanted, _ = go(tmp_path / "wanted", recipe)
    classifier, images = small(recipe), striped()
    weights = {name: value.clone() for name, value in classifier.state_dict().items()}
    parts = [Batches(images, torch.arange(*span)) for span in ((0, 80), (80, 120))]

    class Interrupt(Callback):
        def on_train_batch_end(self, *_: object) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="the same call goes on"):
        fit_lightning(
            classifier, *parts, tmp_path / "a", machine=CPU, callbacks=[Interrupt()], progress=False
        )
    for folder in ("a", "b"):
        classifier.load_state_dict(weights)
        report = fit_lightning(classifier, *parts, tmp_path / folder, machine=CPU, progress=False)
        assert report.curve == wanted.curve


@needs_fork
@pytest.mark.parametrize("counts", [(80, 41), (7, 3)])
def test_images_that_two_processes_cannot_share_equally(
    tmp_path: Path, counts: tuple[int, int]
) -> None:
    recipe = Recipe(epochs=2, batch_size=20, augment="any")
    one, weights = go(tmp_path / "one", recipe, norm=False, counts=counts)
    machine = Machine("cpu", 2, strategy="ddp_fork")
    two, same = go(tmp_path / "two", recipe, machine, norm=False, counts=counts)
    for row, other in zip(one.curve, two.curve, strict=True):
        assert row == pytest.approx(other, rel=1e-5)
    for name, value in weights.items():
        assert torch.allclose(same[name], value, atol=1e-5), name


@needs_fork
@pytest.mark.parametrize(("norm", "swa"), [(False, None), (False, 0.5), (True, None)])
def test_two_processes_are_one(tmp_path: Path, norm: bool, swa: float | None) -> None:
    """DDP over gloo: the same loss as one process with the same batches, up to rounding."""
    recipe = Recipe(epochs=3, batch_size=20, augment="any")
    one, weights = go(tmp_path / "one", recipe, norm=norm, swa=swa)
    machine = Machine("cpu", 2, strategy="ddp_fork", sync_norms=norm)
    two, same = go(tmp_path / "two", recipe, machine, norm=norm, swa=swa)
    # AdamW divides small gradients by small numbers, and norms of a few steps magnify the rest.
    close = 3e-3 if norm else 1e-5
    pair = 1e-3 if norm else 0.0  # of 40 scores two may change places: 1/(3 · 13 · 27)
    for row, other in zip(one.curve, two.curve, strict=True):
        areas = row.pop("val_auc"), other.pop("val_auc")
        assert areas[0] == pytest.approx(areas[1], rel=close, abs=pair)
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
    """Small steps: Adam makes a whole step of a gradient that is nothing but rounding."""
    recipe = Recipe(epochs=2, batch_size=40, lr=2e-5)
    wanted, _ = go(tmp_path / "a", recipe, CPU)
    found, _ = go(tmp_path / "b", recipe, Machine("cpu", 1, channels_last=True))
    for row, other in zip(found.curve, wanted.curve, strict=True):
        assert row["train_loss"] == pytest.approx(other["train_loss"], rel=1e-4)
        assert row["val_loss"] == pytest.approx(other["val_loss"], rel=1e-4)


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


@pytest.mark.parametrize("how", ["quarter", "any"])
def test_images_that_are_not_square_are_not_turned(how: str) -> None:
    x = torch.randn(3, 1, 28, 30)
    with pytest.raises(ValueError, match=rf"augment='{how}' turns square .*\(28, 30\).*x, 28\)"):
        turn_and_mirror(x, how, torch.Generator())
    assert torch.equal(turn_and_mirror(x, "none", torch.Generator()), x)


def test_recipes_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="epochs and batch_size of 1 or more"):
        Recipe(epochs=0)
    with pytest.raises(ValueError, match="'none', 'quarter' or 'any'; got 'flip'"):
        Recipe(augment="flip")  # type: ignore[arg-type]
