"""Norms that share their statistics: two processes give what one does, gradients too."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn

from equivlab.fields import RegularMaps
from equivlab.groups import P4
from equivlab.models.resnet import ResNet18
from equivlab.nn import GroupBatchNorm
from equivlab.nn.synced_norm import SyncedBatchNorm2d, SyncedGroupBatchNorm, sync_norms


def norms(dtype: torch.dtype) -> list[nn.Module]:
    found: list[nn.Module] = []
    for momentum in (0.1, None):
        found.append(SyncedGroupBatchNorm(P4, 3, momentum=momentum, dtype=dtype))
        found.append(SyncedBatchNorm2d(3, momentum=momentum, dtype=dtype))
    found.append(SyncedGroupBatchNorm(P4, 3, affine=False, track_running_stats=False))
    for norm in found[:4]:
        nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    return found


def inputs(norm: nn.Module, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    shape = (6, 3, 4, 5, 5) if isinstance(norm, GroupBatchNorm) else (6, 3, 5, 5)
    x, wish = 2 + torch.randn(2, *shape, generator=torch.Generator().manual_seed(1), dtype=dtype)
    return x, wish


def passes(norm: nn.Module, x: Tensor, wish: Tensor) -> dict[str, Tensor]:
    """What two steps leave: output, gradients and statistics."""
    for _ in range(2):
        given = x.clone().requires_grad_(True)
        norm.zero_grad()
        y = norm(given)
        (y * wish).sum().backward()
    assert given.grad is not None
    kept = {name: value.clone() for name, value in norm.state_dict().items()}
    kept |= {f"{name}.grad": p.grad for name, p in norm.named_parameters() if p.grad is not None}
    return kept | {"y": y.detach(), "x.grad": given.grad}


def work(rank: int, folder: str) -> None:
    store = dist.FileStore(f"{folder}/store", 2)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
    for dtype in (torch.float32, torch.float64):
        for n, norm in enumerate(norms(dtype)):
            x, wish = inputs(norm, dtype)
            share = slice(0, 2) if rank == 0 else slice(2, 6)  # not of the same size
            result = passes(norm, x[share], wish[share])
            torch.save(result, f"{folder}/{dtype}-{n}-{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_normalise_as_one(tmp_path: Path) -> None:
    mp.start_processes(work, (str(tmp_path),), nprocs=2, start_method="fork")
    for dtype in (torch.float32, torch.float64):
        close = {"rtol": 1e-4, "atol": 1e-4} if dtype == torch.float32 else {"atol": 1e-10}
        for n, norm in enumerate(norms(dtype)):
            one = passes(norm, *inputs(norm, dtype))
            two = [
                torch.load(tmp_path / f"{dtype}-{n}-{rank}.pt", weights_only=True)
                for rank in (0, 1)
            ]
            for name in ("y", "x.grad"):
                both = torch.cat([result[name] for result in two])
                assert torch.allclose(both, one[name], **close), (dtype, n, name)
            for name in one.keys() - {"y", "x.grad"}:
                if name.endswith(".grad"):  # which DDP adds up
                    assert torch.allclose(two[0][name] + two[1][name], one[name], **close), name
                else:
                    assert torch.equal(two[0][name], two[1][name])
                    assert torch.allclose(two[0][name], one[name], **close), name


def test_alone_it_is_the_ordinary_norm() -> None:
    x = torch.randn(4, 3, 4, 5, 5)
    synced, ordinary = SyncedGroupBatchNorm(P4, 3), GroupBatchNorm(P4, 3)
    assert torch.equal(synced(x), ordinary(x))
    assert torch.equal(synced.running_var, ordinary.running_var)
    assert torch.equal(synced.eval()(x), ordinary.eval()(x))
    field = RegularMaps(P4, 3)
    for g in P4.elements:
        assert torch.equal(synced(field.act(g, x)), field.act(g, synced(x)))


@pytest.mark.parametrize("group", [None, P4])
def test_a_network_is_changed_in_place(group: object) -> None:
    model = ResNet18(group, width=4, exact_size=True)  # type: ignore[arg-type]
    x = torch.randn(2, 1, 33, 33)
    parameters = [id(p) for p in model.parameters()]
    before = model.eval()(x)
    names = sync_norms(model)
    assert len(names) == 20
    assert "layer1.0.bn1" in names
    assert sync_norms(model) == []
    assert [id(p) for p in model.parameters()] == parameters
    assert torch.equal(model(x), before)
    if group is not None:
        assert repr(model.bn1).startswith("SyncedGroupBatchNorm(RegularMaps(P4, 2)")
