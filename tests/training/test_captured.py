"""Recording a step trains nothing, shown with a stand-in for CUDA graphs that runs on the CPU.

On a GPU, `tests/test_devices.py` trains with the real ones.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from equivlab.training import CapturedStep, training_step


def network() -> nn.Module:
    """Weights, running statistics and, in the optimizer, averages."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[CapturedStep]:
    """What a capture does, without a GPU: nothing but take notes; `replay` takes the step.

    The test puts what it records into the list.
    """
    steps: list[CapturedStep] = []

    @contextlib.contextmanager
    def graph(noted: SimpleNamespace) -> Iterator[None]:
        step = steps[-1]
        weights = copy.deepcopy(step.model.state_dict())
        averages = copy.deepcopy(step.optimizer.state_dict())
        yield
        step.model.load_state_dict(weights)
        step.optimizer.load_state_dict(averages)
        noted.replay = lambda: step.loss.copy_(step.step(step.x, step.y))

    def nothing(*_: object) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    stream = SimpleNamespace(wait_stream=nothing)
    for name, value in {
        "CUDAGraph": SimpleNamespace,
        "graph": graph,
        "Stream": lambda: stream,
        "current_stream": lambda: stream,
        "stream": nothing,
        "device": nothing,
        "get_rng_state": lambda _: torch.get_rng_state(),
        "set_rng_state": lambda state, _: torch.set_rng_state(state),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    return steps


@pytest.mark.parametrize("started", [False, True])
def test_recorded_steps_end_in_the_same_weights(
    started: bool, recorded: list[CapturedStep]
) -> None:
    generator = torch.Generator().manual_seed(0)
    batches = [
        (torch.randn(6, 4, generator=generator), torch.randint(3, (6,), generator=generator))
        for _ in range(5)
    ]
    ends = []
    for kind in (training_step, CapturedStep):
        model = network()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        if started:  # a resumed run has averages before it records
            training_step(model, optimizer)(*batches[-1])
        take = kind(model, optimizer)
        if isinstance(take, CapturedStep):
            recorded.append(take)
        losses = [float(take(*batch)) for batch in batches]
        ends.append((losses, [value.clone() for value in model.state_dict().values()]))
    assert ends[0][0] == ends[1][0]
    assert all(map(torch.equal, ends[0][1], ends[1][1]))
