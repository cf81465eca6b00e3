"""finetune, predict and audit as a new user would call them, and with slips in what is given."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from equivlab.data.physics import physics_images
from equivlab.data.sets import locked
from equivlab.training.commands import main
from equivlab.training.finetuning import begin
from equivlab.weights import load_pretrained, save_pretrained
from tests.training.finetuning.mixed import CLASSES, trained, write_folder

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("commands")
    write_folder(root / "photos")
    trained(root / "start.safetensors", CLASSES)
    (root / "shelf" / "lenses").mkdir(parents=True)
    trained(root / "shelf" / "lenses" / "model.safetensors", CLASSES)
    return root


@pytest.fixture(autouse=True)
def here(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


def test_finetune_then_predict_then_audit(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("lightning")
    options = ["--from", "start.safetensors", "--epochs", "2", "--no-progress"]
    main(["finetune", "photos", *options])
    said = capsys.readouterr()
    assert "Macro AUC" in said.out
    assert "runs/photos/model.safetensors" in said.out
    assert said.err.startswith("note: Left out: ")
    assert said.err.count("\n") == 1
    main(["predict", "runs/photos", "photos"])
    said = capsys.readouterr()
    assert "26 images" in said.out
    assert "predictions.csv" in said.out
    assert "note: " in said.err
    table = pd.read_csv(home / "predictions.csv")
    assert len(table) == 26
    assert table["class"].dropna().isin(CLASSES).all()
    assert table.set_index("image")["remark"]["dots/broken.png"].startswith("photos/dots/broken")
    main(["audit", "runs/photos", "--images", "photos", "--group", "P4", "--out", "page.html"])
    assert "Equivariant to rounding" in capsys.readouterr().out
    page = (home / "page.html").read_text()
    assert "conv1" in page
    assert all(s.startswith("data:") for s in re.findall(r'(?:src|href)="([^"]{0,20})', page))


def test_a_second_call_in_the_same_folder_is_refused_in_one_line(home: Path) -> None:
    pytest.importorskip("lightning")
    busy = home / "runs" / "busy"
    again = ["finetune", "photos", "--from", "start.safetensors", "--out", "runs/busy"]
    with (
        locked(busy / "training"),
        pytest.raises(SystemExit, match="is being written by process") as ended,
    ):
        main([*again, "--epochs", "2", "--no-progress"])
    assert "\n" not in str(ended.value)
    assert not list(busy.glob("*.*"))


def test_the_zoo_with_its_classes_in_another_order(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answers go with the names, and so does what each class is like."""
    _, zoo = load_pretrained("physics-p4m")
    order = tuple(sorted(zoo.classes, reverse=True))
    assert order != zoo.classes
    model, card = begin("physics-p4m", order, 1)
    save_pretrained(model, home / "turned.safetensors", replace(card, seen=zoo.seen))
    (home / "zoo").mkdir()
    for family in ("ising", "vortices", "galaxies"):
        for n, image in enumerate(physics_images(family, range(3), seed=5)[0]):
            np.save(home / "zoo" / f"{family}-{n}.npy", image)
    tables, audits = [], []
    for name in ("physics-p4m", "turned.safetensors"):
        main(["predict", name, "zoo", "--out", "zoo.csv"])
        tables.append(pd.read_csv(home / "zoo.csv", keep_default_na=False))
        capsys.readouterr()
        main(["audit", name, "--images", "zoo", "--count", "1", "--out", "zoo.html"])
        audits.append(capsys.readouterr().out.splitlines()[0].partition(" under ")[2])
    first, second = tables
    assert list(second) != list(first)
    assert set(second) == set(first)
    assert second["image"].tolist() == first["image"].tolist()
    assert second["class"].tolist() == first["class"].tolist()
    assert second["remark"].tolist() == first["remark"].tolist()
    chances = [name for name in first if name.startswith("p(")]
    np.testing.assert_allclose(second[chances], first[chances], atol=1e-5)
    assert all("Equivariant to rounding" in said for said in audits)


def test_predictions_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    main(["predict", "start.safetensors", "photos/bars/00.npy", "--out", "-"])
    head, row, *rest = capsys.readouterr().out.splitlines()
    assert head == "image,class,probability,p(bars),p(dots),remark"
    assert row.startswith("00.npy,")
    assert rest == []


def test_audit_of_a_network_of_ones_own(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "my_network.py").write_text(
        "from torch import nn\n"
        "def make():\n"
        "    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
        "number = 3\n"
    )
    main(["audit", "my_network:make", "--images", "photos", "--count", "2"])
    assert re.search(r"largest error \d\.\de", capsys.readouterr().out)
    assert "Conv2d" in (home / "audit.html").read_text()
    for name, words in (
        ("my_network:number", "gives no torch.nn.Module. my_network has make"),
        ("my_network:nothing", "gives no torch.nn.Module"),
        ("no_network:make", "no_network cannot be imported"),
        ("torch.nn:Linear", r"cannot be called without arguments .* needs none"),
    ):
        with pytest.raises(SystemExit, match=words):
            main(["audit", name, "--images", "photos"])
    with pytest.raises(SystemExit, match=r"cannot be measured on images of .*--channels"):
        main(["audit", "my_network:make", "--images", "photos", "--channels", "3"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", "lenses-ii-p5", "photos"], r"no weights lenses-ii-p5.*lenses-ii-p4m"),
        (["predict", "start.safetensors", "photo"], r"no file or folder photo\. Is its name right"),
        (["predict", "my_empty", "photos"], r"no weights my_empty"),
        (["finetune", "photo"], r"no folder photo\. Is its name right"),
        (["finetune", "photos", "--from", "lenses"], r"no weights lenses: .*lenses-ii-p4m"),
        (["audit", "start.safetensors", "--images", "photo"], "no file or folder photo"),
        (["predict", "start.safetensors", "start.safetensors"], r"no image that is read here"),
        (["predict", "shelf", "photos"], r"no weights shelf: .* Did you mean shelf/lenses\?"),
        (["finetune", "photos", "--out", "start.safetensors"], r"below a file, .*another name"),
        (["simulate", "start.safetensors", "--count", "3"], r"is a file, and a folder is wanted"),
    ],
)
def test_a_slip_in_a_name_is_one_line(arguments: list[str], words: str) -> None:
    with pytest.raises(SystemExit, match=words) as ended:
        main(arguments)
    assert "\n" not in str(ended.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ["finetun"],
        ["finetune", "photos", "--form", "lenses"],
        ["finetune", "photos", "--epochs", "many"],
        ["finetune", "photos", "--epochs", "0"],
        ["finetune", "photos", "--lr", "nan"],
        ["finetune", "photos", "--seed", "-1"],
        ["predict", "start.safetensors", "photos", "--out", "photos"],
        ["predict", "start.safetensors"],
        ["predict", "start.safetensors", "photos", "--batch-size", "0"],
        ["audit", "start.safetensors", "--images", "photos", "--group", "P5"],
        ["audit", "start.safetensors", "--images", "photos", "--count", "0"],
        ["simulate"],
        ["simulate", "spins", "--family", "isnig"],
        ["simulate", "spins", "--family", "ising", "--model", "II"],
        ["simulate", "spins", "--family", "ising", "--part", "0/3"],
        ["simulate", "spins", "--family", "ising", "--part", "three"],
        ["verify"],
    ],
)
def test_a_usage_error_is_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.endswith("--help\n")


@pytest.mark.parametrize("command", ["", "finetune", "predict", "audit", "simulate", "train"])
def test_help_fits_a_screen_and_has_an_example(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    arguments = [*command.split(), "--help"]
    if command == "train":
        main(arguments)
    else:
        with pytest.raises(SystemExit):
            main(arguments)
    page = capsys.readouterr().out
    assert len(page.splitlines()) <= 36
    assert max(map(len, page.splitlines())) <= 100
    assert "python -m equivlab" in page
    assert command == "" or "example:" in page


def test_pictures_of_two_sizes_are_audited_by_the_usual_one(home: Path) -> None:
    np.save(home / "photos" / "bars" / "aa.npy", np.zeros((40, 40), np.float32))
    main(["audit", "start.safetensors", "--images", "photos", "--count", "2"])
    assert "aa.npy" not in (home / "audit.html").read_text()


def test_simulate_says_what_it_did(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["simulate", "lenses", "--count", "3", "--pixels", "9"])
    assert "lenses has 3 images of Model II, 1×9×9, seed 0." in capsys.readouterr().out


def test_a_family_in_parts_that_finish_and_then_grow(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    family = ["--family", "tracks", "--pixels", "16", "--shard-size", "3"]
    for folder, count, more in (
        ("spread", "8", ["--part", "2/3"]),
        ("spread", "8", ["--part", "1/3"]),
        ("spread", "8", ["--part", "3/3"]),
        ("spread", "10", []),
        ("whole", "10", []),
    ):
        main(["simulate", folder, *family, "--count", count, *more])
    said = capsys.readouterr().out.splitlines()
    assert said[0] == ("Part 2 of 3 of spread is done; 2 shards are still to be written by others.")
    assert said[2] == "spread has 8 images of tracks, 1×16×16, seed 0."
    assert said[3] == "spread has 10 images of tracks, 1×16×16, seed 0."
    for path in (home / "whole").iterdir():
        assert path.read_bytes() == (home / "spread" / path.name).read_bytes()
    with pytest.raises(SystemExit, match="same set with 10 images, more than 4"):
        main(["simulate", "whole", *family, "--count", "4"])


def test_the_commands_need_no_folder_of_ours(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "equivlab", "predict", "lenses-ii-p4m", str(tmp_path / "none")],
        capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Is its name right" in done.stderr
