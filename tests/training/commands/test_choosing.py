"""Commands end in one line, not in how they came there; and most need no extra."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from equivlab.training.commands import main

BASE = """
import sys
for name in ("lightning", "jsonargparse", "torchmetrics", "tensorboard", "astropy", "skimage"):
    sys.modules[name] = None  # as where it is not installed
from equivlab.training.commands import main
main(sys.argv[1:])
"""


def without_extras(*arguments: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", BASE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=root)


def test_lenses_are_simulated_and_verified_without_extras(tmp_path: Path) -> None:
    made = without_extras("simulate", str(tmp_path), "--count", "3", "--pixels", "9")
    assert made.returncode == 0, made.stderr
    verified = without_extras("verify", str(tmp_path))
    assert "3 images (no_sub 1, cdm 1, axion 1)" in verified.stdout


def test_training_says_which_extra_it_needs(tmp_path: Path) -> None:
    said = without_extras("train", "--folder", str(tmp_path))
    assert said.returncode == 1
    assert said.stderr.count("\n") == 1
    assert 'pip install "equivlab[train]"' in said.stderr


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--model", "V"], r"the models I, II, III, IV; got 'V'"),
        (["--count", "0"], "of 1 or more; got 0"),
    ],
)
def test_what_cannot_be_simulated_is_one_line(tmp_path: Path, more: list[str], words: str) -> None:
    with pytest.raises(SystemExit, match=words):
        main(["simulate", str(tmp_path), *more])
