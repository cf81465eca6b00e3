"""Learn energies: the mean absolute error, warm-up and cosine, a running average of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.weights.files import read_tensors, write_tensors

WARM_UP = 100  # steps
AVERAGED = 0.005  # share of the newest weights in the running average

Batch = Callable[[Tensor, torch.Generator], tuple[Any, ...]]


def train(
    model: nn.Module,
    batch: Batch,
    target: Tensor,
    learn: Tensor,
    path: Path,
    *,
    epochs: int,
    lr: float,
    size: int = 32,
    store_every: int = 1,
) -> nn.Module:
    """Train, or go on from the file `path`; gives the running average of the weights.

    Args:
        model: gives one number for each molecule, ``(b,)`` or ``(b, 1)``.
        batch: ``batch(some, generator)``, what the model is called with for the molecules `some`.
        target: what each molecule should have.
        learn: the molecules to learn from.
        path: a file written after every `store_every` epochs.
        epochs: passes.
        lr: Adam's highest rate.
        size: molecules in a step.
        store_every: epochs between two writes.
    """
    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    average = {name: value.clone() for name, value in model.state_dict().items()}
    done = resume(path, model, average, optimiser)
    steps = math.ceil(len(learn) / size)
    for epoch in range(done, epochs):
        generator = torch.Generator().manual_seed(epoch)
        order, total = learn[torch.randperm(len(learn), generator=generator)], 0.0
        for step, some in enumerate(order.split(size)):
            warm = min(1.0, (epoch * steps + step + 1) / WARM_UP)
            falling = (1 + math.cos(math.pi * (epoch + step / steps) / epochs)) / 2
            optimiser.param_groups[0]["lr"] = lr * warm * falling
            optimiser.zero_grad()
            loss = F.l1_loss(model(*batch(some, generator)).flatten(), target[some])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimiser.step()
            total += loss.item()
            follow(average, model)
        if (epoch + 1) % store_every == 0 or epoch + 1 == epochs:
            store(path, model, average, optimiser, epoch + 1)
            print(f"  epoch {epoch + 1}: loss {total / steps:.4f}", flush=True)
    model.load_state_dict(average)
    return model.eval()


@torch.no_grad()
def follow(average: dict[str, Tensor], model: nn.Module) -> None:
    """Move the average towards the weights; counters are copied."""
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, AVERAGED)
        else:
            average[name].copy_(value)


def store(
    path: Path,
    model: nn.Module,
    average: dict[str, Tensor],
    optimiser: torch.optim.Adam,
    epoch: int,
) -> None:
    """Weights, their average, and Adam's state as one file."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.items()}
    for number, values in optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{number}.{name}": value for name, value in values.items()}
    write_tensors(tensors, path, {"epoch": str(epoch)})


def resume(
    path: Path, model: nn.Module, average: dict[str, Tensor], optimiser: torch.optim.Adam
) -> int:
    """Take up the run in `path`, if there is one; the epochs it has done."""
    if not path.exists():
        return 0
    tensors, notes = read_tensors(path)
    state: dict[int, dict[str, Tensor]] = {}
    weights = {}
    for key, value in tensors.items():
        kind, name = key.split(".", 1)
        if kind == "model":
            weights[name] = value
        elif kind == "average":
            average[name] = value
        else:
            number, name = name.split(".")
            state.setdefault(int(number), {})[name] = value
    model.load_state_dict(weights)
    optimiser.load_state_dict(optimiser.state_dict() | {"state": state})
    return int(notes["epoch"])
