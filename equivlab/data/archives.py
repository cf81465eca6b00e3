"""The one way in which equivlab reads an ``.npz`` archive that it did not write itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["read_arrays"]


def read_arrays(
    path: Path, names: Iterable[str] | None, what: str, *, instead: str
) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays `names` of an ``.npz`` file; nothing in it is ever unpickled.

    Args:
        path: the file.
        names: of the arrays that must be there, and that are read; None for all there are.
        what: what the file should hold, for the message, for example ``'ModelNet10'``.
        instead: what the user can do, for the message.

    Raises:
        FileNotFoundError: no such file.
        ValueError: empty, cut short, not an archive, or one without these arrays.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no {what} file {path}. {instead}")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is no {what} archive: it is empty. {instead}")
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            wanted = archive.files if names is None else list(names)
            missing = [name for name in wanted if name not in archive.files]
            if missing:
                raise ValueError(
                    f"it holds {', '.join(archive.files) or 'nothing'}, not {', '.join(missing)}"
                )
            return {name: archive[name] for name in wanted}
    except Exception as error:  # a broken archive fails in many ways, all with one remedy
        raise ValueError(f"{path} is no {what} archive: {error}. {instead}") from error
