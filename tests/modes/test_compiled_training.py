"""A network that torch compiles and trains: layers between convolutions, whose maps it lays anew.

A layer alone keeps its memory format. Between two convolutions the compiler lays maps channels
last, and what it believes of the strides of its operators is put to the test.
"""

from __future__ import annotations

import shutil

import pytest
import torch
from torch import Tensor, nn

from equivlab.groups import P4
from equivlab.nn import GroupAlign2d, GroupConv2d, GroupDownsample2d, GroupPad2d, LiftingConv2d
from tests.laws import relative


def network() -> nn.Sequential:
    """What frames maps by their edges, each behind a convolution and before one."""
    torch.manual_seed(0)
    between = (
        GroupDownsample2d(P4, 6),
        GroupPad2d(P4, 6, 3, "replicate"),
        GroupAlign2d(P4, 6, 2, 2),
    )
    layers: list[nn.Module] = [LiftingConv2d(P4, 1, 6, 3, padding=1, padding_mode="replicate")]
    for layer in between:
        layers += [layer, GroupConv2d(P4, 6, 6, 3, padding=1, padding_mode="replicate")]
    return nn.Sequential(*layers)


def gradients(model: nn.Module, called: nn.Module, x: Tensor) -> list[Tensor]:
    model.zero_grad()
    called(x).square().mean().backward()
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


@pytest.mark.slow
def test_training_compiled_is_training() -> None:
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        pytest.skip("torch.compile needs a C++ compiler, and none is in the path")
    torch._dynamo.reset()
    model, x = network(), torch.randn(2, 1, 17, 17)
    wanted = gradients(model, model, x)
    found = gradients(model, torch.compile(model), x)  # type: ignore[arg-type]
    assert len(found) == len(list(model.parameters()))
    for one, other in zip(found, wanted, strict=True):
        assert relative(one, other) < 1e-4
