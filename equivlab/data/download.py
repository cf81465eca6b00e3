"""The one way in which equivlab downloads a file: cached, and checked against a checksum."""

from __future__ import annotations

import os
from pathlib import Path

import pooch

__all__ = ["cache_dir", "fetch"]


def cache_dir() -> Path:
    """Where downloads are kept: ``$EQUIVLAB_CACHE``, or the user's cache folder."""
    return Path(os.environ.get("EQUIVLAB_CACHE") or pooch.os_cache("equivlab"))


def fetch(url: str, checksum: str, *, instead: str) -> Path:
    """Download `url` once, check it, and return the path of the cached file.

    A file in the cache whose checksum is right is used without a network. Set
    ``EQUIVLAB_OFFLINE=1`` to forbid downloads.

    Args:
        url: where the file is.
        checksum: ``'sha256:…'`` or ``'md5:…'``.
        instead: what the user can do without a network, for the message.

    Raises:
        ConnectionError: no network and not in the cache.
        ValueError: the file that came is not the one that was meant.
    """
    name = url.rsplit("/", 1)[-1]
    folder = cache_dir()
    if os.environ.get("EQUIVLAB_OFFLINE") == "1" and not _is_cached(folder / name, checksum):
        raise ConnectionError(
            f"{name} is not in the cache {folder} and EQUIVLAB_OFFLINE=1 forbids the download. "
            + instead
        )
    try:
        return Path(pooch.retrieve(url, known_hash=checksum, path=folder, fname=name))
    except ValueError as error:
        raise ValueError(
            f"{url} gave a file with another checksum than {checksum}: it was cut short or "
            f"replaced. Try again later. {instead}"
        ) from error
    except OSError as error:
        raise ConnectionError(
            f"{name} is not in the cache {folder} and could not be downloaded ({error}). {instead}"
        ) from error


def _is_cached(path: Path, checksum: str) -> bool:
    algorithm, _, wanted = checksum.rpartition(":")
    return path.exists() and pooch.file_hash(str(path), algorithm or "sha256") == wanted
