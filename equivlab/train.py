"""Train an image classifier: with progress, surviving a kill, the same from any start.

Everything random in an epoch (the order of the images, dropout, augmentation) is drawn from
the seed and the epoch's number alone. So a run that was killed and resumed ends, on the same
machine, in the same weights as one that was not.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from equivlab.checkpoint import read_tensors, write_tensors
from equivlab.cuda_graph import CapturedStep, Step, training_step
from equivlab.fields import rotate_maps

__all__ = ["accuracy", "accuracy_vs_angle", "fit", "predict"]

Augment = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class _Recipe:
    epochs: int
    batch_size: int
    lr: float
    seed: int
    images: int


def fit(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    batch_size: int = 128,
    lr: float = 1e-3,
    seed: int = 0,
    augment: Augment | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
    capture: bool = False,
) -> list[float]:
    """Minimise the cross-entropy with Adam, the rate falling to zero along a cosine.

    Args:
        model: gives class scores ``(B, K)``; trained in place, left in `eval()`.
        images: ``(N, C, H, W)`` on any device; batches move to the model's.
        labels: ``(N,)`` integers.
        epochs: passes over the images.
        batch_size: images per step; a last, smaller batch is left out.
        lr: Adam's rate at the start.
        seed: of everything random here.
        augment: ``augment(batch, generator)``, applied to each batch.
        checkpoint: a file written after each epoch. Where it exists, training goes on from it.
        progress: show a bar.
        capture: on a CUDA device, record one step as a graph and replay it. A network of many
            small operations, as a spherical one, waits for Python otherwise. Whatever the model
            decides from its input in Python stays as it was at the first batch.

    Returns:
        The mean loss of each epoch.

    Raises:
        ValueError: no images, another number of labels, a `checkpoint` of another run, or
            `capture` with a model that is on no CUDA device.
        FloatingPointError: the loss is no longer finite.
    """
    if len(images) == 0 or len(images) != len(labels):
        raise ValueError(
            f"fit takes as many labels as images, and at least one; got {len(images)} images "
            f"and {len(labels)} labels."
        )
    recipe = _Recipe(epochs, min(batch_size, len(images)), lr, seed, len(images))
    device = next(model.parameters()).device
    if capture and device.type != "cuda":
        raise ValueError(
            f"fit(capture=True) records CUDA graphs; got a model on {device}. Move it, "
            "model.cuda(), or leave capture out."
        )
    rate = torch.tensor(lr, device=device) if capture else lr
    optimiser = torch.optim.Adam(model.parameters(), lr=rate, capturable=capture)
    losses = [] if checkpoint is None else _resume(model, optimiser, Path(checkpoint), recipe)
    take = (CapturedStep if capture else training_step)(model, optimiser)
    bar = tqdm(total=epochs, initial=len(losses), unit="epoch", disable=not progress)
    with bar, torch.random.fork_rng():
        while len(losses) < epochs:
            epoch = len(losses)
            generator = torch.Generator().manual_seed(_seed_of(recipe, epoch))
            torch.manual_seed(_seed_of(recipe, epoch))  # dropout draws from the global state
            order = torch.randperm(len(images), generator=generator)
            batches = order[: len(order) // recipe.batch_size * recipe.batch_size]
            steps = batches.view(-1, recipe.batch_size)
            pairs = ((images[these], labels[these]) for these in steps)
            if augment is not None:
                pairs = ((augment(x, generator), y) for x, y in pairs)
            pairs = ((x.to(device), y.to(device)) for x, y in pairs)
            model.train()
            losses.append(_epoch(take, optimiser, pairs, recipe, epoch, len(steps)))
            bar.set_postfix_str(f"loss {losses[-1]:.4f}", refresh=False)
            bar.update()
            if checkpoint is not None:
                _store(model, optimiser, Path(checkpoint), recipe, losses)
    model.eval()
    return losses


def _seed_of(recipe: _Recipe, epoch: int) -> int:
    return recipe.seed * 1_000_003 + epoch


def _epoch(
    take: Step,
    optimiser: torch.optim.Optimizer,
    pairs: Iterable[tuple[Tensor, Tensor]],
    recipe: _Recipe,
    epoch: int,
    steps: int,
) -> float:
    """One pass; the mean loss."""
    group, losses = optimiser.param_groups[0], []
    for step, (x, y) in enumerate(pairs):
        done = (epoch + step / steps) / recipe.epochs
        rate = recipe.lr * (1 + math.cos(math.pi * done)) / 2
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
        losses.append(take(x, y))
    mean = float(torch.stack(losses).sum()) / steps
    if not math.isfinite(mean):
        raise FloatingPointError(
            f"The loss of epoch {epoch + 1} is {mean}. Look for NaN in the images "
            "(torch.isfinite(images).all()) or try a smaller lr."
        )
    return mean


def _store(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    path: Path,
    recipe: _Recipe,
    losses: list[float],
) -> None:
    """Write weights, Adam's averages and the losses so far as one safetensors file."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for number, averages in optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{number}.{name}": value for name, value in averages.items()}
    tensors["losses"] = torch.tensor(losses, dtype=torch.float64)
    write_tensors(tensors, path, {"recipe": repr(recipe)})


def _resume(
    model: nn.Module, optimiser: torch.optim.Optimizer, path: Path, recipe: _Recipe
) -> list[float]:
    """Take up the run in `path`, if there is one; the losses so far."""
    if not path.exists():
        return []
    tensors, notes = read_tensors(path)
    weights = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    if notes.get("recipe") != repr(recipe) or weights.keys() != model.state_dict().keys():
        raise ValueError(
            f"{path} belongs to another run: {notes.get('recipe', 'not one of fit')}; this one "
            f"is {recipe!r} on {type(model).__name__}. Give another checkpoint, or delete it."
        )
    model.load_state_dict(weights)
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("adam."):
            _, number, name = key.split(".")
            state.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict(optimiser.state_dict() | {"state": state})
    losses: list[float] = tensors["losses"].tolist()
    return losses


@torch.no_grad()
def predict(model: nn.Module, images: Tensor, batch_size: int = 100) -> Tensor:
    """Class scores ``(N, K)`` of ``(N, C, H, W)`` images, in `eval()`, on the images' device."""
    was_training = model.training
    device = next(model.parameters()).device
    model.eval()
    try:
        scores = [model(batch.to(device)).to(images.device) for batch in images.split(batch_size)]
    finally:
        model.train(was_training)
    return torch.cat(scores)


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of images ``(N, C, H, W)`` whose highest score is at their label."""
    right = predict(model, images).argmax(1) == labels
    return float(right.double().mean())


def accuracy_vs_angle(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    angles: Iterable[float],
    mode: str = "bilinear",
) -> list[float]:
    """`accuracy` on the images turned by each of `angles` (radians, counter-clockwise).

    `mode` is that of `equivlab.fields.rotate_maps`: ``'fourier'`` for noisy images, whose noise
    interpolation would smooth.
    """
    return [accuracy(model, rotate_maps(images, angle, mode), labels) for angle in angles]
