"""Batch norms of all domains: known by one class, compiled, and their statistics forgotten."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from equivlab.fields import IrrepPoints
from equivlab.groups import P4
from equivlab.nn import (
    GroupBatchNorm,
    IrrepBatchNorm,
    NormedConv,
    S2Conv,
    SO3BatchNorm,
    SpinBatchNorm,
)
from equivlab.nn.running import RunningNorm, batch_norms, is_batch_norm

NORMS: list[tuple[nn.Module, tuple[int, ...]]] = [
    (GroupBatchNorm(P4, 3), (4, 3, 4, 5, 5)),
    (SO3BatchNorm(3, 2), (4, 3, 4, 4, 4)),
    (SpinBatchNorm(3, 2, 1), (4, 3, 3, 4, 4)),
    (NormedConv(S2Conv(1, 2, 2, 2)), (4, 1, 4, 4)),
    (IrrepBatchNorm("2x0e + 1x1o"), (4, 5, 3, 3, 3)),
    (IrrepBatchNorm("2x0e + 1x1o", IrrepPoints), (6, 5)),
]


@pytest.mark.parametrize(("norm", "shape"), NORMS, ids=repr)
def test_they_are_known_by_their_class(norm: nn.Module, shape: tuple[int, ...]) -> None:
    (found,) = batch_norms(norm).values()
    assert isinstance(found, RunningNorm)
    torch.manual_seed(0)
    fresh = [value.clone() for value in found.buffers()]
    norm.train()(torch.randn(shape))
    assert not all(torch.equal(a, b) for a, b in zip(fresh, found.buffers(), strict=True))
    found.reset_running_stats()
    assert all(torch.equal(a, b) for a, b in zip(fresh, found.buffers(), strict=True))


def test_what_is_no_batch_norm() -> None:
    others = nn.Sequential(nn.LayerNorm(3), nn.GroupNorm(1, 3), nn.InstanceNorm2d(3), nn.ReLU())
    assert batch_norms(others) == {}
    assert all(is_batch_norm(norm) for norm in (nn.BatchNorm1d(2), nn.SyncBatchNorm(2)))


@pytest.mark.parametrize(("norm", "shape"), NORMS, ids=repr)
@pytest.mark.parametrize("training", [True, False])
def test_they_compile(norm: nn.Module, shape: tuple[int, ...], training: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(shape)
    ours = copy.deepcopy(norm).train(training)
    compiled = copy.deepcopy(ours)
    wanted = ours(x)
    found = torch.compile(compiled, backend="aot_eager", fullgraph=True)(x)
    assert torch.allclose(found, wanted, atol=1e-5)
    for name, value in ours.state_dict().items():
        assert torch.allclose(compiled.state_dict()[name], value, atol=1e-5), name


def test_files_of_before_load() -> None:
    """The names of parameters and statistics are what they were."""
    torch_names = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    assert set(GroupBatchNorm(P4, 3).state_dict()) == torch_names
    assert set(SO3BatchNorm(3, 2).state_dict()) == torch_names
    assert set(SpinBatchNorm(3, 2, 1).state_dict()) == torch_names
    assert set(IrrepBatchNorm("2x0e").state_dict()) == {"weight", "bias", "mean", "var"}
