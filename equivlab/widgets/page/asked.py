"""A widget whose page asks the kernel: the Python side of ``page/kernel_loop.js``."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import Any, ClassVar

from anywidget.experimental import command

from equivlab.widgets.page.threads import Threads
from equivlab.widgets.page.view import LiveView

__all__ = ["AskedView"]


class AskedView(LiveView):
    """A widget that answers questions of its page, by anywidget's own commands.

    Each view of the widget has one question on its way, or where answers are quick a few, and
    anywidget gives each its own name, so no answer reaches another view and nothing queues up
    behind a slow network.

    Attributes:
        computes: whether `answer` itself does the work; then it gets as many of torch's threads
            as make it faster. A thread that it starts would keep that number.
    """

    computes: ClassVar[bool] = True

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._threads = Threads()
        super().__init__(*arguments, **named)

    def answer(self, question: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        """What the page is to show for a question, as JSON and as bytes."""
        raise NotImplementedError

    @command
    def ask(self, question: Any, _buffers: Any) -> tuple[dict[str, Any], list[bytes]]:
        """Called by the page. What goes wrong is told there: it would wait for ever."""
        began = time.perf_counter()
        buffers: list[bytes] = []
        try:
            kind = tuple(sorted(name for name, value in question.items() if value is True))
            with self._threads.lent(kind) if self.computes else nullcontext():
                content, buffers = self.answer(question)
        except Exception as error:
            content = {"problem": f"{type(error).__name__}: {error}"}
        return {**content, "ms": 1e3 * (time.perf_counter() - began)}, buffers
