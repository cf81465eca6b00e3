"""What holds for all arrays and all sets, tried on what hypothesis thinks of."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from equivlab.data.archives import read_arrays
from equivlab.data.arrays import read_header, read_numbers
from equivlab.data.sets.reading import read_image
from equivlab.data.sets.shards import ShardedImages
from equivlab.data.sets.verify import verify_shards
from equivlab.data.sets.writer import write_shards
from equivlab.data.stretch import crop_center

# The same examples each time, kept nowhere.
few = settings(max_examples=25, deadline=None, derandomize=True, database=None)
NUMBERS = st.sampled_from(
    ["<f4", ">f4", "<f8", ">f8", "<f2", "<i2", ">i4", "<u2", "|u1", "?", ">i8"]
)
SHAPES = arrays_of.array_shapes(min_side=0)


def drawn(shape: tuple[int, ...], dtype: str, order: str, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).integers(0, 100, shape)
    return np.asarray(values.astype(dtype), order=order)


@few
@given(arrays_of.array_shapes(min_dims=0, min_side=0), NUMBERS, st.sampled_from("CF"))
def test_npy_streams_come_back(shape: tuple[int, ...], dtype: str, order: str) -> None:
    array = drawn(shape, dtype, order, 0)
    stream = io.BytesIO()
    np.save(stream, array)
    stream.seek(0)
    header = read_header(stream)
    found = read_numbers(stream, header)
    assert (header.shape, header.dtype, header.bytes) == (shape, np.dtype(dtype), array.nbytes)
    assert found.dtype.isnative
    assert found.flags.c_contiguous
    assert np.array_equal(found, array)
    if array.size:
        cut = io.BytesIO(stream.getvalue()[:-1])
        header = read_header(cut)
        with pytest.raises(ValueError, match="cut short"):
            read_numbers(cut, header)


@few
@given(st.dictionaries(st.text("abcxyz", min_size=1), SHAPES, min_size=1, max_size=4))
def test_archives_come_back(shapes: dict[str, tuple[int, ...]]) -> None:
    wanted = {name: drawn(shape, ">f4", "F", 1) for name, shape in shapes.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.npz")
        np.savez_compressed(path, **wanted)
        found = read_arrays(path, None, "test", instead="Nothing.")
    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


@few
@given(
    st.integers(1, 9),
    st.integers(5, 9),
    st.integers(5, 9),
    st.integers(0, 2),
    NUMBERS,
    st.booleans(),
)
def test_images_come_back(
    channels: int, height: int, width: int, ones: int, dtype: str, flat: bool
) -> None:
    shape = (1,) * ones + ((height, width) if flat else (channels, height, width))
    array = drawn(shape, dtype, "C", 2)
    wanted = torch.from_numpy(array.astype(np.float32)).reshape(-1, height, width)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.npy")
        np.save(path, array)
        assert torch.equal(read_image(path), wanted)
        if array.ndim > 2:
            assert torch.equal(read_image(path, (0,) * (array.ndim - 2)), wanted[:1])


@few
@given(
    st.integers(4, 12), st.integers(4, 12), st.sampled_from(["f4", "f8", "i2", "i4", "u1", "u2"])
)
def test_fits_come_back(height: int, width: int, dtype: str) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    array = drawn((height, width), dtype, "C", 3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.fits")
        fits.PrimaryHDU(array).writeto(path)
        assert torch.equal(read_image(path)[0], torch.from_numpy(array.astype(np.float32)))


class Numbered:
    """Images that say their number, in any dtype and layout."""

    def __init__(self, dtype: str, order: str) -> None:
        self.dtype, self.order = dtype, order

    def __call__(self, numbers: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        ramp = np.array(numbers)[:, None, None, None] + np.zeros((1, 2, 3, 2))
        return np.asarray(ramp.astype(self.dtype), order=self.order), np.array(numbers) % 3


@few
@given(
    st.integers(1, 40),
    st.integers(1, 50),
    NUMBERS,
    st.sampled_from("CF"),
    st.randoms(use_true_random=False),
)
def test_sets_come_back_whole_and_after_any_loss(
    count: int, shard_size: int, dtype: str, order: str, random
) -> None:  # type: ignore[no-untyped-def]
    make = Numbered(dtype, order)

    def write(folder: str) -> ShardedImages:
        names = ("a", "b", "c")
        return write_shards(
            folder, make, count, {}, classes=names, shard_size=shard_size, progress=False
        )

    with tempfile.TemporaryDirectory() as folder:
        found = write(folder)
        indices = [random.randrange(count) for _ in range(5)]
        images, labels = found.batch(indices)
        wanted = make(indices)[0]
        assert np.array_equal(images.numpy(), wanted)
        assert labels.tolist() == [n % 3 for n in indices]
        assert found.labels().tolist() == [n % 3 for n in range(count)]
        assert verify_shards(folder) == 2 * -(-count // shard_size)
        files = sorted(Path(folder).iterdir())
        whole = {path: path.read_bytes() for path in files}
        for path in files:
            fate = random.random()
            if path.suffix == ".npy" and fate < 0.3:
                path.unlink()
            elif path.suffix == ".npy" and fate < 0.5:
                path.write_bytes(whole[path][: random.randrange(len(whole[path]))])
        write(folder)
        assert {path: path.read_bytes() for path in sorted(Path(folder).iterdir())} == whole


@few
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 16))
def test_a_crop_has_its_size_and_keeps_the_middle(height: int, width: int, size: int) -> None:
    x = torch.rand(1, height, width, generator=torch.Generator().manual_seed(0))
    found = crop_center(x, size)
    assert found.shape == (1, size, size)
    small = min(height, width, size)
    if size % 2 == height % 2 == width % 2:
        inner = small - (small - size) % 2
        assert torch.equal(crop_center(found, inner), crop_center(x, inner))
