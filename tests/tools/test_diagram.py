"""Flowcharts as pictures: what leads to what, and that nothing lies on anything else."""

from __future__ import annotations

import re

import pytest

from tests.notebooks.reading import ROOT
from tools.diagram import BLOCK, chains, drawn, ranks_of, read, svg

SMALL = "flowchart LR\n    a[first] --> b\n    b --> c\n    a -.-> c[the last]\n"
PAGES = [ROOT / "docs" / name for name in ("course.md", "architecture.md")]
CHARTS = [found for page in PAGES for found in BLOCK.findall(page.read_text(encoding="utf-8"))]


def test_words_arrows_and_ranks_are_read() -> None:
    chart = read(SMALL)
    assert chart.words == {"a": "first", "b": "b", "c": "the last"}
    assert chart.arrows == [("a", "b"), ("b", "c"), ("a", "c")]
    assert chart.dotted == {("a", "c")}
    ranks = ranks_of(chart)
    assert ranks == {"a": 0, "b": 1, "c": 2}
    assert list(map(len, chains(chart, ranks).values())) == [2, 2, 3]  # the long one bends


def test_the_pages_have_charts() -> None:
    assert len(CHARTS) >= 2


@pytest.mark.parametrize("text", [SMALL, *CHARTS], ids=range(1 + len(CHARTS)))
def test_no_frame_lies_on_another_and_all_is_in_the_picture(text: str) -> None:
    picture = svg(text)
    left, top, wide, high = map(float, re.findall(r'viewBox="(.+?)"', picture)[0].split())
    sides = r'<rect x="(.+?)" y="(.+?)" width="(.+?)" height="(.+?)"'
    frames = [tuple(map(float, found)) for found in re.findall(sides, picture)]
    assert len(frames) == len(read(text).words)
    for n, (x, y, w, h) in enumerate(frames):
        assert left <= x
        assert top <= y
        assert x + w <= left + wide
        assert y + h <= top + high
        for u, v, a, b in frames[:n]:
            assert u + a <= x or x + w <= u or v + b <= y or y + h <= v


def test_a_picture_says_its_arrows_and_stands_in_its_page() -> None:
    page = drawn(f"# Map\n\n```mermaid\n{SMALL}```\n\nEnd.\n")
    assert "mermaid" not in page
    (label,) = re.findall(r'aria-label="(.*?)"', page)
    assert label == "first leads to b; b leads to the last; first leads to the last"
    assert page.count("stroke-dasharray") == 1


def test_another_kind_of_line_is_refused() -> None:
    with pytest.raises(ValueError, match="arrows alone"):
        svg("flowchart LR\n    a === b\n")
