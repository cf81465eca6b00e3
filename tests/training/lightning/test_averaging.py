"""The mean of the weights at the end of a training: what it is, and that it survives a kill."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

pytest.importorskip("lightning")

from lightning.pytorch.callbacks import Callback

from equivlab.training import (
    EqualWeightAveraging,
    ImageClassifier,
    Machine,
    fit_lightning,
)
from equivlab.training.lightning.classifier import turn_and_mirror
from tests.training.lightning.small import RECIPE, Stop, classifier, images

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
STEPS = 3 * RECIPE.epochs  # 60 images


class Record(Callback):
    """The weights after each step."""

    def __init__(self) -> None:
        self.weights: list[dict[str, Tensor]] = []

    def on_train_batch_end(self, trainer: object, module: ImageClassifier, *_: object) -> None:  # type: ignore[override]
        self.weights.append({n: p.detach().clone() for n, p in module.named_parameters()})


def train(folder: Path, swa: float = 0.5) -> tuple[ImageClassifier, Record, list[dict[str, float]]]:
    module, record = classifier(), Record()
    machine = Machine("cpu", 1)
    report = fit_lightning(
        module, images(), images(), folder, machine=machine, swa=swa, callbacks=[record],
        progress=False,
    )  # fmt: skip
    return module, record, report.curve


def test_the_average_is_the_mean_of_the_last_steps(tmp_path: Path) -> None:
    _, record, _ = train(tmp_path)
    assert len(record.weights) == STEPS
    last = torch.load(tmp_path / "last.ckpt", weights_only=True)
    for name in record.weights[0]:
        mean = torch.stack([weights[name] for weights in record.weights[STEPS // 2 :]]).mean(0)
        assert torch.allclose(last["state_dict"][name], mean, atol=1e-6), name
        assert torch.equal(last["current_model_state"][name], record.weights[-1][name]), name


def test_its_norms_know_its_features(tmp_path: Path) -> None:
    train(tmp_path)
    module = classifier()
    last = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    module.load_state_dict(last)
    x = turn_and_mirror(images().images, "quarter", torch.Generator().manual_seed(0))
    with torch.no_grad():
        maps = module.model[0](x).transpose(0, 1).flatten(1)  # turns change no statistics
    # The mean of three batches is the mean of all; the variance within batches is less.
    assert torch.allclose(last["model.1.running_mean"], maps.mean(1), atol=1e-5)
    assert torch.allclose(last["model.1.running_var"], maps.var(1), rtol=0.05)
    current = torch.load(tmp_path / "last.ckpt", weights_only=True)["current_model_state"]
    assert not torch.allclose(current["model.1.running_mean"], maps.mean(1), atol=1e-5)


def test_before_it_begins_nothing_is_averaged(tmp_path: Path) -> None:
    fit_lightning(classifier(), images(), images(), tmp_path / "none", progress=False)
    _, _, curve = train(tmp_path / "swa")
    alone = torch.load(tmp_path / "none" / "last.ckpt", weights_only=True)["curve"]
    assert curve[:2] == alone[:2]
    assert curve[3]["train_loss"] == alone[3]["train_loss"]
    assert curve[3]["val_loss"] != alone[3]["val_loss"]


def test_a_resumed_run_is_the_same(tmp_path: Path) -> None:
    whole, _, curve = train(tmp_path / "whole")
    arguments = (images(), images(), tmp_path / "broken")
    cpu = Machine("cpu", 1)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        fit_lightning(
            classifier(), *arguments, machine=cpu, swa=0.5, callbacks=[Stop(3)], progress=False
        )
    resumed = classifier()
    report = fit_lightning(resumed, *arguments, machine=cpu, swa=0.5, progress=False)
    assert report.curve == curve
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


def test_wrong_arguments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"share of 0 to 1 of the epochs; got 1\.0"):
        EqualWeightAveraging(1.0)
    with pytest.raises(ValueError, match=r"in one way: ema=0\.9 or swa=0\.5"):
        fit_lightning(classifier(), images(), images(), tmp_path, ema=0.9, swa=0.5)
