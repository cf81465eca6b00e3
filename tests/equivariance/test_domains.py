"""The audit on every domain: planted defects are named, and sound networks never accused."""

from __future__ import annotations

import pytest
import torch

from equivlab import P4M, audit
from tests.equivariance.networks import BROKEN, SOUND

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
EXACT_OUTPUTS = {"P4CNN", "P4CNN of P4M", "P4M looked at under P4", "voxels", "points"}


@DTYPES
@pytest.mark.parametrize("name", BROKEN)
def test_planted_defects_are_named(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    make, given, group, layer, words = BROKEN[name]
    report = audit(make().eval(), given(), group, angles=0, dtype=dtype)
    accused = [cause.split(":")[0] for cause in report.causes]
    assert report.max_error > 1e-3
    assert accused[:1] == [layer]
    assert words in report.causes[0]
    if group is not P4M:  # there each convolution is guilty
        assert accused == [layer]


@DTYPES
@pytest.mark.parametrize("name", SOUND)
def test_sound_networks_are_never_accused(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    make, given, group = SOUND[name]
    report = audit(make(), given(), group, angles=0, dtype=dtype)
    assert report.causes == []
    assert "Equivariant" in report.cause
    if name in EXACT_OUTPUTS:
        assert report.max_error < {torch.float32: 1e-5, torch.float64: 1e-12}[dtype]
    else:
        assert report.max_error < 0.05
