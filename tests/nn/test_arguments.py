"""Every layer's constructor: what it counts in, where it lives, how many arguments it takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import equivlab.nn
from equivlab.groups import P4
from equivlab.nn import (
    GroupAvgPool2d,
    GroupConv2d,
    GroupDownsample2d,
    GroupMaxPool2d,
    GroupPool,
    HealpixToSphere,
    InvariantReadout,
    IrrepAvgPool3d,
    IrrepDownsample3d,
    LiftingConv2d,
    PointConv,
    S2Conv,
    S2Moments,
    SO3Activation,
    SO3Conv,
    SO3Integrate,
    SO3Moments,
    SpinActivation,
    SpinConv,
    SteerableConv3d,
)
from equivlab.nn.base import integer
from equivlab.nn.space import RadialBasis
from equivlab.nn.window import one_side
from tests.nn.cases import public_layers

COUNTED: dict[str, Callable[[Callable[[int], Any]], nn.Module]] = {
    "LiftingConv2d": lambda n: LiftingConv2d(P4, n(1), n(2), n(3), n(1), n(1), n(2), n(1)),
    "GroupConv2d": lambda n: GroupConv2d(P4, n(2), n(4), (n(3), n(3)), n(2), n(0), n(1), n(2)),
    "GroupMaxPool2d": lambda n: GroupMaxPool2d(P4, n(2), n(3), n(2), n(1), n(1)),
    "GroupAvgPool2d": lambda n: GroupAvgPool2d(P4, n(2), n(2), n(1), n(1)),
    "GroupDownsample2d": lambda n: GroupDownsample2d(P4, n(2), n(3)),
    "GroupPool": lambda n: GroupPool(P4, n(2)),
    "InvariantReadout": lambda n: InvariantReadout(P4, n(2)),
    "S2Conv": lambda n: S2Conv(n(1), n(2), n(4), n(3), None, n(1)),
    "SO3Conv": lambda n: SO3Conv(n(1), n(2), n(3), n(3), None, n(1)),
    "SpinConv": lambda n: SpinConv(n(1), n(2), n(3), n(3), n(1), n(1), None, n(2)),
    "SpinActivation": lambda n: SpinActivation(n(1), n(3), n(1), n(0), angles=n(5)),
    "SO3Activation": lambda n: SO3Activation(n(1), n(3)),
    "SO3Integrate": lambda n: SO3Integrate(n(1), n(3)),
    "SO3Moments": lambda n: SO3Moments(n(1), n(3), tilts=(n(1),)),
    "S2Moments": lambda n: S2Moments(n(1), n(3)),
    "HealpixToSphere": lambda n: HealpixToSphere(n(1), n(4), n(5)),
    "SteerableConv3d": lambda n: SteerableConv3d("1x0e", "1x1o", n(3), n(1), n(1), n(1), lmax=n(1)),
    "PointConv": lambda n: PointConv("1x0e", "1x1o", n(2), n(1), n(4), n(8)),
    "IrrepAvgPool3d": lambda n: IrrepAvgPool3d("1x0e", n(2), n(1), n(1)),
    "IrrepDownsample3d": lambda n: IrrepDownsample3d("1x0e", n(2), n(8)),
}


@pytest.mark.parametrize("name", COUNTED)
@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8], ids=lambda kind: kind.__name__)
def test_integers_of_numpy_are_integers(name: str, kind: Callable[[int], Any]) -> None:
    """The same layer as from Python's own: it prints alike and keeps no NumPy behind."""
    torch.manual_seed(0)
    wanted = COUNTED[name](int)
    torch.manual_seed(0)
    found = COUNTED[name](kind)
    assert repr(found) == repr(wanted)
    assert "np." not in repr(found)
    for key, value in wanted.state_dict().items():
        assert torch.equal(found.state_dict()[key], value)
    numbers = {k: v for k, v in vars(found).items() if isinstance(v, np.generic)}
    assert not numbers


@pytest.mark.parametrize("value", [2.0, True, "2", None, np.float32(2), np.bool_(True)], ids=repr)
def test_what_is_no_whole_number(value: Any) -> None:
    with pytest.raises(TypeError, match="channels must be a whole number; got"):
        integer(value, "channels", "Layer")
    with pytest.raises(TypeError, match="in_channels must be a whole number; got"):
        S2Conv(value, 2, 4, 4)
    with pytest.raises(TypeError, match="kernel_size must be a whole number; got"):
        LiftingConv2d(P4, 1, 2, value)


@pytest.mark.parametrize(
    ("sides", "axes", "message"),
    [
        ((), 2, "equal pair; got"),
        ((3,), 2, "equal pair; got"),
        ((3, 3, 3), 2, "Use stride=3"),
        ([3, 5], 2, "Use stride=3"),
        ((2, 2), 3, "three equal ones"),
        ((0, 0), 2, "1 or more; got 0"),
    ],
)
def test_sides_that_differ(sides: Any, axes: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        one_side(sides, axes, "stride", "Layer")


LAYERS = public_layers() | {"RadialBasis": RadialBasis}


@pytest.mark.parametrize("name", LAYERS)
def test_at_most_eight_arguments_by_position(name: str) -> None:
    found = inspect.signature(LAYERS[name]).parameters.values()
    by_position = [p.name for p in found if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert len(by_position) <= 8, by_position


def test_device_and_dtype_of_a_part() -> None:
    """Those of the layers themselves: `test_every_layer.test_home`."""
    kept = list(RadialBasis(4, 2.0, device="meta", dtype=torch.float64).buffers())
    assert kept
    assert {(numbers.device.type, numbers.dtype) for numbers in kept} == {("meta", torch.float64)}


@pytest.mark.parametrize("activation", [torch.tanh, nn.Tanh()], ids=["function", "module"])
def test_an_activation_is_a_function_or_a_module(activation: Any) -> None:
    for layer, shape in (
        (SO3Activation(1, 2, activation, oversampling=1), (1, 1, 4, 4, 4)),
        (SpinActivation(1, 2, 0, activation=activation), (1, 1, 4, 4)),
        (equivlab.nn.IrrepGate("3x0e", activation=activation), (1, 3, 2, 2, 2)),
    ):
        x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        assert torch.equal(layer(x), torch.tanh(x))
