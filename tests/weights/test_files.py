"""Weights on disk: a round trip to the bit, and every way in which a file can be wrong."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from equivlab.groups import P4, P4M
from equivlab.models import P4CNN, Z2CNN
from equivlab.nn import LiftingConv2d
from equivlab.transfer import load, save
from equivlab.weights import read_tensors, write_tensors


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return P4CNN()


def untouched(model: nn.Module, before: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def copied(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_round_trip(model: nn.Module, tmp_path: Path) -> None:
    path = save(model, tmp_path / "new" / "weights.safetensors")
    torch.manual_seed(1)
    other = load(P4CNN(), path)
    x = torch.randn(2, 1, 28, 28)
    assert untouched(other, copied(model))
    assert torch.equal(model.eval()(x), other.eval()(x))
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_weights_that_share_memory_are_kept(tmp_path: Path) -> None:
    twice = nn.Sequential(LiftingConv2d(P4, 1, 2, 3))
    twice.append(twice[0])
    other = nn.Sequential(LiftingConv2d(P4, 1, 2, 3), LiftingConv2d(P4, 1, 2, 3))
    load(other, save(twice, tmp_path / "w"))
    assert torch.equal(other[0].weight, other[1].weight)


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 100, 5000, -1])
def test_cut_short(model: nn.Module, tmp_path: Path, keep: int) -> None:
    path = save(model, tmp_path / "w.safetensors")
    path.write_bytes(path.read_bytes()[:keep])
    before = copied(model)
    with pytest.raises(ValueError, match=r"cut short.*Copy or download it again"):
        load(model, path)
    assert untouched(model, before)


@pytest.mark.parametrize("new_format", [True, False])
def test_a_pickle_is_never_opened(model: nn.Module, tmp_path: Path, new_format: bool) -> None:
    path = tmp_path / "w.pt"
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(ValueError, match=r"is a pickle.*weights_only=True"):
        load(model, path)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n" + 100 * b"x", b"a,b\n1,2\n3,4\n5,6\n"])
def test_a_foreign_file(model: nn.Module, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "picture"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is no safetensors file. Write weights with save"):
        load(model, path)


def test_no_file(model: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"no weights file .*Write one: save\(model, path\)"
    ):
        load(model, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (lambda: P4CNN(P4M), "has features.0.weight"),
        (lambda: P4CNN(width=8), r"\(8, 1, 3, 3\) instead of \(10, 1, 3, 3\)"),
        (lambda: Z2CNN(), "lacks|has"),
        (lambda: nn.Linear(3, 4), "also has bias"),
    ],
)
def test_weights_of_another_model(
    model: nn.Module, tmp_path: Path, other: type[nn.Module], words: str
) -> None:
    path = save(other(), tmp_path / "other")
    before = copied(model)
    with pytest.raises(ValueError, match=f"another model: it .*({words})"):
        load(model, path)
    assert untouched(model, before)


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_keeps_the_older_file(
    model: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = save(model, tmp_path / "w")
    content = path.read_bytes()
    with torch.no_grad():
        next(model.parameters()).zero_()
    monkeypatch.setattr(os, step, full_disk)
    with pytest.raises(OSError, match=r"No space left.*untouched. Free some space") as caught:
        save(model, path)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["w"]


def test_a_folder_that_is_a_file(model: nn.Module, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(OSError, match=r"Could not write .* give another path"):
        save(model, tmp_path / "taken" / "w")


FULL = """
import resource, sys
from equivlab.models import P4CNN
from equivlab.weights import save
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    save(P4CNN(), sys.argv[1])
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of file size are POSIX")
def test_a_disk_that_fills_while_writing_keeps_the_older_file(
    model: nn.Module, tmp_path: Path
) -> None:
    path = save(model, tmp_path / "w")
    content = path.read_bytes()
    assert len(content) > 20_000
    command = [sys.executable, "-c", FULL, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "What was there before is untouched. Free some space" in done.stdout
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["w"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_permissions_are_those_that_umask_leaves(
    model: nn.Module, tmp_path: Path, mask: int
) -> None:
    before = os.umask(mask)
    try:
        path = save(model, tmp_path / "w")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_a_link_is_followed(model: nn.Module, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "latest"
    link.symlink_to(Path("disk") / "w")
    assert save(model, link) == link
    save(model, link)
    assert link.is_symlink()
    assert os.listdir(tmp_path / "disk") == ["w"]
    load(P4CNN(), tmp_path / "disk" / "w")


WRAPPED = {
    "compiled": torch.compile,
    "parallel": nn.DataParallel,
    "both": lambda model: nn.DataParallel(torch.compile(model)),
    "compiled inside": lambda model: compiled_inside(model),
}


def compiled_inside(model: nn.Module) -> nn.Module:
    model.features = torch.compile(model.features)
    return model


@pytest.mark.parametrize("name", WRAPPED)
def test_compiled_and_parallel_models(name: str, tmp_path: Path) -> None:
    wrap = WRAPPED[name]
    torch.manual_seed(0)
    wrapped = wrap(P4CNN())
    path = save(wrapped, tmp_path / "w")
    tensors, notes = read_tensors(path)
    assert set(tensors) == set(P4CNN().state_dict())
    assert notes["model"] == "DigitCNN"
    bare = load(P4CNN(), path)
    for ours, theirs in zip(bare.parameters(), wrapped.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    again = load(wrap(P4CNN()), path)
    assert untouched(again, copied(wrapped))
    # A file of somebody who saved the state of the wrapped model as it was.
    raw = {name: value.clone() for name, value in wrapped.state_dict().items()}
    from safetensors.torch import save_file

    save_file(raw, tmp_path / "raw")
    assert untouched(load(P4CNN(), tmp_path / "raw"), copied(bare))


def test_a_module_that_is_called_module(tmp_path: Path) -> None:
    class Averaged(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = nn.Linear(2, 3)
            self.register_buffer("count", torch.tensor(0))

    path = save(Averaged(), tmp_path / "w")
    assert set(read_tensors(path)[0]) == {"module.weight", "module.bias", "count"}
    load(Averaged(), path)
    with pytest.raises(ValueError, match=r"lacks weight, bias; also has"):
        load(nn.Linear(2, 3), path)


def test_models_without_numbers(model: nn.Module, tmp_path: Path) -> None:
    with torch.device("meta"):
        empty = nn.Linear(2, 3)
    with pytest.raises(ValueError, match="on the meta device have no numbers"):
        save(empty, tmp_path / "w")
    path = save(nn.Linear(2, 3), tmp_path / "w")
    with pytest.raises(ValueError, match="The model is on the meta device"):
        load(empty, path)


def test_what_is_written_does_not_depend_on_the_memory_format(tmp_path: Path) -> None:
    x = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)
    found, _ = read_tensors(write_tensors({"x": x, "row": x[0, 0, 0]}, tmp_path / "w", {}))
    assert torch.equal(found["x"], x)
    assert torch.equal(found["row"], x[0, 0, 0])
