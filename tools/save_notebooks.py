"""Run notebooks and save them with the outputs that nbval compares, and small stills.

    python tools/save_notebooks.py                      every notebook of the course
    python tools/save_notebooks.py notebooks/00_*.ipynb

A page that runs nothing (GitHub, nbviewer, the site) shows the stills; nbval does not compare
them. The state of widgets is left out: it is megabytes, and another in every run.
"""

from __future__ import annotations

import base64
import io
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
WIDGET = "application/vnd.jupyter.widget-view+json"
DROPPED = ("image/svg+xml", "image/jpeg", WIDGET)
WIDEST = 900  # pixels of a still
COLORS = 256  # of a still
MOST_BYTES = 1_500_000  # of a saved notebook


def save(path: Path) -> None:
    """Run one notebook in place."""
    notebook = nbformat.read(path, as_version=4)
    started = time.perf_counter()
    NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": path.parent}}).execute()
    strip(notebook)
    written = nbformat.writes(notebook)
    if len(written.encode()) > MOST_BYTES:
        raise SystemExit(
            f"{path.name} would have {len(written) / 1e6:.1f} MB, more than "
            f"{MOST_BYTES / 1e6:.1f}. Make its figures smaller, or fewer."
        )
    path.write_text(written + "\n", encoding="utf-8", newline="\n")
    print(f"{path.name}: {time.perf_counter() - started:.0f} s, {len(written) / 1e6:.2f} MB")


def strip(notebook: nbformat.NotebookNode) -> None:
    """Make stills small; drop widget state, times and what is only in this environment."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if "outputs" in cell:
            cell.outputs = joined(cell.outputs)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for kind in DROPPED:
                data.pop(kind, None)
            if "image/png" in data:
                data["image/png"] = still(data["image/png"])
            if "metadata" in output:
                output["metadata"] = {}


def joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Outputs, with printed text in one piece: a busy machine sends it in several."""
    found: list[nbformat.NotebookNode] = []
    for output in outputs:
        if found and output.get("name") and output.get("name") == found[-1].get("name"):
            found[-1].text += output.text
        else:
            found.append(output)
    return found


def still(png: str) -> str:
    """A PNG in base64, smaller: at most `WIDEST` pixels across, `COLORS` colors.

    What is small already comes back as it is, so that saving twice changes nothing.
    """
    picture = Image.open(io.BytesIO(base64.b64decode(png)))
    if picture.mode == "P" and picture.width <= WIDEST:
        return png
    picture = picture.convert("RGB")
    if picture.width > WIDEST:
        height = round(picture.height * WIDEST / picture.width)
        picture = picture.resize((WIDEST, height), Image.Resampling.LANCZOS)
    # The means of clusters: cuts at medians alone draw steps into faint colours.
    few = picture.quantize(COLORS, kmeans=4, dither=Image.Dither.NONE)
    stream = io.BytesIO()
    few.save(stream, format="png", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()


if __name__ == "__main__":
    given = [Path(name) for name in sys.argv[1:]]
    for each in given or sorted((ROOT / "notebooks").glob("*.ipynb")):
        save(each)
