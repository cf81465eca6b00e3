"""The compiled kernel works in torch's threads: as many, no others, and none after a fork."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from equivlab import processor
from equivlab.groups import P4, P4M, PointGroup
from equivlab.nn import GroupConv2d
from tests.laws import relative
from tests.nn.planar.ways import needs_kernel, never

pytestmark = needs_kernel
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
shared = pytest.mark.skipif(processor.parallel() is None, reason="torch has no OpenMP to share")


@pytest.fixture(name="two", autouse=True)
def two_threads() -> Iterator[None]:
    torch.manual_seed(0)
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def large(group: PointGroup = P4M, batch: int = 4) -> tuple[GroupConv2d, Tensor]:
    layer = GroupConv2d(group, 16, 16, 3, padding=1)
    return layer, torch.randn(batch, 16, group.order, 28, 28)


@pytest.mark.skipif(sys.platform != "linux", reason="of torch's builds for Linux")
def test_torch_lends_its_threads() -> None:
    assert processor.parallel() is not None
    assert processor.threads_for(10**12) == 2
    assert processor.threads_for(processor.LEAST_WORK) == 1
    assert processor.threads_for(0) == 1
    torch.set_num_threads(1)
    assert processor.threads_for(10**12) == 1


@shared
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted by /proc")
def test_there_is_no_second_pool() -> None:
    layer, x = large()
    torch.randn(1 << 20).sin()  # torch's threads start
    before = set(os.listdir("/proc/self/task"))
    layer(x).square().sum().backward()
    assert set(os.listdir("/proc/self/task")) <= before


@pytest.mark.parametrize("group", [P4, P4M], ids=str)
@pytest.mark.parametrize("batch", [1, 3])
def test_the_same_numbers_each_time(group: PointGroup, batch: int) -> None:
    """Forward in any number of threads; gradients for each number."""
    layer, x = large(group, batch)
    leaves = (x.requires_grad_(), layer.weight)

    def run() -> tuple[Tensor, ...]:
        y = layer(x)
        return y.detach(), *torch.autograd.grad(y.square().sum(), leaves)

    assert layer.route(x) == "kernel"
    first = run()
    assert all(torch.equal(*pair) for _ in range(5) for pair in zip(first, run(), strict=True))
    torch.set_num_threads(1)
    alone = run()
    assert torch.equal(first[0], alone[0])
    with never():
        for found in (first, alone):
            assert all(relative(*pair) <= 5e-6 for pair in zip(found, run(), strict=True))


def test_threads_of_the_caller_share_a_layer() -> None:
    layer = GroupConv2d(P4M, 4, 4, 3, padding=1)
    inputs = [torch.randn(2, 4, 8, 20 + n, 21) for n in range(8)]
    with torch.no_grad():
        wanted = [layer(x) for x in inputs]

        @torch.no_grad()
        def work(n: int) -> bool:
            return all(torch.equal(layer(inputs[n]), wanted[n]) for _ in range(5))

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(work, range(8)))


@forks
def test_after_a_fork() -> None:
    layer, x = large()
    with torch.no_grad():
        wanted = layer(x)  # the threads start
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            # Compared by NumPy: OpenMP, under torch's own operators, does not survive a fork.
            os._exit(0 if (layer(x).numpy() == wanted.numpy()).all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class Convolved(Dataset[Tensor]):
    """Samples that go through a layer in the worker."""

    def __init__(self) -> None:
        self.layer, self.x = large()

    def __len__(self) -> int:
        return 4

    @torch.no_grad()
    def __getitem__(self, index: int) -> Tensor:
        return self.layer(self.x)[index]


@forks
def test_in_the_workers_of_a_loader() -> None:
    data = Convolved()
    wanted = torch.stack([data[n] for n in range(len(data))])  # the parent's threads have worked
    loader = DataLoader(data, 2, num_workers=2, multiprocessing_context="fork", timeout=60)
    assert torch.equal(torch.cat(list(loader)), wanted)
