"""What holds for every public layer: its law, what it refuses, the tools, the audit, `to_plain`."""

from __future__ import annotations

import copy
import inspect
import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from equivlab import audit
from equivlab.equivariance import assert_equivariant, law_errors
from equivlab.fields import IrrepMaps
from equivlab.nn import FieldModule
from equivlab.so3 import SO3
from equivlab.transfer import to_plain
from tests.laws import relative
from tests.nn.case import CONVERTED, Case, signal
from tests.nn.cases import LAYERS
from tests.nn.gradients import invariant_gradients

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
ROWS = pytest.mark.parametrize("case", LAYERS.values(), ids=list(LAYERS))


FREE = SO3.random_elements(1, torch.Generator().manual_seed(2))
SOME = {IrrepMaps: SO3.cube_rotations()[[1, 9]]}  # `test_law` takes all


class SameCoins(nn.Module):
    """The layer with the same random numbers at each call, and a defect if it shall have one."""

    def __init__(self, layer: FieldModule, defect: Tensor | None = None) -> None:
        super().__init__()
        self.layer = layer
        self.in_field, self.out_field = layer.in_field, layer.out_field
        self.defect = defect

    def forward(self, x: Tensor, *more: Any) -> Any:
        torch.manual_seed(3)
        return self.layer(x if self.defect is None else x * self.defect, *more)


@DTYPES
@ROWS
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_law(case: Case, training: bool, dtype: torch.dtype) -> None:
    layer = SameCoins(case.build(dtype)).train(training)
    assert_equivariant(layer, case.given(dtype), tolerance=case.bound(dtype))


@DTYPES
@ROWS
def test_law_of_the_gradients(case: Case, dtype: torch.dtype) -> None:
    """Gradients in the weights stay, and the slope along an input that turns too does."""
    layer = case.build(dtype).eval()
    x, *more = case.given(dtype)
    u = x.flip(0, 1) if case.first else signal(layer.in_field, dtype, case.size).flip(0)
    still, turned = invariant_gradients(layer, x, u, more)
    # A bias in front of a norm has gradient 0: all have one scale.
    assert relative(turned, still) <= 4 * case.bound(dtype)


@ROWS
def test_bad_input(case: Case) -> None:
    layer = case.build()
    _, *more = case.given()
    for given, words in case.bad:
        x = torch.zeros(given) if isinstance(given, tuple) else given
        with pytest.raises((TypeError, ValueError), match=words):
            layer(x, *more)


@ROWS
def test_what_every_layer_refuses(case: Case) -> None:
    """With what was given, what is wanted, and how to get there."""
    layer = case.build()
    x, *more = case.given()
    wider = torch.cat([x, x[:, :1]], 1)
    for given, kind, words in (
        (x.numpy(), TypeError, r"ndarray.*torch\.as_tensor"),
        ([1.0], TypeError, r"list.*torch\.as_tensor"),
        (x.to(torch.uint8), TypeError, r"uint8.*x\.float\(\)"),
        (x[:0], ValueError, "empty"),
        (wider, ValueError, f"{wider.shape[1]} channels"),
        (x[None, None], ValueError, f"{x.dim()} axes|got "),
    ):
        with pytest.raises(kind, match=words):
            layer(given, *more)
    if any(True for _ in layer.parameters()):
        with pytest.raises(ValueError, match=r"float64.*\.to\(torch\.float"):
            layer(x.double(), *more)
        with pytest.raises(ValueError, match=r"weights on cpu; got an input on meta"):
            layer(x.to("meta"), *more)


@ROWS
def test_copies_and_files(case: Case) -> None:
    layer, x = case.build().eval(), case.given()
    with torch.no_grad():
        wanted = layer(*x)
        assert torch.equal(copy.deepcopy(layer)(*x), wanted)
        other = case.build(seed=1).eval()
        other.load_state_dict(layer.state_dict())
        assert torch.equal(other(*x), wanted)
        assert relative(layer.double().float()(*x), wanted) <= 1e-6


@ROWS
def test_printing_says_the_fields(case: Case) -> None:
    layer = case.make()
    assert str(layer.in_field) in repr(layer)
    assert str(layer.out_field) in repr(layer)
    assert "object at" not in repr(layer)


@ROWS
def test_integers_of_numpy(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same layer as from Python's own: it prints alike and keeps no NumPy behind."""
    layer = case.make()
    made = type(layer).__init__

    def convert(value: object) -> object:
        return np.int64(value) if type(value) is int else value

    def init(self: nn.Module, *values: object, **named: object) -> None:
        monkeypatch.setattr(type(layer), "__init__", made)  # what it makes inside is its own
        made(self, *map(convert, values), **{key: convert(value) for key, value in named.items()})

    monkeypatch.setattr(type(layer), "__init__", init)
    found = case.make()
    assert repr(found) == repr(layer)
    assert not {key for key, value in vars(found).items() if isinstance(value, np.generic)}


@ROWS
def test_home(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer with numbers is made where and as it is told; one that has none need not ask."""
    layer = case.make()
    made = type(layer).__init__
    if not {"device", "dtype"} <= set(inspect.signature(made).parameters):
        own = [*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)]
        assert not own, "take device= and dtype="
        return

    def init(self: nn.Module, *values: object, **named: object) -> None:
        monkeypatch.setattr(type(layer), "__init__", made)
        made(self, *values, **named, device="meta", dtype=torch.float64)

    monkeypatch.setattr(type(layer), "__init__", init)
    found = case.make()
    for numbers in (*found.parameters(), *found.buffers()):
        assert numbers.device.type == "meta"
        assert numbers.dtype == torch.float64 or not numbers.is_floating_point()


@DTYPES
@ROWS
def test_the_audit(case: Case, dtype: torch.dtype) -> None:
    """It accuses no layer, and does with numbers of the places and channels in front of it."""
    layer, given = case.build(dtype), case.given(dtype)
    group: Any = layer.in_field.group
    turns = SOME.get(type(layer.in_field), FREE) if group is SO3 else None
    report = audit(layer, given, group, angles=0, elements=turns)
    assert report.causes == []
    assert "Equivariant" in report.cause
    defect = torch.rand(given[0].shape, generator=torch.Generator().manual_seed(0))
    broken = SameCoins(layer, 0.5 + defect.to(dtype))
    report = audit(broken, given, group, angles=0, elements=turns)
    assert report.max_error > 1e-3
    assert report.causes or "code between the layers" in report.cause
    assert max(law_errors(broken.eval(), given, elements=turns).values()) > 1e-3


@ROWS
def test_to_plain(case: Case) -> None:
    layer, given = case.build().eval(), case.given()
    if case.plain != CONVERTED:
        with pytest.raises(TypeError, match=case.plain):
            to_plain(layer)
        return
    plain, wanted = to_plain(layer), layer(*given)
    assert not any(re.match(r"equivlab\.nn\b", type(m).__module__) for m in plain.modules())
    (x,) = given
    regular = "Regular" in type(layer.in_field).__name__
    found = plain(x.flatten(1, 2) if regular else x)
    assert relative(found, wanted.flatten(1, 2) if wanted.dim() != found.dim() else wanted) <= 2e-6
