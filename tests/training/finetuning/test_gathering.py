"""Folders and archives of images of all sorts become one tensor, shared out by the seed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from equivlab.training.finetuning import gather
from tests.training.finetuning.mixed import CLASSES, SIDE, pattern, write_folder

pytestmark = pytest.mark.filterwarnings("ignore:Left out")


def test_a_mixed_folder(tmp_path: Path) -> None:
    write_folder(tmp_path)
    with pytest.warns(UserWarning, match=r"Left out: .*gap\.npy has NaN .* and 1 more"):
        found = gather(tmp_path, progress=False)
    assert found.classes == CLASSES
    assert found.images.shape == (24, 1, SIDE, SIDE)
    assert found.labels.bincount().tolist() == [12, 12]
    assert len(found.broken) == 2
    assert "broken.png is no image" in found.broken[1]
    for n, name in enumerate(found.names):  # whatever the kind of file
        home, file = name.split("/")
        wanted = pattern(CLASSES.index(home), int(file[:2]))
        assert np.abs(found.images[n, 0].numpy() - wanted).max() < 1 / 250
        assert found.labels[n] == CLASSES.index(home)


def test_the_shares_are_stratified_and_follow_from_the_seed(tmp_path: Path) -> None:
    write_folder(tmp_path, count=20, junk=False)
    found, again, other = (gather(tmp_path, seed=s, progress=False) for s in (1, 1, 2))
    assert list(found.parts) == ["train", "validate", "test"]
    everyone = torch.cat(list(found.parts.values()))
    assert everyone.sort().values.equal(torch.arange(40))  # each once
    assert [found.part(p).labels().bincount().tolist() for p in found.parts] == [
        [14, 14], [3, 3], [3, 3],
    ]  # fmt: skip
    assert all(found.parts[p].equal(again.parts[p]) for p in found.parts)
    assert not found.parts["test"].equal(other.parts["test"])


@pytest.mark.parametrize("word", ["val", "validate", "validation", "valid"])
def test_folders_that_are_shared_out_stay_so(tmp_path: Path, word: str) -> None:
    write_folder(tmp_path / "train", 8, junk=False)
    write_folder(tmp_path / word, 4, junk=False)
    found = gather(tmp_path, progress=False)
    assert {found.names[n].split("/")[0] for n in found.parts["validate"]} == {word}
    assert {found.names[n].split("/")[0] for n in found.parts["test"]} == {"train"}
    assert [len(found.parts[p]) for p in found.parts] == [14, 8, 2]


def test_colors_and_sizes_are_brought_together(tmp_path: Path) -> None:
    write_folder(tmp_path, junk=False)
    rng = np.random.default_rng(0)
    color = rng.integers(0, 255, (30, 40, 3), np.uint8)
    Image.fromarray(color).save(tmp_path / "dots" / "color.png")
    found = gather(tmp_path, fallback=24, progress=False)
    assert found.images.shape == (25, 3, 24, 24)
    assert found.shapes == {(SIDE, SIDE), (30, 40)}
    gray = found.images[found.names.index("bars/00.npy")]
    assert torch.equal(gray[0], gray[2])
    wide = found.images[found.names.index("dots/color.png")]  # cut to its middle, not squeezed
    middle = color[:, 5:35].mean((0, 1)) / 255
    assert np.allclose(wide.mean((1, 2)), middle, atol=0.03)
    assert gather(tmp_path, size=16, progress=False).images.shape[-1] == 16


@pytest.mark.parametrize("column", [False, True])
def test_archives_of_arrays(tmp_path: Path, column: bool) -> None:
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 12), ("val", 4), ("test", 6)):
        labels = np.arange(count) % 2
        arrays[f"{part}_images"] = rng.integers(0, 255, (count, 28, 28, 3), np.uint8)
        arrays[f"{part}_labels"] = labels[:, None] if column else labels
    path = tmp_path / "set.npz"
    np.savez_compressed(path, **arrays)
    found = gather(path, progress=False)
    assert found.images.shape == (22, 3, 28, 28)
    assert found.classes == ("0", "1")
    assert [len(found.parts[p]) for p in found.parts] == [12, 4, 6]
    wanted = arrays["test_images"][0].transpose(2, 0, 1) / 255
    assert np.allclose(found.images[found.parts["test"][0]], wanted, atol=1e-6)
    np.savez(path, x=np.zeros(3))
    with pytest.raises(ValueError, match="holds x; train_images and train_labels go in"):
        gather(path, progress=False)


X = np.stack([pattern(k, n) for k in (0, 1) for n in range(10)]).astype(np.float32)
Y = np.repeat([0, 1], 10)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (X.astype(">f4"), Y.astype(">i8")),
        ((X * 65535).astype(">u2"), Y[:, None].astype(">i2")),
        (X.astype(np.float64), Y.astype(float)[:, None]),
        (X[..., None], Y == 1),
    ],
    ids=["big-endian", "big-endian bytes", "columns of floats", "truths"],
)
def test_numbers_of_all_kinds(tmp_path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    np.savez(tmp_path / "set.npz", train_images=images, train_labels=labels)
    found = gather(tmp_path / "set.npz", progress=False)
    for name, image, label in zip(found.names, found.images, found.labels, strict=True):
        n = int(name.removeprefix("train_images[").removesuffix("]"))
        assert label == Y[n]
        assert np.abs(image[0].numpy() - X[n]).max() < 1e-4


def test_a_gap_in_an_array_is_left_out(tmp_path: Path) -> None:
    images = X.copy()
    images[3, 2, 2] = np.nan
    np.savez(tmp_path / "set.npz", train_images=images, train_labels=Y)
    with pytest.warns(UserWarning, match=r"Left out: train_images\[3\] has NaN"):
        found = gather(tmp_path / "set.npz", progress=False)
    assert len(found.names) == 19
    assert "train_images[3]" not in found.names


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"train_labels": Y + 1}, r"no 0, and 2 is the largest; .*np\.unique"),
        ({"train_labels": np.array(CLASSES)[Y]}, r"np\.unique\(names, return_inverse=True\)"),
        ({"train_labels": Y[1:]}, r"one for each of the 20 images; got \(19,\)"),
        ({"train_labels": np.eye(2)[Y]}, r"labels\.argmax\(1\)"),
        ({"train_images": X[:, None].repeat(3, 1)}, r"channels last; .*np\.moveaxis"),
        ({"train_images": X[0]}, r"\(N, H, W\) or \(N, H, W, C\); got \(17, 17\)"),
        ({"test_images": X, "test_labels": Y + 3}, "part test has the class 3, and .* has 0, 1"),
        ({"test_images": X[:2], "test_labels": Y[:2]}, r"part test has no image of 1\. Add some"),
    ],
)
def test_slips_in_archives(tmp_path: Path, arrays: dict[str, np.ndarray], words: str) -> None:
    np.savez(tmp_path / "set.npz", **({"train_images": X, "train_labels": Y} | arrays))
    with pytest.raises(ValueError, match=words):
        gather(tmp_path / "set.npz", progress=False)


def test_slips_in_the_names_of_folders(tmp_path: Path) -> None:
    write_folder(tmp_path / "a" / "Train", 8, junk=False)
    write_folder(tmp_path / "a" / "Test", 4, junk=False)
    found = gather(tmp_path / "a", progress=False)  # however they are written
    assert {found.names[n].split("/")[0] for n in found.parts["test"]} == {"Test"}
    (tmp_path / "a" / "Test" / "bars").rename(tmp_path / "a" / "Test" / "bar")
    with pytest.raises(ValueError, match=r"Test has the class bar, and .*Train has bars, dots"):
        gather(tmp_path / "a", progress=False)
    shutil.rmtree(tmp_path / "a" / "Test" / "bar")
    with pytest.raises(FileNotFoundError, match=r"class 'bars' has no images in .*Test"):
        gather(tmp_path / "a", progress=False)
    shutil.move(tmp_path / "a" / "Train", tmp_path / "a" / "val")
    with pytest.raises(FileNotFoundError, match=r"has .* and no folder train\. Call what"):
        gather(tmp_path / "a", progress=False)
    write_folder(tmp_path / "b", 8, junk=False)
    (tmp_path / "b" / "dots").rename(tmp_path / "b" / "test")  # a class may have that name
    assert gather(tmp_path / "b", progress=False).classes == ("bars", "test")


def test_what_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder .*missing\. Is its name right"):
        gather(tmp_path / "missing", progress=False)
    write_folder(tmp_path / "few", 2, junk=False)
    with pytest.raises(ValueError, match=r"bars has 2 images .*3 are the fewest"):
        gather(tmp_path / "few", progress=False)
    write_folder(tmp_path / "one")
    shutil.rmtree(tmp_path / "one" / "dots")
    with pytest.raises(ValueError, match="has one class, bars"):
        gather(tmp_path / "one", progress=False)
    write_folder(tmp_path / "odd", junk=False)
    np.save(tmp_path / "odd" / "dots" / "five.npy", np.zeros((5, SIDE, SIDE), np.float32))
    with pytest.raises(ValueError, match=r"takes images \(5, H, W\)"):
        gather(tmp_path / "odd", progress=False)
    with pytest.raises(ValueError, match=r"are allowed\. Take a smaller --size"):
        gather(tmp_path / "few", size=30_000, progress=False)
    with pytest.raises(ValueError, match="8 pixels or more; got a size of 7"):
        gather(tmp_path / "few", size=7, progress=False)
