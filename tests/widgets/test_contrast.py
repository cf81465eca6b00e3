"""Every widget in colours that a system forces on pages, and its pictures on black paper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from equivlab.widgets import AccuracyVsAngle
from tests.widgets import looking
from tests.widgets.chromium import IN_BROWSER
from tests.widgets.large import LARGE
from tests.widgets.turning_page import TurningPage

pytestmark = IN_BROWSER
LOOK = """(node) => {
  const { backgroundColor, outlineStyle, borderTopColor } = getComputedStyle(node);
  return [backgroundColor, outlineStyle, borderTopColor].join(" ");
}"""
DISC = "JSON.parse(canvas.dataset.disc)"


@cache
def page_of(name: str) -> str:
    return str(LARGE[name].make().to_html())


@contextmanager
def opened(browser: Any, folder: Path, name: str, **options: Any) -> Iterator[TurningPage]:
    file = folder / "page.html"
    file.write_text(page_of(name), encoding="utf-8")
    with shown(browser, file, **options) as view:
        yield view


@contextmanager
def shown(browser: Any, file: Path, **options: Any) -> Iterator[TurningPage]:
    size = {"width": 1000, "height": 900}
    page = browser.new_page(viewport=size, offline=True, **options)
    complaints = looking.complaints_of(page)
    page.add_init_script(looking.LABELS)
    page.goto(file.as_uri())
    page.wait_for_selector(".equivlab-view canvas[data-painted]")
    view = TurningPage(page, ".equivlab-view canvas[tabindex]", complaints, dark=True)
    view.settle()
    yield view
    page.close()
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", LARGE)
def test_what_is_pressed_stands_out_in_forced_colours(
    browser: Any, tmp_path: Path, name: str, scheme: str
) -> None:
    """Forced colours take the edge and the shadow that tell it elsewhere."""
    options = {"forced_colors": "active", "color_scheme": scheme}
    with opened(browser, tmp_path, name, **options) as view:
        buttons = view.page.locator(".equivlab-view button[aria-pressed]")
        looks: dict[str, set[str]] = {"true": set(), "false": set()}
        for button in buttons.all():
            for _ in range(2):
                looks[str(button.get_attribute("aria-pressed"))].add(button.evaluate(LOOK))
                button.evaluate("(node) => node.click()")
                view.settle()
        assert not looks["true"] & looks["false"]
        assert bool(looks["true"]) == bool(buttons.count())
        off = view.page.locator(".equivlab-view button[aria-disabled=true]")
        for button in off.all():
            assert button.evaluate("(node) => getComputedStyle(node).opacity") == "1"


def test_a_black_image_on_a_black_page_has_an_edge(browser: Any, tmp_path: Path) -> None:
    options = {"color_scheme": "dark", "forced_colors": "active"}
    networks = {"plain CNN": nn.Sequential(nn.Flatten(), nn.Linear(64, 2))}
    black, labels = torch.zeros(3, 1, 8, 8), torch.zeros(3, dtype=torch.long)
    widget = AccuracyVsAngle(networks, black, labels, steps=4, progress=False)
    widget.to_html(tmp_path / "page.html")
    with shown(browser, tmp_path / "page.html", **options) as view:
        x, y, side = view.canvas.evaluate(f"(canvas) => Object.values({DISC})")
        across = view.look()[int(y + side / 2), int(x) - 6 : int(x) + 7]
        assert across.max() > 0.3
        assert max(across[0].max(), across[-1].max()) < 0.1


@pytest.mark.parametrize(("scheme", "paper"), [("light", 255), ("dark", 17)])
def test_a_saved_picture_has_the_paper_of_its_words(
    browser: Any, tmp_path: Path, scheme: str, paper: int
) -> None:
    """Also where nothing but the browser gives the page a background."""
    with opened(browser, tmp_path, "FilterOrbit", color_scheme=scheme) as view:
        picture = np.asarray(view.save().convert("RGB"))
        assert (picture[0, 0] == paper).all()
        assert np.abs(picture.astype(int) - paper).max() > 150


def test_curves_are_named_in_one_order(browser: Any, tmp_path: Path) -> None:
    """From left to right as the errors stand from top to bottom, wide and narrow."""
    with opened(browser, tmp_path, "RotateImage") as view:
        for width in (1000, 500):
            view.page.set_viewport_size({"width": width, "height": 900})
            view.settle()
            view.settle()
            found = view.canvas.evaluate(
                "(canvas) => labelsOf(canvas.parentElement).map(({ words, x, y }) => [words, x, y])"
            )
            top = next(y for words, _, y in found if words == "resampling")
            line = sorted((x, words) for words, x, y in found if abs(y - top) < 6)
            names = [words for _, words in line if words in ("P4M", "plain CNN", "resampling")]
            assert names == ["P4M", "plain CNN", "resampling"]
