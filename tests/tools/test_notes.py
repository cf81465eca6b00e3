"""The notes name tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def test_every_test_that_a_note_names_exists() -> None:
    text = (TESTS.parent / "docs" / "notes" / "trusted.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/]+\.py)::(?:(\w+)::)?(\w+)`", text))
    assert len(named) > 60
    for path, owner, name in sorted(named):
        source = (TESTS / path).read_text(encoding="utf-8")
        assert f"def {name}(" in source, f"{path}::{name}"
        assert not owner or f"class {owner}:" in source, f"{path}::{owner}"
