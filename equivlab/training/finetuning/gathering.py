"""Images of all sorts, in a folder for each class or in an archive of arrays, for one training."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from equivlab.data.arrays import in_words
from equivlab.data.paths import is_visible
from equivlab.data.sets.batches import TensorImages, stratified
from equivlab.data.sets.folders import FolderImages
from equivlab.data.sets.reading import read_image
from equivlab.training.finetuning.arrays import MOST_BYTES, PARTS, Entry, from_archive
from equivlab.weights.classifier import as_channels
from equivlab.weights.preparation import resize, square

__all__ = ["Gathered", "gather"]

SHARE = 0.15  # of the images for validation, and for the test
FEWEST = 3  # images of a class: one to learn from, to choose by, and to be judged by
SMALLEST = 8  # pixels a side that show something
LARGEST = 160  # pixels a side that are kept where all images have one size


@dataclass(frozen=True)
class Gathered:
    """Images in memory, all of one size, and who is for what.

    Attributes:
        images: ``(N, C, H, W)``.
        labels: ``(N,)``.
        classes: their names.
        names: of the images, paths in the folder.
        parts: for ``train``, ``validate`` and ``test`` the numbers of their images.
        shapes: rows and columns that the images had.
        broken: why files were left out.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    names: list[str]
    parts: dict[str, Tensor]
    shapes: set[tuple[int, int]]
    broken: list[str]

    def part(self, name: str) -> TensorImages:
        """``train``, ``validate`` or ``test`` as a set with the names of its classes."""
        these = self.parts[name]
        return TensorImages(self.images[these], self.labels[these], self.classes)


def gather(
    folder: Path, *, size: int | None = None, fallback: int = 64, seed: int = 0,
    progress: bool = True,
) -> Gathered:  # fmt: skip
    """Read a folder of classes, or an ``.npz`` of arrays, and share its images out.

    A folder has a folder for each class, or ``train``, ``validate`` and ``test`` with such
    folders. An archive has ``train_images`` and ``train_labels`` (and ``val_``, ``test_``), as
    MedMNIST's have. What is not shared out yet is, by the seed, the same shares of every class.
    Files that cannot be read are left out, each with a reason. Gray among colors becomes three
    equal channels.

    Args:
        folder: where they are.
        size: rows and columns that all images are brought to; by default their own where it is
            one for all, square and at most 160, else `fallback`.
        fallback: see `size`.
        seed: of the shares.
        progress: show a bar.

    Raises:
        FileNotFoundError: no such folder, or one without folders of images.
        ValueError: fewer than two classes, too few images in one, images that do not belong
            together, or more than memory should hold.
    """
    if size is not None and size < SMALLEST:
        raise ValueError(f"Images are brought to {SMALLEST} pixels or more; got a size of {size}.")
    if not folder.exists():
        raise FileNotFoundError(f"There is no folder {folder}. Is its name right?")
    broken: list[str] = []
    if folder.is_file():
        entries, classes = from_archive(folder, broken)
    else:
        entries, classes = _from_folders(folder, broken, progress)
    if broken:
        more = f", and {len(broken) - 1} more" if len(broken) > 1 else ""
        warnings.warn(f"Left out: {broken[0].rstrip('.')}{more}", stacklevel=2)
    if len(classes) < 2:
        raise ValueError(
            f"{folder} has one class, {classes[0]}. Make a folder for each class, two or more."
        )
    shapes = {tuple(image.shape[1:]) for part in entries.values() for _, image, _ in part}
    side = size or _side(shapes, fallback)
    flat = [entry for part in entries.values() for entry in part]
    images = _together([image for _, image, _ in flat], [name for name, _, _ in flat], side)
    labels = torch.tensor([label for _, _, label in flat])
    parts, start = {}, 0
    for name, part in entries.items():
        parts[name] = torch.arange(start, start + len(part))
        start += len(part)
    _share_out(parts, labels, classes, seed)
    return Gathered(images, labels, classes, [name for name, _, _ in flat], parts, shapes, broken)  # type: ignore[arg-type]


def _from_folders(
    root: Path, broken: list[str], progress: bool
) -> tuple[dict[str, list[Entry]], tuple[str, ...]]:
    found = _parts_of(root)
    train = FolderImages(found["train"])
    sets = {part: _same_classes(train, where) for part, where in found.items()}
    entries: dict[str, list[Entry]] = {part: [] for part in sets}
    total = sum(map(len, sets.values()))
    with tqdm(total=total, unit="image", desc="reading", disable=not progress) as bar:
        for part, images in sets.items():
            for path, label in images.files:
                bar.update()
                name = path.relative_to(root).as_posix()
                try:
                    image = read_image(path)
                except ValueError as error:
                    broken.append(str(error))
                    continue
                if bool(image.isfinite().all()):
                    entries[part].append((name, image, label))
                else:
                    broken.append(f"{path} has NaN or infinity in it; fill the gaps.")
    return entries, train.classes


def _parts_of(root: Path) -> dict[str, Path]:
    """The folders of ``train``, ``validate`` and ``test``, however they are written."""
    inside = {path.name.lower(): path for path in root.iterdir() if path.is_dir()}
    found = {
        part: inside[name] for part, names in PARTS.items() for name in names if name in inside
    }
    if "train" in found or not found:
        return found or {"train": root}
    others = set(inside) - {path.name.lower() for path in found.values()}
    if others:  # classes of these names, beside others
        return {"train": root}
    raise FileNotFoundError(
        f"{root} has {', '.join(path.name for path in found.values())} and no folder train. Call "
        "what it should learn from train, or give a folder with a folder for each class."
    )


def _same_classes(train: FolderImages, part: Path) -> FolderImages:
    """The images of another part, numbered as the training images are."""
    inside = {path.name for path in part.iterdir() if path.is_dir() and is_visible(path.name)}
    unknown = sorted(inside - set(train.classes))
    if unknown:
        raise ValueError(
            f"{part} has the class {unknown[0]}, and {train.root} has {', '.join(train.classes)}. "
            "Give the folders of a class the same name in all parts."
        )
    return FolderImages(part, classes=train.classes)


def _side(shapes: set[tuple[int, ...]], fallback: int) -> int:
    """One square size for all of them."""
    if len(shapes) == 1:
        height, width = next(iter(shapes))
        if height == width <= LARGEST:
            return height
    return fallback


def _together(images: list[Tensor], names: list[str], side: int) -> Tensor:
    """All in one tensor ``(N, C, side, side)``."""
    gray = all(_is_gray(image) for image in images)
    counts = {
        1 if gray else min(len(image), 3) if len(image) in (3, 4) else len(image)
        for image in images
    }
    channels = 1 if gray else max(counts)
    wanted = len(images) * channels * side**2 * 4
    if wanted > MOST_BYTES:
        raise ValueError(
            f"{len(images):,} images of {side}×{side} take {in_words(wanted)}, and "
            f"{in_words(MOST_BYTES)} are allowed. Take a smaller --size, or write shards and use "
            "the command train."
        )
    stack = torch.empty(len(images), channels, side, side)
    for place, image, name in zip(stack, images, names, strict=True):
        place[...] = resize(square(as_channels(image, channels, name, opacity=True))[None], side)[0]
    return stack


def _is_gray(image: Tensor) -> bool:
    return len(image) == 1 or (len(image) in (3, 4) and bool((image[:3] == image[:1]).all()))


def _share_out(parts: dict[str, Tensor], labels: Tensor, classes: Sequence[str], seed: int) -> None:
    """Take what is missing of ``validate`` and ``test`` from ``train``, in place."""
    for name in ("test", "validate"):
        if name in parts:
            continue
        here = labels[parts["train"]]
        counts = here.bincount(minlength=len(classes))
        poor = [
            classes[k] for k in range(len(classes)) if counts[k] < FEWEST - (name == "validate")
        ]
        if poor:
            raise ValueError(
                f"The class {poor[0]} has {int(counts[list(classes).index(poor[0])])} images that "
                f"can be read; {FEWEST} are the fewest: to learn from, to choose by, to be judged "
                "by. Add some, or leave the class out."
            )
        chosen = stratified(here, SHARE, seed)
        rest = torch.ones(len(here), dtype=torch.bool)
        rest[chosen] = False
        parts[name], parts["train"] = parts["train"][chosen], parts["train"][rest]
    for name in PARTS:
        parts[name] = parts.pop(name)  # in this order
    for name, these in parts.items():
        missing = (labels[these].bincount(minlength=len(classes)) == 0).nonzero()[:, 0].tolist()
        if missing:
            raise ValueError(f"The part {name} has no image of {classes[missing[0]]}. Add some.")
