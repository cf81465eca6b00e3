"""The site: its guides run, its pages are complete, and nothing in them needs a network."""

from __future__ import annotations

import base64
import html
import importlib
import inspect
import io
import os
import re
from collections.abc import Iterator
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import docutils.core
import nbformat
import pytest
import torch
from docutils.parsers.rst import roles
from filelock import FileLock
from matplotlib.figure import Figure

from equivlab.groups import P4
from equivlab.nn import LiftingConv2d
from equivlab.widgets import RotateImage
from equivlab.widgets.page.export import STATE, VIEW
from equivlab.widgets.page.html import state_of
from equivlab.widgets.page.still import png_bytes
from tests.notebooks.reading import COURSE, ROOT, glossary
from tests.widgets.chromium import BROWSER, in_browser
from tools import sheet
from tools.alive import Shown, Widgets, alive, key_of
from tools.alive import page as page_of
from tools.site import INNER, MODULES, build

ROOMS = ("groups", "fields", "sphere", "widgets", "course")  # all docstrings are read below
AXE = ROOT / "node_modules/axe-core/axe.min.js"
SERIOUS = """async () => (await axe.run(document, { preload: false })).violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join("; ")}`)"""
STILL = base64.b64encode(png_bytes(Figure(), 20)).decode()

GUIDES = re.findall(
    r"^## (.+?)\n(.*?)(?=^## |\Z)",
    (ROOT / "docs" / "how-to.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)


@pytest.mark.parametrize(("title", "text"), GUIDES, ids=[title for title, _ in GUIDES])
def test_guides_run(title: str, text: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks or "```sh" in text
    for block in blocks:
        exec(compile(block, title, "exec"), {})


def first_widget(path: Path) -> Widgets:
    """What `tools.alive` gives for the first widget of the first notebook, from a small one."""
    if path.stem != "00_start_here":
        return {}
    stored = nbformat.read(path, as_version=4)
    (key, *_) = [
        key_of(cell, output)
        for cell in stored.cells
        for output in cell.get("outputs", [])
        if "RotateImage(" in output.get("data", {}).get("text/plain", "")
    ]
    values, buffers = state_of(RotateImage(LiftingConv2d(P4, 1, 2, 3), torch.rand(3, 1, 20, 20)))
    return {key: page_of(key, Shown(values, buffers, STILL, 3).first(2))}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site with stills, one live widget, and three rooms; built by the first who wants it."""
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    base = tmp_path_factory.getbasetemp()
    # Several processes that test at the same time have one folder above their own.
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "built-site" / "site"
    with FileLock(shared / "built-site.lock"):
        if not folder.exists():
            built = folder.with_name("now")
            assert build(built, first_widget, ROOMS) == 0
            built.rename(folder)
    return folder


class Page(HTMLParser):
    """What a page loads, where it leads, what can be led to, and its pictures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.said: list[str] = []  # instead of pictures
        self.formulas = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given["id"]} if "id" in given else set()
        if tag in ("script", "img", "iframe") and "src" in given:
            self.loads.append(given["src"])
        if tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload"):
            self.loads.append(given["href"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        self.said += [given.get("alt", "")] if tag == "img" else []
        self.formulas += tag == "math"


@pytest.mark.slow
def test_every_page_is_there_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    names = {path.relative_to(site).as_posix() for path in pages}
    assert {f"notebooks/{path.stem}.html" for path in COURSE} <= names
    assert {f"docs/api/{room}.html" for room in ROOMS} <= names
    assert {"index.html", "search.html", "docs/how-to.html", "docs/gallery.html"} <= names
    for path, page in pages.items():
        for load in page.loads:
            parts = urlsplit(load)
            assert not parts.netloc, f"{path.name} loads {load}"
            if parts.scheme != "data":
                assert (path.parent / unquote(parts.path)).exists(), f"{path.name}: {load}"


@pytest.mark.slow
def test_every_picture_says_what_it_shows(site: Path) -> None:
    for path in site.rglob("*.html"):
        said = Page(path.read_text(encoding="utf-8")).said
        assert [alt for alt in said if len(alt) < 10 or "_images/" in alt] == [], path.name
    first = Page((site / "notebooks" / "00_start_here.html").read_text(encoding="utf-8")).said
    assert any(alt.startswith("A still of RotateImage(6 images, P4M") for alt in first)


@pytest.mark.slow
def test_links_inside_the_site_lead_somewhere(site: Path) -> None:
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    ids = {path: page.ids | {""} for path, page in pages.items()}
    dead = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not target.exists() or anchor not in ids.get(target, {anchor}):
                dead.append(f"{path.name}: {link}")
    assert dead == []


@pytest.mark.slow
def test_the_glossary_can_be_linked_and_formulas_are_drawn_without_scripts(site: Path) -> None:
    text = (site / "docs" / "glossary.html").read_text(encoding="utf-8")
    assert {term.anchor for term in glossary()} <= Page(text).ids
    assert Page((site / "notebooks" / "03_sphere.html").read_text(encoding="utf-8")).formulas > 10


@pytest.mark.slow
def test_formulas_are_spaced_as_tex_does(site: Path) -> None:
    pages = [path.read_text(encoding="utf-8") for path in site.glob("notebooks/*.html")]
    text = "".join(re.findall("<math.*?</math>", "".join(pages)))
    assert "<mi>cos</mi><mspace" in text
    assert not re.search(r"<mi>(?:sin|cos)</mi><m[in]>", text)  # cos x
    assert not re.search(r"</m(?:i|n|sub|sup)><mi>(?:sin|cos)</mi>", text)  # a cos x
    assert '&#x0003D;</mo><mo form="prefix">&#x02212;' in text  # m = -1
    assert "&#x0003D;</mo><mo>&#x02212;" not in text


@pytest.mark.slow
def test_what_only_a_notebook_has_is_not_told_on_a_page(site: Path) -> None:
    source = (ROOT / "notebooks" / "02_group_convolution.ipynb").read_text(encoding="utf-8")
    assert "the bar with three dots" in source
    pages = {path.name: path.read_text(encoding="utf-8") for path in site.glob("notebooks/*.html")}
    assert [name for name, page in pages.items() if "three dots" in page] == []


@in_browser
def test_the_cheat_sheet_can_be_printed_on_one_page(site: Path) -> None:
    links = Page((site / "docs" / "cheat-sheet.html").read_text(encoding="utf-8")).links
    (pdf,) = [link for link in links if link.endswith(".pdf")]
    assert sheet.pages(site / "docs" / pdf) == 1


def test_a_sheet_of_two_pages_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def printer(command: list[str], **how: object) -> None:
        (target,) = [word.partition("=")[2] for word in command if "print-to-pdf=" in word]
        Path(target).write_bytes(b"<< /Type /Pages >> << /Type /Page >> << /Type /Page >>")

    monkeypatch.setattr(sheet, "browser", lambda: "chromium")
    monkeypatch.setattr(sheet.subprocess, "run", printer)
    with pytest.raises(RuntimeError, match=r"takes 2 pages; shorten cheat-sheet\.md"):
        sheet.write(tmp_path / "sheet.pdf", "1.0")
    monkeypatch.setattr(sheet, "browser", lambda: None)
    assert not sheet.write(tmp_path / "sheet.pdf", "1.0")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_no_page_is_larger_than_eight_megabytes(site: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in site.rglob("*.html")}
    assert {name: size for name, size in sizes.items() if size > 8_000_000} == {}


@pytest.mark.slow
def test_solutions_are_folded(site: Path) -> None:
    text = (site / "notebooks" / "01_groups_and_fields.html").read_text(encoding="utf-8")
    before = text[: text.index("A solution. Unfold it")]
    assert before.count("<details") == before.count("</details>") + 1


@in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_widgets_live_on_its_pages_without_a_network(site: Path, scheme: str) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = chromium.new_context(offline=True, color_scheme=scheme).new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("requestfailed", lambda request: said.append(request.url))
        page.goto((site / "notebooks" / "00_start_here.html").as_uri())
        page.wait_for_selector(".equivlab-still", state="detached")
        widget = page.locator(".equivlab-offline")
        canvas = widget.locator(".equivlab-rotate > canvas")
        before = canvas.evaluate("one => one.toDataURL()")
        canvas.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function(
            "([one, before]) => one.toDataURL() !== before", arg=[canvas.element_handle(), before]
        )
        assert "On this page: the first 2 of 3 images." in page.inner_text("body")
        assert said == []
        if AXE.exists():  # npm ci brings it
            page.add_script_tag(path=AXE)
            assert page.evaluate(SERIOUS) == []
        chromium.close()


def test_what_is_too_large_has_fewer_images_and_says_so() -> None:
    widget = RotateImage(LiftingConv2d(P4, 1, 2, 3), torch.rand(4, 1, 20, 20))
    values, buffers = state_of(widget)
    data = {"text/plain": repr(widget), VIEW: {"model_id": "w"}, "image/png": STILL}
    cell = nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", data)])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata["widgets"] = {STATE: {"state": {"w": {"state": values, "buffers": buffers}}}}
    (whole,) = alive(notebook).values()
    assert "On this page" not in whole
    ((key, smaller),) = alive(notebook, most=len(whole) - 1000).items()
    assert key == f"{cell.id} {widget!r}"
    assert len(smaller) < len(whole)
    assert re.search(r"On this page: the first [23] of 4 images", smaller)
    with pytest.raises(ValueError, match=r"MB, more than 0\.0; give the notebook fewer"):
        alive(notebook, most=10)


def test_every_docstring_of_the_reference_is_read_without_a_warning() -> None:
    napoleon = pytest.importorskip("sphinx.ext.napoleon")
    for role in ("class", "exc", "func", "meth", "mod", "obj", "py:obj", "attr"):
        roles.register_generic_role(role, docutils.nodes.literal)
    config = napoleon.Config(
        napoleon_use_ivar=True,  # in words of docutils alone
        napoleon_custom_sections=[("Shape", "notes_style"), ("Source", "notes_style")],
    )
    read, faults = 0, []
    for what, name, text in documented():
        said = io.StringIO()
        settings = {"warning_stream": said, "report_level": 2, "default_role": "literal"}
        text = str(napoleon.GoogleDocstring(text, config, what=what, name=name))
        docutils.core.publish_doctree(text, settings_overrides=settings)
        read += 1
        faults += [f"{name}: a link in Markdown"] if "`][" in text else []
        faults += [f"{name}: {said.getvalue()}"] if said.getvalue() else []
    assert read > 400
    assert faults == []


def test_the_reference_shows_no_makeshift_of_the_tools(site: Path) -> None:
    """What a thing takes and gives, as a reader would write it."""
    pages = {path.stem: path.read_text(encoding="utf-8") for path in site.glob("docs/api/*.html")}
    text = {name: html.unescape(re.sub("<[^>]+>", "", page)) for name, page in pages.items()}
    assert set(ROOMS) <= set(text)
    makeshifts = ("(*args", "<factory>", "~torch", "dtype[float64]]", "Bases: object")
    for words in (*makeshifts, "Alias for field", "(torch.Tensor", "fields.base"):
        assert [name for name, each in text.items() if words in each] == []
    assert "Return type" not in "".join(text.values())
    assert "RotateImage(model: Module, images: Any, " in text["widgets"]


@pytest.mark.slow
def test_every_public_name_has_an_entry_and_texts_lead_to_it(site: Path) -> None:
    for room in ROOMS:
        page = Page((site / "docs" / "api" / f"{room}.html").read_text(encoding="utf-8"))
        names = set(importlib.import_module(f"equivlab.{room}").__all__) - {"Lattice"}  # a type
        assert {f"equivlab.{room}.{name}" for name in names} <= page.ids
    page = Page((site / "docs" / "api" / "fields.html").read_text(encoding="utf-8"))
    assert {"#equivlab.fields.IrrepPoints", "groups.html#equivlab.groups.SO2"} <= set(page.links)
    sheet_page = Page((site / "docs" / "cheat-sheet.html").read_text(encoding="utf-8"))
    assert "api/fields.html#equivlab.fields.RegularMaps" in sheet_page.links


@pytest.mark.slow
def test_methods_of_a_private_base_stand_with_the_class_that_has_them(site: Path) -> None:
    page = Page((site / "docs" / "api" / "widgets.html").read_text(encoding="utf-8"))
    for method in ("to_html", "to_png", "to_gif"):
        assert f"equivlab.widgets.RotateSphere.{method}" in page.ids
    assert "equivlab.widgets.RotateSphere.ask" not in page.ids  # between the page and the kernel


def test_a_docstring_that_lists_parameters_lists_them_all() -> None:
    read, silent = 0, []
    for room in MODULES:
        module = importlib.import_module(f"equivlab.{room}")
        for name, thing in ((name, getattr(module, name)) for name in module.__all__):
            text = inspect.getdoc(thing) or "" if callable(thing) else ""
            if "\nArgs:" not in text:
                continue
            read += 1
            said = re.findall(r"^    \*{0,2}(\w+): ", text, re.MULTILINE)
            wanted = [one for one in inspect.signature(thing).parameters if one not in said]
            silent += [f"{room}.{name}: {', '.join(wanted)}"] if wanted else []
    assert read > 200
    assert silent == []


def test_no_docstring_points_to_what_has_no_entry() -> None:
    """A class that the text names is one that a reader can look up."""
    inner = {path.rpartition(".")[2] for paths in INNER.values() for path in paths}
    public = {
        name for room in MODULES for name in importlib.import_module(f"equivlab.{room}").__all__
    }
    ours = {
        name
        for path in sorted((ROOT / "equivlab").rglob("*.py"))
        for name in re.findall(r"^class (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    lost = [
        f"{name} points to {word}"
        for _, name, text in documented()
        for word in re.findall(r"(?<!`)`(\w+)`(?!`)", text)
        if word in ours - public - inner
    ]
    assert lost == []


def test_no_property_begins_with_what_napoleon_takes_for_its_type() -> None:
    read, taken = 0, []
    for room in MODULES:
        module = importlib.import_module(f"equivlab.{room}")
        for kind in filter(inspect.isclass, (getattr(module, name) for name in module.__all__)):
            for name, each in vars(kind).items():
                if name[0] != "_" and isinstance(each, property | cached_property) and each.__doc__:
                    read += 1
                    first = re.sub("`+.*?`+", "", each.__doc__.partition("\n")[0])
                    taken += [f"{room}.{kind.__name__}.{name}: {first}"] if ": " in first else []
    assert read > 20
    assert taken == []


def documented() -> Iterator[tuple[str, str, str]]:
    """What the reference describes: its kind, its name, its docstring."""
    for room in MODULES:
        module = importlib.import_module(f"equivlab.{room}")
        yield "module", room, inspect.getdoc(module) or ""
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing):
                yield "class", f"{room}.{name}", inspect.getdoc(thing) or ""
                for inner, each in vars(thing).items():
                    if inner[0] != "_" and callable(each) and each.__doc__:
                        yield "method", f"{room}.{name}.{inner}", inspect.cleandoc(each.__doc__)
            elif callable(thing):
                yield "function", f"{room}.{name}", inspect.getdoc(thing) or ""
