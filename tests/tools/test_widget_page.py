"""The development page: it serves the files as they are, and answers as a kernel does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from equivlab.widgets.page.module import SOURCES
from tests.widgets.chromium import BROWSER, in_browser
from tools.samples import SAMPLES
from tools.widget_page import PAGES, server, version


class Globe:
    """Stands for a widget that answers."""

    keys = ("_esm", "signal", "_features", "layout")

    def get_state(self, names: list[str]) -> dict[str, Any]:
        state = {"_esm": "not sent", "signal": 3, "_features": b"\x01\x02"}
        return {name: state[name] for name in names}

    def ask(self, message: Any, _: Any) -> tuple[dict[str, Any], list[bytes]]:
        return {"heard": message}, [b"\x07"]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPConnection]:
    monkeypatch.setitem(SAMPLES, "rotate_sphere", Globe)
    with server(0) as running:
        thread = Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield HTTPConnection("127.0.0.1", running.server_port, timeout=30)
        running.shutdown()
        thread.join()


def get(page: HTTPConnection, path: str, body: str | None = None) -> tuple[int, str]:
    page.request("GET" if body is None else "POST", path, body)
    answer = page.getresponse()
    return answer.status, answer.read().decode()


def test_pages_files_states_and_answers(page: HTTPConnection) -> None:
    for name, file in PAGES.items():
        assert (SOURCES / file).is_file()
        assert f'<a href="/{name}">' in get(page, "/")[1]
    assert get(page, "/version") == (200, version())
    _, text = get(page, "/js/v1/globe/rotate_sphere.js")
    assert text == (SOURCES / "globe/rotate_sphere.js").read_text("utf-8")
    state = json.loads(get(page, "/state/rotate_sphere")[1])
    assert state == {
        "values": {"signal": 3},
        "buffers": [{"path": ["_features"], "data": "AQI="}],
    }
    _, answer = get(page, "/ask", json.dumps(["rotate_sphere", "ask", {"a": 1}]))
    assert json.loads(answer) == [{"heard": {"a": 1}}, ["Bw=="]]


@pytest.mark.parametrize(
    "path", ["/state/nothing", "/js/v1/../../__init__.py", "/js/v1/page/view.py", "/other"]
)
def test_nothing_else_is_served(page: HTTPConnection, path: str) -> None:
    assert get(page, path)[0] == 404


def test_no_other_method_of_a_widget_is_called(page: HTTPConnection) -> None:
    assert get(page, "/ask", json.dumps(["rotate_sphere", "get_state", {}]))[0] == 404


def test_a_changed_file_changes_the_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr("tools.widget_page.SOURCES", tmp_path)
    (tmp_path / "a.js").write_text("1")
    before = version()
    (tmp_path / "b.js").write_text("2")
    assert version() != before


@in_browser
def test_the_page_follows_an_edit_and_keeps_its_state(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    shutil.copytree(SOURCES, tmp_path / "widgets", ignore=shutil.ignore_patterns("*.py", "__*"))
    monkeypatch.setattr("tools.widget_page.SOURCES", tmp_path / "widgets")
    with server(0) as running, sync_api.sync_playwright() as playwright:
        thread = Thread(target=running.serve_forever, daemon=True)
        thread.start()
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{running.server_port}/filter_orbit")
        page.wait_for_selector("canvas[data-painted]")
        page.get_by_role("button", name="Turn").click()
        page.wait_for_selector("canvas[data-element='1']")
        file = tmp_path / "widgets" / "filter" / "filter_orbit.js"
        file.write_text(file.read_text("utf-8").replace('"Turn"', '"Rotate"'), "utf-8")
        page.get_by_role("button", name="Rotate").wait_for(timeout=20_000)
        page.wait_for_selector("canvas[data-element='1']")
        file.write_text("const = broken", "utf-8")
        page.wait_for_function(
            "() => document.getElementById('trouble').textContent", timeout=20_000
        )
        assert page.get_by_role("button", name="Rotate").is_visible()  # the last that worked
        browser.close()
        running.shutdown()
        thread.join()
