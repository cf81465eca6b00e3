"""Images in memory, parts of a set, and a share of every class."""

from __future__ import annotations

import pytest
import torch

from equivlab.data.sets import Batches, TensorImages, stratified


def test_a_share_of_every_class() -> None:
    labels = torch.arange(300) % 3
    few, more = stratified(labels, 0.01, seed=1), stratified(labels, 0.3, seed=1)
    assert labels[few].bincount().tolist() == [1, 1, 1]
    assert labels[more].bincount().tolist() == [30, 30, 30]
    assert set(few.tolist()) < set(more.tolist())
    with pytest.raises(ValueError, match="above 0 and up to 1; got 0"):
        stratified(labels, 0.0)


def test_labels_of_any_form_are_taken() -> None:
    images = torch.arange(4.0).view(4, 1, 1, 1)
    for labels in (
        torch.tensor([2, 0, 1, 2]),
        torch.tensor([[2], [0], [1], [2]]),
        torch.tensor([2, 0, 1, 2], dtype=torch.uint8),
        torch.tensor([2.0, 0, 1, 2]),
    ):
        found = TensorImages(images, labels)
        assert found.labels().tolist() == [2, 0, 1, 2]
        assert found.labels().dtype == torch.int64
        x, y = found.batch([3, 1])
        assert (x.flatten().tolist(), y.tolist()) == ([3, 1], [2, 0])
    with pytest.raises(ValueError, match="4 images and 3 labels"):
        TensorImages(images, torch.zeros(3).long())


def test_a_part_knows_its_labels_and_classes() -> None:
    names = ("no_sub", "cdm", "axion")
    images = TensorImages(torch.zeros(4, 1, 2, 2), torch.tensor([2, 0, 1, 2]), names)
    part = Batches(images, torch.tensor([3, 1]))
    assert part.classes == names
    assert part.labels().tolist() == [2, 0]
    assert [tuple(t.shape) for t in part[[]]] == [(0, 1, 2, 2), (0,)]
    with pytest.raises(ValueError, match=r"0 to 1; got 2 and 1 more"):
        TensorImages(images.images, images.labels(), names[:2])
