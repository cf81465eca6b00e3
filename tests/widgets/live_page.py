"""One widget in a page with a real kernel's side behind it, over HTTP on this machine.

The page has the widget's own code and state; what it sends goes to the widget's own message
handler, one message after the other as in a kernel, and what that sends comes back.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

PAGE = """<!doctype html><meta charset="utf-8"><title>live</title>
<body style="margin: 0; color: #222; background: white"><div id="here"></div>
<script type="module">
const state = %s;
const unpack = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const values = { ...state.values };
for (const [name, text] of Object.entries(state.buffers)) values[name] = unpack(text);
const heard = {};
const tell = (kind, ...what) => { for (const act of [...(heard[kind] ?? [])]) act(...what); };
window.questions = 0;
window.model = {
  get: (name) => values[name],
  set: (name, value) => { values[name] = value; tell("change:" + name); },
  on: (kind, act) => (heard[kind] ??= []).push(act),
  off: (kind, act) => { heard[kind] = (heard[kind] ?? []).filter((one) => one !== act); },
  save_changes: () => {},
  send: async (question) => {
    window.questions += 1;
    if (window.deaf) return;
    await new Promise((go) => setTimeout(go, window.slow ?? 0));
    const reply = await fetch("/", { method: "POST", body: JSON.stringify(question) });
    const answer = await reply.json();
    for (const [content, ...buffers] of answer) tell("msg:custom", content, buffers.map(unpack));
  },
};
const code = new Blob([state.code], { type: "text/javascript" });
const page = await import(URL.createObjectURL(code));
const el = document.getElementById("here");
window.close_widget = page.default.render({ model: window.model, el });
</script>"""


def page_of(widget: Any) -> str:
    """The page, with the state as the kernel would send it."""
    values, buffers = {}, {}
    for name, value in widget.get_state().items():
        if isinstance(value, bytes | memoryview):
            buffers[name] = base64.b64encode(value).decode()
        elif name not in ("_esm", "_css", "layout", "comm"):
            values[name] = value
    state = {"values": values, "buffers": buffers, "code": str(widget._esm)}
    return PAGE % json.dumps(state, default=str).replace("<", "\\u003c")


def server_of(widget: Any) -> HTTPServer:
    """A server of the page and of the widget's answers, on a free port."""
    page = page_of(widget).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(page if self.path == "/" else b"", "text/html")

        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            said: list[list[Any]] = []
            widget.send = lambda content, buffers=None: said.append(
                [content, *[base64.b64encode(b).decode() for b in buffers or []]]
            )
            widget._hear(widget, question, [])
            self.reply(json.dumps(said).encode(), "application/json")

        def reply(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *what: Any) -> None:
            pass

    return HTTPServer(("127.0.0.1", 0), Handler)


@contextmanager
def live(widget: Any) -> Iterator[str]:
    """The address of the widget's page, while it is served."""
    server = server_of(widget)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
