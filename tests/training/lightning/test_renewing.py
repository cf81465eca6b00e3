"""Statistics of batch norms measured before validation: what they are, and what they change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("lightning")

from lightning.pytorch.callbacks import Callback

from equivlab.nn import IrrepBatchNorm
from equivlab.training import ImageClassifier, Machine, RenewedNorms, fit_lightning
from tests.forking import needs_fork
from tests.training.lightning.small import RECIPE, Stop, classifier, images

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


def train(
    folder: Path, *callbacks: Callback, ema: float | None = None, workers: int = 0
) -> list[dict[str, float]]:
    report = fit_lightning(
        classifier(), images(), images(), folder, machine=Machine("cpu", 1, workers=workers),
        ema=ema, callbacks=list(callbacks), progress=False,
    )  # fmt: skip
    return report.curve


def last(folder: Path, what: str = "state_dict") -> dict[str, Tensor]:
    found: dict[str, Tensor] = torch.load(folder / "last.ckpt", weights_only=True)[what]
    return found


def means_of_features(weights: dict[str, Tensor]) -> Tensor:
    """Of all images, by the network's first layer; turns and mirrors do not change them."""
    module = classifier()
    module.load_state_dict(weights)
    with torch.no_grad():
        maps: Tensor = module.model[0](images().images)  # type: ignore[index]
    return maps.transpose(0, 1).flatten(1).mean(1)


def test_the_norms_know_the_weights_of_now(tmp_path: Path) -> None:
    train(tmp_path / "renewed", RenewedNorms())
    weights = last(tmp_path / "renewed")
    assert torch.allclose(weights["model.1.running_mean"], means_of_features(weights), atol=1e-5)
    train(tmp_path / "not")
    weights = last(tmp_path / "not")
    assert not torch.allclose(
        weights["model.1.running_mean"], means_of_features(weights), atol=1e-3
    )


def test_the_weights_do_not_depend_on_it(tmp_path: Path) -> None:
    renewed, alone = train(tmp_path / "renewed", RenewedNorms(2)), train(tmp_path / "not")
    assert [row["train_loss"] for row in renewed] == [row["train_loss"] for row in alone]
    assert renewed[0]["val_loss"] != alone[0]["val_loss"]
    others = last(tmp_path / "not")
    for name, value in last(tmp_path / "renewed").items():
        assert torch.equal(value, others[name]) != ("running" in name or "batches" in name), name


def test_it_measures_the_average_where_there_is_one(tmp_path: Path) -> None:
    train(tmp_path, RenewedNorms(), ema=0.8)
    average = last(tmp_path)
    assert torch.allclose(average["model.1.running_mean"], means_of_features(average), atol=1e-5)
    current = last(tmp_path, "current_model_state")
    assert not torch.equal(current["model.0.weight"], average["model.0.weight"])


def test_processes_that_load_images_go_on(tmp_path: Path) -> None:
    curve = train(tmp_path / "none", RenewedNorms(1))
    assert train(tmp_path / "two", RenewedNorms(1), workers=2) == curve


def test_a_resumed_run_is_the_same(tmp_path: Path) -> None:
    curve = train(tmp_path / "whole", RenewedNorms(2))
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        train(tmp_path / "broken", RenewedNorms(2), Stop(2))
    assert train(tmp_path / "broken", RenewedNorms(2)) == curve
    whole = last(tmp_path / "whole")
    for name, value in last(tmp_path / "broken").items():
        assert torch.equal(value, whole[name]), name


@needs_fork
@pytest.mark.parametrize("norm", [nn.BatchNorm3d(4), IrrepBatchNorm("4x0e")])
def test_two_processes_share_the_norms_of_every_domain(tmp_path: Path, norm: nn.Module) -> None:
    """Each measures on half of the images; what a norm keeps has another name in space."""
    torch.manual_seed(1)
    start = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Unflatten(2, (1, 7)))
    head = nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 3))
    recipe = replace(RECIPE, epochs=1, augment="none")
    module = ImageClassifier(nn.Sequential(start, norm, head), 3, recipe)
    two = Machine("cpu", 2, strategy="ddp_fork")
    fit_lightning(
        module, images(), images(), tmp_path, machine=two, callbacks=[RenewedNorms()],
        progress=False,
    )  # fmt: skip
    weights = last(tmp_path)
    start.load_state_dict({k: weights[f"model.0.{k}"] for k in start.state_dict()})
    with torch.no_grad():
        maps = start(images().images)
    (mean,) = (value for name, value in weights.items() if name.endswith("mean"))
    assert torch.allclose(mean, maps.mean((0, 2, 3, 4)), atol=1e-5)
    half = maps[::2].mean((0, 2, 3, 4))
    assert not torch.allclose(mean, half, atol=1e-3)


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="one batch or more; got 0"):
        RenewedNorms(0)
