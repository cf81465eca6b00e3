"""How a thread that trains is held: it goes, rests, takes single steps, and ends.

One trains at a time: two would take each other's processor time and random numbers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Reins"]

ENGINE = threading.Lock()  # held by the thread that trains, between its rests


class Reins:
    """What others want of the thread, and where it listens between two steps."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.wish = "go"
        self.single = 0  # steps to take although it rests

    def want(self, wish: str) -> None:
        """``'go'``, ``'rest'`` or ``'end'``; the thread hears it after its step."""
        with self.changed:
            self.wish = wish
            self.single = 0
            self.changed.notify_all()

    def step(self) -> None:
        """One step, then rest."""
        with self.changed:
            self.wish = "rest"
            self.single += 1
            self.changed.notify_all()

    def listen(self, resting: Callable[[], None], going: Callable[[], None]) -> bool:
        """Between two steps: return when to go on, True when to end.

        Args:
            resting: called before it waits.
            going: called when it goes on for good.
        """
        waited = False
        while True:
            with self.changed:
                if self._decided():
                    break
            if not waited:
                waited = True
                resting()
                ENGINE.release()
            with self.changed:
                self.changed.wait_for(self._wanted)
        if waited:
            ENGINE.acquire()
            if self.wish == "go":
                going()
        return self.wish == "end"

    def _wanted(self) -> bool:
        return self.wish != "rest" or self.single > 0

    def _decided(self) -> bool:
        """Whether it need not rest; a single step is taken here."""
        if self.wish == "rest" and self.single:
            self.single -= 1
            return True
        return self.wish != "rest"
