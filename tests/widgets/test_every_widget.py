"""What holds for every widget, and a guard that names a new one and what it lacks."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.axis import Tick
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image
from torch import nn

from equivlab.groups import P4
from equivlab.models import smooth_network
from equivlab.widgets import RotateImage
from equivlab.widgets.page.budget import error_words
from equivlab.widgets.page.html import state_of, widget_html
from equivlab.widgets.page.still import DOTS, HINT, WIDEST
from tests.widgets.cases import WIDGETS, Case, public_widgets

HERE = Path(__file__).parent
NAMED = {"←": "ArrowLeft", "→": "ArrowRight", "↑": "ArrowUp", "↓": "ArrowDown"}
#: In a page's table of actions by key: ``{ ArrowLeft: ..., "[": ... }``, or ``acts.m = ...``.
ACTION = r"(?<![\w.])\"?{0}\"?: |\bacts\.{0} = "
ARROWS = frozenset(NAMED.values())
ROWS = pytest.mark.parametrize("name", WIDGETS)
#: Those whose previews are turned, and another pose of each.
TELLING: dict[str, dict[str, Any]] = {
    "RotateImage": {"angle_deg": 35.0},
    "RotateShape": {"rotation": [0.8, 0.6, 0.0, 0.0]},
    "RotateSphere": {"rotation": [1.0, 0, 0, 0, 0.8, -0.6, 0, 0.6, 0.8]},
}


@cache
def shown_in_a_browser() -> str:
    """The source of all tests that open a page."""
    sources = [path.read_text(encoding="utf-8") for path in sorted(HERE.rglob("test_*.py"))]
    return "\n".join(source for source in sources if "browser" in source)


def lacking(kind: type, case: Case | None, in_browser: str) -> list[str]:
    """What a widget with this row is not tested for."""
    if case is None:
        return ["making, still, repr, keys, export and bad input: a row in tests/widgets/cases.py"]
    found = []
    if not case.says:
        found.append("repr: what it says of itself, in `says` of its row")
    if not case.keys or documented(kind) == frozenset():
        found.append("keys: those in its docstring under Keys, in `keys` of its row")
    if not case.bad:
        found.append("bad input: what it refuses, with the words, in `bad` of its row")
    if not re.search(rf"\b{kind.__name__}\(", in_browser):
        found.append("browser: a test in Chromium in tests/widgets/<folder>/test_in_browser.py")
    return found


def documented(kind: type) -> frozenset[str]:
    """The keys that a docstring names, as the browser calls them."""
    said = re.search(r"Keys: (.*?)\n\n", kind.__doc__ or "", re.DOTALL)
    if said is None:
        return frozenset()
    text = said[1]
    keys = {NAMED.get(key, key) for quoted in re.findall(r"``(.+?)``", text, re.DOTALL)
            for key in quoted.split()}  # fmt: skip
    space = {" "} if "space bar" in text else set()
    return frozenset(keys | space | (ARROWS if text.startswith("arrows") else set()))


@pytest.fixture(scope="module")
def made() -> Iterator[dict[str, Any]]:
    """Each of them, once."""
    widgets: dict[str, Any] = {}
    yield widgets
    for widget in widgets.values():
        widget.close()


def widget_of(made: dict[str, Any], name: str) -> Any:
    if name not in made:
        made[name] = WIDGETS[name].make()
    return made[name]


@pytest.mark.parametrize("name", public_widgets())
def test_every_widget_has(name: str) -> None:
    lacks = lacking(public_widgets()[name], WIDGETS.get(name), shown_in_a_browser())
    assert not lacks, f"{name} lacks\n  " + "\n  ".join(lacks)


@ROWS
def test_it_says_what_it_is_the_same_each_time(name: str, made: dict[str, Any]) -> None:
    widget = widget_of(made, name)
    assert isinstance(widget, public_widgets()[name])
    assert re.fullmatch(WIDGETS[name].says, repr(widget))
    assert repr(WIDGETS[name].make()) == repr(widget)


@ROWS
def test_its_still_is_a_picture(name: str, made: dict[str, Any], tmp_path: Path) -> None:
    data, _ = widget_of(made, name)._repr_mimebundle_()
    assert data["text/plain"] == repr(widget_of(made, name))
    (tmp_path / "still.png").write_bytes(base64.b64decode(data["image/png"]))
    with Image.open(tmp_path / "still.png") as still:
        assert min(still.size) > 100
        assert len(still.convert("RGB").getcolors(1 << 24) or []) > 2


@ROWS
def test_the_words_of_its_still_are_whole_and_large_enough(name: str, made: dict[str, Any]) -> None:
    """No word is cut off, none is small, and a column of a page need not shrink them."""
    figure = widget_of(made, name).figure()
    figure.supxlabel(HINT, fontsize=9)
    FigureCanvasAgg(figure).draw()
    assert figure.dpi == DOTS
    assert figure.get_figwidth() <= WIDEST + 0.01
    assert figure.get_figwidth() * DOTS > 300
    ticks = {text for tick in figure.findobj(Tick) for text in (tick.label1, tick.label2)}
    words = [one for one in figure.findobj(Text) if one.get_text().strip() and one not in ticks]
    assert HINT in {one.get_text() for one in words}
    inside = figure.bbox.padded(1)
    for one in words:
        box = one.get_window_extent()
        assert one.get_fontsize() >= 8, one.get_text()
        assert inside.contains(box.x0, box.y0), one.get_text()
        assert inside.contains(box.x1, box.y1), one.get_text()


@ROWS
def test_a_preview_of_what_nobody_turned_shows_it_turned(name: str, made: dict[str, Any]) -> None:
    widget = widget_of(made, name)
    before = widget.get_state()
    preview = widget.preview()
    assert widget.get_state() == before
    if name not in TELLING:
        assert preview == widget.still()
        return
    assert preview != widget.still()
    for trait, pose in TELLING[name].items():
        rest = getattr(widget, trait)
        setattr(widget, trait, pose)
        assert widget.preview() == widget.still() != preview  # what a hand has turned stays so
        setattr(widget, trait, rest)


def test_a_preview_tells_an_equivariant_network_from_a_plain_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU())
    widget = RotateImage(smooth_network(P4), torch.rand(1, 1, 12, 12), plain)
    seen: list[float] = []
    drawn = widget.figure

    def figure() -> Any:
        seen.extend(float(widget.budget(compare=other).total) for other in (False, True))
        return drawn()

    monkeypatch.setattr(widget, "figure", figure)
    widget.preview()
    assert seen[0] < 1e-5
    assert seen[1] > 0.1


def test_what_is_rounding_is_called_exact_and_what_is_no_number_is_not() -> None:
    told = [error_words(error) for error in (0.0, 3e-7, 0.1234, float("nan"))]
    assert told == ["0 (exact)", "0 (exact)", "0.12", "nan"]


@ROWS
def test_its_page_hears_the_keys_that_it_documents(name: str, made: dict[str, Any]) -> None:
    keys = WIDGETS[name].keys
    assert documented(public_widgets()[name]) == keys
    page = str(widget_of(made, name)._esm)
    heard = {key for key in keys if re.search(ACTION.format(re.escape(key)), page)}
    assert heard == keys


@ROWS
def test_an_exported_page_holds_it(name: str, made: dict[str, Any]) -> None:
    """Its code and its state, and nothing from a network."""
    page = widget_html("one", *state_of(widget_of(made, name)))
    assert "export default" in page or "render" in page
    assert not re.search(r"(?:src|href|from|import\()\s*=?\s*[\"']https?://", page)


@ROWS
def test_it_can_be_taken_along(name: str, made: dict[str, Any], tmp_path: Path) -> None:
    """A picture for print, a page of its own, and a turn if it turns; the same bytes each time."""
    widget = widget_of(made, name)
    data = widget.to_png(tmp_path / "one.png")
    assert (tmp_path / "one.png").read_bytes() == data == widget.to_png()
    with (
        Image.open(tmp_path / "one.png") as fine,
        Image.open(io.BytesIO(still_of(widget))) as still,
    ):
        assert fine.width > 2 * still.width
    page = widget.to_html(tmp_path / "one.html")
    assert (tmp_path / "one.html").read_text("utf-8") == page == widget.to_html()
    assert page.startswith("<!doctype html>")
    inner = page.partition("<!-- begin -->")[2].partition("<!-- end -->")[0]
    assert inner.count("</script>") == 2
    if name == "FilterOrbit":
        with pytest.raises(ValueError, match="FilterOrbit does not turn"):
            widget.to_gif()
        return
    before = widget.get_state()
    turn = widget.to_gif(tmp_path / "turn.gif", frames=3, seconds=0.6, dpi=50)
    assert turn == widget.to_gif(frames=3, seconds=0.6, dpi=50)
    assert widget.get_state() == before
    with Image.open(tmp_path / "turn.gif") as film:
        assert (film.n_frames, film.info["duration"], film.info["loop"]) == (3, 200, 0)
        first = film.convert("RGB").tobytes()
        film.seek(1)
        assert film.convert("RGB").tobytes() != first
    with pytest.raises(ValueError, match="two frames at least; got frames=1"):
        widget.to_gif(frames=1)


def still_of(widget: Any) -> bytes:
    return base64.b64decode(widget.still())


@ROWS
def test_bad_input(name: str) -> None:
    for make, words in WIDGETS[name].bad:
        with pytest.raises((TypeError, ValueError, FileNotFoundError), match=words):
            make()


def test_the_guard_can_fail() -> None:
    class New:
        """A widget.

        Keys: ``→`` turns, the space bar paints.

        Args:
        """

    assert documented(New) == {"ArrowRight", " "}
    assert lacking(New, None, "")[0].startswith("making, still, repr, keys, export and bad input")
    assert [what.split(":")[0] for what in lacking(New, Case(New), "FilterOrbit()")] == [
        "repr", "keys", "bad input", "browser",
    ]  # fmt: skip
    full = Case(New, "New", frozenset({"r"}), ((New, "words"),))
    assert lacking(New, full, "SOURCE = 'New(model)'") == []
