"""Raw images in, a table out; what is unlike the training images is said, with a remedy."""

from __future__ import annotations

import copy
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from equivlab.data import crop_center, lens_recipe, simulate, sqrt_stretch, standardize_each
from equivlab.data.physics import physics_images
from equivlab.groups import P4
from equivlab.models.resnet import ResNet18
from equivlab.weights import (
    Classifier,
    ModelCard,
    Preparation,
    UnlikeImagesWarning,
    load_classifier,
    load_pretrained,
    measure,
    pretrained_names,
    save_pretrained,
)

SETS = {"lenses-i-150px-p4m": ("I", 150), "lenses-ii-p4m": ("II", 64), "lenses-i-plain": ("I", 64)}
NAME = "lenses-ii-p4m"


def flux(model: str = "II", pixels: int = 64, count: int = 6, seed: int = 77) -> Tensor:
    return torch.from_numpy(simulate(lens_recipe(model, pixels), range(count), seed)[0])


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier(NAME)


@pytest.mark.parametrize("name", pretrained_names())
def test_every_shipped_network_prepares_as_its_card_says(name: str) -> None:
    found = load_classifier(name)
    assert not found.training
    model, card = load_pretrained(name)
    x = flux(*SETS.get(name, ("I" if "-i-" in name else "II", 64)), count=3)
    crop = re.search(r"crop_center\(flux, (\d+)\)", card.prepare)
    middle = crop_center(x, int(crop[1])) if crop else x
    assert card.prepare.startswith("standardize_each(sqrt_stretch(")
    by_hand = standardize_each(sqrt_stretch(middle))
    with torch.no_grad():
        assert torch.allclose(found(x), model(by_hand).softmax(1), atol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = found.predict(x)
    assert table["class"].tolist() == [card.classes[k] for k in found(x).argmax(1)]
    assert (table["remark"] == "").all()


@pytest.mark.parametrize("name", SETS)
def test_raw_flux_of_any_unit_has_the_same_answer(name: str) -> None:
    found = load_classifier(name)
    x = flux(*SETS[name])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain, tiny, huge = (found.predict(x * unit) for unit in (1.0, 1e-10, 1e6))
    assert plain["class"].tolist() == tiny["class"].tolist() == huge["class"].tolist()
    assert np.allclose(plain["probability"], tiny["probability"], atol=1e-3)


def as_bytes(x: Tensor) -> Tensor:
    low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    return ((x - low) / (high - low) * 255).to(torch.uint8)


UNLIKE = {
    "bytes": (lambda x: as_bytes(x), "subtract the sky"),
    "a sky": (lambda x: x + 5 * x.std(), "subtract the sky"),
    "noise": (lambda x: torch.randn(x.shape, generator=torch.Generator().manual_seed(0)), "train"),
    "galaxies": (
        lambda x: torch.from_numpy(physics_images("galaxies", range(6), size=x.shape[-1])[0]),
        "subtract the sky",
    ),
    "another size": (lambda x: x[..., 20:, 20:], "pixels as there"),
    "nothing": (torch.zeros_like, "all its pixels are the same"),
}


@pytest.mark.parametrize("what", UNLIKE)
@pytest.mark.parametrize("name", ["lenses-i-150px-p4m", "lenses-i-plain"])
def test_what_is_unlike_is_said_with_the_remedy(name: str, what: str) -> None:
    change, remedy = UNLIKE[what]
    found = load_classifier(name)
    x = change(flux(*SETS[name]))
    with pytest.warns(UnlikeImagesWarning, match=rf"6 of 6 images are unlike .*{remedy}"):
        table = found.predict(x)
    assert (table["remark"] != "").all()


@pytest.mark.parametrize(("model", "name"), [("II", "lenses-i-plain"), ("I", "lenses-ii-p4m")])
def test_another_survey_is_noticed(model: str, name: str) -> None:
    with pytest.warns(UnlikeImagesWarning, match="6 of 6 images are unlike"):
        load_classifier(name).predict(flux(model))


def test_new_images_of_the_same_kind_are_not_accused() -> None:
    for name, (model, pixels) in SETS.items():
        found = load_classifier(name)
        count = 90 if pixels == 64 else 30
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found.predict(flux(model, pixels, count, seed=123))


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (
            torch.rand(2, 3, 64, 64),
            r"\(1, H, W\) .*; 0 has \(3, 64, 64\).*images\[:, :1",
        ),
        (torch.rand(2, 2, 64, 64), r"0 has \(2, 64, 64\)"),
        (torch.rand(2, 4, 64, 64), r"0 has \(4, 64, 64\)"),
        (torch.rand(64, 64), r"\(N, H, W\) of one channel; got \(64, 64\).*image\[None\]"),
        (torch.rand(2, 64, 64) + 0j, "complex64"),
        (torch.rand(2, 1, 2, 64), "3 pixels or more"),
        (torch.full((2, 1, 64, 64), torch.nan), "2 of 2 images have NaN or infinity"),
    ],
)
def test_what_cannot_be_answered(classifier: Classifier, x: Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        classifier.predict(x)
    with pytest.raises(ValueError, match="1 names for 6 images"):
        classifier.predict(flux(), names=["one"])


def test_arrays_of_any_kind(classifier: Classifier) -> None:
    x = flux()
    wanted = classifier.predict(x)
    kinds = (x.numpy(), x.numpy().astype(">f8"), x[:, 0], x.double(), x.expand(-1, 3, -1, -1))
    for same in kinds:
        assert classifier.predict(same)["class"].tolist() == wanted["class"].tolist()
    named = classifier.predict(x, names=list("abcdef"), batch_size=4)
    assert named["image"].tolist() == list("abcdef")
    assert np.allclose(named["probability"], wanted["probability"], atol=1e-5)
    assert np.allclose(wanted.filter(like="p(").sum(axis=1), 1)
    assert len(classifier.predict(x[:0])) == 0
    before = x.clone()
    with torch.inference_mode():
        classifier.predict(x)
    assert torch.equal(x, before)
    twin = copy.deepcopy(classifier).double()
    assert twin.predict(x)["class"].tolist() == wanted["class"].tolist()


def test_a_folder_of_all_sorts(classifier: Classifier, tmp_path: Path) -> None:
    x = flux()
    (tmp_path / "inner").mkdir()
    np.save(tmp_path / "a.npy", x[0, 0].numpy())
    np.save(tmp_path / "inner" / "b.npy", x[1].numpy())
    (tmp_path / "broken.npy").write_bytes(b"\x93NUMPY what")
    np.save(tmp_path / "gap.npy", np.full((64, 64), np.nan, np.float32))
    (tmp_path / "notes.txt").write_text("junk")
    (tmp_path / ".hidden.npy").write_text("junk")
    deep = (as_bytes(x[2:3])[0, 0].numpy().astype(np.uint16) * 257).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    gray = as_bytes(x[3:4])[0, 0].numpy()
    Image.fromarray(np.stack([gray] * 3 + [np.full_like(gray, 9)], -1)).save(tmp_path / "rgba.png")
    with pytest.warns(UnlikeImagesWarning, match="or cannot be read"):
        table = classifier.predict(tmp_path).set_index("image")
    assert list(table.index) == [
        "a.npy", "broken.npy", "deep.png", "gap.npy", "inner/b.npy", "rgba.png",
    ]  # fmt: skip
    wanted = classifier.predict(x)["class"].tolist()
    assert table["class"][["a.npy", "inner/b.npy"]].tolist() == wanted[:2]
    assert table["class"][["deep.png", "rgba.png"]].notna().all()
    assert table["class"][["broken.npy", "gap.npy"]].isna().all()
    assert "broken.npy is no image" in table["remark"]["broken.npy"]
    one = classifier.predict(tmp_path / "a.npy")
    assert one["image"].tolist() == ["a.npy"]
    with pytest.raises(FileNotFoundError, match=r"no file or folder .*Is its name right"):
        classifier.predict(tmp_path / "mistyped")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"has no images\. Images end in"):
        classifier.predict(tmp_path / "empty")


def test_a_network_of_ones_own(tmp_path: Path) -> None:
    x = flux(count=20)
    steps = (("resize", {"size": 33}), ("arcsinh_stretch", {"softening": 2.0}), "standardize_each")
    card = ModelCard(
        "ResNet18",
        {"group": "P4", "width": 4, "classes": 2},
        "lenses",
        "none",
        classes=("yes", "no"),
        steps=steps,  # type: ignore[arg-type]
        seen=measure(x, Preparation(steps)),
    )
    model = ResNet18(P4, width=4, classes=2)
    save_pretrained(model, tmp_path / "model.safetensors", card)
    found = load_classifier(tmp_path)  # the folder stands for the file in it
    assert found.card == card
    assert found.classes == ("yes", "no")
    assert not found.prepare.ignores_scale
    with pytest.warns(UnlikeImagesWarning, match=r"unit of the training images: images \* "):
        found.predict(x * 1e-10)


def test_a_card_of_before_has_no_steps(tmp_path: Path) -> None:
    card = ModelCard("ResNet18", {"group": "P4", "width": 4}, "", "", prepare="as you like")
    path = save_pretrained(ResNet18(P4, width=4), tmp_path / "old.safetensors", card)
    found = load_classifier(path)
    assert found.classes == ("0", "1", "2")
    with pytest.warns(UnlikeImagesWarning, match="has no steps .*as you like"):
        table = found.predict(torch.rand(2, 1, 33, 33))
    assert (table["remark"] == "").all()


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (["rotate"], "the steps are arcsinh_stretch, .*; got 'rotate'"),
        ([["crop_center", {}]], r"crop_center takes size; got \{\}"),
        ([["crop_center", {"size": 0}]], "size of 1 or more"),
        ([["sqrt_stretch", {"by": 2}]], r"sqrt_stretch takes nothing"),
        ([[]], "with arguments"),
        ([["divide", 3]], "with arguments"),
    ],
)
def test_steps_that_there_are_not(steps: list[object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Preparation(steps)  # type: ignore[arg-type]


@pytest.mark.parametrize("seen", [{"size": 3}, {"size": [3, 4]}, {"mood": [1, 2]}])
def test_a_card_that_says_nonsense_of_the_images(seen: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="cannot be understood"):
        ModelCard("ResNet18", {}, "", "", seen=seen)


def test_the_steps_commute_with_turns_and_mirrors() -> None:
    steps = [("resize", {"size": 20}), ("divide", {"by": 3}), ("subtract", {"level": 0.1})]
    steps += [("crop_center", {"size": 14}), ("sqrt_stretch", {}), ("scale_each", {})]
    prepare = Preparation(steps)
    x = torch.rand(2, 2, 40, 40, generator=torch.Generator().manual_seed(0))
    for move in (lambda y: torch.rot90(y, 1, (-2, -1)), lambda y: y.flip(-1)):
        assert torch.allclose(prepare(move(x)), move(prepare(x)), atol=1e-6)
    assert Preparation(["sqrt_stretch", "standardize_each"]).ignores_scale
    assert not Preparation(steps).ignores_scale  # a level of its own
    assert not Preparation(["arcsinh_stretch", "standardize_each"]).ignores_scale
    assert Preparation()(torch.ones(1, 1, 2, 2, dtype=torch.uint8)).dtype == torch.float32
