"""A trained network with new classes, other channels, and steps that bring images to its size."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor, nn

from equivlab.transfer.heads import replace_head
from equivlab.transfer.staging import stages
from equivlab.weights.preparation import Step
from equivlab.weights.pretrained import ModelCard, load_pretrained

__all__ = ["begin", "size_of", "steps_for"]

RESHAPING = ("crop_center", "resize", "square")


def begin(
    start: str | os.PathLike[str], classes: tuple[str, ...], channels: int, seed: int = 0
) -> tuple[nn.Module, ModelCard]:
    """A trained network for other classes and channels, and the card it then has.

    The first filters are shared out equally where there are more channels than before, so gray
    images saved as colors give what they gave, and summed where there are fewer. The last layer
    is new, unless the classes have the same names, in whatever order.

    Args:
        start: a name of `pretrained_names`, or a file with a card.
        classes: the names of the new ones.
        channels: of the new images.
        seed: of the new last layer.

    Raises:
        FileNotFoundError: no such network.
        ValueError: a network of whose channels some other number than one cannot be made.
    """
    trained, card = load_pretrained(start)
    same = sorted(card.classes) == sorted(classes)
    settings = card.settings | {"in_channels": channels}
    settings |= {"classes": len(classes)} if same else {}
    new = replace(card, settings=settings, classes=classes if same else ())
    model = new.build()
    before = trained.state_dict()
    model.load_state_dict(
        {name: _fitted(before[name], value) for name, value in model.state_dict().items()}
    )
    if not same:
        replace_head(model, len(classes), seed)
    elif classes != card.classes:
        _put_in_order(model, [card.classes.index(name) for name in classes])
    final = replace(
        card, settings=settings | {"classes": len(classes)}, classes=classes, metrics={}, seen={}
    )
    return model, final


def _put_in_order(model: nn.Module, rows: list[int]) -> None:
    """The rows of the last layer in another order."""
    head = list(stages(model).values())[-1][-1]
    with torch.no_grad():
        for parameter in head.parameters(recurse=False):
            parameter.copy_(parameter[rows].clone())


def _fitted(old: Tensor, wanted: Tensor) -> Tensor:
    """Filters for another number of channels of the image."""
    if old.shape == wanted.shape:
        return old
    before, after = old.shape[1], wanted.shape[1]
    if before == 1:
        return old.expand(wanted.shape) / after
    if after == 1:
        return old.sum(1, keepdim=True)
    raise ValueError(
        f"The network was trained on {before} channels and the images have {after}. Take a network "
        "of one channel, or bring the images to one."
    )


def size_of(card: ModelCard) -> int:
    """Rows and columns that a network sees, where images have sizes of all kinds."""
    cut = [int(arguments["size"]) for name, arguments in card.steps if name in RESHAPING[:2]]
    return cut[0] if cut else int(min(card.seen.get("size", [64])))


def steps_for(
    card: ModelCard, shapes: Iterable[tuple[int, int]], size: int | None, side: int
) -> tuple[Step, ...]:
    """The steps from a raw image to the network: its own, after a change of shape if it needs one.

    Args:
        card: of the trained network.
        shapes: rows and columns that the images have.
        size: what the user asked for, or None.
        side: what they are brought to.
    """
    shapes = set(shapes)
    own = tuple(card.seen.get("size", ()))
    if size is None and shapes == {own}:
        return card.steps
    rest = tuple(step for step in card.steps if step[0] not in RESHAPING)
    rest = rest or (("standardize_each", {}),)
    changes: tuple[Step, ...] = ()
    if any(height != width for height, width in shapes):
        changes += (("square", {}),)
    if shapes != {(side, side)}:
        changes += (("resize", {"size": side}),)
    return changes + rest
