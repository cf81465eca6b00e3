"""Cards travel with weights; the package's own weights are checked."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

import equivlab.data
from equivlab.data.lenses import CLASSES
from equivlab.groups import P4
from equivlab.models.resnet import ResNet18
from equivlab.weights import (
    ModelCard,
    load_pretrained,
    pretrained,
    pretrained_names,
    read_card,
    save_pretrained,
)
from equivlab.weights.files import read_header, read_tensors, save, write_tensors

CARD = ModelCard(
    "ResNet18", {"group": "P4", "width": 4}, "noise, seed 0", "none", {"macro AUC": 0.5}
)


def test_a_card_travels_with_its_weights(tmp_path: Path) -> None:
    model = ResNet18(P4, width=4).eval()
    path = save_pretrained(model, tmp_path / "noise.safetensors", CARD)
    assert read_card(path) == CARD
    found, card = load_pretrained(path)
    assert card == CARD
    assert not found.training
    x = torch.randn(1, 1, 33, 33)
    with torch.no_grad():
        assert torch.equal(found(x), model(x))


def test_names_of_classes_travel_with_the_card(tmp_path: Path) -> None:
    names = ("no_sub", "cdm", "axion")
    settings = {"group": "P4", "width": 4, "classes": 3}
    card = ModelCard("ResNet18", settings, "noise", "none", classes=names)
    path = save_pretrained(ResNet18(P4, width=4), tmp_path / "named.safetensors", card)
    assert load_pretrained(path)[1].classes == names
    assert CARD.classes == ()
    assert read_card(changed_card(tmp_path)).classes == ()
    with pytest.raises(ValueError, match="says 3 classes, but names 2: no_sub, cdm"):
        ModelCard("ResNet18", settings, "noise", "none", classes=names[:2])


def test_the_registry_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights").mkdir()
    path = tmp_path / "weights" / "noise.safetensors"
    save_pretrained(ResNet18(P4, width=4), path, CARD)
    registry = {"noise": hashlib.sha256(path.read_bytes()).hexdigest()}
    (tmp_path / "weights" / "registry.json").write_text(json.dumps(registry))
    monkeypatch.setattr(pretrained, "files", lambda package: tmp_path)
    assert pretrained_names() == ["noise"]
    assert load_pretrained("noise")[1] == CARD
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="was altered: its checksum differs"):
        load_pretrained("noise")
    with pytest.raises(FileNotFoundError, match=r"one of the package's own \(noise\)"):
        load_pretrained("silence")


def test_every_shipped_network_loads() -> None:
    for name in pretrained_names():
        model, card = load_pretrained(name)
        assert card.metrics
        with torch.no_grad():
            assert (
                model(torch.randn(1, card.settings.get("in_channels", 1), 64, 64)).isfinite().all()
            )


def test_what_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="which is not this ResNet18"):
        save_pretrained(ResNet18(P4, width=8), tmp_path / "x.safetensors", CARD)
    bare = save(ResNet18(P4, width=4), tmp_path / "bare.safetensors")
    with pytest.raises(ValueError, match="has no model card"):
        load_pretrained(bare)
    with pytest.raises(ValueError, match="the card says 'VGG'"):
        ModelCard("VGG", {}, "", "").build()


def changed_card(tmp_path: Path, **entries: object) -> Path:
    """A sound file whose card says something else."""
    path = save_pretrained(ResNet18(P4, width=4), tmp_path / "sound.safetensors", CARD)
    tensors, notes = read_tensors(path)
    card = json.loads(notes["card"]) | entries
    card = {name: value for name, value in card.items() if value is not None}
    return write_tensors(tensors, path, notes | {"card": json.dumps(card)})


@pytest.mark.parametrize("name", pretrained_names())
def test_the_packages_cards_say_what_is_there(name: str) -> None:
    _, notes = read_header(Path(pretrained.__file__).parent / f"{name}.safetensors")
    assert set(json.loads(notes["card"])) == {entry.name for entry in fields(ModelCard)}
    card = load_pretrained(name)[1]
    lens = ("no_sub", "cdm", "axion")
    if name.startswith("physics"):  # a zoo, in which lenses come first
        assert card.classes[:3] == tuple(f"lenses/{one}" for one in lens)
    else:
        assert card.classes == lens == CLASSES
    assert card.license == "MIT"
    functions = re.findall(r"(\w+)\(", card.prepare)
    assert functions[:2] == ["standardize_each", "sqrt_stretch"]
    assert all(callable(getattr(equivlab.data, function)) for function in functions)


def test_older_files_say_licence(tmp_path: Path) -> None:
    path = changed_card(tmp_path, license=None, licence="CC0")
    assert read_card(path).license == "CC0"
    assert load_pretrained(path)[1].license == "CC0"


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (
            {"settings": {"group": "P4", "width": 8}},
            r"sound.safetensors holds the weights of anoth",
        ),
        ({"settings": {"group": "P5", "width": 4}}, r"cannot be built: group is one of none, P4"),
        ({"settings": {"group": "P4", "wide": 4}}, r"cannot be built: .*'wide'"),
        ({"settings": {"group": "P4", "width": -4}}, r"cannot be built: .* got -4"),
        ({"settings": {"group": "P4", "width": 10**30}}, r"cannot be built"),
        ({"settings": None}, r"a model card that this version cannot read: .*settings"),
        ({"prize": 1}, r"a model card that this version cannot read: it says prize too"),
    ],
)
def test_cards_that_do_not_fit(tmp_path: Path, entries: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        load_pretrained(changed_card(tmp_path, **entries))


def test_a_broken_card(tmp_path: Path) -> None:
    path = save(ResNet18(P4, width=4), tmp_path / "w")
    tensors, notes = read_tensors(path)
    for text in ("{", "[]", "3"):
        write_tensors(tensors, path, notes | {"card": text})
        with pytest.raises(ValueError, match=r"w has a model card that this version cannot read"):
            read_card(path)


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    settings = {"group": "P4", "width": np.int64(4), "classes": np.int32(3)}
    metrics = {"macro AUC": np.float32(0.5), "loss": torch.tensor(1.5)}
    card = ModelCard("ResNet18", settings, "noise", "none", metrics)  # type: ignore[arg-type]
    path = save_pretrained(ResNet18(P4, width=4), tmp_path / "w", card)
    found = load_pretrained(path)[1]
    assert found.settings == {"group": "P4", "width": 4, "classes": 3}
    assert found.metrics == {"macro AUC": 0.5, "loss": 1.5}


LIMITED = """
import resource, sys
from equivlab.weights import load_pretrained
load_pretrained(sys.argv[2])  # all that is loaded late is loaded
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000, used + 300_000_000))
try:
    load_pretrained(sys.argv[1])
except ValueError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory as Linux has them")
def test_a_card_cannot_ask_for_all_memory(tmp_path: Path) -> None:
    sound = save_pretrained(ResNet18(P4, width=4), tmp_path / "small.safetensors", CARD)
    greedy = changed_card(tmp_path, settings={"group": "P4", "width": 3000})
    command = [sys.executable, "-c", LIMITED, str(greedy), str(sound)]
    # The limit is one of addresses, and each thread would reserve 64 MB of them.
    arena = os.environ | {"MALLOC_ARENA_MAX": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=arena)
    assert "holds the weights of another model" in done.stdout, done.stderr[-500:]


def test_a_compiled_model_has_its_card_too(tmp_path: Path) -> None:
    model = torch.compile(ResNet18(P4, width=4))
    found, _ = load_pretrained(save_pretrained(model, tmp_path / "w", CARD))
    assert all(
        torch.equal(ours, theirs)
        for ours, theirs in zip(found.parameters(), model.parameters(), strict=True)
    )
