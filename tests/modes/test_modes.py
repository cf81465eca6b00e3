"""All public layers × all modes of PyTorch: each cell is right, or an error of ours that helps.

The cells are computed by `tests.modes.matrix`: a process for some modes, a fork for each cell.
"""

from __future__ import annotations

import json
import os

import pytest

import equivlab.nn as layers
from tests.modes.alone import run_alone
from tests.modes.cases import CASES, NETWORKS
from tests.modes.matrix import MODES, rows

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="every cell is a fork")

# How many clouds there are is a number in a tensor: nobody can read it there. The words are ours.
UNTOLD = "IrrepPointReadout of untold clouds"
TELL = "how many clouds there are stands in the numbers of batch"
REMEDY = "Tell it: clouds="
UNSUPPORTED: dict[tuple[str, str], tuple[str, str]] = {
    ("export", UNTOLD): (TELL, REMEDY),
    ("strict export", UNTOLD): (TELL, REMEDY),
    ("compile", UNTOLD): (TELL, REMEDY),
    ("meta", UNTOLD): (TELL, REMEDY),
    ("fake", UNTOLD): (TELL, REMEDY),
}
# Modes that one process does one after the other, so that each is imported for once.
TOGETHER = (
    ("export", "meta"),
    ("fake", "inference"),
    ("compile",),
    ("bfloat16", "float16", "functional", "vmap", "deepcopy", "pickle", "threads", "fork"),
    pytest.param(("strict export",), marks=pytest.mark.slow),
    pytest.param(("inductor",), marks=pytest.mark.slow),
)
CELLS = 872


def test_every_public_layer_has_a_row() -> None:
    wanted = {
        name
        for name in layers.__all__
        if isinstance(getattr(layers, name), type) and name != "FieldModule"
    }
    assert wanted - {name.split()[0] for name in CASES} == set()


def test_how_many_cells_there_are() -> None:
    done = {mode for some in TOGETHER for mode in getattr(some, "values", [some])[0]}
    assert done == set(MODES)
    cells = {(mode, name) for mode in MODES for name in rows(mode)}
    assert len(cells) == CELLS
    assert set(UNSUPPORTED) <= cells
    assert not set(CASES) & set(NETWORKS)


@pytest.mark.parametrize("modes", TOGETHER, ids=",".join)
def test_every_row_in(modes: tuple[str, ...]) -> None:
    found: dict[str, dict[str, str]] = json.loads(run_alone("tests.modes.matrix", ",".join(modes)))
    assert {mode: list(column) for mode, column in found.items()} == {
        mode: rows(mode) for mode in modes
    }
    wrong = {
        (mode, name): outcome
        for mode, column in found.items()
        for name, outcome in column.items()
        if not _as_promised(outcome, UNSUPPORTED.get((mode, name)))
    }
    assert wrong == {}


def _as_promised(outcome: str, words: tuple[str, ...] | None) -> bool:
    """Right; or, where that cannot be, an error with all these words."""
    return outcome == "ok" if words is None else all(word in outcome for word in words)
