"""The one message for a package that comes with an extra and is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["needs_extra"]


@contextmanager
def needs_extra(extra: str, who: str) -> Iterator[None]:
    """Imports in this block say, where they fail, which extra brings what they look for.

    Args:
        extra: the name in ``pip install "equivlab[extra]"``.
        who: what needs it, for the message.

    Raises:
        ModuleNotFoundError: the package is not installed; the message has the remedy. A module
            of equivlab itself that is not found, and a package that is there but broken, raise
            what they raise without this block.

    >>> with needs_extra("data", "sky_images"):
    ...     import a_package_that_is_not_there
    Traceback (most recent call last):
    ModuleNotFoundError: sky_images needs 'a_package_that_is_not_there', which comes with an
    extra and is not installed. Install it: pip install "equivlab[data]"
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "equivlab"):
            raise
        raise ModuleNotFoundError(
            f"{who} needs {package!r}, which comes with an extra and is not installed. "
            f'Install it: pip install "equivlab[{extra}]"',
            name=error.name,
        ) from error
