"""What a planar layer cannot take or be: each refusal names the remedy."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from equivlab.groups import P4, P4M
from equivlab.nn import (
    GroupAvgPool2d,
    GroupBatchNorm,
    GroupConv2d,
    GroupDownsample2d,
    GroupDropout,
    GroupLayerNorm,
    GroupMaxPool2d,
    GroupPool,
    InvariantReadout,
    LiftingConv2d,
)

CALLS = [
    (LiftingConv2d(P4, 3, 4, 3), torch.zeros(3, 9, 9), r"x\[None\]"),
    (LiftingConv2d(P4, 3, 4, 3), torch.zeros(2, 1, 9, 9), "1 channels, not 3"),
    (LiftingConv2d(P4, 3, 4, 3), torch.zeros(2, 3, 4, 9, 9), r"GroupPool\(P4, 3\)"),
    (LiftingConv2d(P4, 3, 4, 3), torch.zeros(0, 3, 9, 9), "empty. Skip empty batches"),
    (LiftingConv2d(P4, 3, 4, 5), torch.zeros(2, 3, 4, 4), "5 pixels a side or more; got"),
    (LiftingConv2d(P4, 3, 4, 5), torch.zeros(2, 3, 9, 4), r"Use padding=2 with 'zeros'"),
    (
        LiftingConv2d(P4, 1, 4, 7, padding=3, padding_mode="reflect"),
        torch.zeros(2, 1, 3, 3),
        "4 pixels a side or more",
    ),
    (
        GroupConv2d(P4, 3, 4, 3),
        torch.zeros(8, 3, 28, 28),
        r"GroupConv2d\(P4, 3\) takes \(B, 3, 4, H, W\); got \(8, 3, 28, 28\). "
        r"Lift it first: LiftingConv2d\(P4, 3, ...\)",
    ),
    (GroupConv2d(P4M, 3, 4, 3), torch.zeros(2, 3, 4, 9, 9), "4 group elements and P4M has 8"),
    (GroupConv2d(P4, 3, 4, 3), torch.zeros(2, 3, 8, 9, 9), "8 group elements and P4 has 4"),
    # As many maps in all, differently shared out:
    (GroupConv2d(P4, 6, 4, 3), torch.zeros(2, 3, 8, 9, 9), "8 group elements and P4 has 4"),
    (GroupConv2d(P4, 3, 4, 3), torch.zeros(0, 3, 4, 9, 9), "empty. Skip empty batches"),
    (GroupConv2d(P4, 3, 4, 3), torch.zeros(2, 3, 4, 0, 9), "empty. Skip empty batches"),
    (GroupConv2d(P4, 3, 4, 3), torch.zeros(2, 4, 4, 9, 9), "4 channels, not 3"),
    (GroupConv2d(P4, 3, 4, 5), torch.zeros(2, 3, 4, 4, 9), "5 pixels a side or more; got"),
    (GroupConv2d(P4, 3, 4, 3), torch.zeros(2, 3, 4, 9, 9).double(), r"float64. Convert .*x.to"),
    (GroupConv2d(P4, 3, 4, 3), torch.zeros(2, 3, 4, 9, 9, device="meta"), r"weights on cpu; got"),
    (GroupBatchNorm(P4, 3), torch.zeros(2, 3, 9, 9), r"LiftingConv2d\(P4, 3, ...\)"),
    (GroupBatchNorm(P4, 3), torch.zeros(2, 3, 4, 9, 9).double(), "float64"),
    (GroupLayerNorm(P4, 3), torch.zeros(2, 3, 8, 9, 9), "8 group elements"),
    (GroupDropout(P4, 3), torch.zeros(2, 3, 9, 9), r"LiftingConv2d\(P4, 3, ...\)"),
    (GroupMaxPool2d(P4, 3, 2), torch.zeros(2, 3, 4, 1, 1), "Use a smaller kernel_size"),
    (GroupAvgPool2d(P4, 3, 3), torch.zeros(2, 3, 4, 2, 5), "Use a smaller kernel_size"),
    (GroupDownsample2d(P4, 3), torch.zeros(2, 4, 4, 8, 8), "4 channels, not 3"),
    (GroupPool(P4, 3), torch.zeros(2, 3, 9, 9), r"LiftingConv2d\(P4, 3, ...\)"),
    (InvariantReadout(P4, 3), torch.zeros(2, 3), "5 axes, not 2"),
]


@pytest.mark.parametrize(("layer", "x", "words"), CALLS)
def test_wrong_tensors(layer: torch.nn.Module, x: Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        layer(x)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(2, 3, 9, 9, dtype=torch.uint8), r"uint8. Convert them: x.float\(\)"),
        ([[1.0]], "got list. Convert it: torch.as_tensor"),
    ],
)
def test_wrong_types(x: object, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        LiftingConv2d(P4, 3, 4, 3)(x)


MISTAKES: list[tuple[Callable[[], object], str]] = [
    (lambda: LiftingConv2d(P4, 1, 2, (3, 5)), "kernel_size must be one number or an equal pair"),
    (lambda: LiftingConv2d(P4, 1, 2, 3, stride=(1, 2)), "stride must be one number"),
    (lambda: LiftingConv2d(P4, 1, 2, 0), "kernel_size must be 1 or more; got 0"),
    (lambda: LiftingConv2d(P4, 0, 2, 3), "in_channels must be 1 or more"),
    (lambda: GroupConv2d(P4, 3, 4, 3, groups=2), "groups=2 must divide in_channels=3"),
    (lambda: GroupConv2d(P4, 1, 2, 3, padding=-1), "padding must be 0 or more"),
    (lambda: GroupConv2d(P4, 1, 2, 3, padding="full"), "'same' or 'valid'; got 'full'"),
    (lambda: GroupConv2d(P4, 1, 2, 3, 2, padding="same"), "needs stride 1.*GroupDownsample2d"),
    (lambda: GroupConv2d(P4, 1, 2, 3, padding_mode="mirror"), "padding_mode is one of 'zeros'"),
    (lambda: GroupDropout(P4, 1, p=1.5), "probability from 0 to 1"),
    (lambda: GroupMaxPool2d(P4, 1, 2, padding=2), "padding up to half"),
    (lambda: GroupDownsample2d(P4, 1, 0), "stride must be 1 or more"),
    (lambda: GroupDownsample2d(P4, 1, 2, "edge"), "padding_mode is one of"),
    (lambda: GroupPool(P4, 1, "sum"), "mode is one of max, mean, norm; got 'sum'"),
    (lambda: InvariantReadout(P4, 1, space="sum"), "space is one of mean, max"),
]


@pytest.mark.parametrize(("make", "words"), MISTAKES)
def test_layers_that_cannot_be(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
