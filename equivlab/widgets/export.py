"""Notebooks as web pages in which the widgets still turn, without a kernel and a network.

``jupyter nbconvert --to equivlab notebook.ipynb`` writes one HTML file. Every anywidget whose
state the notebook carries (run it with ``--execute``, or save the widget state in JupyterLab)
is put into the page with its own code and data; a stand-in for the kernel's side keeps the
values that the page sets.
"""

from __future__ import annotations

import html
import json
from typing import Any

from nbconvert.exporters import HTMLExporter
from nbconvert.preprocessors import Preprocessor

__all__ = ["InlineWidgets", "OfflineHTMLExporter"]

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"

PAGE = """<div class="equivlab-offline" id="widget-{id}"></div>
<script type="application/json" id="state-{id}">{state}</script>
<script type="module">
const state = JSON.parse(document.getElementById("state-{id}").textContent);
for (const {{ path, data }} of state.buffers) {{
  const raw = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  let place = state.values;
  for (const key of path.slice(0, -1)) place = place[key];
  place[path.at(-1)] = new DataView(raw.buffer);
}}
const heard = {{}};
const model = {{
  get: (name) => state.values[name],
  set: (name, value) => {{
    state.values[name] = value;
    for (const act of heard["change:" + name] ?? []) act();
  }},
  on: (kinds, act) => kinds.split(" ").forEach((kind) => (heard[kind] ??= []).push(act)),
  off: (kind, act) => {{ heard[kind] = (heard[kind] ?? []).filter((one) => one !== act); }},
  save_changes: () => {{}},
  send: () => {{}},
}};
const code = new Blob([state.code], {{ type: "text/javascript" }});
const page = await import(URL.createObjectURL(code));
const widget = typeof page.default === "function" ? await page.default() : page.default ?? page;
await widget.initialize?.({{ model }});
const el = document.getElementById("widget-{id}");
el.append(Object.assign(document.createElement("style"), {{ textContent: state.css }}));
const place = el.appendChild(document.createElement("div"));
await widget.render?.({{ model, el: place }});
</script>"""


class InlineWidgets(Preprocessor):
    """Replace the views of anywidgets by HTML that needs neither kernel nor network."""

    def preprocess(self, notebook: Any, resources: Any) -> tuple[Any, Any]:
        stored = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
        for number, cell in enumerate(notebook.cells):
            for place, output in enumerate(cell.get("outputs", [])):
                view = output.get("data", {}).get(VIEW)
                model = stored.get(view["model_id"]) if view else None
                if model is not None and "_esm" in model["state"]:
                    output["data"] = {"text/html": _page(f"{number}-{place}", model)}
        if not any(VIEW in o.get("data", {}) for c in notebook.cells for o in c.get("outputs", [])):
            notebook.metadata.pop("widgets", None)  # nothing is left that needs the manager
        return notebook, resources


def _page(identity: str, model: Any) -> str:
    """The HTML of one widget."""
    values = {key: value for key, value in model["state"].items() if key not in ("_esm", "_css")}
    state = {
        "values": values,
        "code": model["state"]["_esm"],
        "css": model["state"].get("_css", ""),
        "buffers": [
            {"path": buffer["path"], "data": buffer["data"]} for buffer in model.get("buffers", [])
        ],
    }
    inside_script = json.dumps(state).replace("<", "\\u003c")
    return PAGE.format(id=html.escape(identity), state=inside_script)


class OfflineHTMLExporter(HTMLExporter):
    """`HTMLExporter` with the widgets inside and no code from elsewhere.

    TeX formulas stay as they were written, since MathJax would come from the network.
    """

    export_from_notebook = "HTML with live widgets (offline)"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.register_preprocessor(  # type: ignore[no-untyped-call]
            InlineWidgets, enabled=True
        )
        # Scripts from elsewhere: the widget manager wanted one, formulas in TeX the other.
        self.require_js_url = "data:text/javascript,"
        self.mathjax_url = "data:text/javascript,//"  # the template appends a query
