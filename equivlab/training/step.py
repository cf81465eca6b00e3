"""One training step: the loss of a batch, its gradient, one update."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Step", "training_step"]

Step = Callable[[Tensor, Tensor], Tensor]


def training_step(model: nn.Module, optimizer: torch.optim.Optimizer) -> Step:
    """``step(x, y)``: the cross-entropy of a batch, its gradient, and one update; the loss."""

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step
