"""Read damaged files: ``python -m tests.fuzz.reading FILES SEED FOLDER KIND KIND ...``.

Each file must be refused with its name, or read right. The file that is being read lies in the
folder, so one that kills the process is there to be looked at.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from equivlab.data import galaxy_stamps, load_shapes
from equivlab.data.archives import read_arrays
from equivlab.data.sets.reading import read_image
from equivlab.data.sets.shards import ShardedImages
from equivlab.data.sets.verify import verify_shards
from tests.fuzz import seeds
from tests.fuzz.damage import damaged

SECONDS = 30  # for one file


def image(path: Path) -> None:
    found = read_image(path)
    assert found.dtype == torch.float32
    assert found.dim() == 3
    assert found.numel() > 0
    if path.suffix == ".npy":  # NumPy itself is the oracle
        with np.errstate(invalid="ignore"):  # some NaNs complain
            wanted = np.load(path, allow_pickle=False).astype(np.float32)
        assert np.array_equal(np.sort(found.flatten()), np.sort(wanted.ravel()), equal_nan=True)


def archive(path: Path) -> None:
    found = read_arrays(path, None, "test", instead="Nothing.")
    with np.load(path, allow_pickle=False) as wanted:
        members = (name for name in wanted.zip.namelist() if name.endswith(".npy"))
        assert set(found) == {name.removesuffix(".npy") for name in members}
        for name, array in found.items():
            assert np.array_equal(array, wanted[name], equal_nan=True)


def stamps(path: Path) -> None:
    assert np.isfinite(galaxy_stamps(path)).all()


def shape(path: Path) -> None:
    for kind in ("voxels", "points"):
        found = load_shapes(path, kind, size=8, points=16)
        assert torch.isfinite(found.x).all()
        assert found.x.abs().max() <= 1 + 1e-5 or path.suffix == ".npz"


def shards(path: Path) -> None:
    """The file lies in its set; what is read without complaint, and verified, is right."""
    found = ShardedImages(path.parent)
    images, labels = found.batch(range(len(found)))
    found.labels()
    verify_shards(path.parent)
    wanted = torch.arange(10.0)[:, None, None, None].expand(10, 1, 4, 4)
    assert torch.equal(images, wanted.to(images.dtype))
    assert torch.equal(labels, torch.arange(10) % 3)


KINDS: dict[str, tuple[Callable[[Path], None], Callable[[], dict[str, bytes]]]] = {
    "npy": (image, seeds.npy_files),
    "picture": (image, seeds.pictures),
    "fits": (image, seeds.fits_files),
    "archive": (archive, seeds.archives),
    "stamps": (stamps, seeds.archives),
    "shape": (shape, seeds.meshes),
}


def run(kind: str, count: int, seed: int, folder: Path) -> dict[str, object]:
    """Damage and read `count` files; what happened."""
    if kind == "shards":
        folder = folder / "set"
        read, files = shards, seeds.shards(folder)
    else:
        read, make = KINDS[kind]
        files = make()
    rng, names = np.random.default_rng(seed), sorted(files)
    ends: Counter[str] = Counter()
    for number in range(count):
        name = names[number % len(names)]
        path = folder / name
        path.write_bytes(damaged(files[name], rng))
        ends[_end(read, path, kind)] += 1
        if kind == "shards":
            path.write_bytes(files[name])
        else:
            path.unlink()
        if number == min(50, count // 2):
            before = _open_files()
    left = _open_files() - before
    return {"ends": ends, "left_open": left, "peak": _peak()}


def _end(read: Callable[[Path], None], path: Path, kind: str) -> str:
    if hasattr(signal, "SIGALRM"):
        signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", message="Open meshes have no inside")
            read(path)
        return "read"
    except (ValueError, FileNotFoundError) as error:
        named = str(path) in str(error) or (kind == "shards" and str(path.parent) in str(error))
        if named:
            return "refused"
        raise
    finally:
        if hasattr(signal, "SIGALRM"):
            signal.alarm(0)


def _too_long(*_: object) -> None:
    raise TimeoutError(f"a file was read for more than {SECONDS} seconds")


def _open_files() -> int:
    links = Path("/proc/self/fd")
    return len(list(links.iterdir())) if links.is_dir() else 0


def _peak() -> int:
    """The most memory that this process has had, in bytes.

    Linux counts what a process had before it was forked in `getrusage`, but not in VmHWM.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        return 1024 * int(found[1]) if found else 0
    try:
        import resource
    except ModuleNotFoundError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, _too_long)
    count, seed, folder, *kinds = sys.argv[1:]
    for kind in kinds:
        told = run(kind, int(count), int(seed), Path(folder))
        sys.stdout.write(json.dumps({"kind": kind} | told) + "\n")
        sys.stdout.flush()
