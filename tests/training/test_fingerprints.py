"""A set is recognised by what is in it."""

from __future__ import annotations

import torch

from equivlab.data.sets import Batches, TensorImages
from equivlab.training.fingerprints import fingerprint

IMAGES = torch.arange(5 * 9.0).view(5, 1, 3, 3)
LABELS = torch.tensor([0, 1, 2, 1, 0])


def of(images: torch.Tensor = IMAGES, labels: torch.Tensor = LABELS, *more: object) -> str:
    return fingerprint(Batches(TensorImages(images, labels), *more))  # type: ignore[arg-type]


def test_it_says_what_a_reader_asks() -> None:
    assert of().startswith("5 images of 1×3×3 in 3 classes, checksum ")
    named = TensorImages(IMAGES, LABELS, ("no_sub", "cdm", "axion"))
    assert "5 images of 1×3×3 in no_sub/cdm/axion, checksum" in fingerprint(Batches(named))


def test_the_same_images_elsewhere_are_the_same() -> None:
    assert of() == of(IMAGES.clone(), LABELS.int())


def test_other_images_are_others() -> None:
    changed = [IMAGES.clone() for _ in range(3)]
    for n, images in zip((0, 2, 4), changed, strict=True):
        images[n, 0, 1, 1] += 1e-3
    others = [of(images) for images in changed]
    others += [of(IMAGES, LABELS.flip(0).roll(1)), of(IMAGES.double()), of(IMAGES[:4], LABELS[:4])]
    others.append(of(IMAGES, LABELS, torch.tensor([0, 1, 2, 4, 3])))
    assert len({of(), *others}) == 8


def test_images_that_change_when_they_are_read_again_do_not_count() -> None:
    class Random(TensorImages):
        def batch(self, indices: object) -> tuple[torch.Tensor, torch.Tensor]:
            x, y = super().batch(indices)  # type: ignore[arg-type]
            return x + torch.rand(()), y

    one, other = (fingerprint(Batches(Random(IMAGES, LABELS))) for _ in range(2))
    assert one == other


def test_images_with_nan_are_the_same_images() -> None:
    images = IMAGES.clone()
    images[0] = torch.nan
    assert of(images) == of(images.clone()) != of()
