"""A Jupyter server with one notebook: JupyterLab, Notebook 7 and Voilà in headless Chromium."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).parents[2]
# What the notebook is, and where in it one stands.
SNAPSHOT = """() => {
  const { content } = window.jupyterapp.shell.currentWidget;
  const cells = content.model.toJSON().cells.map(({ cell_type, source }) => [cell_type, source]);
  const selected = content.widgets.filter((cell) => content.isSelectedOrActive(cell)).length;
  return JSON.stringify([cells, content.activeCellIndex, content.mode, selected]);
}"""
KERNEL = "window.jupyterapp.shell.currentWidget.context.sessionContext.session?.kernel"
#: Where each place shows a notebook.
ADDRESSES = {
    "JupyterLab": "doc/tree/{}?reset",
    "Notebook 7": "notebooks/{}",
    "Voilà": "voila/render/{}",
}


@contextmanager
def lab_server(folder: Path) -> Iterator[str]:
    """The address of a Jupyter server of `folder`; it has the `ADDRESSES` that are installed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}"]
    command += ["--allow-root", f"--ServerApp.root_dir={folder}", "--IdentityProvider.token="]
    command += ["--LabApp.expose_app_in_browser=True", "--ServerApp.log_level=ERROR"]
    command += ["--JupyterNotebookApp.expose_app_in_browser=True"]
    command += ["--LabApp.news_url=", "--LabApp.extension_manager=readonly"]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    extensions = folder / "JUPYTER_DATA_DIR" / "labextensions"
    shutil.copytree(ROOT / "equivlab/widgets/lab", extensions / "equivlab")
    places = {name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    environment = {**os.environ, **places, "PYTHONPATH": path}
    server = subprocess.Popen(command, env=environment, cwd=folder)
    address = f"http://127.0.0.1:{port}/"
    try:
        _wait_for(port, server)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(port: int, server: subprocess.Popen[bytes], patience: float = 120) -> None:
    until = time.monotonic() + patience
    while time.monotonic() < until and server.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab does not answer; its exit code is {server.poll()}.")


def write_notebook(path: Path, sources: list[str]) -> None:
    """A notebook of code cells, for the kernel of this Python."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, path)


def open_and_run(page: Any, address: str, widgets: int) -> None:
    """Open the notebook at an address and run it all, until so many widgets are painted."""
    page.goto(address, timeout=120_000)
    ready = "() => window.jupyterapp?.shell.currentWidget?.content?.activeCell"
    page.wait_for_function(ready, timeout=120_000)
    page.wait_for_function(f"() => {KERNEL}?.status === 'idle'", timeout=120_000)
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(
        "(n) => document.querySelectorAll('.equivlab-view canvas[data-painted]').length === n",
        arg=widgets,
        timeout=180_000,
    )
