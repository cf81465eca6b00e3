"""The folder of a run: moved, copied, damaged, used twice, taken for another."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
import zipfile
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch

pytest.importorskip("lightning")

from equivlab.data.lenses import lens_recipe, simulate_to_shards
from equivlab.data.sets import Batches, InUseError, TensorImages
from equivlab.training import FitReport, ImageClassifier, Recipe, fit_lightning
from equivlab.training.checkpoints import newest, read_checkpoint, verify_run, write_checkpoint
from equivlab.training.commands import main
from tests.forking import needs_fork
from tests.training.small_runs import CPU, go, plain, small, striped

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


def run(
    folder: Path, recipe: Recipe, images: TensorImages | None = None, ema: float | None = None
) -> FitReport:
    images = images or striped()
    parts = [Batches(images, torch.arange(*span)) for span in ((0, 40), (40, 80))]
    return fit_lightning(
        small(recipe, norm=False), *parts, folder, machine=CPU, ema=ema, progress=False
    )


def stop_in(folder: Path, recipe: Recipe, epoch: int) -> None:
    """A run that is killed, as far as its folder knows, in this epoch."""

    class Cut(TensorImages):
        asked = 0

        def batch(self, indices: object) -> tuple[torch.Tensor, torch.Tensor]:
            x, y = super().batch(indices)  # type: ignore[arg-type]
            self.asked += len(y)
            if self.asked > 12 + 80 * epoch + 20:  # twelve are read for the fingerprints
                raise KeyboardInterrupt
            return x, y

    images = striped()
    with pytest.raises(KeyboardInterrupt):
        run(folder, recipe, Cut(images.images, images.labels()))


def test_a_run_that_was_moved_ends_with_the_best_epoch(tmp_path: Path) -> None:
    """The best epoch is one before the move, so that what follows must not take its place."""
    recipe = Recipe(epochs=6, batch_size=20, lr=0.4, seed=3)  # too fast, the first is best
    whole = run(tmp_path / "whole", recipe)
    assert whole.best_epoch < 5, "choose a recipe whose last epoch is not the best"
    stop_in(tmp_path / "here", recipe, whole.best_epoch + 1)
    shutil.move(tmp_path / "here", tmp_path / "there")
    moved = run(tmp_path / "there", recipe)
    assert (moved.curve, moved.best_epoch) == (whole.curve, whole.best_epoch)
    one, other = (read_checkpoint(tmp_path / name / "best.ckpt") for name in ("whole", "there"))
    assert one["epoch"] == other["epoch"] == whole.best_epoch
    assert all(torch.equal(v, other["state_dict"][k]) for k, v in one["state_dict"].items())


def test_another_run_is_refused_and_both_are_shown(tmp_path: Path) -> None:
    run(tmp_path, Recipe(epochs=1, batch_size=20))
    before = (tmp_path / "last.ckpt").read_bytes()
    images = striped()
    fewer = TensorImages(images.images[:70], images.labels()[:70])
    other = TensorImages(images.images.flip(-1), images.labels())
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: run(tmp_path, Recipe(epochs=2, batch_size=20)),
         r"Recipe\(epochs=1.* there, Recipe\(epochs=2.* here"),
        (lambda: run(tmp_path, Recipe(epochs=1, batch_size=20), other),
         r"training on 40 images .*checksum \w+ there, training on 40 images .*checksum \w+ here"),
        (lambda: fit_lightning(
            small(Recipe(epochs=1, batch_size=20), norm=False),
            Batches(images, torch.arange(40)), Batches(fewer, torch.arange(40, 70)), tmp_path,
            machine=CPU, progress=False),
         "run: validation on 40 images .* there, validation on 30 images .* here"),
        (lambda: run(tmp_path, Recipe(epochs=1, batch_size=20), ema=0.9),
         "run: weights not averaged there, weights averaged by ema=0.9 here"),
        (lambda: go(tmp_path, Recipe(epochs=1, batch_size=20), counts=(40, 40)),
         "Sequential of .* numbers there, ResNet.* numbers here"),
    ]  # fmt: skip
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
        assert (tmp_path / "last.ckpt").read_bytes() == before
    assert run(tmp_path, Recipe(epochs=1, batch_size=20)).best_epoch == 0  # the same one goes on


@needs_fork
def test_two_writers(tmp_path: Path) -> None:
    recipe = Recipe(epochs=100_000, batch_size=20)
    child = get_context("fork").Process(target=run, args=(tmp_path, recipe))
    child.start()
    while not (tmp_path / "last.ckpt").exists():
        time.sleep(0.01)
    who = f"{tmp_path} is being written by process {child.pid} on"
    with pytest.raises(InUseError, match=who):
        run(tmp_path, recipe)
    child.kill()
    child.join()
    assert (tmp_path / ".writing").exists()
    with pytest.raises(ValueError, match="another run"):  # the lock is free
        run(tmp_path, Recipe(epochs=1))


@pytest.mark.parametrize("damage", ["empty", "cut", "altered", "missing"])
def test_a_damaged_checkpoint_costs_an_epoch(tmp_path: Path, damage: str) -> None:
    recipe = Recipe(epochs=3, batch_size=20)
    wanted = run(tmp_path / "whole", recipe)
    stop_in(tmp_path / "run", recipe, 2)
    last = tmp_path / "run" / "last.ckpt"
    assert read_checkpoint(last)["epoch"] == 1
    assert read_checkpoint(last.with_name("previous.ckpt"))["epoch"] == 0
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "missing":
        last.unlink()
    else:
        last.write_bytes({"empty": b"", "cut": content[:-9], "altered": content}[damage])
    says = {"cut": "cut short", "altered": "altered .another checksum", "empty": "is empty"}
    named = rf"last.ckpt .*{says.get(damage, 'missing')}.* goes on from .*previous.ckpt"
    with pytest.warns(UserWarning, match=named):
        assert run(tmp_path / "run", recipe).curve == wanted.curve


def test_two_damaged_checkpoints_and_a_lost_best(tmp_path: Path) -> None:
    recipe = Recipe(epochs=2, batch_size=20)
    run(tmp_path, recipe)
    best = (tmp_path / "best.ckpt").read_bytes()
    for broken in (best[:100], b""):
        (tmp_path / "best.ckpt").write_bytes(broken)
        with pytest.raises(ValueError, match=r"best epoch are lost: .*best.ckpt is damaged.*delet"):
            run(tmp_path, recipe)
    for name in ("last.ckpt", "previous.ckpt"):
        (tmp_path / name).write_bytes(best[: len(best) // 2])
    both = r"last.ckpt is damaged.*previous.ckpt is damaged.*delete .* to begin anew"
    with pytest.raises(ValueError, match=both):
        run(tmp_path, recipe)


def test_a_checkpoint_has_its_checksum_inside(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    write_checkpoint({"x": torch.arange(3), "curve": [{"a": 1.5}]}, path)
    assert torch.load(path, weights_only=True)["x"].tolist() == [0, 1, 2]
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        comment = archive.comment.decode()
    bare = path.read_bytes()[: -len(comment) - 2] + b"\0\0"
    assert comment == f"equivlab sha256 {hashlib.sha256(bare).hexdigest()}"
    content = path.read_bytes()
    for place in range(0, len(bare) - 22, 17):  # every byte counts
        path.write_bytes(content[:place] + bytes([content[place] ^ 64]) + content[place + 1 :])
        with pytest.raises(ValueError, match=r"a.ckpt is damaged: it was altered"):
            read_checkpoint(path)
    for size in {*range(0, len(content), 13), len(bare)}:  # the last is cut at the comment
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match=r"a.ckpt is damaged"):
            read_checkpoint(path)


def test_a_checkpoint_without_a_checksum_is_read(tmp_path: Path) -> None:
    """As those of earlier versions; where it is damaged, it is named all the same."""
    assert newest(tmp_path) is None
    torch.save({"epoch": 4}, tmp_path / "last.ckpt")
    assert newest(tmp_path) == (tmp_path / "last.ckpt", {"epoch": 4})
    content = (tmp_path / "last.ckpt").read_bytes()
    (tmp_path / "last.ckpt").write_bytes(b"\0" * 200 + content[200:])
    with pytest.raises(ValueError, match=r"last.ckpt is damaged: torch.load says"):
        newest(tmp_path)


def test_a_full_disk_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, keep = tmp_path / "last.ckpt", tmp_path / "previous.ckpt"
    for n in range(2):
        write_checkpoint({"n": n}, path, keep)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"last.ckpt: No space left .*untouched.*goes on") as fault:
        write_checkpoint({"n": 2}, path, keep)
    assert fault.value.errno == errno.ENOSPC
    assert (read_checkpoint(path)["n"], read_checkpoint(keep)["n"]) == (1, 0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last.ckpt", "previous.ckpt"]


def test_a_limit_on_the_size_of_files_leaves_the_one_before(tmp_path: Path) -> None:
    """As a disk that fills while a checkpoint is written, and not only when it is flushed."""
    resource = pytest.importorskip("resource")
    path = tmp_path / "last.ckpt"
    write_checkpoint({"n": 0}, path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OSError, match=r"last.ckpt: File too large.*untouched.*goes on"):
            write_checkpoint({"n": 1, "x": torch.zeros(10_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read_checkpoint(path) == {"n": 0}
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]


def test_what_is_no_run_is_no_checkpoint(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "last.ckpt")
    for read in (newest, verify_run):
        with pytest.raises(ValueError, match=r"last.ckpt is damaged: it holds a list, and no run"):
            read(tmp_path)


def test_a_checkpoint_is_loaded_to_predict(tmp_path: Path) -> None:
    """Lightning's own way, with another recipe than that of the run, knows the classes."""
    images = striped()
    named = TensorImages(images.images, images.labels(), ("no_sub", "cdm", "axion"))
    run(tmp_path, Recipe(epochs=1, batch_size=20), named)
    found = ImageClassifier.load_from_checkpoint(
        tmp_path / "best.ckpt", model=plain(), classes=3, weights_only=True
    )
    assert found.classes == ("no_sub", "cdm", "axion")
    wanted = read_checkpoint(tmp_path / "best.ckpt")["state_dict"]
    assert all(torch.equal(v, wanted[k]) for k, v in found.state_dict().items())


def test_a_run_is_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path / "run", Recipe(epochs=3, batch_size=20))
    other, none = tmp_path / "set", tmp_path / "nowhere"
    simulate_to_shards(other, lens_recipe("II", 9), 3, progress=False)
    main(["verify", str(tmp_path / "run"), str(other)])
    lines = capsys.readouterr().out.splitlines()
    epochs = "last.ckpt of epoch 3, previous.ckpt of epoch 2"
    assert f"3 checkpoints with the right checksums ({epochs}" in lines[0]
    assert "3 images (no_sub 1, cdm 1, axion 1); 2 files with the right checksums." in lines[1]
    previous = tmp_path / "run" / "previous.ckpt"
    previous.write_bytes(previous.read_bytes()[:1000])
    with pytest.raises(SystemExit) as stop:
        main(["verify", str(tmp_path / "run"), str(other), str(none)])
    assert stop.value.code == 1
    said = capsys.readouterr()
    assert "previous.ckpt is damaged: it is cut short" in said.err.splitlines()[0]
    assert "Whole: last.ckpt, best.ckpt" in said.err.splitlines()[0]
    assert f"There is no folder {none}" in said.err.splitlines()[1]
    assert said.out.startswith(f"{other}: 3 images")  # what comes after is looked at too
    with pytest.raises(SystemExit) as stop:
        main(["verify"])
    assert stop.value.code == 2
