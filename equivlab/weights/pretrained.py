"""Trained networks with what they were trained on: model cards, and the package's own weights.

A card travels inside the safetensors file of its weights, so the two cannot be parted.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib.resources import as_file, files
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import torch
from torch import nn

from equivlab.groups import group_of
from equivlab.models.resnet import ResNet18
from equivlab.weights.files import check_shapes, load, read_header, shapes_of, write_tensors
from equivlab.weights.likeness import check_seen
from equivlab.weights.preparation import Step, as_steps

__all__ = ["ModelCard", "load_pretrained", "pretrained_names", "read_card", "save_pretrained"]


def _resnet18(group: str = "none", **settings: Any) -> nn.Module:
    return ResNet18(group_of(group), **settings)


BUILDERS: dict[str, Callable[..., nn.Module]] = {"ResNet18": _resnet18}


@dataclass(frozen=True)
class ModelCard:
    """What somebody who takes a network away should know.

    Args:
        network: the name of a builder, ``'ResNet18'``.
        settings: its arguments, the group by its name, for example ``{'group': 'P4'}``.
        data: what it was trained on, with the seed of the set.
        recipe: how it was trained, with the seed.
        metrics: what it reached, on which images.
        license: of the weights.
        prepare: what must be done to an image first, for people.
        steps: the same for `equivlab.weights.Preparation`; none in files of 2026 and before.
        seen: what the training images were like, as `equivlab.weights.likeness` measures it.
        classes: the names of the classes in the order of the scores; none where nobody said.

    Raises:
        ValueError: more or fewer names than the settings have classes, or an unknown step.
    """

    network: str
    settings: dict[str, Any]
    data: str
    recipe: str
    metrics: dict[str, float] = field(default_factory=dict)
    license: str = "MIT"
    prepare: str = ""
    classes: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    seen: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))  # JSON knows lists alone
        object.__setattr__(self, "steps", as_steps(self.steps))
        check_seen(self.seen)
        count = dict(self.settings).get("classes", len(self.classes))
        if self.classes and count != len(self.classes):
            raise ValueError(
                f"The card says {count} classes, but names {len(self.classes)}: "
                f"{', '.join(self.classes)}."
            )

    def build(self) -> nn.Module:
        """The network, without its weights.

        Raises:
            ValueError: a network that this version does not know, or settings that do not fit it.
        """
        if self.network not in BUILDERS:
            raise ValueError(
                f"This version of equivlab builds {', '.join(BUILDERS)}; the card says "
                f"{self.network!r}. Update equivlab."
            )
        settings = {
            name: int(value)
            if isinstance(value, Integral) and not isinstance(value, bool)
            else value
            for name, value in self.settings.items()
        }
        try:
            return BUILDERS[self.network](**settings)
        except (ValueError, TypeError, RuntimeError) as error:
            raise ValueError(
                f"The card says {self.network} with {settings}, which cannot be built: {error}. "
                "Give the settings that it was trained with."
            ) from error

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each of its tensors, whatever their size: nothing is allocated."""
        with torch.device("meta"):
            return shapes_of(self.build().state_dict())


def save_pretrained(model: nn.Module, path: str | os.PathLike[str], card: ModelCard) -> Path:
    """Write weights and card as one safetensors file, whole or not at all.

    Raises:
        ValueError: the card builds another network than `model`.
    """
    try:
        check_shapes(path, card.shapes(), shapes_of(model.state_dict()))
    except ValueError as error:
        raise ValueError(
            f"The card says {card.network} with {card.settings}, which is not this "
            f"{type(model).__name__}. Give the settings that it was built with."
        ) from error
    text = json.dumps(asdict(card), default=_number)
    notes = {"format": "equivlab", "model": card.network, "card": text}
    return write_tensors(model.state_dict(), path, notes)


def _number(value: object) -> int | float:
    """A number of NumPy or torch as one of Python, for JSON."""
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real | torch.Tensor):
        return float(value)
    raise TypeError(f"A model card holds words and numbers; got {value!r}.")


def read_card(path: str | os.PathLike[str]) -> ModelCard:
    """The card of a file written by `save_pretrained`.

    Raises:
        ValueError: a file without a card.
    """
    _, notes = read_header(path)
    if "card" not in notes:
        raise ValueError(f"{path} has no model card. Write one with save_pretrained.")
    try:
        entries = json.loads(notes["card"])
        if "licence" in entries:  # its name in files of 2026
            entries["license"] = entries.pop("licence")
        unknown = set(entries) - {entry.name for entry in fields(ModelCard)}
        if unknown:
            raise ValueError(f"it says {', '.join(sorted(unknown))} too")
        return ModelCard(**entries)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path} has a model card that this version cannot read: {error}. Update equivlab, or "
            "download the file again."
        ) from error


def _registry() -> Mapping[str, str]:
    path = files("equivlab") / "weights" / "registry.json"
    found: dict[str, str] = json.loads(path.read_text()) if path.is_file() else {}
    return found


def pretrained_names() -> list[str]:
    """The networks whose weights come with the package."""
    return sorted(_registry())


def load_pretrained(name: str | os.PathLike[str]) -> tuple[nn.Module, ModelCard]:
    """A trained network and its card, by its name in the package or by a path.

    The package's own files are compared with their checksums first.

    Returns:
        The network in `eval()`, and its card.

    Raises:
        FileNotFoundError: neither a name nor a file.
        ValueError: a file that was altered, or has no card, or one of another network.
    """
    registry = _registry()
    if str(name) not in registry:
        if not Path(name).is_file():
            known = ", ".join(registry) or "none in this version"
            raise FileNotFoundError(
                f"There are no weights {name}: neither a file nor one of the package's own "
                f"({known}).{_inside(Path(name))}"
            )
        return _load(Path(name))
    with as_file(files("equivlab") / "weights" / f"{name}.safetensors") as path:
        if hashlib.sha256(path.read_bytes()).hexdigest() != registry[str(name)]:
            raise ValueError(f"{path} was altered: its checksum differs. Install equivlab again.")
        return _load(path)


def _load(path: Path) -> tuple[nn.Module, ModelCard]:
    card = read_card(path)
    given, _ = read_header(path)
    check_shapes(path, card.shapes(), given)  # before a card can ask for all memory
    return load(card.build(), path).eval(), card


def _inside(folder: Path) -> str:
    """Where files of weights lie that a folder's name may have meant."""
    found = sorted(folder.glob("*/*.safetensors")) if folder.is_dir() else []
    return f" Did you mean {', '.join(str(path.parent) for path in found[:5])}?" if found else ""
