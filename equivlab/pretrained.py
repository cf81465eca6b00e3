"""Trained networks with what they were trained on: model cards, and the package's own weights.

A card travels inside the safetensors file of its weights, so the two cannot be parted.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from torch import nn

from equivlab.checkpoint import load, read_tensors, write_tensors
from equivlab.groups import P4, P4M
from equivlab.models.resnet import ResNet18

__all__ = ["ModelCard", "load_pretrained", "pretrained_names", "read_card", "save_pretrained"]

GROUPS = {"none": None, "P4": P4, "P4M": P4M}


def _resnet18(group: str = "none", **settings: Any) -> nn.Module:
    return ResNet18(GROUPS[group], **settings)


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
        licence: of the weights.
        prepare: what must be done to an image first.
    """

    network: str
    settings: dict[str, Any]
    data: str
    recipe: str
    metrics: dict[str, float] = field(default_factory=dict)
    licence: str = "MIT"
    prepare: str = ""

    def build(self) -> nn.Module:
        """The network, without its weights.

        Raises:
            ValueError: a network that this version does not know.
        """
        if self.network not in BUILDERS:
            raise ValueError(
                f"This version of equivlab builds {', '.join(BUILDERS)}; the card says "
                f"{self.network!r}. Update equivlab."
            )
        return BUILDERS[self.network](**self.settings)


def save_pretrained(model: nn.Module, path: str | os.PathLike[str], card: ModelCard) -> Path:
    """Write weights and card as one safetensors file, whole or not at all.

    Raises:
        ValueError: the card builds another network than `model`.
    """
    wanted = {name: value.shape for name, value in card.build().state_dict().items()}
    if wanted != {name: value.shape for name, value in model.state_dict().items()}:
        raise ValueError(
            f"The card says {card.network} with {card.settings}, which is not this "
            f"{type(model).__name__}. Give the settings that it was built with."
        )
    notes = {"format": "equivlab", "model": card.network, "card": json.dumps(asdict(card))}
    return write_tensors(model.state_dict(), path, notes)


def read_card(path: str | os.PathLike[str]) -> ModelCard:
    """The card of a file written by `save_pretrained`.

    Raises:
        ValueError: a file without a card.
    """
    _, notes = read_tensors(path)
    if "card" not in notes:
        raise ValueError(f"{path} has no model card. Write one with save_pretrained.")
    return ModelCard(**json.loads(notes["card"]))


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
        ValueError: a file that was altered, or has no card.
    """
    registry = _registry()
    if str(name) not in registry:
        if not Path(name).is_file():
            known = ", ".join(registry) or "none in this version"
            raise FileNotFoundError(
                f"There are no weights {name}: neither a file nor one of the package's own "
                f"({known})."
            )
        return _load(Path(name))
    with as_file(files("equivlab") / "weights" / f"{name}.safetensors") as path:
        if hashlib.sha256(path.read_bytes()).hexdigest() != registry[str(name)]:
            raise ValueError(f"{path} was altered: its checksum differs. Install equivlab again.")
        return _load(path)


def _load(path: Path) -> tuple[nn.Module, ModelCard]:
    card = read_card(path)
    return load(card.build(), path).eval(), card
