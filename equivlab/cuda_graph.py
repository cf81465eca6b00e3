"""A training step recorded once as a CUDA graph: the GPU no longer waits for Python."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["CapturedStep", "Step", "training_step"]

Step = Callable[[Tensor, Tensor], Tensor]

WARM_UP = 3  # steps in which libraries choose their kernels and allocate


def training_step(model: nn.Module, optimiser: torch.optim.Optimizer) -> Step:
    """``step(x, y)``: the cross-entropy of a batch, its gradient, and one update; the loss."""

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimiser.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimiser.step()
        return loss.detach()

    return step


class CapturedStep:
    """A `training_step`, recorded with the first batch and replayed with every later one.

    The recording itself trains nothing: weights, statistics and the optimiser's averages are
    those of before when the first batch is taken. All batches have one shape and dtype.

    Args:
        model: what it trains, on a CUDA device. It may not wait for the GPU or copy to it, nor
            decide in Python from what it computed.
        optimiser: capturable, its rate a tensor.
    """

    def __init__(self, model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        self.step = training_step(model, optimiser)
        self.model = model
        self.optimiser = optimiser
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Take one step; the loss, in memory of its own."""
        with torch.cuda.device(x.device):
            if self.graph is None:
                self._record(x, y)
            self.x.copy_(x)
            self.y.copy_(y)
            assert self.graph is not None
            self.graph.replay()
            return self.loss.clone()

    def _record(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x.clone(), y.clone()
        state = self.optimiser.state
        weights = {k: v.clone() for k, v in self.model.state_dict().items()}
        averages = {p: {k: v.clone() for k, v in state[p].items()} for p in list(state)}
        random = torch.cuda.get_rng_state(x.device)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                self.step(self.x, self.y)
        torch.cuda.current_stream().wait_stream(side)
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                value.copy_(weights[name])
            for parameter, values in state.items():
                for name, value in values.items():
                    before = averages.get(parameter, {}).get(name)
                    value.zero_() if before is None else value.copy_(before)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.loss = self.step(self.x, self.y)
        torch.cuda.set_rng_state(random, x.device)
        self.graph = graph
