"""A training step recorded once as a CUDA graph: the GPU no longer waits for Python."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equivlab.training.step import training_step

__all__ = ["CapturedStep"]

WARM_UP = 3  # steps in which libraries choose their kernels and allocate


class CapturedStep:
    """A `training_step`, recorded with the first batch and replayed with every later one.

    The recording itself trains nothing: weights, statistics and the optimizer's averages are
    those of before when the first batch is taken. All batches have one shape and dtype.

    Args:
        model: what it trains, on a CUDA device. It may not wait for the GPU or copy to it, nor
            decide in Python from what it computed.
        optimizer: capturable, its rate a tensor.
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.step = training_step(model, optimizer)
        self.model = model
        self.optimizer = optimizer
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Take one step; the loss, in memory of its own."""
        with torch.cuda.device(x.device):
            graph = self.graph or self._record(x, y)
            self.x.copy_(x)
            self.y.copy_(y)
            graph.replay()
            return self.loss.clone()

    def _record(self, x: Tensor, y: Tensor) -> torch.cuda.CUDAGraph:
        self.x, self.y = x.clone(), y.clone()
        state = self.optimizer.state
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
        return graph
