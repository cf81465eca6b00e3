"""Damaged files of every kind: refused by name or read right, in bounded memory, nothing left open.

``EQUIVLAB_FUZZ=20000 python -m pytest tests/fuzz`` tries that many files of all kinds together;
``EQUIVLAB_FUZZ_SEED`` changes which.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.reading import KINDS

FILES = int(os.environ.get("EQUIVLAB_FUZZ", "700"))
SEED = os.environ.get("EQUIVLAB_FUZZ_SEED", "0")
NEEDS = {"fits": "astropy", "shape": "trimesh"}
READERS = [kind for kind in (*KINDS, "shards") if kind not in NEEDS or find_spec(NEEDS[kind])]
EACH = max(20, -(-FILES // len(READERS)))


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What happened, by kind of file, in a process of its own: some damage could kill it."""
    folder = tmp_path_factory.mktemp("damaged")
    command = [sys.executable, "-m", "tests.fuzz.reading", str(EACH), SEED, str(folder), *READERS]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, f"{sorted(folder.rglob('*.*'))}\n{done.stderr[-4000:]}"
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {one["kind"]: one for one in told}


@pytest.mark.parametrize("kind", READERS)
def test_damaged_files(ends: dict[str, dict[str, Any]], kind: str) -> None:
    told = ends[kind]
    assert sum(told["ends"].values()) == EACH
    assert told["ends"]["refused"] > 0
    assert told["left_open"] <= 0
    assert told["peak"] < 1_000_000_000
