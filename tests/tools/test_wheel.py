"""The installed wheel, not the checkout: its surface works, with the extras and without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the wheel installs."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, "--target", str(folder), str(wheel)], check=True)
    return folder


def check(installed: Path, cwd: Path, *options: str) -> dict[str, Any]:
    """What `tools/check_wheel.py` found, run elsewhere with the wheel in front of the checkout."""
    command = [sys.executable, str(ROOT / "tools/check_wheel.py"), str(ROOT / "README.md")]
    environment = os.environ | {"PYTHONPATH": str(installed)}
    done = subprocess.run(
        [*command, *options], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert Path(found["package"]) == installed / "equivlab"
    return found


def test_nothing_is_lacking_with_the_extras(installed: Path, tmp_path: Path) -> None:
    lacking = check(installed, tmp_path)["lacking"]
    assert len(lacking) > 300  # modules and public names
    assert {what: extra for what, extra in lacking.items() if extra} == {}


def test_without_extras_each_error_names_its_extra(installed: Path, tmp_path: Path) -> None:
    lacking = check(installed, tmp_path, "--without-extras")["lacking"]
    modules = [what for what, extra in lacking.items() if extra == "train"]
    assert "equivlab.training.lightning" in modules
    assert all(name.startswith("equivlab.training.") for name in modules)
    assert {what: extra for what, extra in lacking.items() if extra not in (None, "train")} == {
        "digit_images": "data",
        "sky_images": "data",
        "read_image of FITS": "data",
        "read_shape of STL": "data",
        "render_with_lenstronomy": "data",
        "equivlab.widgets.page.export": "lab",
    }


@pytest.mark.slow
def test_the_course_that_it_brings_runs_to_its_end(installed: Path, tmp_path: Path) -> None:
    """As `python -m equivlab course` copies it; a solution is missing, and checks say so kindly."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    copy = [sys.executable, "-m", "equivlab", "course", "lessons"]
    subprocess.run(copy, cwd=tmp_path, env=environment, check=True, capture_output=True)
    notebook = tmp_path / "lessons" / "notebooks" / "01_groups_and_fields.ipynb"
    assert '"outputs": []' in notebook.read_text(encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-q"]
    command += ["-p", "no:xdist", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [*command, str(notebook)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
