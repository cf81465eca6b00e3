"""Every widget in a frame like those of VS Code and Colab, by their rules and without their pages.

The frame may run scripts and nothing else: it has no origin, no storage, and sees no page around
it. In it stands as much of anywidget as both load: the module as text, a model with a state, and
no way to ask the kernel. What a place is told apart by comes from public words of its makers: VS
Code puts widgets on white in any theme, unless a reader takes that away, and names its colours
``--vscode-…``; Colab says ``theme=dark`` in its first element.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from equivlab.widgets.page.html import state_of
from tests.widgets import looking
from tests.widgets.chromium import IN_BROWSER
from tests.widgets.large import LARGE
from tests.widgets.turning_page import TurningPage

pytestmark = IN_BROWSER
FRAME = """<!doctype html>%(place)s<meta charset="utf-8"><style>%(css)s</style>
%(body)s<div id="panel"><div id="here"></div></div>
<script type="application/json" id="state">%(state)s</script>
<script>%(labels)s</script>
<script type="module">
const state = JSON.parse(document.querySelector("#state").textContent);
for (const { path, data } of state.buffers) {
  const raw = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  state.values[path[0]] = new DataView(raw.buffer);
}
const heard = {};
window.model = {
  get: (name) => state.values[name],
  set: (name, value) => {
    if (JSON.stringify(state.values[name]) === JSON.stringify(value)) return;
    state.values[name] = value;
    for (const act of heard[`change:${name}`] ?? []) act();
  },
  on: (name, act) => void (heard[name] ??= new Set()).add(act),
  off: (name, act) => void heard[name]?.delete(act),
  save_changes: () => { throw new Error("no kernel"); },
  send: () => {},
};
const url = URL.createObjectURL(new Blob([state.code], { type: "text/javascript" }));
const { default: widget } = await import(url);
URL.revokeObjectURL(url);
window.clicked = [];
document.body.addEventListener("click", (event) => {
  const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement);
  if (!link) return;
  event.preventDefault();
  window.clicked.push([link.href.split(":")[0], link.download]);
});
window.shut = await widget.render({ model, el: document.querySelector("#here") });
</script>"""
WHITE = "#panel { background: white; }"  # what VS Code puts behind widgets
VSCODE = (
    "",
    '<body class="vscode-dark">',
    ":root { --vscode-foreground: #cccccc; --vscode-editor-background: #1e1e1e; }"
    "body { color: var(--vscode-foreground); background: transparent; }",
)
#: How a frame begins, its body, its style, and whether words are to be white there.
PLACES = {
    "VS Code, dark, on its white": (*VSCODE[:2], VSCODE[2] + WHITE, False),
    "VS Code, dark, without it": (*VSCODE, True),
    "VS Code, light": ("", '<body class="vscode-light">', WHITE, False),
    "VS Code, black by scheme, on white": ("", "<body>", ":root{color-scheme:dark}" + WHITE, False),
    "Colab, light": ("<html>", "<body>", "", False),
    "Colab, dark": ("<html theme=dark>", "<body>", "", True),
    "Colab, dark, with a background": (
        "<html theme=dark>", "<body>", "html { background: #383838; }", True,
    ),
}  # fmt: skip
INK = "(node) => getComputedStyle(node).color"


@cache
def state(name: str) -> str:
    widget = LARGE[name].make()
    values, buffers = state_of(widget)
    widget.close()
    code = values.pop("_esm")
    text = json.dumps({"values": values, "buffers": buffers, "code": code})
    return text.replace("<", "\\u003c")


@contextmanager
def framed(browser: Any, name: str, place: str) -> Iterator[tuple[TurningPage, Any]]:
    """The widget in a frame, and the frame; it must not have complained by the end."""
    start, body, css, dark = PLACES[place]
    parts = {"place": start, "body": body, "css": css, "state": state(name)}
    inner = html.escape(FRAME % {**parts, "labels": looking.LABELS})
    page = browser.new_page(viewport={"width": 768, "height": 900}, offline=True)
    complaints = looking.complaints_of(page)
    paper = "#1e1e1e" if "dark" in place else "white"
    page.set_content(
        f'<body style="margin: 0; background: {paper}"><iframe sandbox="allow-scripts" '
        f'style="width: 768px; height: 1600px; border: 0" srcdoc="{inner}"></iframe>'
    )
    frame = next(one for one in page.frames if one is not page.main_frame)
    frame.wait_for_selector(".equivlab-view canvas[data-painted]")
    view = TurningPage(page, "unused", complaints, dark)
    view.canvas = frame.locator(".equivlab-view canvas[tabindex]")
    yield view, frame
    page.close()
    assert complaints == []


@pytest.mark.parametrize("name", LARGE)
def test_it_needs_nothing_but_scripts(browser: Any, name: str) -> None:
    """Drawn, turned by a key and by hand, kept as a picture, made large and closed."""
    case = LARGE[name]
    with framed(browser, name, "VS Code, dark, without it") as (view, frame):
        assert frame.evaluate("() => origin") == "null"
        view.settle()
        assert frame.evaluate("() => faultsOf(document.querySelector('.equivlab-view'))") == []
        view.press("r")
        pose = view.canvas.get_attribute(case.pose)
        view.press(case.key)
        frame.wait_for_function(
            "([node, name, pose]) => node.getAttribute(name) !== pose",
            arg=[view.canvas.element_handle(), case.pose, pose],
        )
        # A shape without a kernel turns in steps of 90°.
        looking.drag(view, replace(case, hold="[20, 90, 180]") if name == "RotateShape" else case)
        frame.get_by_role("button", name="PNG").click()
        frame.wait_for_function("() => window.clicked.length === 1")
        kind, file = frame.evaluate("() => window.clicked[0]")
        assert kind == "blob"
        assert file.startswith("equivlab-")
        view.press("f")
        frame.wait_for_selector(".equivlab-view.fills")
        view.press("f")
        frame.evaluate("() => window.shut?.()")


@pytest.mark.parametrize("place", PLACES)
def test_words_can_be_read_on_what_is_behind_them(browser: Any, place: str) -> None:
    with framed(browser, "FilterOrbit", place) as (view, frame):
        view.settle()
        ink = frame.locator(".equivlab-view .bar button").first.evaluate(INK)
        shade = sum(map(int, ink.removeprefix("rgb(").removesuffix(")").split(", "))) / 3
        assert (shade > 128) == view.dark, ink
        model = frame.locator(".equivlab-view").evaluate(
            "(node) => node.style.getPropertyValue('--equivlab-model')"
        )
        assert model == ("#f58a42" if view.dark else "#d55e00")
