"""What all widgets share: their JavaScript, and what stands where no page can run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import torch
from matplotlib import colormaps
from torch import Tensor

__all__ = ["LiveView", "as_bytes", "colour_table", "page_module"]


def page_module(*names: str) -> str:
    """``canvas_view.js`` and the files `names` of this folder, one after the other."""
    here = Path(__file__).parent
    return "\n".join((here / name).read_text("utf-8") for name in ("canvas_view.js", *names))


def as_bytes(values: Tensor) -> bytes:
    """The numbers of a tensor on the CPU, as a page reads them."""
    return values.contiguous().numpy().tobytes()


def colour_table() -> bytes:
    """256 colours from blue (negative) over white to red, safe for colour-blind eyes."""
    table = torch.tensor(colormaps["RdBu_r"](range(256)))[:, :3]
    return as_bytes((255 * table).round().to(torch.uint8))


class LiveView(anywidget.AnyWidget):
    """A widget that also shows its `repr` and a still picture, for previews and plain text."""

    def still(self) -> str:
        """A PNG in base64 of what the widget shows now."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        return {**data, "text/plain": repr(self), "image/png": self.still()}, metadata
