"""Pictures for the README: what they leave out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("playwright")

from tools.pictures import LAG

ROOT = Path(__file__).resolve().parents[2]


def test_what_the_globe_says_of_its_lag_is_known() -> None:
    """The number is that of the machine that draws, so a still must not show it."""
    said = (ROOT / "equivlab" / "widgets" / "globe" / "words.js").read_text(encoding="utf-8")
    (words,) = re.findall(r"`(.*ms behind.*)`", said)
    assert LAG.search(re.sub(r"\$\{.*?\}", "485", words))
