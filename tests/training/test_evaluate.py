"""Accuracy: right for labels of every form, refused where it would mean nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from equivlab.training import accuracy, predict

IMAGES = torch.eye(4)[:, :, None, None]  # image n is class n


@pytest.mark.parametrize(
    "labels",
    [
        torch.arange(4),
        torch.arange(4)[:, None],
        torch.arange(4, dtype=torch.uint8),
        torch.arange(4, dtype=torch.int16)[:, None],
        torch.arange(4.0),
    ],
)
def test_labels_of_any_form(labels: torch.Tensor) -> None:
    assert accuracy(nn.Flatten(), IMAGES, labels) == 1.0
    assert accuracy(nn.Flatten(), IMAGES, labels.flip(0)) == 0.0


def test_what_has_no_accuracy() -> None:
    class Broken(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1) * torch.tensor([1, float("nan")] * 2)[:, None]

    with pytest.raises(ValueError, match=r"scores of 2 of 4 images are NaN, the first is number 1"):
        accuracy(Broken(), IMAGES, torch.zeros(4).long())
    with pytest.raises(ValueError, match=r"labels.argmax\(1\)"):
        accuracy(nn.Flatten(), IMAGES, torch.eye(4))
    with pytest.raises(ValueError, match="each of the 4 images"):
        accuracy(nn.Flatten(), IMAGES, torch.zeros(1).long())
    with pytest.raises(ValueError, match="0 to 3; got 4"):
        accuracy(nn.Flatten(), IMAGES, torch.arange(1, 5))
    with pytest.raises(ValueError, match=r"one image or more; got \(0, 4\)"):
        accuracy(nn.Flatten(), IMAGES[:0], torch.zeros(0).long())


def test_a_class_that_is_ruled_out_may_have_minus_infinity() -> None:
    class Masked(nn.Flatten):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).log()

    assert accuracy(Masked(), IMAGES, torch.arange(4)) == 1.0


def test_each_part_of_a_network_keeps_its_mode() -> None:
    """A norm that is frozen stays so while the rest goes on learning."""
    model = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(16, 4), nn.Dropout())
    model.train()[0].eval()
    predict(model, torch.randn(3, 1, 4, 4))
    assert [part.training for part in model.modules()] == [True, False, True, True, True]


def test_a_network_without_weights_predicts() -> None:
    assert torch.equal(predict(nn.Flatten(), IMAGES, batch_size=3), torch.eye(4))
