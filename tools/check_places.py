"""Open every widget in VS Code's own code for widgets, and in Jupyter's html-manager.

    python -m tools.check_places
    python -m tools.check_places RotateSphere --screens shots

Both are packages of npm, which is asked for them once (and says so without a network). VS Code's
gets a kernel that answers: the widget's own Python side, as messages of a comm. The html-manager,
which pages such as Colab's saved ones load, has the widget's state and no kernel. In each the
widget must be painted, turn by its key, and say nothing in the console; what needs a kernel must
be answered in VS Code. What is *around* these two, editors and accounts, needs a network and is
not tried.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from ipywidgets.embed import dependency_state
from playwright.sync_api import Browser, TimeoutError, sync_playwright

from tests.widgets.large import LARGE
from tests.widgets.live_page import Answering
from tools.sheet import browser

PACKAGES = {  # and the file of each that a page loads
    "@vscode/jupyter-ipywidgets8@1.0.9": "dist/ipywidgets.js",
    "@jupyter-widgets/html-manager@1.0.14": "dist/embed-amd.js",
    "requirejs@2.3.7": "require.js",
}
HEAD = """<!doctype html><html%(attributes)s><meta charset="utf-8"><title>widget</title>
<body style="margin: 0; background: %(paper)s" class="%(kind)s">
<script src="/require.js"></script>
<script>requirejs.config({ paths: { anywidget: "/anywidget" } });</script>"""
VSCODE = (
    HEAD
    + """<style>:root { --vscode-foreground: #ccc; --vscode-editor-background: #1e1e1e; }</style>
<div id="here"></div>
<script type="module">
import { activate } from "/ipywidgets.js";
activate();
window.vscIPyWidgets8.load();
// A kernel as far as the manager looks at it: comms whose messages go to the widget in Python.
const signal = { connect: () => true, disconnect: () => true };
const targets = {};
const known = {
  status: "idle", connectionStatus: "connected", username: "reader", clientId: "page", id: "kernel",
  isDisposed: false, handleComms: true,
  registerCommTarget: (name, open) => { targets[name] = open; },
  requestCommInfo: async () => ({ content: { status: "ok", comms: {} } }),
  createComm: (_, id) => commOf(id),
};
const kernel = new Proxy(known, { get: (kernel, name) => (name in kernel ? kernel[name]
  : /(Message|Changed|disposed|Input)$/.test(String(name)) ? signal : undefined) });
const unpack = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const message = (id, data, buffers) => ({
  channel: "iopub", header: { msg_type: "comm_msg" }, parent_header: {},
  metadata: { version: "2.1.0" },
  content: { comm_id: id, target_name: "jupyter.widget", data }, buffers: buffers.map(unpack),
});
const commOf = (commId) => ({
  commId, targetName: "jupyter.widget", isDisposed: false, open() {}, close() {}, dispose() {},
  send({ method, content }) {
    if (method === "custom") this.answer(content);
    return { msg: { header: { msg_id: "sent" } }, done: Promise.resolve(), dispose() {} };
  },
  async answer({ id, name, msg }) {
    const reply = await fetch("/", { method: "POST", body: JSON.stringify([name, msg]) });
    const [response, buffers] = await reply.json();
    const content = { id, kind: "anywidget-command-response", response };
    this.onMsg(message(commId, { method: "custom", content }, buffers));
  },
});
const loader = {
  widgetsRegisteredInRequireJs: new Set(), successHandler() {}, errorHandler: console.error,
  loadWidgetScript: async (name) => void loader.widgetsRegisteredInRequireJs.add(name),
};
const el = document.querySelector("#here");
const manager = new window.vscIPyWidgets.WidgetManager(kernel, el, loader, () => {});
const models = %(models)s;
for (const [id, { state, buffers = [] }] of models) {
  const buffer_paths = buffers.map(({ path }) => path);
  const data = buffers.map(({ data }) => data);
  await targets["jupyter.widget"](commOf(id), message(id, { state, buffer_paths }, data));
}
const view = await manager.create_view(await manager.get_model(models.at(-1)[0]), { el });
await manager.display_view({}, view, { node: el });
</script>"""
)
EMBEDDED = (
    HEAD
    + """<script src="/embed-amd.js"></script>
<script type="application/vnd.jupyter.widget-state+json">%(document)s</script>
<script type="application/vnd.jupyter.widget-view+json">%(view)s</script>"""
)
#: Which page, on which paper, with which class of its body and attributes of its first element.
PLACES = {
    "VS Code, dark": (VSCODE, "#1e1e1e", "vscode-dark", ""),
    "VS Code, its white": (VSCODE, "white", "vscode-light", ""),
    "html-manager": (EMBEDDED, "white", "", ""),
    "html-manager, dark as Colab's": (EMBEDDED, "#383838", "", " theme=dark"),
}
CANVAS = ".equivlab-view canvas[tabindex]"
REMARKS = ("ReadPixels", "strict mode")  # of the driver, of the html-manager's own schema


def fetched(folder: Path) -> dict[str, Path]:
    """The files of the pages by their address, fetched by npm into `folder`.

    Raises:
        SystemExit: npm is not there, or cannot get them.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("This check needs npm, which fetches VS Code's code for widgets.")
    index = Path(sysconfig.get_path("data")) / "share/jupyter/nbextensions/anywidget/index.js"
    found = {"/anywidget.js": index}
    for package, file in PACKAGES.items():
        got = subprocess.run(
            [npm, "pack", "--silent", package], cwd=folder, capture_output=True, text=True
        )
        if got.returncode:
            raise SystemExit(f"npm could not fetch {package}:\n{got.stderr or got.stdout}")
        with tarfile.open(folder / got.stdout.split()[-1]) as archive:
            inside = archive.extractfile(f"package/{file}")
            text = b"" if inside is None else inside.read()
        target = folder / Path(file).name
        target.write_bytes(text)
        found[f"/{target.name}"] = target
    return found


def page_of(widget: Any, place: str) -> str:
    """The page of a place, with the widget's state in it."""
    page, paper, kind, attributes = PLACES[place]
    models = dependency_state(widget, drop_defaults=False)
    models[widget.model_id] = models.pop(widget.model_id)  # after those that it is made of
    document = {"version_major": 2, "version_minor": 0, "state": models}
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    texts = {"models": list(models.items()), "document": document, "view": view}
    safe = {name: json.dumps(value).replace("<", "\\u003c") for name, value in texts.items()}
    return page % {**safe, "paper": paper, "kind": kind, "attributes": attributes}


@contextmanager
def served(widget: Any, place: str, files: dict[str, Path]) -> Iterator[str]:
    """The address of a page with the widget in it, its Python side behind it."""

    class Handler(Answering):
        def do_GET(self) -> None:
            script = files.get(self.path)
            if script is not None:
                return self.reply(script.read_bytes(), "text/javascript")
            return self.reply(
                page_of(widget, place).encode() if self.path == "/" else b"", "text/html"
            )

    Handler.widget = widget
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def faults(
    chromium: Browser, name: str, place: str, files: dict[str, Path], screens: Path | None
) -> list[str]:
    """What goes wrong with the widget in this place."""
    widget, found = LARGE[name].make(), []
    page = chromium.new_page(viewport={"width": 1000, "height": 900})
    page.on("pageerror", lambda error: found.append(f"threw {str(error)[:200]}"))

    def hear(said: Any) -> None:
        if said.type in ("error", "warning") and not any(one in said.text for one in REMARKS):
            found.append(f"said {said.text[:200]}")

    page.on("console", hear)
    try:
        with served(widget, place, files) as address:
            page.goto(address)
            page.wait_for_selector(f"{CANVAS}[data-painted]", timeout=20_000)
            canvas = page.locator(CANVAS).first
            asks = canvas.get_attribute("data-answered") is not None
            painted, pose = (
                canvas.get_attribute(one) for one in ("data-painted", LARGE[name].pose)
            )
            canvas.focus()
            page.keyboard.press(LARGE[name].key)
            alive = place.startswith("VS Code")
            changed = "([node, name, before]) => node.getAttribute(name) !== before"
            # Without a kernel some stand still, and are painted anew to say so.
            what = (LARGE[name].pose, pose) if alive else ("data-painted", painted)
            page.wait_for_function(changed, arg=[canvas.element_handle(), *what], timeout=10_000)
            if asks and alive:
                answered = "(node) => Number(node.dataset.answered) > 0"
                page.wait_for_function(answered, arg=canvas.element_handle(), timeout=10_000)
            page.wait_for_timeout(500)
            if screens is not None:
                page.screenshot(path=screens / f"{name}, {place}.png", full_page=True)
    except TimeoutError as error:
        found.append(f"not painted, turned or answered: {str(error).splitlines()[0]}")
    finally:
        page.close()
        widget.close()
    return found


def main() -> int:
    """Print a line for each widget and place; 1 if any has a fault."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("widgets", nargs="*", default=list(LARGE), help="by default all")
    parser.add_argument("--screens", type=Path, help="a folder for a picture of each")
    arguments = parser.parse_args()
    if strange := set(arguments.widgets) - set(LARGE):
        parser.error(f"no widgets: {', '.join(sorted(strange))}; there are {', '.join(LARGE)}")
    if arguments.screens is not None:
        arguments.screens.mkdir(parents=True, exist_ok=True)
    path = browser()
    if path is None:
        raise SystemExit("This check needs Chromium; on Debian: apt install chromium")
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        files = fetched(Path(folder))
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            for name in arguments.widgets:
                for place in PLACES:
                    found = faults(chromium, name, place, files, arguments.screens)
                    wrong += bool(found)
                    print(f"{name}, {place}: {'; '.join(found) or 'well'}", flush=True)
            chromium.close()
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
