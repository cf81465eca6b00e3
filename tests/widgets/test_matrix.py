"""Every widget on a page of its own, with the network cut: light and dark, narrow to zoomed.

One page is opened for each widget and theme, and resized. In every size all words are read from
where they stand, those on canvases too: none is cut, squeezed or under another. Keys and the
pointer move what they should, the steady view stands still, the numbers are those of the law, and
nothing is said in the console. The same in notebooks and dashboards is in `test_places.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.widgets import looking
from tests.widgets.cases import public_widgets
from tests.widgets.chromium import IN_BROWSER
from tests.widgets.large import LARGE
from tests.widgets.looking import SIZES
from tests.widgets.turning_page import TurningPage

pytestmark = IN_BROWSER


@cache
def page_of(name: str) -> str:
    """The page of a widget, made once."""
    return str(LARGE[name].make().to_html())


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=LARGE)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def view(browser: Any, name: str, scheme: str, tmp_path: Path) -> Iterator[TurningPage]:
    """The widget's page, offline; it must not have complained by the end."""
    file = tmp_path / "page.html"
    file.write_text(page_of(name), encoding="utf-8")
    size = {"width": 1100, "height": 900}
    page = browser.new_page(viewport=size, offline=True, color_scheme=scheme)
    complaints = looking.complaints_of(page)
    page.add_init_script(looking.LABELS)
    page.goto(file.as_uri())
    page.wait_for_selector(".equivlab-view canvas[data-painted]")
    yield TurningPage(page, ".equivlab-view canvas[tabindex]", complaints, scheme == "dark")
    page.close()
    assert complaints == []


def test_every_widget_is_here() -> None:
    assert LARGE.keys() == public_widgets().keys()


def test_it_can_be_read_and_turned_in_every_size(view: TurningPage, name: str) -> None:
    case = LARGE[name]
    wrong: dict[str, list[str]] = {}
    if not view.dark:
        wrong["numbers"] = looking.wrong_numbers(view, case)
    for size in SIZES:
        looking.resize(view, size)
        assert len(looking.labels(view)) > 5
        wrong[size] = looking.faults(view)
        for mode in case.modes:
            view.press(mode)
            wrong[f"{size}, {mode}"] = looking.faults(view)
            view.press(mode)
        wrong[f"{size}, turned"] = looking.turn(view, case, size)
        looking.drag(view, case)
        view.press("r")
    if not view.dark:
        wrong["scrolled"] = scrolled(view)
    said = [f"{size}: {fault}" for size, found in wrong.items() for fault in found]
    assert not said, "\n".join(said)
    ink = view.page.locator(".equivlab-view").evaluate("(node) => getComputedStyle(node).color")
    assert (ink == "rgb(255, 255, 255)") == view.dark
    view.press("?")
    view.page.add_style_tag(content="html { background: Canvas; }")  # of a dark scheme, said to axe
    assert looking.serious(view.page) == []


def scrolled(view: TurningPage) -> list[str]:
    """What is left of it after it was out of sight: all, or a word that it is not."""
    whole = "[0, 0, canvas.clientWidth, canvas.clientHeight]"
    looking.resize(view, "1440")
    view.page.evaluate("() => { document.body.style.paddingBottom = '3000px'; }")
    view.settle()  # with a bar to scroll by
    before = looking.seen(view, whole)
    view.page.evaluate("() => scrollTo(0, 2500)")
    view.settle()
    off = np.abs(looking.seen(view, whole) - before).mean()
    return [f"other by {off:.3f}"] if off > looking.STILL else []


def test_a_word_over_another_is_found(browser: Any) -> None:
    """So the matrix can fail: cut, squeezed, over another, and on a canvas that is drawn on one."""
    page = browser.new_page(viewport={"width": 300, "height": 200})
    page.add_init_script(looking.LABELS)
    page.goto("data:text/html,<div id=a><canvas width=200 height=100></canvas></div>")
    found = page.evaluate(
        """() => {
          const pen = document.querySelector("canvas").getContext("2d");
          Object.assign(pen, { font: "13px sans-serif", textBaseline: "top" });
          pen.fillText("first", 10, 10);
          pen.fillText("second", 20, 14);
          pen.fillText("a long one beyond the edge", 120, 60);
          pen.fillText("squeezed to nothing", 10, 40, 30);
          const other = document.createElement("canvas");
          const below = other.getContext("2d");
          below.fillText("under", 5, 12);
          pen.drawImage(other, 10, 70);
          pen.fillText("above", 14, 74);
          return faultsOf(document.querySelector("#a"));
        }"""
    )
    page.close()
    kinds = [re.split(r"\W", fault)[0] for fault in found]
    assert kinds == ["cut", "squeezed", "one", "one"]
    assert found[2] == "one over another: second | first"
    assert set(found[3].removeprefix("one over another: ").split(" | ")) == {"under", "above"}
