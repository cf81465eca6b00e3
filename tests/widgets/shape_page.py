"""A page with one RotateShape and a stand-in for Jupyter between it and its Python side.

What the page sends goes to the widget's own message handler, and its answer back to the page, as
a kernel would do; the page stays offline.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

PAGE = """<!doctype html>
<body style="margin: 8px; background: %(paper)s; color-scheme: %(scheme)s">
<div id="place"></div>
<script type="module">
const state = %(state)s;
const unpack = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const values = { ...state.values };
for (const [name, text] of Object.entries(state.bytes)) values[name] = unpack(text);
const heard = {};
const tell = (kind, ...what) => { for (const act of [...(heard[kind] ?? [])]) act(...what); };
Object.assign(window, { asked: 0, open_questions: 0, most_open: 0, last_asked: undefined });
window.model = {
  get: (name) => values[name],
  set: (name, value) => { values[name] = value; tell(`change:${name}`); },
  on: (kind, act) => (heard[kind] ??= []).push(act),
  off: (kind, act) => { heard[kind] = (heard[kind] ?? []).filter((one) => one !== act); },
  save_changes: () => {},
  send: async (content) => {
    window.asked += 1;
    window.open_questions += 1;
    window.most_open = Math.max(window.most_open, window.open_questions);
    window.last_asked = content;
    const [reply, buffers] = await window.kernel(content);
    window.open_questions -= 1;
    if (reply) tell("msg:custom", reply, buffers.map(unpack));
  },
};
const code = new Blob([state.code], { type: "text/javascript" });
const { default: widget } = await import(URL.createObjectURL(code));
window.shut = widget.render({ model: window.model, el: document.getElementById("place") });
</script>"""


def shape_page(widget: Any, scheme: str = "light") -> str:
    """The HTML of a page with `widget`; expose ``kernel`` to it: `kernel_of`, or `no_kernel`."""
    values, raw = {}, {}
    for name, value in widget.get_state().items():
        if isinstance(value, bytes):
            raw[name] = base64.b64encode(value).decode()
        elif name in ("rotation", "shape", "_spec"):
            values[name] = value
    state = json.dumps({"values": values, "bytes": raw, "code": str(widget._esm)})
    paper = "white" if scheme == "light" else "#111111"
    return PAGE % {"state": state.replace("<", "\\u003c"), "paper": paper, "scheme": scheme}


def kernel_of(widget: Any) -> Callable[[Any], list[Any]]:
    """What a kernel does with a message: call the widget's handler, and pass on what it sends."""
    sent: list[tuple[Any, list[bytes]]] = []
    widget.send = lambda content, buffers=None: sent.append((content, buffers or []))

    def answer(content: Any) -> list[Any]:
        sent.clear()
        widget._handle_custom_msg(content, [])
        reply, buffers = sent[0] if sent else (None, [])
        return [reply, [base64.b64encode(buffer).decode() for buffer in buffers]]

    return answer


def no_kernel(_: Any) -> list[Any]:
    """The silence of an exported page."""
    return [None, []]
