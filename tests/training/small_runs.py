"""Small images and networks that every test of training runs on."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor, nn

from equivlab.data.sets import Batches, TensorImages
from equivlab.groups import P4
from equivlab.models.resnet import ResNet18
from equivlab.training import FitReport, ImageClassifier, Machine, Recipe, fit_lightning

CPU = Machine("cpu", 1)


def striped(count: int = 120, size: int = 17) -> TensorImages:
    """Noise, in class 1 with faint stripes, in class 2 with a faint chessboard."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 3
    images = torch.randn(count, 1, size, size, generator=generator)
    wave = torch.cos(torch.arange(size) * torch.pi / 2)
    stripes, board = wave[:, None].expand(size, size), wave[:, None] * wave
    pattern = torch.stack([torch.zeros(size, size), stripes, 1.5 * board])
    return TensorImages(images + 0.8 * pattern[labels][:, None], labels)


def plain() -> nn.Module:
    """Without norms, whose statistics depend on the number of processes."""
    torch.manual_seed(1)
    layers = [nn.Conv2d(1, 6, 5), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(6, 3))


def small(recipe: Recipe, norm: bool = True) -> ImageClassifier:
    torch.manual_seed(1)
    network = ResNet18(P4, width=4, stem="small") if norm else plain()
    return ImageClassifier(network, 3, recipe)


def go(
    folder: Path,
    recipe: Recipe,
    machine: Machine = CPU,
    norm: bool = True,
    ema: float | None = None,
    swa: float | None = None,
    patience: int | None = None,
    counts: tuple[int, int] = (80, 40),
) -> tuple[FitReport, dict[str, Tensor]]:
    """Train on the first images, validate on the next; the report and the weights."""
    classifier = small(recipe, norm)
    images, (many, few) = striped(max(120, sum(counts))), counts
    train = Batches(images, torch.arange(many))
    validate = Batches(images, torch.arange(many, many + few))
    before, port = torch.random.get_rng_state(), os.environ.get("MASTER_PORT")
    report = fit_lightning(
        classifier, train, validate, folder, machine=machine, ema=ema, swa=swa, patience=patience,
        progress=False,
    )  # fmt: skip
    assert torch.equal(torch.random.get_rng_state(), before)  # nothing global is changed
    assert os.environ.get("MASTER_PORT") == port  # another run chooses its own
    return report, classifier.state_dict()
