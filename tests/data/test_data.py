"""Digits and pieces of the sky."""

from __future__ import annotations

import gzip
import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from equivlab.data import digit_images, mnist, rotate_each, sky_images
from equivlab.data import digits as digits_module
from equivlab.fields import rotate_maps


def test_digits() -> None:
    images, labels = digit_images(20)
    assert images.shape == (1797, 1, 20, 20)
    assert labels.bincount().min() > 170
    assert images.min() >= 0
    assert images.max() <= 1
    margin = torch.cat([images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1]], -1)
    assert float(margin.mean()) < 0.02


def test_sky() -> None:
    sky = sky_images()
    assert sky.shape == (6, 1, 64, 64)
    assert sky.min() >= 0
    assert sky.max() <= 1
    assert sky.amax((1, 2, 3)).min() > 0.5
    with pytest.raises(ValueError, match="1 to 6 pieces; got count=7"):
        sky_images(7)


def test_rotate_each_turns_each_by_its_own_angle() -> None:
    images, _ = digit_images(16)
    turned, angles = rotate_each(images[:5], torch.Generator().manual_seed(0))
    again, same = rotate_each(images[:5], torch.Generator().manual_seed(0))
    assert torch.equal(turned, again)
    assert torch.equal(angles, same)
    assert 0 <= float(angles.min()) < float(angles.max()) < 2 * math.pi
    for n, angle in enumerate(angles.tolist()):
        wanted = rotate_maps(images[n : n + 1], angle)
        assert torch.allclose(turned[n : n + 1], wanted, atol=1e-6)


@pytest.fixture
def small_mnist(monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """MNIST's four arrays, but of few digits."""
    shapes = {"x_train": (6, 28, 28), "y_train": (6,), "x_test": (2, 28, 28), "y_test": (2,)}
    monkeypatch.setattr(digits_module, "MNIST_SHAPES", shapes)
    generator = np.random.default_rng(0)
    return {
        name: generator.integers(0, 256, shape, dtype=np.uint8) for name, shape in shapes.items()
    }


def test_mnist_from_an_archive(
    small_mnist: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, **small_mnist)
    for found in (mnist(path), (monkeypatch.setenv("EQUIVLAB_MNIST", str(path)), mnist())[1]):
        assert all(np.array_equal(found[name].numpy(), small_mnist[name]) for name in small_mnist)


def test_mnist_from_the_original_files(
    small_mnist: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the cache after a download: the idx format, checked by its checksum, no network."""
    files = {}
    for name, values in small_mnist.items():
        content = gzip.compress(bytes(16 if name.startswith("x") else 8) + values.tobytes())
        (tmp_path / f"{name}.gz").write_bytes(content)
        files[name] = (f"{name}.gz", "sha256:" + hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(digits_module, "MNIST_FILES", files)
    monkeypatch.setenv("EQUIVLAB_CACHE", str(tmp_path))
    monkeypatch.setenv("EQUIVLAB_OFFLINE", "1")
    monkeypatch.delenv("EQUIVLAB_MNIST", raising=False)
    found = mnist()
    assert all(np.array_equal(found[name].numpy(), small_mnist[name]) for name in small_mnist)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"not an archive"])
def test_a_broken_mnist_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mnist.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is no MNIST archive.*digit_images\(\)"):
        mnist(path)


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz", **{n: np.zeros(3) for n in ("x_train", "y_train", "x_test", "y_test")}
    )
    with pytest.raises(ValueError, match=r"x_train is \(60000, 28, 28\) of uint8; got \(3,\)"):
        mnist(tmp_path / "a.npz")
    with pytest.raises(FileNotFoundError, match="There is no MNIST file"):
        mnist(tmp_path / "nowhere.npz")
