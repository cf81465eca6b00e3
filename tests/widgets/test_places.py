"""All widgets in a place with a kernel, so far Notebook 7: every size, both themes.

One notebook holds them all, and an accordion a second view of each. One server and one browser
serve all places; a page is opened for each, and in Voilà, whose pages have one theme, two.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.widgets import looking
from tests.widgets.chromium import IN_BROWSER
from tests.widgets.lab import ADDRESSES, SNAPSHOT, lab_server, open_and_run, write_notebook
from tests.widgets.large import LARGE
from tests.widgets.looking import SIZES
from tests.widgets.turning_page import TurningPage

pytestmark = IN_BROWSER
NAME = "widgets.ipynb"
SOURCES = [
    "import ipywidgets\nfrom tests.widgets.large import LARGE\nshown = []",
    *(f"shown.append(LARGE['{name}'].make()); shown[-1]" for name in LARGE),
    "ipywidgets.Accordion([ipywidgets.VBox(shown)], titles=['a second view of each'])",
]
PAINTED = """(n) =>
  document.querySelectorAll(".equivlab-view canvas[data-painted]").length === n"""
DARK = "() => document.body.dataset.jpThemeLight === 'false'"
NEEDED = {"JupyterLab": "jupyterlab", "Notebook 7": "notebook", "Voilà": "voila"}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("places")
    write_notebook(folder / NAME, SOURCES)
    with lab_server(folder) as found:
        yield found


@pytest.fixture(params=["Notebook 7"])
def place(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if find_spec(NEEDED[name]) is None:
        pytest.skip(f"{NEEDED[name]} is not installed: make install-test")
    return name


class Place:
    """A page with all widgets in one of the places.

    Attributes:
        views: the first view of each.
    """

    def __init__(self, browser: Any, address: str, place: str, theme: str = "light") -> None:
        self.place = place
        self.page = browser.new_page(viewport={"width": 1440, "height": 900})
        self.page.set_default_timeout(60_000)
        self.page.add_init_script(looking.LABELS)
        where = address + ADDRESSES[place].format(NAME)
        if place == "Voilà":
            self.page.goto(f"{where}?theme={theme}", wait_until="commit")
            self.page.wait_for_function(PAINTED, arg=len(LARGE), timeout=180_000)
        else:
            open_and_run(self.page, where, len(LARGE))
        self.complaints = looking.complaints_of(self.page)  # what Jupyter says before is its own
        self.views = {name: self.view(case.kind, 0) for name, case in LARGE.items()}

    def view(self, kind: str, n: int) -> TurningPage:
        """One of the views of a widget."""
        canvas = f".equivlab-{kind} canvas[tabindex] >> nth={n}"
        return TurningPage(self.page, canvas, self.complaints, dark=False)

    def look(self, size: str, *, turned: bool) -> list[str]:
        """What is wrong with any widget in a size."""
        looking.resize(next(iter(self.views.values())), size)
        wrong = []
        for name, view in self.views.items():
            looking.bring(view, 0)
            view.settle()
            found = looking.faults(view)
            if turned:
                found += looking.turn(view, LARGE[name], size)
                looking.drag(view, LARGE[name])
                view.press("r")
            wrong += [f"{name}, {size}: {fault}" for fault in found]
        return wrong

    def paint_dark(self) -> None:
        """Take the dark theme of a notebook."""
        theme = {"theme": "JupyterLab Dark"}
        self.page.evaluate(
            "(theme) => jupyterapp.commands.execute('apputils:change-theme', theme)", theme
        )
        self.page.wait_for_function(DARK)


@pytest.fixture
def shown(browser: Any, address: str, place: str) -> Iterator[Place]:
    found = Place(browser, address, place)
    yield found
    found.page.close()


def test_all_can_be_read_turned_and_trusted(
    browser: Any, address: str, place: str, shown: Place
) -> None:
    """Sizes, themes, keys and the hand, numbers, two views, and what a kernel leaves behind."""
    looking.resize(shown.views["RotateImage"], "1440")
    wrong = []
    for name, view in shown.views.items():
        wrong += looking.wrong_numbers(view, LARGE[name])
        wrong += looking.lost_out_of_sight(view, list(shown.views.values()))
    assert not wrong, "\n".join(wrong)
    wrong = [fault for size in SIZES for fault in shown.look(size, turned=True)]
    assert not wrong, "\n".join(wrong)
    if place != "Voilà":
        cells, *_ = json.loads(shown.page.evaluate(SNAPSHOT))
        assert cells == [["code", source] for source in SOURCES]  # no key has reached the notebook
    assert looking.serious(shown.page) == []
    assert shown.complaints == []
    dark = shown
    if place == "Voilà":
        dark = Place(browser, address, place, "dark")
    else:
        dark.paint_dark()
    wrong = [fault for size in SIZES for fault in dark.look(size, turned=False)]
    assert not wrong, "\n".join(wrong)
    assert looking.serious(dark.page) == []
    check_second_views(dark)
    assert dark.complaints == []


def check_second_views(shown: Place) -> None:
    """The accordion opens, and what one view shows the other shows too."""
    shown.page.get_by_text("a second view of each", exact=True).click()
    for name, case in LARGE.items():
        first, second = shown.views[name], shown.view(case.kind, 1)
        looking.bring(second, 0)
        second.canvas.and_(shown.page.locator("[data-painted]")).wait_for()
        first.press("r")
        first.press(case.key)
        looking.settle(first)
        pose = str(first.canvas.get_attribute(case.pose))
        shown.page.wait_for_function(
            "([node, name, pose]) => node.getAttribute(name) === pose",
            arg=[second.canvas.element_handle(), case.pose, pose],
        )
