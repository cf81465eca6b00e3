"""A page of each widget that follows its JavaScript while one edits it.

    python -m tools.widget_page        (or make widget-page)

Open the address that it prints. The page imports the files of ``equivlab/widgets`` as they are;
when one changes, it closes the widget and shows it again with the same state. Questions go to the
widget's Python side in this process, so no kernel has to start again.
"""

from __future__ import annotations

import argparse
import base64
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from equivlab.widgets.page.html import state_of
from equivlab.widgets.page.module import SOURCES
from tools.samples import SAMPLES

PAGES = {
    "rotate_image": "image/rotate_image.js",
    "rotate_sphere": "globe/rotate_sphere.js",
    "rotate_shape": "shape/rotate_shape.js",
    "filter_orbit": "filter/filter_orbit.js",
    "accuracy_vs_angle": "accuracy/accuracy_vs_angle.js",
    "train_live": "train/train_live.js",
    "see_through": "lens/see_through.js",
}
PAGE = """<!doctype html><meta charset="utf-8"><title>%(name)s</title>
<body style="color-scheme: light dark; font-family: system-ui"><nav>%(links)s</nav>
<div id="here"></div><pre id="trouble"></pre>
<script type="module">
const unpack = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const state = await (await fetch("/state/%(name)s")).json();
let context, close, version;
const kernel = async (name, message) => {
  const body = JSON.stringify(["%(name)s", name, message]);
  const [content, buffers] = await (await fetch("/ask", { method: "POST", body })).json();
  return [content, buffers.map(unpack)];
};
const reload = async () => {
  const now = await (await fetch("/version")).text().catch(() => version);
  if (now === version) return;
  version = now;
  const trouble = document.getElementById("trouble");
  trouble.textContent = "";
  try {
    const tool = await import(`/js/${now}/page/stand_in.js`);
    context ??= tool.standIn(tool.unpacked(state.values, state.buffers), kernel);
    const page = await import(`/js/${now}/%(file)s`);
    close?.();
    close = await tool.show(page, context, document.getElementById("here"));
  } catch (error) { trouble.textContent = error.stack; }
};
await reload();
setInterval(reload, 500);
</script>"""


def version() -> str:
    """A word that changes when any file does."""
    return f"v{max(path.stat().st_mtime_ns for path in SOURCES.rglob('*.js'))}"


class Handler(BaseHTTPRequestHandler):
    """Pages, files as they are now, states and answers; each widget is made when it is opened."""

    made: dict[str, Any]

    def do_GET(self) -> None:
        kind, _, rest = self.path.strip("/").partition("/")
        if kind in ("", *PAGES):
            name = kind or next(iter(PAGES))
            links = " ".join(f'<a href="/{other}">{other}</a>' for other in PAGES)
            self.reply(PAGE % {"name": name, "file": PAGES[name], "links": links}, "text/html")
        elif kind == "version":
            self.reply(version(), "text/plain")
        elif kind == "js":
            path = (SOURCES / rest.partition("/")[2]).resolve()
            known = path.is_relative_to(SOURCES.resolve()) and path.suffix == ".js"
            if known and path.is_file():
                self.reply(path.read_text("utf-8"), "text/javascript")
            else:
                self.send_error(404)
        elif kind == "state" and rest in PAGES:
            values, buffers = state_of(self.widget(rest))
            del values["_esm"]  # the files are read instead
            state = {"values": values, "buffers": buffers}
            self.reply(json.dumps(state), "application/json")
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        name, command, message = json.loads(self.rfile.read(length))
        if command != "ask":
            return self.send_error(404)
        content, buffers = self.widget(name).ask(message, [])
        packed = [base64.b64encode(buffer).decode() for buffer in buffers]
        return self.reply(json.dumps([content, packed]), "application/json")

    def widget(self, name: str) -> Any:
        if name not in self.made:
            self.made[name] = SAMPLES[name]()
        return self.made[name]

    def reply(self, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *what: Any) -> None:
        pass


def server(port: int) -> ThreadingHTTPServer:
    """The page's server; port 0 takes a free one."""
    own = type("Own", (Handler,), {"made": {}})
    return ThreadingHTTPServer(("127.0.0.1", port), own)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=8123)
    with server(parser.parse_args().port) as running:
        print(f"http://127.0.0.1:{running.server_port}/ (Ctrl-C ends it)", flush=True)
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
