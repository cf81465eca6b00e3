"""Seeds: the numbers that every run so far was made with, and no two epochs with one."""

from __future__ import annotations

import re
from pathlib import Path

import torch

import equivlab
from equivlab.training.seeds import generator_of, seed_of


def test_the_formula_is_that_of_the_runs_so_far() -> None:
    assert [seed_of(0, 3), seed_of(7, 0), seed_of(7, 12)] == [3, 7_000_021, 7_000_033]
    wanted = torch.Generator().manual_seed(7_000_033)
    assert torch.equal(
        torch.rand(4, generator=generator_of(7, 12)), torch.rand(4, generator=wanted)
    )


def test_no_two_epochs_share_one() -> None:
    assert len({seed_of(seed, epoch) for seed in range(-20, 20) for epoch in range(500)}) == 20_000


def test_it_stands_in_one_file() -> None:
    root = Path(equivlab.__file__).parent
    found = [p.name for p in root.rglob("*.py") if re.search("1_?000_?003", p.read_text("utf8"))]
    assert found == ["seeds.py"]
