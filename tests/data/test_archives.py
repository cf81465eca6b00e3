"""Archives are read by their headers first: no memory for what is only announced, no pickles."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from equivlab.data.archives import array_headers, read_arrays


class Trap:
    """Says so where it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('a pickle was opened')",)


def test_arrays_come_back_in_native_order(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6, dtype=">i4").reshape(2, 3), "b": np.asfortranarray(np.eye(3))}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        found = read_arrays(tmp_path / "a.npz", None, "test", instead="Nothing.")
        assert found["a"].dtype.isnative
        assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
        assert all(array.flags.c_contiguous for array in found.values())


def test_a_bomb_takes_no_memory(tmp_path: Path) -> None:
    """200 MB of zeros in 200 kB of file, and a header that lies about its member."""
    path = tmp_path / "bomb.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (200_000_000,)}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("x.npy", "w", force_zip64=True) as stream:
            stream.write(header.getvalue())
            for _ in range(200):
                stream.write(bytes(1_000_000))
        archive.writestr("y.npy", header.getvalue() + bytes(10))
        archive.writestr("z.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + bytes(10))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"array x is \(200000000,\) .* 200\.0 MB; 50\.0"):
        read_arrays(path, ["x"], "test", instead="Nothing.", most_bytes=50_000_000)
    with pytest.raises(ValueError, match=r"y announces 200,000,000 bytes and has 10: it is cut"):
        read_arrays(path, ["y"], "test", instead="Nothing.")
    with pytest.raises(ValueError, match=r"its header has 2,147,483,647 bytes"):
        read_arrays(path, ["z"], "test", instead="Nothing.")
    assert array_headers(path, "test", instead="Nothing.").keys() == {"x", "y", "z"}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_pickles_stay_closed(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.array([Trap()], object))
    with pytest.raises(ValueError, match=r"array x cannot be read: it holds pickled objects"):
        read_arrays(tmp_path / "a.npz", ["x"], "test", instead="Nothing.")


def test_damage_inside_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(1000))
    content = bytearray(path.read_bytes())
    content[4000] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"a\.npz is no test archive: Bad CRC"):
        read_arrays(path, ["x"], "test", instead="Nothing.")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x.npy", b"")
    with pytest.raises(ValueError, match="compressed in a way that NumPy does not use"):
        read_arrays(path, ["x"], "test", instead="Nothing.")
    (tmp_path / "b.npz").mkdir()
    with pytest.raises(ValueError, match=r"b\.npz is a folder; give one test file in it. Nothing"):
        read_arrays(tmp_path / "b.npz", ["x"], "test", instead="Nothing.")
