"""Still pictures of widgets, for previews where no page can run."""

from __future__ import annotations

import base64
import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = ["DOTS", "WIDEST", "png_bytes", "still_text"]

DOTS = 96  # an inch of a still: letters of 9 points are 12 pixels high
WIDEST = 7.8  # inches; what the columns of pages show without making it smaller

HINT = "Run the notebook to bring it to life"


def png_bytes(figure: Figure, dpi: float) -> bytes:
    """A figure as PNG, the same bytes each time."""
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi, metadata={"Software": None})
    return stream.getvalue()


def still_text(figure: Figure) -> str:
    """A figure as small PNG in base64, with a line that says how to bring it to life."""
    figure.supxlabel(HINT, fontsize=9)
    return base64.b64encode(png_bytes(figure, figure.dpi)).decode()
