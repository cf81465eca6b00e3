"""A figure of plotly in a notebook, without a network: its script comes from the installed package.

A page fetches the script once, from the kernel or from the page itself, whatever the number of its
figures. A saved notebook holds the still that matplotlib draws.
"""

from __future__ import annotations

import base64
import io
import json
import os
import zlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets
from anywidget.experimental import command

from equivlab.imports import needs_extra
from equivlab.plots.style import Spec, packed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["InteractiveFigure", "library_html"]

LIBRARY = '<script type="text/plain" id="equivlab-plotly">{}</script>\n'


class InteractiveFigure(anywidget.AnyWidget):
    """A figure that one turns, zooms and points at; a still where no page can run.

    Keys, where it is of three dimensions: arrows turn it, ``+`` and ``-`` come nearer and go away,
    ``r`` resets. `eye`, from where it is seen, is a trait: `ipywidgets.jslink` turns two figures
    as one.

    Args:
        spec: what plotly calls a figure; arrays may stand in it.
        still: the same by matplotlib.
        says: what it shows, for those who do not see it.

    Raises:
        ModuleNotFoundError: plotly is not installed.
    """

    _esm = Path(__file__).with_suffix(".js")

    eye = traitlets.List(traitlets.Float()).tag(sync=True)
    says = traitlets.Unicode().tag(sync=True)
    _figure = traitlets.Unicode().tag(sync=True)
    _library = traitlets.Unicode("plotly").tag(sync=True)

    def __init__(self, spec: Spec, still: Figure, says: str) -> None:
        _source()  # says here what is missing
        super().__init__()
        self.spec, self._still, self.says = spec, still, says
        self._figure = json.dumps(packed(spec))
        self._made_layout = self.layout

    def close(self) -> None:
        """Let it go, and the layout that was made for it, which ipywidgets would keep for ever."""
        layout = self.layout
        super().close()
        if layout is self._made_layout:
            layout.close()

    @property
    def plotly(self) -> Any:
        """The `plotly.graph_objects.Figure`, to change as one likes."""
        with needs_extra("plotly", "InteractiveFigure.plotly"):
            from plotly.graph_objects import Figure
        return Figure(self.spec)

    def to_png(self, path: str | os.PathLike[str] | None = None, dpi: float = 200) -> bytes:
        """The still as PNG; written to `path`, if there is one."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        FigureCanvasAgg(self._still)
        stream = io.BytesIO()
        self._still.savefig(stream, format="png", dpi=dpi, metadata={"Software": None})
        if path is not None:
            Path(path).write_bytes(stream.getvalue())
        return stream.getvalue()

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """A page of this figure alone, of some 5 MB, that needs neither a kernel nor a network."""
        page: str = self.plotly.to_html(include_plotlyjs=True)
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    @command
    def library(self, _message: Any, _buffers: Any) -> tuple[dict[str, Any], list[bytes]]:
        """Called by a page that has no plotly yet.

        :meta private:
        """
        return {}, [packed_source()]

    def __repr__(self) -> str:
        return f"InteractiveFigure({self.says!r})"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        still = base64.b64encode(self.to_png(dpi=100)).decode()
        return {**data, "text/plain": repr(self), "image/png": still}, metadata


def _source() -> Path:
    """The script of plotly, in the package of that name."""
    with needs_extra("plotly", "interactive=True"):
        import plotly
    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


@cache
def packed_source() -> bytes:
    """The script, some 5 MB, deflated to a third."""
    return zlib.compress(_source().read_bytes(), 9)


def library_html() -> str:
    """An element that holds the script, once for all figures of a page that has no kernel."""
    return LIBRARY.format(base64.b64encode(packed_source()).decode())
