"""A façade whose names are loaded when they are first asked for (PEP 562)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["late_names"]


def late_names(
    facade: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The functions ``__getattr__`` and ``__dir__`` of a façade.

    Beside them the façade imports the same names under ``if TYPE_CHECKING:``, so that type
    checkers and editors see what they are::

        homes = {"fit_lightning": "equivlab.training.lightning"}
        __getattr__, __dir__ = late_names(__name__, homes)

    Args:
        facade: the module's own ``__name__``.
        homes: for each name the module that holds it; a name that is a subpackage of the façade
            has its own path, ``{"nn": "equivlab.nn"}``.
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {facade!r} has no attribute {name!r}")
        home = importlib.import_module(homes[name])
        return home if homes[name] == f"{facade}.{name}" else getattr(home, name)

    def names() -> list[str]:
        return sorted({*vars(sys.modules[facade]), *homes})

    return find, names
