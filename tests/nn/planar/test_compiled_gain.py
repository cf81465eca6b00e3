"""Which layers go through the compiled kernel: those that it was measured to make faster."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
import torch

from equivlab.groups import P4M, as_point_group, group_of
from equivlab.nn import GroupConv2d, LiftingConv2d
from equivlab.nn.planar.compiled import gain
from tests.nn.planar.ways import needs_kernel

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"
LAYER = re.compile(
    r"(P4M?|[CD]8) (?:(\d) channels to )?(\d+) fields k(\d) stride (\d) (\d+)² b(\d+)"
)


@needs_kernel
@pytest.mark.parametrize(("short", "small"), [(False, 8), (True, 2)])
def test_large_inputs_and_small_ones(
    short: bool, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It depends on the vectors of the processor, and on whether gradients are wanted."""
    monkeypatch.setattr(gain, "short_vectors", lambda: short)
    layer = GroupConv2d(P4M, 8, 8, 3, padding=1)
    assert layer.route(torch.randn(16, 8, 8, 28, 28)) == "kernel"
    layer, x = GroupConv2d(P4M, small, small, 3, padding=1), torch.randn(1, small, 8, 4, 4)
    assert layer.route(x) == "conv2d: too small to gain"
    with torch.no_grad():
        assert layer.route(x) == "kernel"
    lift, image = LiftingConv2d(P4M, 1, 8, 5), torch.randn(16, 1, 28, 28)
    assert lift.route(image) == ("kernel" if short else "conv2d: too small to gain")
    assert lift.route(image[:1]) == "kernel"


def taken(what: str, learning: bool, short: bool) -> bool:
    words = LAYER.fullmatch(what)
    assert words is not None
    group = as_point_group(group_of(words[1]), "the table")
    fields, k, stride, side, batch = (int(words[n]) for n in range(3, 8))
    lifts, frame = words[2] is not None, (stride, 2 * (k // 2) - k)
    maps = (int(words[2]),) if lifts else (fields, group.order)
    shape = torch.Size((batch, *maps, side, side))
    return gain._pays(group, shape, fields, k, frame, learning, short)


def medians(name: str, short: bool) -> tuple[int, list[float]]:
    """How many cells a table has, and what those took that go through the kernel."""
    with (RESULTS / name).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return len(rows), [
        float(row["kernel over ordinary way"].split()[0])
        for row in rows
        if taken(row["what"], row["use"] == "both", short)
    ]


@pytest.mark.parametrize(
    ("name", "short", "cells", "count", "most"),
    [
        ("compiled-kernel-table-256-bit.csv", True, 864, 566, 0.99),
        ("compiled-kernel-table-512-bit.csv", False, 864, 335, 1.04),
        ("compiled-kernel-table-lifting.csv", True, 2432, 992, 0.99),
        ("compiled-kernel-table-lifting-512-bit.csv", False, 2432, 951, 0.97),
    ],
)
def test_nothing_is_taken_that_was_slower(
    name: str, short: bool, cells: int, count: int, most: float
) -> None:
    rows, found = medians(name, short)
    assert (rows, len(found), max(found)) == (cells, count, most)


def test_with_vectors_of_512_bits_nothing_is_taken_that_was_slower() -> None:
    """On another machine, in its best turn or in its median one: it was busy."""
    with (RESULTS / "compiled-kernel-table.csv").open(newline="") as stream:
        head, *rows = csv.reader(stream)
    assert head[2:4] == ["kernel over conv2d evaluation: best", "median"]
    found = [
        min(map(float, numbers))
        for what, _, *evaluation, _, best, median in rows
        for learning, numbers in ((False, evaluation), (True, (best, median)))
        if taken(what, learning, short=False)
    ]
    assert len(found) > 180
    assert max(found) <= 1.05
