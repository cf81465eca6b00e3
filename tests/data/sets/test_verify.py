"""What a manifest says, and what the files hold: compared, and every difference named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from equivlab.data import verify_folder
from equivlab.data.sets.manifest import sha256_of
from equivlab.data.sets.shards import ShardedImages
from equivlab.data.sets.verify import verify_shards
from equivlab.data.sets.writer import write_shards


def make(numbers: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Image ``n`` is full of ``n``."""
    ramp = np.array(numbers, np.float32)[:, None, None, None]
    return ramp + np.zeros((1, 1, 8, 8), np.float32), np.array(numbers) % 3


def test_a_set_that_was_written_in_another_byte_order_is_read(tmp_path: Path) -> None:
    """As older versions wrote it, which verified and was never read."""
    write_shards(tmp_path, make, 4, {}, progress=False)
    rewrite(tmp_path, make(range(4))[0].astype(">f4"), dtype=">f4")
    assert verify_shards(tmp_path) == 2
    assert ShardedImages(tmp_path)[3][0].unique().tolist() == [3]


def rewrite(folder: Path, images: np.ndarray, **changes: object) -> None:
    """Another file of images, with its right checksum in the manifest."""
    path = folder / "images-00000.npy"
    np.save(path, images)
    manifest = json.loads((folder / "manifest.json").read_text())
    file = manifest["shards"][0]["files"][path.name]
    file["bytes"] = path.stat().st_size
    file["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x.astype(">f4"), r"holds \(4, 1, 8, 8\) of >f4 in C order; .* <f4"),
        (lambda x: x.astype("i4"), r"holds .* of <i4"),
        (lambda x: x.reshape(4, 8, 1, 8), r"holds \(4, 8, 1, 8\)"),
        (
            lambda x: np.asfortranarray(x.reshape(4, 1, 8, 8)),
            "holds .* in Fortran order; its manifest",
        ),
    ],
)
def test_files_that_are_not_what_the_manifest_says(
    tmp_path: Path, change: Callable[[np.ndarray], np.ndarray], words: str
) -> None:
    write_shards(tmp_path, make, 4, {}, progress=False)
    rewrite(tmp_path, change(make(range(4))[0]))
    for read in (verify_shards, lambda folder: ShardedImages(folder)[0]):
        with pytest.raises(ValueError, match=rf"images-00000\.npy {words}"):
            read(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"count": 10**15},
        {"count": -1},
        {"shape": [1, 10**6, 10**6]},
        {"shape": "11"},
        {"dtype": "object"},
        {"dtype": "c8"},
        {"about": []},
        {"shards": [{}]},
        {"shards": [{"span": [0, 4], "files": {"../x": {"bytes": 1, "sha256": ""}}}]},
    ],
)
def test_a_manifest_that_promises_too_much(tmp_path: Path, change: dict[str, object]) -> None:
    write_shards(tmp_path, make, 4, {}, progress=False)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | change))
    with pytest.raises(ValueError, match=r"manifest\.json is no manifest of equivlab-shards-1"):
        ShardedImages(tmp_path)


def test_verify_says_what_is_there(tmp_path: Path) -> None:
    write_shards(tmp_path / "a", make, 7, {}, classes=("x", "y", "z"), progress=False)
    words = verify_folder(tmp_path / "a")
    assert words.endswith("7 images (x 3, y 2, z 2); 2 files with the right checksums.")
    for name in ("x", "y"):
        (tmp_path / "b" / name).mkdir(parents=True)
        np.save(tmp_path / "b" / name / "1.npy", np.zeros((3, 3)))
    assert verify_folder(tmp_path / "b").endswith("2 images (x 1, y 1); every one could be read.")
    (tmp_path / "b" / "y" / "2.npy").write_bytes(b"")
    with pytest.raises(ValueError, match=r"1 files that cannot be read: .*2\.npy .*it is empty"):
        verify_folder(tmp_path / "b")
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    labels = tmp_path / "a" / "labels-00000.npy"
    np.save(labels, np.load(labels) - 1)
    manifest["shards"][0]["files"][labels.name]["sha256"] = sha256_of(labels)
    for names in (["x", "y", "z"], []):
        (tmp_path / "a" / "manifest.json").write_text(json.dumps(manifest | {"classes": names}))
        with pytest.raises(ValueError, match="shard 0 labels from -1 to 1"):
            verify_folder(tmp_path / "a")
    (tmp_path / "a" / "manifest.json").write_text(json.dumps(manifest | {"shards": []}))
    with pytest.raises(ValueError, match="unfinished"):
        verify_folder(tmp_path / "a")
