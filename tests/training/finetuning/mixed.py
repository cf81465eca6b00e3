"""Small folders of all sorts of images, and a small trained network to start from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from equivlab.groups import P4
from equivlab.models.resnet import ResNet18
from equivlab.weights import ModelCard, Preparation, measure, save_pretrained

CLASSES = ("bars", "dots")
SIDE = 17


def pattern(label: int, number: int, side: int = SIDE) -> np.ndarray:
    """An image (side, side) from 0 to 1: a bar any way up, or dots."""
    rng = np.random.default_rng([label, number])
    image = rng.uniform(0, 0.2, (side, side))
    if label == 0:
        image[side // 2 - 1 : side // 2 + 2] += 0.8
        return np.ascontiguousarray(np.rot90(image, number % 2))
    image[rng.integers(2, side - 2, 5), rng.integers(2, side - 2, 5)] += 0.8
    return image


def write_folder(root: Path, count: int = 12, junk: bool = True) -> Path:
    """So many images of each class: bytes, 16 bits, RGBA, JPEG, floats."""
    for label, name in enumerate(CLASSES):
        home = root / name
        home.mkdir(parents=True)
        for n in range(count):
            image = pattern(label, n)
            small = (image * 255).astype(np.uint8)
            if n % 4 == 0:
                np.save(home / f"{n:02d}.npy", image.astype(np.float32))
            elif n % 4 == 1:
                Image.fromarray((image * 65535).astype(np.uint16)).save(home / f"{n:02d}.png")
            elif n % 4 == 2:
                opaque = np.full_like(small, 255)
                Image.fromarray(np.stack([small] * 3 + [opaque], -1)).save(home / f"{n:02d}.png")
            else:
                Image.fromarray(image.astype(np.float32)).save(home / f"{n:02d}.tif")
    if junk:
        (root / "dots" / "broken.png").write_bytes(b"\x89PNG oops")
        (root / "dots" / "notes.txt").write_text("junk")
        np.save(root / "bars" / "gap.npy", np.full((SIDE, SIDE), np.nan))
        (root / ".ipynb_checkpoints").mkdir()
    return root


def trained(path: Path, classes: tuple[str, ...] = ("a", "b", "c"), channels: int = 1) -> Path:
    """A file to start from: a P4 network of a few thousand numbers, with its card."""
    settings = {"group": "P4", "width": 4, "stem": "small", "in_channels": channels}
    settings["classes"] = len(classes)
    steps = ("standardize_each",)
    x = torch.rand(8, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    seen = measure(x, Preparation(steps))
    card = ModelCard("ResNet18", settings, "", "", classes=classes, steps=steps, seen=seen)  # type: ignore[arg-type]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ResNet18(P4, channels, len(classes), 4, stem="small")
    return save_pretrained(model, path, card)
