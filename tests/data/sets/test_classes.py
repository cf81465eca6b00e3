"""Labels are checked, and classes matched by name."""

from __future__ import annotations

import pytest
import torch

from equivlab.data.sets import TensorImages, class_labels, class_names, in_order


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.eye(3), r"got \(3, 3\)\. One-hot rows become labels by labels.argmax\(1\)"),
        (torch.zeros(2).long(), r"each of the 3 images; got \(2,\)"),
        (torch.zeros(()).long(), r"got \(\)"),
        (torch.tensor([0, -100, 1]), "0 to 2; got -100 and 0 more"),
        (torch.tensor([0, 3, 4]), "0 to 2; got 3 and 1 more"),
        (torch.tensor([0.5, 1, 2]), "got 0.5 and 0 more"),
        (torch.tensor([float("nan"), 1, 2]), "got nan"),
    ],
)
def test_what_is_no_label(labels: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        class_labels(labels, 3, 3)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.uint32, torch.uint64])
def test_numbers_without_a_sign(dtype: torch.dtype) -> None:
    """NumPy makes labels of all of them, and torch mixes none but the first with others."""
    labels = torch.tensor([0, 2, 1]).to(dtype)
    assert class_labels(labels, 3, 3).tolist() == [0, 2, 1]
    with pytest.raises(ValueError, match="0 to 1; got 2 and 0 more"):
        class_labels(labels, 3, 2)


def test_no_images_have_no_labels() -> None:
    assert class_labels(torch.zeros(0), 0).shape == (0,)


def test_classes_in_another_order() -> None:
    folders, shards = ("axion", "cdm", "no_sub"), ("no_sub", "cdm", "axion")
    images = TensorImages(torch.arange(3.0).view(3, 1, 1, 1), torch.tensor([0, 1, 2]), folders)
    found = in_order(images, shards)
    assert class_names(found) == shards
    assert found.labels().tolist() == [2, 1, 0]
    x, y = found.batch([2, 0])
    assert (x.flatten().tolist(), y.tolist()) == ([2, 0], [0, 2])
    assert len(found) == 3
    assert in_order(images, folders) is images
    assert in_order(images, None) is images


@pytest.mark.parametrize("other", [("no_sub", "CDM", "axion"), ("no_sub", "cdm")])
def test_other_names_are_refused(other: tuple[str, ...]) -> None:
    images = TensorImages(torch.zeros(2, 1, 1, 1), torch.tensor([0, 1]), other)
    with pytest.raises(ValueError, match=f"{', '.join(other)} in TensorImages, and axion, cdm, no"):
        in_order(images, ("axion", "cdm", "no_sub"))


def test_labels_of_one_byte_are_no_mask() -> None:
    class Bytes(TensorImages):
        def labels(self) -> torch.Tensor:
            return super().labels().to(torch.uint8)

    images = Bytes(torch.zeros(3, 1, 1, 1), torch.tensor([0, 1, 1]), ("a", "b"))
    assert in_order(images, ("b", "a")).labels().tolist() == [1, 0, 0]
