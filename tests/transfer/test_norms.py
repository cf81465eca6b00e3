"""New statistics for batch norms: those of the images given, and nothing else moves."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from equivlab.groups import P4
from equivlab.models.resnet import ResNet18
from equivlab.nn import GroupBatchNorm
from equivlab.transfer import freeze, renew_norms


def test_the_statistics_are_those_of_the_images() -> None:
    generator = torch.Generator().manual_seed(0)
    x = 3 + 2 * torch.randn(60, 4, 4, 5, 5, generator=generator)
    for momentum in (0.1, None):
        norm = GroupBatchNorm(P4, 4, momentum=momentum).eval()
        norm(x)
        assert renew_norms(norm, x.split(60)) == [""]
        rows = x.transpose(0, 1).flatten(1)
        assert torch.allclose(norm.running_mean, rows.mean(1), atol=1e-5)
        assert torch.allclose(norm.running_var, rows.var(1), rtol=1e-5)
        assert norm.momentum == momentum
        whole = norm.running_mean.clone()
        assert renew_norms(norm, x.split(20)) == [""]
        assert torch.allclose(norm.running_mean, whole, atol=1e-5)
        assert not norm.training


def test_all_else_stays() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(ResNet18(P4, width=4), nn.Dropout(0.9))
    model[0].layer4.eval()
    modes = [part.training for part in model.modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x = torch.randn(24, 1, 33, 33)
    names = renew_norms(model, x.split(12))
    after = model.state_dict()
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert {name.rpartition(".")[0] for name in moved} == set(names)
    assert all(name.endswith(("running_mean", "running_var", "tracked")) for name in moved)
    assert [part.training for part in model.modules()] == modes
    # As torch has it, which takes the mean of the batches too.
    twin = ResNet18(P4, width=4)
    twin.load_state_dict(model[0].state_dict())
    torch.optim.swa_utils.update_bn(x.split(12), twin)
    for name, value in twin.state_dict().items():
        assert torch.allclose(value, after[f"0.{name}"], atol=1e-6), name


def test_frozen_norms_are_left_alone() -> None:
    torch.manual_seed(0)
    model = ResNet18(P4, width=4)
    freeze(model, "stem", "layer1")
    names = renew_norms(model, [5 + torch.randn(8, 1, 33, 33)])
    assert names
    assert not [name for name in names if name.startswith(("bn1", "layer1"))]
    assert model.bn1.running_mean.abs().max() == 0


def test_no_batches_and_no_norms() -> None:
    norm = nn.BatchNorm2d(2)
    norm(torch.randn(4, 2, 3, 3))
    before = norm.running_mean.clone()
    with pytest.raises(ValueError, match="at least one batch of inputs; got none"):
        renew_norms(norm, [])
    assert torch.equal(norm.running_mean, before)
    assert renew_norms(nn.Linear(2, 2), []) == []
    assert renew_norms(nn.BatchNorm2d(2, track_running_stats=False), []) == []


def test_a_failure_leaves_the_modes_as_they_were() -> None:
    norm = nn.BatchNorm2d(2).eval()
    with pytest.raises(ValueError, match="4D input"):
        renew_norms(norm, [torch.zeros(3)])
    assert norm.momentum == 0.1
    assert not norm.training
