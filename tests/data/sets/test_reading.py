"""Each image file is read right, or refused with its name and what can be done."""

from __future__ import annotations

import bz2
import gzip
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from equivlab.data.arrays import read_header
from equivlab.data.sets.folders import FolderImages
from equivlab.data.sets.reading import read_image

IMAGE = np.arange(30, dtype=np.float32).reshape(5, 6)


def saved(path: Path, array: np.ndarray) -> bytes:
    np.save(path, array)
    return path.read_bytes()


def test_what_systems_leave_behind_is_no_class_and_no_image(tmp_path: Path) -> None:
    for name in ("cdm", "no_sub", ".ipynb_checkpoints", "__MACOSX", ".hidden"):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "1.npy", IMAGE)
    (tmp_path / "cdm" / "._1.npy").write_bytes(b"macOS")
    (tmp_path / "cdm" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "cdm" / "notes.txt").write_text("mine")
    found = FolderImages(tmp_path)
    assert found.classes == ("cdm", "no_sub")
    assert found.labels().tolist() == [0, 1]


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i2", "<u2", "|u1", "?", "f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_of_any_order(tmp_path: Path, dtype: str, order: str) -> None:
    array = np.asarray(IMAGE, dtype, order=order)
    np.save(tmp_path / "a.npy", array)
    assert torch.equal(read_image(tmp_path / "a.npy")[0], torch.from_numpy(array.astype("f4")))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((4, 4), complex), "holds complex numbers; save what you mean: the real part"),
        (np.zeros((4, 4), [("a", "f4"), ("b", "i2")]), r"named fields \(a, b\).*\['a'\]"),
        (np.full((4, 4), "x"), "it holds str32, and no numbers"),
        (np.zeros((4, 4), "M8[s]"), "it holds datetime64"),
        (np.full((4, 4), 1e300), r"numbers up to 1e\+300, and float32 ends at 3\.4e38; rescale"),
        (np.zeros((0, 5)), r"it has the shape \(0, 5\)"),
        (np.zeros((2, 3, 4, 5)), r"more than one image; say which plane, .* plane=\(0, 0\)"),
    ],
)
def test_arrays_that_are_no_image(tmp_path: Path, array: np.ndarray, words: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ValueError, match=rf"a\.npy is no image: .*{words}"):
        read_image(tmp_path / "a.npy")


def test_files_that_are_not_what_their_name_says(tmp_path: Path) -> None:
    whole = saved(tmp_path / "whole.npy", IMAGE)
    np.savez(tmp_path / "a.npz", IMAGE)
    png = b"\x89PNG\r\n\x1a\n"
    for name, content, words in (
        ("empty.npy", b"", "it is empty"),
        ("cut.npy", whole[:-1], "cut short: it has 119 of the 120 bytes"),
        ("cut2.npy", whole[:60], "cut short within its header"),
        ("text.npy", b"1 2 3\n4 5 6\n", "whatever its name says"),
        ("zip.npy", (tmp_path / "a.npz").read_bytes(), "a zip archive, as .npz files are"),
        ("png.npy", png, "it is a PNG picture"),
        ("head.npy", whole.replace(b"'shape'", b"'shade'"), "its header cannot be read"),
        ("minus.npy", whole.replace(b"(5, 6)", b"(-5,6)"), "its header cannot be read"),
        ("npy.png", whole, "it is an .npy file, whatever its name says"),
        ("cut.png", png, "it is cut short"),
        ("npy.fits", whole, "it is an .npy file, whatever its name says"),
        ("zip.fits.gz", b"\x1f\x8b\x08garbage", r"zip\.fits\.gz"),
        ("image.xyz", whole, r"Images end in \.npy"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=words) as caught:
            read_image(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "cdm").mkdir()
    np.save(tmp_path / "cdm" / "a.npy", IMAGE)
    (tmp_path / "cdm" / "x.npy").mkdir()
    with pytest.raises(ValueError, match=r"x\.npy is a folder; give one image file in it"):
        FolderImages(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"There is no image file .*b\.npy"):
        read_image(tmp_path / "b.npy")
    if not hasattr(os, "mkfifo"):
        return
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(ValueError, match=r"pipe\.npy is a pipe or a device"):
        read_image(tmp_path / "pipe.npy")


def test_the_header_is_asked_before_memory_is_taken(tmp_path: Path) -> None:
    """An announced size costs nothing to write: 80 GB here, in 200 bytes, and bombs."""
    whole = saved(tmp_path / "a.npy", IMAGE)
    small, large = b"(5, 6), }" + 8 * b" ", b"(100000, 200000)}"
    assert small in whole
    (tmp_path / "a.npy").write_bytes(whole.replace(small, large))
    with (tmp_path / "a.npy").open("rb") as stream:
        assert read_header(stream).shape == (100000, 200000)
    with pytest.raises(ValueError, match=r"take 80\.0 GB; 268\.4 MB are allowed. Cut it"):
        read_image(tmp_path / "a.npy")
    (tmp_path / "bomb.png").write_bytes(png_header(40_000, 40_000))
    with pytest.raises(ValueError, match=r"bomb\.png is no image: .* are allowed"):
        read_image(tmp_path / "bomb.png")
    (tmp_path / "large.png").write_bytes(png_header(9_000, 9_000))
    with pytest.raises(ValueError, match=r"\(1, 9000, 9000\) of uint8, .* are allowed"):
        read_image(tmp_path / "large.png")
    np.save(tmp_path / "b.npy", IMAGE)
    with pytest.raises(ValueError, match=r"take 120 bytes; 100 bytes are allowed"):
        read_image(tmp_path / "b.npy", most_bytes=100)


def png_header(width: int, height: int) -> bytes:
    """The beginning of a grey PNG of that size, and no pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)

    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(bytes(99)))


def test_planes(tmp_path: Path) -> None:
    cube = np.arange(2 * 7 * 5 * 6, dtype=np.float32).reshape(2, 7, 5, 6)
    np.save(tmp_path / "a.npy", cube)
    assert torch.equal(read_image(tmp_path / "a.npy", (1, 3))[0], torch.from_numpy(cube[1, 3]))
    assert read_image(tmp_path / "a.npy", 1).shape == (7, 5, 6)
    with pytest.raises(ValueError, match=r"\(2, 7, 5, 6\), which has no image at plane=\(1, 7\)"):
        read_image(tmp_path / "a.npy", (1, 7))


class TestFits:
    """Telescopes' files: names, packing, byte order, axes, damage."""

    @pytest.fixture
    def fits(self) -> object:
        return pytest.importorskip("astropy.io.fits")

    @pytest.mark.parametrize("name", ["a.fts", "a.FIT", "a.fits", "a.fits.gz", "a.fts.bz2"])
    def test_names_and_packing(self, tmp_path: Path, fits, name: str) -> None:  # type: ignore[no-untyped-def]
        fits.PrimaryHDU(IMAGE).writeto(tmp_path / "plain.fits")
        pack = {".gz": gzip.compress, "bz2": bz2.compress}.get(name[-3:], bytes)
        (tmp_path / "cdm").mkdir()
        (tmp_path / "cdm" / name).write_bytes(pack((tmp_path / "plain.fits").read_bytes()))
        image, _ = FolderImages(tmp_path)[0]
        assert torch.equal(image[0], torch.from_numpy(IMAGE))

    def test_tiles(self, tmp_path: Path, fits) -> None:  # type: ignore[no-untyped-def]
        whole = IMAGE.astype(np.int32)
        packed = fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(whole)])
        packed.writeto(tmp_path / "a.fits.fz")
        assert torch.equal(read_image(tmp_path / "a.fits.fz")[0], torch.from_numpy(IMAGE))

    def test_axes(self, tmp_path: Path, fits) -> None:  # type: ignore[no-untyped-def]
        fits.PrimaryHDU(IMAGE[None, None]).writeto(tmp_path / "radio.fits")
        assert torch.equal(read_image(tmp_path / "radio.fits")[0], torch.from_numpy(IMAGE))
        cube = np.stack([IMAGE + n for n in range(9)])
        fits.PrimaryHDU(cube).writeto(tmp_path / "cube.fits")
        with pytest.raises(ValueError, match=r"cube\.fits .*say which plane, .* plane=0"):
            read_image(tmp_path / "cube.fits")
        assert torch.equal(read_image(tmp_path / "cube.fits", 7)[0], torch.from_numpy(cube[7]))
        (tmp_path / "set" / "a").mkdir(parents=True)
        fits.PrimaryHDU(cube).writeto(tmp_path / "set" / "a" / "cube.fits")
        image, _ = FolderImages(tmp_path / "set", plane=7)[0]
        assert torch.equal(image[0], torch.from_numpy(cube[7]))

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.6, 0.99])
    def test_cut(self, tmp_path: Path, fits, share: float) -> None:  # type: ignore[no-untyped-def]
        fits.PrimaryHDU(np.zeros((60, 50), np.float32)).writeto(tmp_path / "a.fits")
        content = (tmp_path / "a.fits").read_bytes()[:14880]  # what follows is padding
        (tmp_path / "a.fits").write_bytes(content[: int(share * len(content))])
        with pytest.raises(ValueError, match=r"a\.fits is no image: .*Fetch or write it again"):
            read_image(tmp_path / "a.fits")

    def test_announced_sizes(self, tmp_path: Path, fits) -> None:  # type: ignore[no-untyped-def]
        fits.PrimaryHDU(IMAGE).writeto(tmp_path / "a.fits")
        content = (tmp_path / "a.fits").read_bytes()
        for axis, small in (("NAXIS1", 6), ("NAXIS2", 5)):
            old, new = (f"{axis}  = {n:>20}".encode() for n in (small, 200_000))
            assert old in content
            content = content.replace(old, new)
        (tmp_path / "a.fits").write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.fits .*take 160\.0 GB; 268\.4 MB are allowed"):
            read_image(tmp_path / "a.fits")
        (tmp_path / "bomb.fits.gz").write_bytes(gzip.compress(content + bytes(5_000_000)))
        with pytest.raises(ValueError, match=r"unpacks to more than 3\.9 MB, which are allowed"):
            read_image(tmp_path / "bomb.fits.gz", most_bytes=1_000_000)
