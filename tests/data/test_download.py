"""The one path for downloads: checked, whole or not at all, and never without leave."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

from equivlab.data import download as download_module
from equivlab.data import fetch
from equivlab.data.download import cache_dir, is_on
from tests.forking import needs_fork

URL = "https://example.org/a.bin"
HELLO = "sha256:" + hashlib.sha256(b"hello").hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EQUIVLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EQUIVLAB_OFFLINE", raising=False)
    return tmp_path / "cache"


def serve(monkeypatch: pytest.MonkeyPatch, action: Callable[[Any], None]) -> None:
    """Stand in for the network: `action` writes what comes."""

    def get(self: object, url: str, output: Any, pooch: object) -> None:
        action(output)

    monkeypatch.setattr("pooch.HTTPDownloader.__call__", get)


def no_network(_: Any) -> None:
    raise ConnectionError("name not resolved")


def test_a_download_is_kept_and_used_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, lambda output: output.write(b"hello"))
    assert fetch(URL, HELLO, instead="").read_bytes() == b"hello"
    serve(monkeypatch, no_network)
    assert fetch(URL, HELLO, instead="") == cache / "a.bin"
    assert [path.name for path in cache.iterdir()] == ["a.bin"]
    assert fetch(
        URL, "md5:" + hashlib.md5(b"hello", usedforsecurity=False).hexdigest(), instead=""
    ).exists()


def test_without_a_network_the_message_says_what_to_do(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, no_network)
    with pytest.raises(ConnectionError, match=r"a.bin is not in .*name not resolved.*Use this"):
        fetch(URL, HELLO, instead="Use this.")
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("switch", ["1", "true", "YES", " on "])
def test_offline_switches(cache: Path, monkeypatch: pytest.MonkeyPatch, switch: str) -> None:
    monkeypatch.setenv("EQUIVLAB_OFFLINE", switch)
    with pytest.raises(ConnectionError, match=rf"E={switch} forbids the download. Use this"):
        fetch(URL, HELLO, instead="Use this.")
    assert not cache.exists()
    cache.mkdir()
    (cache / "a.bin").write_bytes(b"hello, cut")
    with pytest.raises(ConnectionError, match=r"a\.bin is in the cache with another checksum"):
        fetch(URL, HELLO, instead="Use this.")
    (cache / "a.bin").write_bytes(b"hello")
    assert fetch(URL, HELLO, instead="").read_bytes() == b"hello"


def test_switches_that_are_off_or_unclear(monkeypatch: pytest.MonkeyPatch) -> None:
    for switch in ("0", "false", "No", "off", ""):
        monkeypatch.setenv("EQUIVLAB_OFFLINE", switch)
        assert not is_on("EQUIVLAB_OFFLINE")
    monkeypatch.setenv("EQUIVLAB_OFFLINE", "ja")
    with pytest.raises(ValueError, match=r"is a switch: 1, true, yes, on or 0.*got 'ja'"):
        fetch(URL, HELLO, instead="")


def test_two_threads_that_want_the_same_file(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both, found = Barrier(2), []

    def slowly(output: Any) -> None:
        output.write(b"hel")
        both.wait(30)  # each has begun, and none is done
        output.write(b"lo")

    serve(monkeypatch, slowly)
    threads = [Thread(target=lambda: found.append(fetch(URL, HELLO, instead=""))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == 2 * [cache / "a.bin"]
    assert [path.name for path in cache.iterdir()] == ["a.bin"]


def test_another_file_than_meant_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, lambda output: output.write(b"hell"))
    with pytest.raises(ValueError, match=r"another checksum .*cut short or replaced.*Use this"):
        fetch(URL, HELLO, instead="Use this.")
    monkeypatch.setattr(download_module, "MOST_BYTES", 3)
    with pytest.raises(ValueError, match=r"a\.bin gave more than 3 bytes, and was stopped"):
        fetch(URL, HELLO, instead="")
    assert list(cache.iterdir()) == []


@needs_fork
def test_a_killed_download_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that could be taken for the file, and its rest goes with the next download."""

    def die(output: Any) -> None:
        output.write(b"hel")
        os.kill(os.getpid(), signal.SIGKILL)

    def download() -> None:
        serve(monkeypatch, die)
        fetch(URL, HELLO, instead="")

    child = get_context("fork").Process(target=download)
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert not (cache / "a.bin").exists()
    assert len(list(cache.iterdir())) == 1
    serve(monkeypatch, lambda output: output.write(b"hello"))
    assert fetch(URL, HELLO, instead="").read_bytes() == b"hello"
    assert [path.name for path in cache.iterdir()] == ["a.bin"]


def test_the_cache_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EQUIVLAB_CACHE", str(tmp_path / "file"))
    with pytest.raises(NotADirectoryError, match=r"cache .*file is no folder. Point EQUIVLAB_CA"):
        fetch(URL, HELLO, instead="")
    monkeypatch.setenv("EQUIVLAB_CACHE", "~/there")
    assert cache_dir() == Path.home() / "there"
    monkeypatch.setenv("EQUIVLAB_CACHE", "here")
    assert cache_dir() == Path.cwd() / "here"


@pytest.mark.parametrize(
    ("url", "checksum"),
    [
        ("file:///etc/passwd", HELLO),
        ("https://example.org/", HELLO),
        ("https://example.org/..", HELLO),
        (URL, "crc32:12"),
        (URL, "sha256:"),
    ],
)
def test_what_is_no_address_or_checksum(url: str, checksum: str) -> None:
    with pytest.raises(ValueError, match="fetch takes a web address"):
        fetch(url, checksum, instead="")
