"""Every public layer has all its cases: the guard names it, and what it lacks."""

from __future__ import annotations

from importlib import import_module

import pytest
import torch
from torch import nn

from equivlab.fields import Field
from equivlab.nn import FieldModule, GroupPool, find_neighbors
from tests.nn.case import Case
from tests.nn.cases import LAYERS, public_layers, rows_of
from tests.nn.oracles import oracles


def lacking(rows: dict[str, Case], oracle_tests: list[str]) -> list[str]:
    """What a layer with these rows and oracles is not tested for."""
    found = []
    if not rows:
        found.append(
            "law, bad input, device, tools, audit and to_plain: a row in tests/nn/<domain>/cases.py"
        )
    else:
        if not any(row.bad for row in rows.values()):
            found.append("bad input: what it refuses, with the words, in `bad` of its row")
        if any(row.plain is None for row in rows.values()):
            found.append("to_plain: CONVERTED, or the words of the refusal, in `plain` of its row")
    if not oracle_tests:
        found.append("oracle: a test in tests/nn/<domain>/test_oracles.py under @oracle_of")
    return found


@pytest.mark.parametrize("name", public_layers())
def test_every_layer_has(name: str) -> None:
    lacks = lacking(rows_of(name), oracles().get(name, []))
    assert not lacks, f"{name} lacks\n  " + "\n  ".join(lacks)


@pytest.mark.parametrize("row", LAYERS)
def test_every_row_is_of_the_layer_that_it_names(row: str) -> None:
    layer = LAYERS[row].make()
    assert type(layer) is public_layers()[row.split()[0]]
    assert isinstance(layer.in_field, Field)
    assert isinstance(layer.out_field, Field)


@pytest.mark.parametrize("name", public_layers())
def test_its_folder_shows_it(name: str) -> None:
    folder = import_module(public_layers()[name].__module__.rpartition(".")[0])
    assert name in folder.__all__


def test_oracles_are_of_public_layers() -> None:
    assert set(oracles()) <= set(public_layers())


def test_what_is_no_layer() -> None:
    found = public_layers()
    assert found["GroupPool"] is GroupPool
    assert FieldModule not in found.values()
    assert find_neighbors not in found.values()


def test_the_guard_can_fail() -> None:
    made = Case(lambda: GroupPool(torch.nn.Identity(), 1))  # type: ignore[arg-type]
    assert lacking({}, [])[0].startswith("law, bad input, device, tools, audit and to_plain")
    assert [what.split(":")[0] for what in lacking({"A": made}, [])] == [
        "bad input", "to_plain", "oracle",
    ]  # fmt: skip
    full = Case(made.make, (((1,), "words"),), "words")
    assert lacking({"A": full}, []) == [
        "oracle: a test in tests/nn/<domain>/test_oracles.py under @oracle_of"
    ]
    assert lacking({"A": full}, ["test_oracles.py::test_a"]) == []


def test_a_new_layer_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever folder it stands in, and whatever it is called."""

    class Squeeze(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    monkeypatch.setattr("equivlab.nn.Squeeze", Squeeze, raising=False)
    monkeypatch.setattr("equivlab.nn.__all__", ["Squeeze"])
    assert list(public_layers()) == ["Squeeze"]
    assert len(lacking(rows_of("Squeeze"), oracles().get("Squeeze", []))) == 2
