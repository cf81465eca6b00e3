"""The one way in which equivlab downloads a file: cached, and checked against a checksum."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import IO

import pooch

from equivlab.data.arrays import in_words
from equivlab.data.owners import Owner

__all__ = ["cache_dir", "fetch", "is_on"]

ON, OFF = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")
SAFE_NAME = re.compile(r"[A-Za-z0-9_][\w.\-]*")
MOST_BYTES = 2**31  # of a download: a server must not fill the disk
SECONDS = 30  # without an answer


def cache_dir() -> Path:
    """Where downloads are kept: ``$EQUIVLAB_CACHE``, or the user's cache folder."""
    chosen = os.environ.get("EQUIVLAB_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else Path(pooch.os_cache("equivlab"))


def is_on(variable: str) -> bool:
    """Whether an environment variable says yes: ``1``, ``true``, ``yes`` or ``on``.

    Raises:
        ValueError: it says something that is neither yes nor no.
    """
    said = os.environ.get(variable, "").strip().lower()
    if said not in ON + OFF:
        raise ValueError(
            f"{variable} is a switch: {', '.join(ON)} or {', '.join(OFF[1:])}; got {said!r}."
        )
    return said in ON


def fetch(url: str, checksum: str, *, instead: str) -> Path:
    """Download `url` once, check it, and return the path of the cached file.

    A file in the cache whose checksum is right is used without a network. Set
    ``EQUIVLAB_OFFLINE=1`` to forbid downloads. The file appears in the cache when it is whole and
    right; what a kill leaves of one goes with the next download.

    Args:
        url: where the file is.
        checksum: ``'sha256:…'``; or ``'md5:…'`` where its publisher gives no other, which tells
            whether it is the file that was meant, but would not stop a forger.
        instead: what the user can do without a network, for the message.

    Raises:
        ConnectionError: no network and not in the cache.
        NotADirectoryError, PermissionError: the cache is no folder that can be written.
        ValueError: the file that came is not the one that was meant; or no web address, or
            another checksum.
    """
    name = url.rsplit("/", 1)[-1]
    algorithm, _, wanted = checksum.rpartition(":")
    known = algorithm in ("sha256", "md5") and re.fullmatch("[0-9a-f]+", wanted)
    if not (url.startswith(("https://", "http://")) and SAFE_NAME.fullmatch(name) and known):
        raise ValueError(
            "fetch takes a web address that ends in the name of a file, and 'sha256:...' or "
            f"'md5:...'; got {url!r} and {checksum!r}."
        )
    path = cache_dir() / name
    there = path.is_file()
    if there and _sum_of(path, algorithm) == wanted:
        return path
    if is_on("EQUIVLAB_OFFLINE"):
        state = "is in the cache with another checksum" if there else "is not in the cache"
        switch = f"EQUIVLAB_OFFLINE={os.environ['EQUIVLAB_OFFLINE']}"
        raise ConnectionError(
            f"{name} {state} ({path.parent}), and {switch} forbids the download. {instead}"
        )
    _check_cache(path.parent)
    # Of this process, and of this call: another thread may download the same.
    part = path.with_name(f".{name}-{Owner.this().host}-{secrets.token_hex(4)}-{os.getpid()}.part")
    _remove_left(path)
    try:
        _download(url, part, instead)
        if _sum_of(part, algorithm) != wanted:
            raise ValueError(
                f"{url} gave a file with another checksum than {checksum}: it was cut short or "
                f"replaced. Try again later. {instead}"
            )
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _check_cache(folder: Path) -> None:
    """Make the cache folder, and see that it can be written."""
    remedy = "Point EQUIVLAB_CACHE at a folder that can be written."
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise NotADirectoryError(f"The cache {folder} is no folder. {remedy}") from error
    except OSError as error:
        raise PermissionError(f"The cache {folder} cannot be made ({error}). {remedy}") from error
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"The cache {folder} cannot be written. {remedy}")


def _remove_left(path: Path) -> None:
    """Remove what killed processes of this machine left of an earlier download."""
    host = Owner.this().host
    for part in path.parent.glob(f".{path.name}-{host}-*.part"):
        pid = part.name.removesuffix(".part").rpartition("-")[2]
        if pid.isdigit() and int(pid) != os.getpid() and Owner(host, int(pid), "").is_gone():
            part.unlink(missing_ok=True)


class _Limited:
    """A file that takes no more than `MOST_BYTES` of what comes from `url`."""

    def __init__(self, stream: IO[bytes], url: str) -> None:
        self.stream = stream
        self.url = url
        self.taken = 0

    def write(self, piece: bytes) -> int:
        self.taken += len(piece)
        if self.taken > MOST_BYTES:
            raise ValueError(f"{self.url} gave more than {in_words(MOST_BYTES)}, and was stopped.")
        return self.stream.write(piece)


def _download(url: str, part: Path, instead: str) -> None:
    """Download to a file of its own, onto the disk."""
    try:
        with part.open("wb") as stream:
            get = pooch.HTTPDownloader(progressbar=False, timeout=SECONDS)
            get(url, _Limited(stream, url), None)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:  # requests' errors are OSErrors, too
        raise ConnectionError(
            f"{url.rsplit('/', 1)[-1]} is not in the cache {part.parent} and could not be "
            f"downloaded ({error}). {instead}"
        ) from error


def _sum_of(path: Path, algorithm: str) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(
            stream, lambda: hashlib.new(algorithm, usedforsecurity=False)
        ).hexdigest()
