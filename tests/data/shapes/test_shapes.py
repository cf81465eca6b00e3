"""ModelNet10, MedMNIST's volumes and QM7: read, cleaned, and refused with a remedy."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch

from equivlab.data import MODELNET10_CLASSES, adrenal_mnist, medmnist3d, modelnet10, qm7
from equivlab.data.shapes import benchmarks as shapes_module

Arrays = dict[str, np.ndarray]


@pytest.fixture(autouse=True)
def no_files_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MODELNET10", "QM7", "MEDMNIST"):
        monkeypatch.delenv(f"EQUIVLAB_{name}", raising=False)


@pytest.fixture
def grids() -> Arrays:
    """As ModelNet10, but of few grids: 1 of 5 is empty for training; 1 empty and 1 leaked of 4."""
    generator = np.random.default_rng(0)
    train = generator.integers(0, 2, (5, 4, 4, 4), dtype=np.uint8)
    test = generator.integers(0, 2, (4, 4, 4, 4), dtype=np.uint8)
    train[2] = 0
    test[0] = 0
    test[3] = train[4]
    return {
        "x_train": train,
        "y_train": np.array([0, 1, 2, 3, 9], dtype=np.uint8),
        "x_test": test,
        "y_test": np.array([5, 6, 7, 8], dtype=np.uint8),
    }


def test_modelnet10_drops_empty_and_leaked_grids(
    grids: Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "modelnet10.npz"
    np.savez(path, **grids)
    monkeypatch.setenv("EQUIVLAB_MODELNET10", str(path))
    for found in (modelnet10(path), modelnet10()):
        assert found["y_train"].tolist() == [0, 1, 3, 9]
        assert found["y_test"].tolist() == [6, 7]
        # The file has the axes x y z, equivlab z y x.
        wanted = grids["x_train"][[0, 1, 3, 4]].transpose(0, 3, 2, 1)
        assert np.array_equal(found["x_train"].numpy(), wanted)
        assert np.array_equal(found["x_test"].numpy(), grids["x_test"][1:3].transpose(0, 3, 2, 1))
    assert len(MODELNET10_CLASSES) == 10


def test_modelnet10_from_nowhere(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"No file of ModelNet10.*EQUIVLAB_MODELNET10"):
        modelnet10()
    with pytest.raises(FileNotFoundError, match=r"no ModelNet10 file .*furniture\(\)"):
        modelnet10(tmp_path / "nowhere.npz")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x_train": np.zeros((5, 4, 4), np.uint8)}, r"x_train is \(N, D, D, D\).*got \(5, 4, 4\)"),
        ({"x_test": np.ones((4, 4, 4, 4))}, "of integers; got .* of float64"),
        ({"y_test": np.zeros(3, np.uint8)}, r"y_test \(N,\).*\(3,\)"),
        ({"y_test": np.full(4, 10, np.uint8)}, "labels are 0 to 9; y_test goes from 10 to 10"),
    ],
)
def test_another_file_than_modelnet10(
    grids: Arrays, tmp_path: Path, change: Arrays, words: str
) -> None:
    np.savez(tmp_path / "a.npz", **(grids | change))
    with pytest.raises(ValueError, match=words):
        modelnet10(tmp_path / "a.npz")


def archive(arrays: Arrays) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no ModelNet10 archive: it is empty"),
        (b"not an archive", "is no ModelNet10 archive"),
        (archive({"x_train": np.zeros((2, 4, 4, 4), np.uint8)})[:-40], "is no ModelNet10 archive"),
        (archive({"a": np.zeros(3)}), "holds a, not x_train, y_train, x_test, y_test"),
        (archive({"x_train": np.array([{}])}), "holds x_train, not y_train"),
    ],
)
def test_broken_archives(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "modelnet10.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        modelnet10(path)


def test_nothing_is_unpickled(grids: Arrays, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **(grids | {"y_test": np.array([print] * 4, dtype=object)}))
    with pytest.raises(ValueError, match="y_test cannot be read: it holds pickled objects"):
        modelnet10(tmp_path / "a.npz")


@pytest.fixture
def adrenal() -> Arrays:
    generator = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 3), ("val", 1), ("test", 2)):
        arrays[f"{part}_images"] = generator.integers(0, 256, (count, 28, 28, 28), dtype=np.uint8)
        arrays[f"{part}_labels"] = generator.integers(0, 2, (count, 1), dtype=np.uint8)
    return arrays


def test_adrenal_mnist_from_the_cache(
    adrenal: Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a download, checked by its checksum, without a network."""
    content = archive(adrenal)
    (tmp_path / "adrenalmnist3d.npz").write_bytes(content)
    checksum = hashlib.md5(content, usedforsecurity=False).hexdigest()
    monkeypatch.setitem(shapes_module.MEDMNIST_FILES, "adrenal", checksum)
    monkeypatch.setenv("EQUIVLAB_CACHE", str(tmp_path))
    monkeypatch.setenv("EQUIVLAB_OFFLINE", "1")
    found = adrenal_mnist()
    assert found["x_train"].shape == (3, 28, 28, 28)
    for part in ("train", "val", "test"):
        assert np.array_equal(found[f"x_{part}"].numpy(), adrenal[f"{part}_images"])
        assert np.array_equal(found[f"y_{part}"].numpy(), adrenal[f"{part}_labels"][:, 0])
    # A file named by hand is taken as it is, a folder by its variable.
    assert torch.equal(adrenal_mnist(tmp_path / "adrenalmnist3d.npz")["x_val"], found["x_val"])
    monkeypatch.setenv("EQUIVLAB_MEDMNIST", str(tmp_path))
    monkeypatch.setenv("EQUIVLAB_CACHE", str(tmp_path / "empty"))
    assert torch.equal(adrenal_mnist()["x_test"], found["x_test"])


def test_medmnist_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EQUIVLAB_CACHE", str(tmp_path))
    monkeypatch.setenv("EQUIVLAB_OFFLINE", "1")
    words = r"adrenalmnist3d.npz is not in the cache.*Download https://zenodo.org/.*furniture\(\)"
    with pytest.raises(ConnectionError, match=words):
        adrenal_mnist()
    with pytest.raises(FileNotFoundError, match="no VesselMNIST3D file"):
        medmnist3d("vessel", tmp_path / "nowhere.npz")
    with pytest.raises(ValueError, match=r"sets are adrenal, .*vessel; got 'liver'"):
        medmnist3d("liver")


def test_another_file_than_medmnist(adrenal: Arrays, tmp_path: Path) -> None:
    adrenal["val_labels"] = np.zeros((4, 1), np.uint8)
    np.savez(tmp_path / "a.npz", **adrenal)
    with pytest.raises(ValueError, match=r"val_images .* got \(1, 28, 28, 28\) .* and 4 labels"):
        adrenal_mnist(tmp_path / "a.npz")


@pytest.fixture
def molecules() -> Arrays:
    generator = np.random.default_rng(0)
    return {
        "Z": generator.integers(0, 9, (23, 7), dtype=np.uint8),
        "R": generator.normal(size=(23, 7, 3)).astype(np.float32),
        "E_pbe0_kcal": generator.normal(size=23),
    }


def test_qm7(molecules: Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "qm7.npz", **molecules)
    found = qm7(tmp_path / "qm7.npz")
    monkeypatch.setenv("EQUIVLAB_QM7", str(tmp_path / "qm7.npz"))
    again = qm7()
    for name, key in (("Z", "Z"), ("R", "R"), ("E", "E_pbe0_kcal")):
        assert np.array_equal(found[name].numpy(), molecules[key])
    assert torch.equal(found["fold"], again["fold"])
    # Stratified: of each five neighbours in energy, one goes to each fold.
    in_order = found["fold"][found["E"].argsort()]
    for block in in_order[:20].view(-1, 5):
        assert block.sort().values.tolist() == [0, 1, 2, 3, 4]
    assert len(set(in_order[20:].tolist())) == 3
    assert len({tuple(block) for block in in_order[:20].view(-1, 5).tolist()}) > 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"R": np.zeros((23, 6, 3))}, r"got \(23, 7\), \(23, 6, 3\) and \(23,\)"),
        ({"E_pbe0_kcal": np.full(23, np.nan)}, "has NaN or infinity"),
    ],
)
def test_another_file_than_qm7(
    molecules: Arrays, tmp_path: Path, change: Arrays, words: str
) -> None:
    np.savez(tmp_path / "a.npz", **(molecules | change))
    with pytest.raises(ValueError, match=words):
        qm7(tmp_path / "a.npz")


def test_qm7_from_nowhere() -> None:
    with pytest.raises(FileNotFoundError, match=r"No file of QM7 was named.*EQUIVLAB_QM7"):
        qm7()
