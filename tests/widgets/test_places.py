"""All widgets in JupyterLab, Notebook 7 and Voilà: every size, both themes, without the kernel.

One notebook holds them all, and an accordion a second view of each. One server and one browser
serve all places, and one kernel both kinds of notebook; a page is opened for each, and in Voilà,
whose pages have one theme, two.
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
from tests.widgets.lab import (
    ADDRESSES,
    KERNEL,
    SNAPSHOT,
    lab_server,
    open_and_run,
    write_notebook,
)
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
# Of Voilà's own page, which asks a network for icons; what else does not load is told by its URL.
ICONS = ("@fortawesome/", "Failed to load resource: net::", "Couldn't load preload assets")
# At narrow widths the panels beside the notebook open by themselves.
ALONE = "() => { jupyterapp.shell.collapseLeft(); jupyterapp.shell.collapseRight(); }"
LIGHT = "(light) => document.body.dataset.jpThemeLight === String(light)"
ASKING = ("RotateSphere", "RotateShape", "SeeThrough")  # the kernel, about every pose
NEEDED = {"JupyterLab": "jupyterlab", "Notebook 7": "notebook", "Voilà": "voila"}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("places")
    write_notebook(folder / NAME, SOURCES)
    with lab_server(folder) as found:
        yield found


@pytest.fixture(params=NEEDED)
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
            self.paint(theme)  # another place may have left it in dark
        self.complaints = looking.complaints_of(self.page)  # what Jupyter says before is its own
        self.views = {name: self.view(case.kind, 0) for name, case in LARGE.items()}

    def said(self) -> list[str]:
        """What the console says, and what did not load, of all but the icons of Voilà."""
        own = ICONS if self.place == "Voilà" else ()
        return [one for one in self.complaints if not any(word in one for word in own)]

    def view(self, kind: str, n: int) -> TurningPage:
        """One of the views of a widget."""
        canvas = f".equivlab-{kind} canvas[tabindex] >> nth={n}"
        return TurningPage(self.page, canvas, self.complaints, dark=False)

    def resize(self, size: str) -> None:
        """With nothing beside the notebook."""
        first = next(iter(self.views.values()))
        looking.resize(first, size)
        if self.place == "JupyterLab":
            self.page.evaluate(ALONE)
            looking.resize(first, size)

    def look(self, size: str, *, turned: bool) -> list[str]:
        """What is wrong with any widget in a size."""
        self.resize(size)
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

    def paint(self, theme: str) -> None:
        """Take the light or the dark theme of a notebook."""
        self.page.evaluate(
            "(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })",
            f"JupyterLab {theme.title()}",
        )
        self.page.wait_for_function(LIGHT, arg=theme == "light")

    def without_kernel(self) -> list[str]:
        """What is wrong once the kernel that made the widgets is gone and another runs."""
        for view in self.views.values():
            view.press("r")
            looking.settle(view)
        given = self.page.get_by_role("button", name="Filter 1", exact=True)
        given.first.click()  # a hand has painted on it
        self.page.evaluate(f"async () => {{ await {KERNEL}.restart(); }}")
        self.page.wait_for_function(f"() => {KERNEL}?.status === 'idle'", timeout=120_000)
        wrong = []
        for name, view in self.views.items():
            case = LARGE[name]
            looking.bring(view, 0)
            view.press(case.check)
            if name in ASKING:
                view.canvas.and_(self.page.locator("[data-silent=true]")).wait_for()
            looking.settle(view)
            found = looking.wrong_as_it_stands(view, case)
            view.press(case.check)
            looking.settle(view)
            found += looking.wrong_as_it_stands(view, case) + looking.faults(view)
            wrong += [f"{name}, without a kernel: {fault}" for fault in found]
        return wrong


@pytest.fixture
def shown(browser: Any, address: str, place: str) -> Iterator[Place]:
    found = Place(browser, address, place)
    yield found
    found.page.close()


def test_all_can_be_read_turned_and_trusted(
    browser: Any, address: str, place: str, shown: Place
) -> None:
    """Sizes, themes, keys and the hand, numbers, two views, and what a kernel leaves behind."""
    shown.resize("1440")
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
    check_second_views(shown)
    assert shown.said() == []
    dark = shown
    if place == "Voilà":
        dark = Place(browser, address, place, "dark")
    else:
        dark.paint("dark")
    wrong = [fault for size in SIZES for fault in dark.look(size, turned=False)]
    assert not wrong, "\n".join(wrong)
    assert looking.serious(dark.page) == []
    assert dark.said() == []
    if place == "Notebook 7":  # of JupyterLab in `test_in_lab.py`
        wrong = dark.without_kernel()
        assert not wrong, "\n".join(wrong)
        check_stills(dark.page)


def check_second_views(shown: Place) -> None:
    """The accordion opens, and what one view shows the other shows too."""
    title = shown.page.get_by_text("a second view of each", exact=True)
    title.click()
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
    title.click()


def check_stills(page: Any) -> None:
    """Saved and opened again, a still picture of each, and how to bring it to life."""
    page.evaluate("async () => { await jupyterapp.commands.execute('docmanager:save'); }")
    page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")
    page.reload(timeout=120_000)
    still = page.locator(".equivlab-still")
    still.nth(len(LARGE) - 1).wait_for(state="attached", timeout=120_000)
    assert still.count() == len(LARGE)
    for n, name in enumerate(LARGE):
        picture = still.nth(n).locator("img")
        assert picture.evaluate("(img) => img.decode().then(() => img.naturalWidth)") > 100
        assert str(picture.get_attribute("alt")).startswith(name)
        assert "Run the cell (Shift+Enter) to bring it to life" in str(still.nth(n).text_content())
    assert page.locator("text=model not found").count() <= 1  # the accordion's, which has no still
