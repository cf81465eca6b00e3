"""Train an image classifier: with progress, surviving a kill, the same from any start.

Everything random in an epoch (the order of the images, dropout, augmentation) is drawn from
the seed and the epoch's number alone. So a run that was killed and resumed ends, on the same
machine, in the same weights as one that was not.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import index
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from equivlab.data.sets.batches import Batches, TensorImages
from equivlab.data.sets.classes import class_labels
from equivlab.data.sets.lock import locked
from equivlab.training.captured import CapturedStep
from equivlab.training.fingerprints import fingerprint
from equivlab.training.seeds import generator_of, seed_of
from equivlab.training.step import Step, training_step
from equivlab.training.watching import Progress, Watch
from equivlab.weights.files import bare_names, read_tensors, remove_drafts, write_tensors

__all__ = ["fit"]

Augment = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class _Recipe:
    epochs: int
    batch_size: int
    lr: float
    seed: int
    data: str


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
    watch: Watch | None = None,
) -> list[float]:
    """Minimise the cross-entropy with Adam, the rate falling to zero along a cosine.

    Args:
        model: gives class scores ``(B, K)``; trained in place, left in `eval()`.
        images: ``(N, C, H, W)`` on any device; batches move to the model's.
        labels: ``(N,)`` whole numbers from 0.
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
        watch: called with a `Progress` after each step. It may look at the model, and training
            goes on when it returns; where it returns True, the run ends there.

    Returns:
        The mean loss of each whole epoch.

    Raises:
        ValueError: no images, labels that are not one whole number for each, a `checkpoint` of
            another run (other settings or other images), or `capture` with a model that is on
            no CUDA device.
        InUseError: another process writes the `checkpoint` now.
        FloatingPointError: the loss is no longer finite.
    """
    if len(images) == 0 or len(images) != len(labels) or batch_size < 1:
        raise ValueError(
            f"fit takes as many labels as images, at least one, and a batch_size from 1; got "
            f"{len(images)} images and {len(labels)} labels, batch_size={batch_size}."
        )
    labels = class_labels(labels, len(images))
    device = next(model.parameters()).device
    if capture and device.type != "cuda":
        raise ValueError(
            f"fit(capture=True) records CUDA graphs; got a model on {device}. Move it, "
            "model.cuda(), or leave capture out."
        )
    path = None if checkpoint is None else Path(checkpoint)
    data = "" if path is None else fingerprint(Batches(TensorImages(images, labels)))
    epochs, batch_size = index(epochs), min(index(batch_size), len(images))
    recipe = _Recipe(epochs, batch_size, float(lr), index(seed), data)
    rate = torch.tensor(recipe.lr, device=device) if capture else recipe.lr
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, capturable=capture)
    take = (CapturedStep if capture else training_step)(model, optimizer)
    with _alone(path), torch.random.fork_rng():
        losses = [] if path is None else _resume(model, optimizer, path, recipe)
        with tqdm(total=epochs, initial=len(losses), unit="epoch", disable=not progress) as bar:
            while len(losses) < epochs:
                pairs = _batches(images, labels, recipe, len(losses), augment)
                pairs = ((x.to(device), y.to(device)) for x, y in pairs)
                model.train()
                mean = _epoch(take, optimizer, pairs, recipe, len(losses), len(images), watch)
                if mean is None:
                    break
                losses.append(mean)
                bar.set_postfix_str(f"loss {losses[-1]:.4f}", refresh=False)
                bar.update()
                if path is not None:
                    _store(model, optimizer, path, recipe, losses)
    model.eval()
    return losses


@contextlib.contextmanager
def _alone(path: Path | None) -> Iterator[None]:
    """Two runs do not write the same checkpoint; beside it there may be those of others."""
    if path is None:
        yield
        return
    with locked(path.parent, path.name):
        remove_drafts(path)
        yield


def _batches(
    images: Tensor, labels: Tensor, recipe: _Recipe, epoch: int, augment: Augment | None
) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of an epoch, in its order and augmentation."""
    generator = generator_of(recipe.seed, epoch)
    torch.manual_seed(seed_of(recipe.seed, epoch))  # dropout draws from the global state
    order = torch.randperm(len(images), generator=generator)
    for these in order.split(recipe.batch_size):
        if len(these) == recipe.batch_size:
            x = images[these]
            yield (x if augment is None else augment(x, generator)), labels[these]


def _epoch(
    take: Step,
    optimizer: torch.optim.Optimizer,
    pairs: Iterable[tuple[Tensor, Tensor]],
    recipe: _Recipe,
    epoch: int,
    count: int,
    watch: Watch | None,
) -> float | None:
    """One pass over `count` images; the mean loss, or None where `watch` ended the run."""
    steps = count // recipe.batch_size
    group, losses = optimizer.param_groups[0], []
    for step, (x, y) in enumerate(pairs):
        done = (epoch + step / steps) / recipe.epochs
        rate = recipe.lr * (1 + math.cos(math.pi * done)) / 2
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
        losses.append(take(x, y))
        if watch is not None and watch(Progress(epoch, step, steps, recipe.epochs, losses[-1])):
            return None
    mean = float(torch.stack(losses).sum()) / steps
    if not math.isfinite(mean):
        raise FloatingPointError(
            f"The loss of epoch {epoch + 1} is {mean}. Look for NaN in the images "
            "(torch.isfinite(images).all()) or try a smaller lr."
        )
    return mean


def _store(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    path: Path,
    recipe: _Recipe,
    losses: list[float],
) -> None:
    """Write weights, Adam's averages and the losses so far as one safetensors file."""
    weights = model.state_dict()
    tensors = {f"model.{bare}": weights[name] for name, bare in bare_names(weights).items()}
    for number, averages in optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{number}.{name}": value for name, value in averages.items()}
    tensors["losses"] = torch.tensor(losses, dtype=torch.float64)
    write_tensors(tensors, path, {"recipe": repr(recipe)})


def _resume(
    model: nn.Module, optimizer: torch.optim.Optimizer, path: Path, recipe: _Recipe
) -> list[float]:
    """Take up the run in `path`, if there is one; the losses so far."""
    if not path.exists():
        return []
    tensors, notes = read_tensors(path)
    weights = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    own = bare_names(model.state_dict())  # a compiled model and its inner one go on alike
    if notes.get("recipe") != repr(recipe) or weights.keys() != set(own.values()):
        raise ValueError(
            f"{path} belongs to another run: {notes.get('recipe', 'not one of fit')}; this one "
            f"is {recipe!r} on {type(model).__name__}. Give another checkpoint, or delete it."
        )
    model.load_state_dict({name: weights[bare] for name, bare in own.items()})
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("adam."):
            _, number, name = key.split(".")
            state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
    losses: list[float] = tensors["losses"].tolist()
    return losses
