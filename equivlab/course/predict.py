"""``%%predict``: a cell whose output shows only when the reader has committed a prediction.

The notebooks for students use it. ``%load_ext equivlab.course.predict`` makes the magic known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import anywidget
import traitlets
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from equivlab.widgets.page.module import page_module

__all__ = ["Predict", "load_ipython_extension", "predict"]

Part = dict[str, str]
TRACEBACK = 75 * "-"  # where IPython begins to print an error


class Predict(anywidget.AnyWidget):
    """A box for a prediction, and outputs that wait until one is committed.

    A committed prediction stays beside the outputs and cannot be changed. The page does all of it,
    so it also works in an exported page.

    Keys: ``Enter`` commits, ``Shift`` with ``Enter`` begins a new line.

    Args:
        parts: what waits, in order; each has a ``kind``, "text", "html" or "png", and ``data``, the
            last in base64.
        question: above the box.

    Raises:
        ValueError: a part of another kind.
    """

    _esm = page_module("../course/predict.js")

    question = traitlets.Unicode().tag(sync=True)
    prediction = traitlets.Unicode().tag(sync=True)
    committed = traitlets.Bool(False).tag(sync=True)
    _parts = traitlets.List(traitlets.Dict()).tag(sync=True)

    def __init__(self, parts: Iterable[Part], question: str = "Your prediction") -> None:
        given = list(parts)
        kinds = [part.get("kind") for part in given]
        if wrong := [kind for kind in kinds if kind not in ("text", "html", "png")]:
            raise ValueError(f'A part is "text", "html" or "png"; got {wrong[0]!r}.')
        super().__init__(question=question)
        self._parts = given

    def __repr__(self) -> str:
        state = f"committed: {self.prediction!r}" if self.committed else "nothing committed yet"
        return f"Predict({self.question!r}, {len(self._parts)} outputs, {state})"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        return {**data, "text/plain": repr(self)}, metadata


def predict(line: str, cell: str) -> Predict | None:
    """Run a cell, and let what it shows wait for a prediction.

    A cell that fails shows its error at once. So does one that shows a widget: that is for the
    hand, not for a guess.

    Args:
        line: the question, if there is one.
        cell: the code.
    """
    shell = InteractiveShell.instance()
    with capture_output() as captured:
        result = shell.run_cell(cell)
    text = captured.stdout.partition(TRACEBACK)[0]
    if not result.success:
        print(text, end="")  # noqa: T201, the cell's own words
        raise result.error_in_exec or result.error_before_exec
    parts = [{"kind": "text", "data": text}] if text else []
    shown = [part_of(output.data) for output in captured.outputs]
    if None in shown or not (parts or shown):
        captured.show()
        return None
    return Predict([*parts, *filter(None, shown)], line.strip() or "Your prediction")


def part_of(data: dict[str, Any]) -> Part | None:
    """An output as a page can show it; none where it needs a widget."""
    if any("widget-view" in kind for kind in data):
        return None
    if "image/png" in data:
        return {"kind": "png", "data": data["image/png"]}
    if "text/html" in data:
        return {"kind": "html", "data": data["text/html"]}
    return {"kind": "text", "data": data.get("text/plain", "")}


def load_ipython_extension(shell: InteractiveShell) -> None:
    """What ``%load_ext equivlab.course.predict`` calls."""
    shell.register_magic_function(predict, "cell", "predict")  # type: ignore[arg-type]
