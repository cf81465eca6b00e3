"""Freezing, new heads, rates for stages, and equivariant networks from ordinary ones."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from equivlab.groups import P4, P4M, PointGroup
from equivlab.models import P4CNN, Z2CNN
from equivlab.models.resnet import ResNet18
from equivlab.transfer import (
    freeze,
    from_plain,
    learning_rates,
    replace_head,
    stages,
    unfreeze,
)


def step(model: nn.Module, x: torch.Tensor) -> None:
    """One step of training, norms and all."""
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    model.train()
    nn.functional.cross_entropy(model(x), torch.arange(len(x)) % 3).backward()
    optimiser.step()


def changed(model: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    state = model.state_dict()
    return {name for name, value in before.items() if not torch.equal(state[name], value)}


def copied(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("group", [None, P4])
def test_what_is_frozen_stays(group: PointGroup | None) -> None:
    torch.manual_seed(0)
    model = ResNet18(group, width=4)
    assert freeze(model) == ["stem", "layer1", "layer2", "layer3", "layer4"]
    before = copied(model)
    step(model, torch.randn(6, 1, 33, 33))
    assert changed(model, before) == {"fc.weight", "fc.bias"}
    duplicate = copy.deepcopy(model)
    step(duplicate, torch.randn(6, 1, 33, 33))
    assert changed(duplicate, before) == {"fc.weight", "fc.bias"}
    assert unfreeze(model, "layer4") == ["layer4"]
    before = copied(model)
    step(model, torch.randn(6, 1, 33, 33))
    names = changed(model, before)
    assert {name.split(".")[0] for name in names} == {"layer4", "fc"}
    assert "layer4.0.bn1.running_mean" in names
    unfreeze(model)
    before = copied(model)
    step(model, torch.randn(6, 1, 33, 33))
    assert "bn1.running_var" in changed(model, before)
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_stages_of_other_networks() -> None:
    assert list(stages(P4CNN())) == [*(f"stage{n}" for n in range(1, 7)), "head"]
    model = Z2CNN()
    freeze(model, "stage1", "stage2")
    assert [p.requires_grad for p in model.parameters()][:9] == [False] * 8 + [True]
    with pytest.raises(ValueError, match=r"has the stages stage1, .*, head; got layer9"):
        freeze(model, "layer9")
    with pytest.raises(ValueError, match="has no parameters"):
        stages(nn.ReLU())


def test_a_new_head() -> None:
    model = ResNet18(P4M, classes=3, width=8).double()
    features = model.features(torch.randn(1, 1, 33, 33).double())
    state = torch.random.get_rng_state()
    head = replace_head(model, 7, seed=3)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert model.fc is head
    assert head.weight.dtype == torch.float64
    assert head(features).shape == (1, 7)
    assert model.out_field.channels == 7
    assert torch.equal(replace_head(model, 7, seed=3).weight, head.weight)
    with pytest.raises(TypeError, match=r"ends in nn.Linear; DigitCNN ends in GroupConv2d"):
        replace_head(P4CNN(), 3)


def test_rates_for_stages() -> None:
    model = ResNet18(P4, width=4)
    groups = learning_rates(model, 0.8, decay=0.5)
    assert [g["lr"] for g in groups] == [0.025, 0.05, 0.1, 0.2, 0.4, 0.8]
    assert [g["name"] for g in groups] == list(stages(model))
    inside = [id(p) for g in groups for p in g["params"]]
    assert sorted(inside) == sorted(id(p) for p in model.parameters())


@pytest.mark.parametrize("group", [P4, P4M])
def test_an_equivariant_network_from_an_ordinary_one(group: PointGroup) -> None:
    """Its scores are the mean of the ordinary network's over the turned images."""
    torch.manual_seed(0)
    plain = ResNet18(None, 2, 5, width=4, exact_size=True)
    for module in plain.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        plain.train()(torch.randn(4, 2, 40, 40))
    plain = plain.double().eval()
    model = ResNet18(group, 2, 5, width=4 * group.order, match="width").double()
    assert from_plain(plain, model) is model
    model.eval()
    x = torch.randn(3, 2, 40, 40, dtype=torch.float64)
    with torch.no_grad():
        votes = torch.stack([plain(group.move(group.inverse(g), x)) for g in group.elements])
        assert torch.allclose(model(x), votes.mean(0), atol=1e-12)
        assert float(votes.std(0).max()) > 1e-4
        assert torch.allclose(model(torch.rot90(x, 1, (-2, -1))), model(x), atol=1e-12)
    before = copied(model)
    model.requires_grad_(True)
    step(model, x)
    mixed = model.layer1[0].conv1.weight.unflatten(1, (-1, group.order))[:, :, 1:]
    assert float(mixed.detach().abs().max()) > 0  # training mixes the orientations
    assert "layer4.1.conv2.weight" in changed(model, before)


def test_a_digit_network_from_an_ordinary_one() -> None:
    torch.manual_seed(0)
    plain, model = Z2CNN(width=6, dropout=0.0).eval(), P4CNN(width=6).eval()
    from_plain(plain, model)
    x = torch.randn(2, 1, 28, 28)
    with torch.no_grad():
        maps = plain.features(x)
        assert torch.allclose(model.features(x)[:, :, 0], maps, atol=1e-5)


def test_networks_that_do_not_fit() -> None:
    plain, model = ResNet18(None, width=4), ResNet18(P4, width=4)
    before = copied(model)
    with pytest.raises(ValueError, match=r"conv1.weight is \(2, 1, 7, 7\) here and \(4, 1, 7, 7"):
        from_plain(plain, model)
    assert not changed(model, before)


def test_gradual_unfreezing(tmp_path: Path) -> None:
    pytest.importorskip("lightning")
    from equivlab.data.sets.batches import TensorImages
    from equivlab.training import (
        GradualUnfreezing,
        ImageClassifier,
        Machine,
        Recipe,
        fit_lightning,
    )

    torch.manual_seed(0)
    images = TensorImages(torch.randn(24, 1, 17, 17), torch.arange(24) % 3)
    classifier = ImageClassifier(
        ResNet18(P4, width=4, stem="small"),
        3,
        Recipe(epochs=2, batch_size=8),
        groups=lambda model, lr: learning_rates(model, lr),
    )
    before = copied(classifier.model)
    after_first: list[set[str]] = []

    from lightning.pytorch.callbacks import Callback

    class Look(Callback):
        def on_train_epoch_end(self, trainer: object, pl_module: ImageClassifier) -> None:
            names = changed(pl_module.model, before)
            after_first.append({name.split(".")[0] for name in names})

    callbacks = [GradualUnfreezing({1: ("layer4",)}), Look()]
    fit_lightning(
        classifier, images, images, tmp_path, machine=Machine("cpu", 1), callbacks=callbacks,
        progress=False,
    )  # fmt: skip
    assert after_first == [{"fc"}, {"fc", "layer4"}]
