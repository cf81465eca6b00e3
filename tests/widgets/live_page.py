"""One widget in a page with its own Python side behind it, over HTTP on this machine.

The page has the widget's own code and state, and the stand-in of exported pages for anywidget. A
question goes to the command of the widget that has its name, one after the other as in a kernel.
What tests want to know or to change stands on ``window``: ``asked``, ``most_open``, and ``slow``
(ms), ``held`` (a promise that answers wait for), ``deaf`` (no answer ever) and ``gone`` (asking
throws, as Jupyter's does without a kernel); ``again(place)`` shows one more view, and gives what
closes it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from equivlab.widgets.page.html import state_of, widget_html

PAGE = """<!doctype html><meta charset="utf-8"><title>live</title>
<body style="margin: 0; color-scheme: %(scheme)s; color: %(ink)s; background: %(paper)s">
<script>
Object.assign(window, { asked: 0, open_questions: 0, most_open: 0, slow: 0 });
window.kernel = async (name, message) => {
  if (window.gone) throw new Error("The kernel is gone.");
  const counts = message?.budget ? 0 : 1;  // what is asked at rest comes beside the questions
  window.asked += counts;
  window.open_questions += counts;
  window.last_asked = message;
  window.most_open = Math.max(window.most_open, window.open_questions);
  if (window.deaf) return new Promise(() => {});
  await window.held;
  await new Promise((go) => setTimeout(go, window.slow));
  const reply = await fetch("/", { method: "POST", body: JSON.stringify([name, message]) });
  const [content, buffers] = await reply.json();
  window.open_questions -= counts;
  const unpack = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  return [content, buffers.map((text) => new DataView(unpack(text)))];
};
</script>
%(widgets)s"""
COLOURS = {"light": ("#222222", "#ffffff"), "dark": ("#dddddd", "#111111")}


def page_of(widget: Any, scheme: str = "light", views: int = 1) -> str:
    """The page, with the state as the kernel would send it; the first view is ``window.model``."""
    values, buffers = state_of(widget)
    then = (
        "window.model ??= context.model; window.shut ??= close;"
        "window.again ??= (place) => show(module, context, place);"
    )
    shown = [
        widget_html(f"view-{n}", values, buffers, kernel="window.kernel", then=then)
        for n in range(views)
    ]
    ink, paper = COLOURS[scheme]
    return PAGE % {"scheme": scheme, "ink": ink, "paper": paper, "widgets": "\n".join(shown)}


class Answering(BaseHTTPRequestHandler):
    """Answers questions of a page, ``[name, message]``, by the widget's own commands.

    Attributes:
        widget: whose commands.
    """

    widget: Any

    def do_POST(self) -> None:
        name, message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        content, buffers = getattr(self.widget, name)(message, [])
        packed = [base64.b64encode(buffer).decode() for buffer in buffers]
        self.reply(json.dumps([content, packed]).encode(), "application/json")

    def reply(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *what: Any) -> None:
        pass


def server_of(widget: Any) -> HTTPServer:
    """A server of the widget's pages (``/dark?2``: two views) and answers, on a free port."""

    class Handler(Answering):
        def do_GET(self) -> None:
            scheme, _, views = self.path.strip("/").partition("?")
            known = scheme in ("", *COLOURS)
            page = page_of(widget, scheme or "light", int(views or 1)) if known else ""
            self.reply(page.encode(), "text/html")

    Handler.widget = widget
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
