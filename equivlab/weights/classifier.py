"""A trained network that takes raw images: it prepares them, and says when they are unlike its own.

>>> import torch
>>> from equivlab.data import lens_recipe, simulate
>>> classifier = load_classifier("lenses-ii-p4m")
>>> flux, _ = simulate(lens_recipe("II"), range(2), seed=5)
>>> table = classifier.predict(torch.from_numpy(flux))
>>> list(table.columns)
['image', 'class', 'probability', 'p(no_sub)', 'p(cdm)', 'p(axion)', 'remark']
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from equivlab.data.arrays import native
from equivlab.data.paths import is_visible
from equivlab.data.sets.reading import ENDINGS, is_image, read_image
from equivlab.weights.likeness import remarks
from equivlab.weights.preparation import Preparation
from equivlab.weights.pretrained import ModelCard, load_pretrained

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Classifier", "UnlikeImagesWarning", "image_files", "load_classifier"]

Named = tuple[str, Tensor | str]  # an image (C, H, W), or why there is none
SMALLEST = 3  # pixels a side


class UnlikeImagesWarning(UserWarning):
    """Images are unlike those that a network was trained on: its answers may mean nothing."""


class Classifier(nn.Module):
    """A network, its preparation, and the names of its classes.

    As a module it gives probabilities ``(B, K)`` of raw images ``(B, C, H, W)``.

    Args:
        model: gives class scores of prepared images.
        card: says how images are prepared, what they were like, and what the classes are called.
    """

    def __init__(self, model: nn.Module, card: ModelCard) -> None:
        super().__init__()
        self.prepare = Preparation(card.steps)
        self.model = model
        self.card = card
        self.eval()

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names, ``'0'``, ``'1'``, ... where nobody said."""
        count = int(self.card.settings.get("classes", 3))
        return self.card.classes or tuple(map(str, range(count)))

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities ``(B, K)`` of raw images ``(B, C, H, W)``."""
        scores: Tensor = self.model(self.prepare(x))
        return scores.softmax(1)

    @torch.no_grad()
    def predict(
        self,
        images: Tensor | NDArray[Any] | str | os.PathLike[str],
        names: Sequence[str] | None = None,
        *,
        batch_size: int = 64,
    ) -> pd.DataFrame:
        """What the network says of raw images.

        Args:
            images: ``(N, C, H, W)``, ``(N, H, W)`` of one channel, one image file, or a folder of
                image files, also in folders inside it. Files may be of any kind and bit depth
                that `equivlab.data.read_image` takes, and of several sizes.
            names: of the images; their numbers or paths by default.
            batch_size: images at a time.

        Returns:
            A row for each image: ``image``, its most probable ``class`` with its ``probability``,
            the probability ``p(...)`` of each class, and a ``remark`` where the image is unlike
            the training images or could not be read (then without a class).

        Raises:
            FileNotFoundError: no such file or folder, or no images in it.
            ValueError: images of another number of channels or axes, NaN in an array, or one file
                that cannot be read.

        Warns:
            UnlikeImagesWarning: some images are unlike those of the training; what to do.
        """
        if isinstance(images, str | os.PathLike):
            stream = self._checked(_from_files(Path(images)), opacity=True)
        else:
            stream = self._checked(_from_array(images, names), opacity=False)
        if self.card.prepare and not self.card.steps:
            warnings.warn(
                "The card has no steps of preparation, so images are taken as prepared. It says: "
                f"{self.card.prepare}",
                UnlikeImagesWarning,
                stacklevel=2,
            )
        rows: list[dict[str, Any]] = []
        for batch in _batched(stream, batch_size):
            rows += self._rows(batch)
        self._warn(rows)
        return _table(rows, self.classes)

    def _checked(self, stream: Iterator[Named], opacity: bool) -> Iterator[Named]:
        wanted = int(self.card.settings.get("in_channels", 1))
        for name, image in stream:
            if isinstance(image, Tensor):
                image = as_channels(image, wanted, name, opacity=opacity)
            yield name, image

    def _rows(self, batch: list[Named]) -> list[dict[str, Any]]:
        if isinstance(batch[0][1], str):
            return [{"image": name, "remark": reason} for name, reason in batch]
        x = torch.stack([image for _, image in batch if isinstance(image, Tensor)])
        weight = next(self.model.parameters())
        was = self.training
        self.eval()
        chances = self(x.to(weight.device, weight.dtype)).double().cpu()
        self.train(was)
        best = chances.argmax(1).tolist()
        called = [self.classes[k] for k in best]
        said = remarks(x, self.prepare, self.card.seen, called)
        return [
            {"image": name, "class": word, "probability": float(row.max()), "remark": why}
            | {f"p({c})": float(p) for c, p in zip(self.classes, row, strict=True)}
            for (name, _), row, word, why in zip(batch, chances, called, said, strict=True)
        ]

    def _warn(self, rows: list[dict[str, Any]]) -> None:
        unlike = [row for row in rows if row["remark"]]
        if unlike:
            first = unlike[0]
            warnings.warn(
                f"{len(unlike)} of {len(rows)} images are unlike those of the training, or cannot "
                f"be read; the first is {first['image']}: {first['remark']}. The column remark has "
                "them all.",
                UnlikeImagesWarning,
                stacklevel=3,
            )


def load_classifier(name: str | os.PathLike[str]) -> Classifier:
    """A trained network with its preparation, by its name in the package or by a path.

    Args:
        name: of `pretrained_names`, or a file of `save_pretrained` or of the command ``finetune``;
            a folder of that command stands for the file in it.

    Raises:
        FileNotFoundError: neither a name nor a file.
        ValueError: a file that was altered, or has no card, or one of another network.
    """
    inside = Path(name) / "model.safetensors"
    return Classifier(*load_pretrained(inside if inside.is_file() else name))


def image_files(folder: Path) -> list[Path]:
    """All images in a folder and in folders inside it, sorted; nothing that is hidden.

    Raises:
        FileNotFoundError: no such folder, or none in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no file or folder {folder}. Is its name right?")
    inside = sorted(path for path in folder.rglob("*") if is_image(path.name) and path.is_file())
    found = [path for path in inside if all(map(is_visible, path.relative_to(folder).parts))]
    if not found:
        raise FileNotFoundError(f"{folder} has no images. Images end in {ENDINGS}.")
    return found


def as_channels(image: Tensor, wanted: int, name: str, *, opacity: bool) -> Tensor:
    """An image ``(C, H, W)`` in as many channels as wanted: gray that was stored as color is gray.

    Args:
        image: the image.
        wanted: channels.
        name: of the image, for the message.
        opacity: whether it is a picture, whose fourth channel says how opaque a pixel is, and
            goes, and which is the same in gray and in color.

    Raises:
        ValueError: other channels; the message says what to do.
    """
    if opacity and len(image) == 4 and wanted != 4:
        image = image[:3]
    if opacity and len(image) == 1 and wanted == 3:
        image = image.expand(3, -1, -1)
    if wanted == 1 and len(image) == 3 and bool((image == image[:1]).all()):
        image = image[:1]
    if len(image) != wanted or min(image.shape[1:]) < SMALLEST:
        how = "take one channel, images[:, :1], or their mean, images.mean(1, keepdim=True)"
        more = "repeat the channel if that means the same, images.expand(-1, {}, -1, -1)"
        raise ValueError(
            f"The network takes images ({wanted}, H, W) of {SMALLEST} pixels or more; {name} has "
            f"{tuple(image.shape)}. To change that, "
            f"{how if len(image) > wanted else more.format(wanted)}."
        )
    return image


def _from_array(images: Tensor | NDArray[Any], names: Sequence[str] | None) -> Iterator[Named]:
    if isinstance(images, np.ndarray):
        images = torch.from_numpy(np.ascontiguousarray(native(images)))
    if images.dim() == 3:
        images = images[:, None]
    if images.dim() != 4 or images.is_complex():
        raise ValueError(
            "predict takes real images (N, C, H, W), or (N, H, W) of one channel; got "
            f"{tuple(images.shape)} of {images.dtype}. One image: image[None]."
        )
    if names is not None and len(names) != len(images):
        raise ValueError(f"predict got {len(names)} names for {len(images)} images.")
    broken = (~images.isfinite()).flatten(1).any(1).nonzero()[:, 0].tolist()
    if broken:
        raise ValueError(
            f"{len(broken)} of {len(images)} images have NaN or infinity; the first is number "
            f"{broken[0]}. Leave them out, or fill the gaps: images.nan_to_num(0)."
        )
    for n, image in enumerate(images):
        yield (str(n) if names is None else names[n]), image


def _from_files(path: Path) -> Iterator[Named]:
    files = [path] if path.is_file() else image_files(path)
    for file in files:
        name = file.name if path.is_file() else file.relative_to(path).as_posix()
        try:
            image = read_image(file)
        except ValueError as error:
            if path.is_file():
                raise
            yield name, str(error).rstrip(".")
            continue
        finite = bool(image.isfinite().all())
        yield name, image if finite else "NaN or infinity in it; fill the gaps"


def _batched(stream: Iterator[Named], most: int) -> Iterator[list[Named]]:
    """Runs of images of one shape and dtype, or of what is none."""
    batch: list[Named] = []
    kind: object = None
    for name, image in stream:
        now = (image.shape, image.dtype) if isinstance(image, Tensor) else None
        if batch and (now != kind or len(batch) >= most):
            yield batch
            batch = []
        batch.append((name, image))
        kind = now
    if batch:
        yield batch


def _table(rows: list[dict[str, Any]], classes: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    columns = ["image", "class", "probability", *(f"p({name})" for name in classes), "remark"]
    return pd.DataFrame(rows, columns=columns)
