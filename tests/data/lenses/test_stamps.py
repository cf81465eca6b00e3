"""Galaxies behind the lenses: read with care, or drawn the same way every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from equivlab.data import drawn_galaxies, galaxy_stamps, lens_recipe, simulate


def test_drawn_galaxies_have_one_light_and_no_symmetry() -> None:
    stamps = drawn_galaxies(6, seed=1)
    assert stamps.shape == (6, 101, 101)
    assert np.allclose(stamps.sum((1, 2)), 1, atol=1e-5)
    assert stamps.min() >= 0
    assert max(stamps[:, edge].max() for edge in (0, -1)) < 1e-6
    assert np.array_equal(drawn_galaxies(9, seed=1)[:6], stamps)  # in whatever company
    assert not np.array_equal(drawn_galaxies(6, seed=2), stamps)
    for turned in (stamps[:, ::-1, ::-1], stamps[:, :, ::-1], np.rot90(stamps, 1, (1, 2))):
        differences = np.abs(turned - stamps).sum((1, 2))
        assert differences.min() > 0.1


def test_the_clumps_lie_around_the_middle() -> None:
    stamps = drawn_galaxies(200, size=51, scale=0.06)
    along = (np.arange(51) - 25) * 0.06
    centres = np.stack([(stamps.sum(1) * along).sum(1), (stamps.sum(2) * along).sum(1)])
    assert np.abs(centres.mean(1)).max() < 0.02
    assert centres.std() > 0.02


def test_stamps_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "galaxies.npz"
    wanted = drawn_galaxies(3, size=31)
    np.savez(path, stamps31=7 * wanted, mag=np.zeros(3))
    assert np.allclose(galaxy_stamps(path), wanted, atol=1e-7)
    monkeypatch.setenv("EQUIVLAB_COSMOS", str(path))
    images, _ = simulate(lens_recipe("IV", 16), range(3), stamps=galaxy_stamps())
    assert images.shape == (3, 3, 16, 16)
    monkeypatch.delenv("EQUIVLAB_COSMOS")
    with pytest.raises(
        FileNotFoundError, match=r"No file of galaxies was given.*drawn_galaxies\(60\)"
    ):
        galaxy_stamps()


def test_masks_and_imaginary_parts_are_not_dropped() -> None:
    for stamps in (np.ma.masked_less(np.ones((1, 5, 5)), 0), np.ones((1, 5, 5), complex)):
        with pytest.raises(ValueError, match=r"masked or complex array. Fill it"):
            simulate(lens_recipe("II", 8), range(2), stamps=stamps)


def test_files_that_hold_no_galaxies(tmp_path: Path) -> None:
    path = tmp_path / "galaxies.npz"
    with pytest.raises(FileNotFoundError, match="There is no galaxy stamps file"):
        galaxy_stamps(path)
    np.savez(path, images=np.ones((2, 3, 3)))
    with pytest.raises(ValueError, match=r"one array stamps \(N, S, S\); it holds images"):
        galaxy_stamps(path)
    for bad in (np.zeros((2, 3, 3)), np.full((2, 3, 3), np.nan)):
        np.savez(path, stamps=bad)
        with pytest.raises(ValueError, match="not finite or without light"):
            galaxy_stamps(path)
