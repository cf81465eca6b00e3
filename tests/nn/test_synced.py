"""Norms that share their statistics: two processes give what one does, gradients too."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn

from equivlab.fields import IrrepPoints, RegularMaps
from equivlab.groups import P4
from equivlab.models.resnet import ResNet18
from equivlab.nn import (
    GroupBatchNorm,
    IrrepBatchNorm,
    NormedConv,
    S2Conv,
    SO3BatchNorm,
    SpinBatchNorm,
)
from equivlab.nn.synced import sync_norms
from tests.forking import needs_fork

MIXED = "2x0e + 1x0o + 2x1o"
GRID = (4, 4, 4)  # of bandwidth 2
NORMS = [
    *(
        (lambda like, m=m: GroupBatchNorm(P4, 3, momentum=m, **like), (3, 4, 5, 5))
        for m in (0.1, None)
    ),
    (lambda like: GroupBatchNorm(P4, 3, affine=False, track_running_stats=False), (3, 4, 5, 5)),
    *((lambda like, m=m: nn.BatchNorm2d(3, momentum=m, **like), (3, 5, 5)) for m in (0.1, None)),
    (lambda like: nn.BatchNorm1d(3, **like), (3,)),
    (lambda like: nn.BatchNorm3d(3, **like), (3, 2, 3, 4)),
    (lambda like: SO3BatchNorm(3, 2, **like), (3, *GRID)),
    (lambda like: SpinBatchNorm(3, 2, 1, **like), (3, 3, *GRID[1:])),
    (lambda like: NormedConv(S2Conv(1, 3, 2, 2, **like)), (1, *GRID[1:])),
    (lambda like: IrrepBatchNorm(MIXED, **like), (9, 2, 3, 4)),
    (lambda like: IrrepBatchNorm(MIXED, center=False, **like), (9, 2, 3, 4)),
    (lambda like: IrrepBatchNorm(MIXED, IrrepPoints, **like), (9,)),
]


def synced(dtype: torch.dtype) -> list[nn.Module]:
    found = []
    for make, _ in NORMS:
        torch.manual_seed(0)
        norm = make({"dtype": dtype})
        assert len(sync_norms(norm)) == 1
        for parameter in norm.parameters():
            nn.init.normal_(parameter, 1)
        found.append(norm)
    return found


def inputs(number: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = 2 + torch.randn(6, *NORMS[number][1], generator=generator, dtype=dtype)
    return x, torch.randn(6, generator=generator, dtype=dtype)


def passes(norm: nn.Module, x: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """What two steps leave: output, gradients and statistics."""
    for _ in range(2):
        given = x.clone().requires_grad_(True)
        norm.zero_grad()
        y = norm(given)
        (weight * (y**3).flatten(1).mean(1)).sum().backward()
    assert given.grad is not None
    kept = {name: value.clone() for name, value in norm.state_dict().items()}
    kept |= {f"{name}.grad": p.grad for name, p in norm.named_parameters() if p.grad is not None}
    return kept | {"y": y.detach(), "x.grad": given.grad}


def work(rank: int, folder: str) -> None:
    store = dist.FileStore(f"{folder}/store", 2)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
    for dtype in (torch.float32, torch.float64):
        for n, norm in enumerate(synced(dtype)):
            x, weight = inputs(n, dtype)
            share = slice(0, 2) if rank == 0 else slice(2, 6)  # not of the same size
            result = passes(norm, x[share], weight[share])
            torch.save(result, f"{folder}/{dtype}-{n}-{rank}.pt")
    dist.destroy_process_group()


@needs_fork
def test_two_processes_normalise_as_one(tmp_path: Path) -> None:
    mp.start_processes(work, (str(tmp_path),), nprocs=2, start_method="fork")
    for dtype in (torch.float32, torch.float64):
        close = {"rtol": 1e-4, "atol": 1e-4} if dtype == torch.float32 else {"atol": 1e-10}
        for n, norm in enumerate(synced(dtype)):
            one = passes(norm, *inputs(n, dtype))
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


@pytest.mark.parametrize("number", range(len(NORMS)))
def test_alone_it_is_the_ordinary_norm(number: int) -> None:
    norm, ordinary = synced(torch.float32)[number], NORMS[number][0]({})
    ordinary.load_state_dict(norm.state_dict())
    x, _ = inputs(number, torch.float32)
    assert torch.equal(norm(x), ordinary(x))
    for name, value in ordinary.state_dict().items():
        assert torch.equal(norm.state_dict()[name], value), name
    assert torch.equal(norm.eval()(x), ordinary.eval()(x))


def test_it_keeps_the_law() -> None:
    norm, field = GroupBatchNorm(P4, 3), RegularMaps(P4, 3)
    sync_norms(norm)
    x = torch.randn(4, 3, 4, 5, 5)
    for g in P4.elements:
        assert torch.equal(norm(field.act(g, x)), field.act(g, norm(x)))


class Fused(nn.BatchNorm2d):
    """A norm of somebody else's, as timm has one with the activation inside."""


@pytest.mark.parametrize("other", [Fused(2), nn.LazyBatchNorm2d()])
def test_norms_of_others_are_refused_by_name(other: nn.Module) -> None:
    model = nn.Sequential(nn.BatchNorm2d(2), other)
    with pytest.raises(TypeError, match=rf"; 1 is .*{type(other).__name__}\. Call a lazy one"):
        sync_norms(model)
    assert type(model[0]) is nn.BatchNorm2d
    assert sync_norms(nn.Sequential(nn.SyncBatchNorm(2))) == []


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
        assert repr(model.bn1).endswith("momentum=0.1, synced=True)")
