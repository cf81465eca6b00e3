"""The HTML of one widget without Jupyter: ``page/stand_in.js`` and the widget's own module."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

from equivlab.widgets.page.module import page_module
from equivlab.widgets.page.packing import packed, row_lengths

__all__ = ["state_of", "whole_page", "widget_html"]

HTML = """<div class="equivlab-offline" id="widget-{identity}"></div>
<script type="application/json" id="state-{identity}">{state}</script>
<script type="module">
{stand_in}
const state = JSON.parse(document.getElementById("state-{identity}").textContent);
const context = standIn(unpacked(state.values, await inflated(state.buffers)), {kernel});
const code = new Blob([state.code], {{ type: "text/javascript" }});
const module = await import(URL.createObjectURL(code));
const el = document.getElementById("widget-{identity}");
el.append(Object.assign(document.createElement("style"), {{ textContent: state.css }}));
const close = await show(module, context, el.appendChild(document.createElement("div")));
{then}
</script>"""


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>:root {{ color-scheme: light dark; }}</style></head><body>
<!-- begin -->
{body}
<!-- end -->
</body></html>
"""


def state_of(widget: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The values and the bytes of a live widget's state, as `widget_html` takes them."""
    values, buffers = {}, []
    known = set(widget.keys) - {"layout", "comm"}  # nor are they there once it is closed
    for name, value in widget.get_state(sorted(known)).items():
        if isinstance(value, bytes | memoryview):
            buffers.append({"path": [name], "data": base64.b64encode(value).decode()})
        else:
            values[name] = value
    return values, buffers


def widget_html(
    identity: str,
    values: Mapping[str, Any],
    buffers: Sequence[Mapping[str, Any]],
    *,
    kernel: str = "undefined",
    then: str = "",
) -> str:
    """A widget as HTML, with all it needs inside.

    Args:
        identity: letters, digits and dashes, one for each widget of a page.
        values: its state, code and style included.
        buffers: the bytes of its state, as ``{"path": [...], "data": base64}``.
        kernel: JavaScript that gives a function ``(name, message) -> [answer, buffers]``.
        then: JavaScript to run with ``context`` and ``close`` when the widget is shown.
    """
    rows = row_lengths(values)
    state = {
        "values": {key: value for key, value in values.items() if key not in ("_esm", "_css")},
        "code": values["_esm"],
        "css": values.get("_css", ""),
        "buffers": [{"path": one["path"], **_packed(one, rows, values)} for one in buffers],
    }
    inside_script = json.dumps(state).replace("<", "\\u003c")
    return HTML.format(
        identity=identity,
        state=inside_script,
        stand_in=page_module("page/stand_in.js"),
        kernel=kernel,
        then=then,
    )


def _packed(one: Mapping[str, Any], rows: list[int], values: Mapping[str, Any]) -> dict[str, Any]:
    spec = values.get("_spec") or {}
    of = {"_maps": spec, "_compare_maps": {**spec, **(spec.get("compare") or {})}}
    return packed(one["data"], rows, of.get(one["path"][-1]))


def whole_page(widget: Any, title: str) -> str:
    """A page with one live widget's present state; `title` in its head.

    What stands between its two comments may be put into any other page.
    """
    values, buffers = state_of(widget)
    identity = hashlib.sha256(json.dumps([values, buffers], default=str).encode()).hexdigest()[:12]
    body = widget_html(identity, values, buffers)
    return PAGE.format(title=html.escape(title), body=body)
