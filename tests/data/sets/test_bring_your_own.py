"""Folders of .npy, pictures and FITS; stretch, scale and crop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from equivlab.data.sets.folders import FolderImages
from equivlab.data.sets.reading import read_image
from equivlab.data.stretch import (
    arcsinh_stretch,
    crop_center,
    scale_each,
    sqrt_stretch,
    standardize_each,
)
from equivlab.groups import P4M


def test_the_layout_of_ml4sci(tmp_path: Path) -> None:
    for label, name in enumerate(("no", "sphere", "vort")):
        (tmp_path / "train" / name).mkdir(parents=True)
        for n in range(2 + label):
            size = 10 + 3 * n
            np.save(tmp_path / "train" / name / f"{n}.npy", np.full((1, size, size), label + 1.0))
    found = FolderImages(tmp_path / "train", transform=lambda x: crop_center(x, 8))
    assert found.classes == ("no", "sphere", "vort")
    assert found.labels().bincount().tolist() == [2, 3, 4]
    images, labels = next(iter(torch.utils.data.DataLoader(found, batch_size=9)))
    assert images.shape == (9, 1, 8, 8)
    assert images.dtype == torch.float32
    assert torch.equal(images.amax((1, 2, 3)), labels + 1.0)
    some = FolderImages(tmp_path / "train", classes=("vort", "no"))
    assert some.labels().bincount().tolist() == [4, 2]


def test_pictures(tmp_path: Path) -> None:
    from PIL import Image

    grey = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    Image.fromarray(grey).save(tmp_path / "grey.png")
    colour = np.stack([grey, grey + 1, grey + 2], -1)
    Image.fromarray(colour).save(tmp_path / "colour.PNG")
    assert torch.allclose(read_image(tmp_path / "grey.png"), torch.from_numpy(grey / 255).float())
    found = read_image(tmp_path / "colour.PNG")
    assert torch.allclose(found, torch.from_numpy(colour / 255).float().permute(2, 0, 1))
    (tmp_path / "cut.png").write_bytes((tmp_path / "grey.png").read_bytes()[:40])
    Image.fromarray(grey).convert("P").save(tmp_path / "palette.png")
    assert read_image(tmp_path / "palette.png").shape == (3, 3, 4)
    with pytest.raises(ValueError, match=r"cut\.png is no image: it is cut short"):
        read_image(tmp_path / "cut.png")


def test_fits(tmp_path: Path) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    image = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image)])
    hdus.writeto(tmp_path / "image.fits")
    assert torch.equal(read_image(tmp_path / "image.fits"), torch.from_numpy(image)[None])
    fits.PrimaryHDU().writeto(tmp_path / "empty.fits")
    with pytest.raises(ValueError, match=r"empty\.fits is no image: it holds no image"):
        read_image(tmp_path / "empty.fits")


def test_what_is_refused(tmp_path: Path) -> None:
    pickled = np.empty(2, object)
    pickled[:] = [np.zeros((3, 3)), 1e-23]
    np.save(tmp_path / "axion.npy", pickled, allow_pickle=True)
    with pytest.raises(ValueError, match="pickled objects, which can run code"):
        read_image(tmp_path / "axion.npy")
    np.save(tmp_path / "flat.npy", np.zeros(5))
    with pytest.raises(ValueError, match=r"flat.npy is no image: it has the shape \(5,\)"):
        read_image(tmp_path / "flat.npy")
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        FolderImages(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="has no folders, one for each class"):
        FolderImages(tmp_path)
    (tmp_path / "cdm").mkdir()
    with pytest.raises(FileNotFoundError, match="'cdm' has no images"):
        FolderImages(tmp_path)


def test_stretch_and_scale() -> None:
    x = torch.randn(4, 3, 7, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.allclose(sqrt_stretch(x).square() * x.sign(), x)
    assert torch.allclose(torch.sinh(arcsinh_stretch(x, 0.5)) * 0.5, x)
    scaled = scale_each(x)
    assert torch.equal(scaled.amin((1, 2, 3)), torch.zeros(4, dtype=torch.float64))
    assert torch.allclose(scaled.amax((1, 2, 3)), torch.ones(4, dtype=torch.float64))
    assert torch.allclose(scaled, scale_each(3 * x + 2))
    standard = standardize_each(x)
    assert torch.allclose(standard.mean((1, 2, 3)), torch.zeros(4, dtype=torch.float64))
    assert torch.allclose(standard.var((1, 2, 3), correction=0), torch.ones(4).double())
    flat = torch.ones(1, 1, 3, 3)
    assert scale_each(flat).isfinite().all()
    assert standardize_each(flat).isfinite().all()


def test_crop_center() -> None:
    x = torch.arange(49.0).view(1, 7, 7)
    assert torch.equal(crop_center(x, 5), x[:, 1:6, 1:6])
    assert torch.equal(crop_center(crop_center(x, 9), 7), x)
    assert crop_center(x[:, :, :4], 6).shape == (1, 6, 6)


@pytest.mark.parametrize(
    "step",
    [sqrt_stretch, arcsinh_stretch, scale_each, standardize_each, lambda x: crop_center(x, 5)],
)
def test_each_step_commutes_with_turns_and_mirrors(step) -> None:  # type: ignore[no-untyped-def]
    x = torch.randn(2, 1, 9, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for g in P4M.elements:
        assert torch.allclose(step(P4M.move(g, x)), P4M.move(g, step(x)), atol=1e-13)
