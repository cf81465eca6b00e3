"""Importing is light, and a missing extra is named; each in a fresh process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import equivlab

ROOT = Path(__file__).resolve().parents[2]

# Imports one room after the other and says which brings what is to wait until it is used.
LIGHT = """
import importlib, sys
heavy = {"matplotlib", "pandas", "e3nn", "scipy", "sympy.physics", "lightning", "torchmetrics",
         "IPython", "ipywidgets", "plotly", "sklearn", "skimage", "astropy", "lenstronomy",
         "trimesh"}
import equivlab
assert "torch" not in sys.modules, "equivlab alone brings torch"
for room in sys.argv[1:]:
    importlib.import_module(room)
    brought = heavy & set(sys.modules)
    assert not brought, f"{room} brings {brought}"
"""
ROOMS = [
    "groups", "so3", "sphere", "projection", "fields", "nn", "plots", "equivariance", "models",
    "data", "weights", "transfer", "training",
]  # fmt: skip

# The function stays what `audit` means, whichever is asked for first.
AUDIT = """
import equivlab, equivlab.equivariance.auditing
from equivlab import audit
assert callable(audit)
assert audit is equivlab.audit is equivlab.equivariance.audit
"""


def run(code: str, *arguments: str) -> None:
    command = [sys.executable, "-W", "error::ImportWarning", "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_importing_is_light() -> None:
    run(LIGHT, *[f"equivlab.{room}" for room in ROOMS])


def test_audit_is_the_function() -> None:
    run(AUDIT)


def test_every_room_is_an_attribute_and_is_listed() -> None:
    listed = dir(equivlab)
    for path in sorted((ROOT / "equivlab").glob("[a-z]*/__init__.py")):
        if path.parent.name != "imports":  # what the others are built with
            assert path.parent.name in listed
            assert getattr(equivlab, path.parent.name).__name__ == f"equivlab.{path.parent.name}"
