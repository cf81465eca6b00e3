"""The bars of what an error consists of: zoomed, and when the kernel goes.

Each row is held against the budget that Python computes for the pose on show: it is whole, and no
number of another pose stays when features cannot follow any more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest

from equivlab.equivariance import ErrorBudget
from equivlab.so3 import SO3
from equivlab.widgets import RotateImage, RotateShape, RotateSphere
from tests.widgets import looking
from tests.widgets.chromium import IN_BROWSER
from tests.widgets.large import LARGE
from tests.widgets.live_page import live
from tests.widgets.numbers import EXACT, SAID, Number
from tests.widgets.turning_page import TurningPage

pytestmark = IN_BROWSER
PARTED = "(words) => words.filter((one) => one.includes(' = interpolation ')).length"
NUMBER_OF_AN_ERROR = re.compile(r"(error|off|spherical:|SE\(3\):|plain CNN:|resampling:) [\d.]")


class Bars:
    """A widget in a page with its Python side behind it."""

    def __init__(self, browser: Any, name: str, widget: Any, address: str) -> None:
        self.case, self.widget = LARGE[name], widget
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(looking.LABELS)
        self.complaints = looking.complaints_of(page)
        page.goto(address)
        page.wait_for_selector(".equivlab-view canvas[data-painted]")
        canvas = ".equivlab-view canvas[tabindex]"
        if name == "RotateShape":
            page.wait_for_selector(".equivlab-view canvas[data-live=true]")
        self.view = TurningPage(page, canvas, self.complaints, dark=False)

    @property
    def angle(self) -> float:
        """About the upright axis, as the page says it."""
        said = self.view.canvas.get_attribute("data-angle")
        return float(said or self.view.canvas.get_attribute("aria-valuenow"))

    def budgets(self) -> dict[str, ErrorBudget]:
        """By title, at that angle."""
        widget, half = self.widget, math.radians(self.angle) / 2
        if isinstance(widget, RotateImage):
            widget.angle_deg = self.angle
            found = [widget.budget(), widget.budget(compare=True)]
        elif isinstance(widget, RotateSphere):
            found = widget.budgets(0, SO3.from_zyz(2 * half, 0.0, 0.0))
        else:
            widget.rotation = [math.cos(half), 0.0, 0.0, math.sin(half)]
            found = widget.budgets()
        return dict(zip(widget.titles, found, strict=True))

    def turn(self, *keys: str, to: int) -> None:
        """Until the features are those of an angle."""
        for key in keys:
            self.view.press(key)
        self.view.page.wait_for_function(
            "([{ ariaValueNow, dataset }, to]) =>"
            " Math.abs((dataset.angle ?? ariaValueNow) - to) < 0.1",
            arg=[self.view.canvas.element_handle(), to],
        )
        looking.settle(self.view)

    def lose_the_kernel(self) -> None:
        """It answers no more, which the page notices at the next key."""
        self.view.page.evaluate("() => { window.gone = true; }")
        self.view.press(self.case.key)
        if not isinstance(self.widget, RotateImage):  # which asks nothing
            self.view.page.wait_for_selector(".equivlab-view canvas[data-silent=true]")
        looking.settle(self.view)

    def wrong(self, *, parted: bool) -> list[str]:
        """What cannot be read, or is not of this pose; with all parts, if the kernel is asked."""
        budgets = self.budgets()
        if parted:
            many = sum(float(budget.total) > EXACT for budget in budgets.values())
            self.view.page.wait_for_function(
                f"([canvas, n]) => ({PARTED})(labelsOf(canvas.closest('.equivlab-view'))"
                ".map(({ words }) => words)) === n",
                arg=[self.view.canvas.element_handle(), many],
            )
        said = looking.labels(self.view)
        wrong = looking.faults(self.view)
        for title, budget in budgets.items():
            row = re.escape(title)
            total = Number(f"{row}: {SAID}(?: = .*)?", float(budget.total))
            wanted = [total] + [
                Number(rf"{row}: .* {part} {SAID}(?: .*)?", float(value))
                for part, value in zip(
                    ("interpolation", "grid", "model"), budget.shares(), strict=True
                )
                if any(re.fullmatch(rf"{row}: .* = .*{part} .*", one) for one in said)
            ]
            wrong += [f"{one.words}, {one.value:.3g}" for one in wanted if not one.is_said(said)]
        head = re.compile(rf"what the error at {self.angle:.0f}°.* consists of")
        wrong += [] if any(map(head.fullmatch, said)) else [f"no {head.pattern}"]
        return [*wrong, *said] if wrong else []


@pytest.fixture
def bars(request: pytest.FixtureRequest, browser: Any) -> Iterator[Bars]:
    """Of a widget by its name; "frozen" has no poses for pages without a kernel."""
    name, _, how = str(request.param).partition(", ")
    networks, x = LARGE[name].parts()
    makes = {"RotateSphere": RotateSphere, "RotateShape": RotateShape}
    if how == "frozen":
        model, plain = networks.values()
        widget: Any = makes[name](model, x, compare=plain, turns=0)
    else:
        widget = LARGE[name].show(networks, x)
    with live(widget) as address:
        found = Bars(browser, name, widget, address)
        yield found
        found.view.page.close()
    assert found.complaints == []


@pytest.mark.parametrize("bars", ["RotateImage", "RotateSphere", "RotateShape"], indirect=True)
def test_rows_are_whole_and_of_the_pose_on_show(bars: Bars) -> None:
    looking.resize(bars.view, "200 %")
    bars.turn("r", "ArrowRight", to=5)
    assert max(float(budget.total) for budget in bars.budgets().values()) > 0.01
    assert bars.wrong(parted=True) == []
    looking.resize(bars.view, "360")
    assert bars.wrong(parted=True) == []
    bars.lose_the_kernel()
    for size in ("360", "200 %"):
        looking.resize(bars.view, size)
        assert bars.wrong(parted=False) == [], size
    bars.turn("r", to=0)
    bars.turn("Shift+ArrowRight", to=90)
    assert bars.wrong(parted=False) == []


@pytest.mark.parametrize("bars", ["RotateSphere, frozen", "RotateShape, frozen"], indirect=True)
def test_where_features_stand_still_no_number_does(bars: Bars) -> None:
    """Neither in the bars nor in the square nor beside the curve."""
    looking.resize(bars.view, "200 %")
    bars.turn("r", "ArrowRight", to=5)
    assert bars.wrong(parted=True) == []
    bars.lose_the_kernel()
    for key in ("ArrowRight", "s"):
        bars.view.press(key)
        said = looking.labels(bars.view)
        assert [one for one in said if NUMBER_OF_AN_ERROR.search(one)] == []
        assert not any(" = " in one for one in said)
        assert f"{bars.widget.titles[0]}: –" in said
        assert looking.faults(bars.view) == []
    bars.view.page.evaluate("() => { window.gone = false; }")
    bars.view.press("s")
    bars.turn("r", "ArrowRight", to=5)  # the kernel is found again, and with it the numbers
    bars.view.page.wait_for_selector(".equivlab-view canvas[data-silent=false]")
    assert bars.wrong(parted=True) == []
