"""Networks of torchvision, timm and segmentation_models_pytorch, beside any build of torch."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

import torch
from torch import nn

__all__ = ["build", "package"]

DECLARED: list[torch.library.Library] = []  # what goes with its object


def package(name: str) -> ModuleType:
    """The package of that name.

    torchvision's wheels are for a build of torch with CUDA; on another their compiled operators are
    missing, and no network needs them: one is declared, and what is said of the others is let go.

    Raises:
        ImportError: it is not there, or what it needs is not.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError:  # operator torchvision::nms does not exist
        _without_operators()
    return importlib.import_module(name)


def _without_operators() -> None:
    for half in [each for each in sys.modules if each.split(".")[0] == "torchvision"]:
        del sys.modules[half]
    real = torch.library.register_fake

    def soft(*args: Any, **named: Any) -> Any:
        def register(function: Any) -> Any:
            try:
                return real(*args, **named)(function)
            except RuntimeError:
                return function

        return register

    if not DECLARED:
        DECLARED.append(torch.library.Library("torchvision", "DEF"))
        DECLARED[0].define("nms(Tensor dets, Tensor scores, float limit) -> Tensor")
    torch.library.register_fake = soft  # type: ignore[assignment]
    try:
        importlib.import_module("torchvision")
    finally:
        torch.library.register_fake = real


def build(name: str) -> nn.Module:
    """A network such as ``'timm resnet18'`` with random weights and few classes, in `eval()`.

    Raises:
        ImportError: its package is not there.
    """
    home, _, kind = name.partition(" ")
    found = package(home)
    torch.manual_seed(0)
    if home == "timm":
        model: nn.Module = found.create_model(kind, pretrained=False, num_classes=10)
    elif home == "torchvision":
        more = {"init_weights": False} if kind in ("inception_v3", "googlenet") else {}
        model = getattr(found.models, kind)(weights=None, num_classes=10, **more)
    else:
        decoder, _, encoder = kind.partition("/")
        model = getattr(found, decoder)(encoder, encoder_weights=None, classes=2)
    return model.eval()
