"""Tables of layers: rounded once, whatever the layer went through, and never of another mode."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from equivlab.groups import P4M
from equivlab.nn import (
    GroupConv2d,
    PointConv,
    S2Conv,
    SO3Conv,
    SpinActivation,
    SpinConv,
    SteerableConv3d,
)
from equivlab.nn.exact_tables import ExactTables

LAYERS: dict[str, Callable[..., nn.Module]] = {
    "GroupConv2d": lambda **home: GroupConv2d(P4M, 2, 2, 3, **home),
    "S2Conv": lambda **home: S2Conv(1, 2, 4, 4, **home),
    "SO3Conv": lambda **home: SO3Conv(1, 2, 4, 4, **home),
    "SpinConv": lambda **home: SpinConv(1, 2, 4, 4, 1, 1, **home),
    "SpinActivation": lambda **home: SpinActivation(1, 4, 2, **home),
    "SteerableConv3d": lambda **home: SteerableConv3d("1x0e", "1x0e + 1x2e", 3, **home),
    "PointConv": lambda **home: PointConv("1x1o", "1x0e + 1x1o + 1x2e", 2.0, **home),
}


def tables(layer: nn.Module) -> dict[str, torch.Tensor]:
    """Every table of a layer and of its parts."""
    return {
        f"{name}.{key}": part.get_buffer(key)
        for name, part in layer.named_modules()
        if isinstance(part, ExactTables)
        for key in part.tables()
    }


CONVERSIONS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "double": lambda layer: layer.double(),
    "by half": lambda layer: layer.half().double(),
    "by to": lambda layer: layer.to(torch.float64),
    "by meta": lambda layer: layer.to("meta").to_empty(device="cpu").double(),
    "copied": lambda layer: copy.deepcopy(layer).double(),
}


@pytest.mark.parametrize("how", CONVERSIONS)
@pytest.mark.parametrize("name", LAYERS)
def test_tables_are_as_exact_as_if_made_in_that_type(name: str, how: str) -> None:
    found = tables(CONVERSIONS[how](LAYERS[name]()))
    wanted = tables(LAYERS[name](dtype=torch.float64))
    assert found
    assert found.keys() == wanted.keys()
    for key, table in wanted.items():
        assert torch.equal(found[key], table), key


@pytest.mark.parametrize("name", LAYERS)
def test_tables_are_no_state(name: str) -> None:
    layer = LAYERS[name]()
    assert not {key.rsplit(".")[-1] for key in tables(layer)} & {
        key.rsplit(".")[-1] for key in layer.state_dict()
    }


@pytest.mark.parametrize("name", LAYERS)
def test_tables_do_not_belong_to_the_mode_that_they_were_made_in(name: str) -> None:
    with torch.device("meta"):
        empty = LAYERS[name]()
    found = tables(empty.to_empty(device="cpu"))
    wanted = tables(LAYERS[name]())
    for key, table in wanted.items():
        assert torch.equal(found[key], table), key
    with torch.inference_mode():
        borrowed = LAYERS[name]()
    assert not any(table.is_inference() for table in tables(borrowed).values())


def test_a_table_in_half_precision_where_it_may_be() -> None:
    assert LAYERS["SteerableConv3d"]().half().basis.dtype == torch.float16
    assert LAYERS["S2Conv"]().half().basis.dtype == torch.float32
    assert LAYERS["SpinActivation"](dtype=torch.bfloat16).up.dtype == torch.float32
