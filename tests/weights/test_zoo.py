"""The networks of the zoo: what they say of images like theirs, and of others."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor

from equivlab.data.digits import digit_images
from equivlab.data.physics import physics_families, physics_images
from equivlab.groups import P4M
from equivlab.weights import Classifier, UnlikeImagesWarning, load_classifier

FRESH = 77  # a seed that no set has
LEFT_OUT = {"charges", "diffraction"}
FAMILIES = [name for name in physics_families() if name not in LEFT_OUT]


def fresh(family: str, count: int = 12) -> tuple[Tensor, list[str]]:
    images, labels = physics_images(family, range(count), seed=FRESH)
    classes = physics_families()[family].classes
    return torch.from_numpy(images), [f"{family}/{classes[label]}" for label in labels]


@pytest.fixture(scope="module")
def zoo() -> dict[str, tuple[Tensor, list[str]]]:
    return {name: fresh(name, 3 if name == "reaction_diffusion" else 12) for name in FAMILIES}


@pytest.fixture(scope="module", params=["physics-p4m", "physics-plain"])
def classifier(request: pytest.FixtureRequest) -> Classifier:
    return load_classifier(request.param)


def test_the_card_says_what_there_is(classifier: Classifier) -> None:
    card = classifier.card
    assert {name.partition("/")[0] for name in card.classes} == set(FAMILIES)
    assert set(card.seen["kinds"]) == set(card.classes)
    assert {f"accuracy, {name}" for name in FAMILIES} < set(card.metrics)
    for word in ("seed=0", "epochs", "threads"):
        assert word in card.recipe
    assert "without charges, without diffraction" in card.data


def test_fresh_images_are_known(
    classifier: Classifier, zoo: dict[str, tuple[Tensor, list[str]]]
) -> None:
    """As often as the card says, within the noise of so few."""
    right, remarked, count, expected = 0, 0, 0, 0.0
    for name, (images, wanted) in zoo.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnlikeImagesWarning)
            table = classifier.predict(images)
        right += sum(a == b for a, b in zip(table["class"], wanted, strict=True))
        remarked += int((table["remark"] != "").sum())
        count += len(images)
        expected += classifier.card.metrics[f"accuracy, {name}"] * len(images)
    assert abs(right - expected) < 3.5 * (expected * (1 - expected / count)) ** 0.5 + 1
    assert remarked <= 0.05 * count


def test_a_turned_image_has_the_same_answer(zoo: dict[str, tuple[Tensor, list[str]]]) -> None:
    x = torch.cat([images[:1] for images, _ in zoo.values()])
    error = {}
    for name in ("physics-p4m", "physics-plain"):
        found = load_classifier(name)
        with torch.no_grad():
            scores = [found.model(found.prepare(P4M.move(g, x))) for g in P4M.elements]
        error[name] = max(float((s - scores[0]).abs().max() / s.abs().max()) for s in scores)
    assert error["physics-p4m"] < 1e-4
    assert error["physics-plain"] > 1e-2


def test_raw_flux_in_any_unit(
    classifier: Classifier, zoo: dict[str, tuple[Tensor, list[str]]]
) -> None:
    images, _ = zoo["lenses"]
    answers = [classifier.predict(images * unit)["class"].tolist() for unit in (1, 1e-10, 1e6)]
    assert answers[0] == answers[1] == answers[2]


def test_other_channels(classifier: Classifier, zoo: dict[str, tuple[Tensor, list[str]]]) -> None:
    x, _ = zoo["galaxies"]
    gray = classifier.predict(x.expand(-1, 3, -1, -1))
    assert gray["class"].tolist() == classifier.predict(x)["class"].tolist()
    with pytest.raises(ValueError, match=r"has \(2, 64, 64\).*images\[:, :1\]"):
        classifier.predict(x.expand(-1, 2, -1, -1))


def as_bytes(x: Tensor) -> Tensor:
    low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    return ((x - low) / (high - low) * 255).to(torch.uint8)


UNLIKE = {
    "a lens as bytes": lambda: as_bytes(fresh("lenses")[0]),
    "a family left out": lambda: fresh("diffraction")[0],
    "another size": lambda: fresh("tracks")[0][..., 20:, 20:],
    "a lens on a sky": lambda: fresh("lenses")[0] + 5,
    "smooth digits": lambda: digit_images(64)[0][:24],
    "noise": lambda: torch.rand(12, 1, 64, 64, generator=torch.Generator().manual_seed(0)),
    "nothing": lambda: torch.zeros(12, 1, 64, 64),
}


@pytest.mark.parametrize("what", UNLIKE)
def test_what_is_unlike_is_said(classifier: Classifier, what: str) -> None:
    with pytest.warns(UnlikeImagesWarning, match="are unlike those of the training"):
        table = classifier.predict(UNLIKE[what]())
    assert (table["remark"] != "").mean() > 0.5
