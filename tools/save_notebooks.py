"""Run notebooks and save them with the outputs that nbval compares, without pictures.

    python tools/save_notebooks.py                      every notebook of the course
    python tools/save_notebooks.py notebooks/00_*.ipynb

What a reader sees in JupyterLab is drawn anew; a picture in the file would only make every
change of it unreadable. So PNG, SVG and the state of widgets are left out, the words stay.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
PICTURES = (
    "image/png",
    "image/svg+xml",
    "image/jpeg",
    "application/vnd.jupyter.widget-view+json",
)


def save(path: Path) -> None:
    """Run one notebook in place."""
    notebook = nbformat.read(path, as_version=4)
    started = time.perf_counter()
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": path.parent}}).execute()
    strip(notebook)
    nbformat.write(notebook, path)
    print(f"{path.name}: {time.perf_counter() - started:.0f} s")


def strip(notebook: nbformat.NotebookNode) -> None:
    """Drop pictures, widget state, times and what is only in this environment."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            for kind in PICTURES:
                output.get("data", {}).pop(kind, None)
            if "metadata" in output:
                output["metadata"] = {}


if __name__ == "__main__":
    given = [Path(name) for name in sys.argv[1:]]
    for each in given or sorted((ROOT / "notebooks").glob("*.ipynb")):
        save(each)
