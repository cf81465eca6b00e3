"""What a check of an exercise says: whether an attempt holds, and where to look.

A check takes the reader's attempt, never raises for a wrong one, and returns a `Verdict`, which
a notebook shows as a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Verdict", "first_line", "run_attempt"]


@dataclass(frozen=True)
class Verdict:
    """Whether an attempt holds, and a sentence about it."""

    right: bool
    said: str

    def __repr__(self) -> str:
        return ("✓ " if self.right else "✗ ") + self.said


def run_attempt(attempt: Callable[..., Any], given: tuple[object, ...]) -> tuple[Any, str]:
    """What the attempt gives, and what is wrong where it stops or gives nothing."""
    try:
        found = attempt(*given)
    except Exception as error:  # whatever the reader's code does, tell them
        return None, f"It stops with {type(error).__name__}: {first_line(error)}"
    if found is None or found is ...:
        return None, "Nothing comes back yet. End the function with return."
    return found, ""


def first_line(error: Exception) -> str:
    """The first line of what an error says."""
    return (str(error).splitlines() or ["(no message)"])[0]
