"""A network of several kinds of images holds each image against its kind."""

from __future__ import annotations

import pytest
import torch

from equivlab.weights import ModelCard, Preparation, measure
from equivlab.weights.likeness import remarks


def test_an_image_is_held_against_its_kind() -> None:
    prepare = Preparation()
    small, large = torch.rand(20, 1, 8, 8) * 0.1, torch.rand(20, 1, 8, 8) + 5
    seen = measure(torch.cat([small, large]), prepare, ["small"] * 20 + ["large"] * 20)
    assert seen["kinds"]["small"]["peak"][1] < 0.11 < 5 < seen["kinds"]["large"]["peak"][0]
    assert seen["peak"] == [seen["kinds"]["small"]["peak"][0], seen["kinds"]["large"]["peak"][1]]
    ModelCard("ResNet18", {}, "", "", seen=seen)
    middle = torch.rand(2, 1, 8, 8) * 0.1 + 2.5
    assert remarks(middle, prepare, seen) == ["", ""]  # between them, so nobody notices
    said = remarks(middle, prepare, seen, ["small/one", "large/two"])
    assert "in the small of the training); subtract the sky" in said[0]
    assert "in the large of the training" in said[1]
    assert remarks(small[:1], prepare, seen, ["small/one"]) == [""]
    assert remarks(small[:1], prepare, seen, ["other"]) == [""]  # a kind that nobody measured
    each = ["small/one"] * 10 + ["small/two"] * 10 + ["large/two"] * 20
    apart = torch.cat([small[:10], small[10:] + 1, large])
    seen = measure(apart, prepare, each)
    assert remarks(small[:1], prepare, seen, ["small/one"]) == [""]
    assert "in the small/two of the training" in remarks(small[:1], prepare, seen, ["small/two"])[0]


@pytest.mark.parametrize(
    "kinds", [3, {"small": 3}, {"small": {"peak": [0, 1]}}, {"small": {"mood": [0, 1]}}]
)
def test_a_card_that_says_nonsense_of_its_kinds(kinds: object) -> None:
    x = torch.rand(4, 1, 8, 8)
    with pytest.raises(ValueError, match="cannot be understood"):
        ModelCard("ResNet18", {}, "", "", seen=measure(x, Preparation()) | {"kinds": kinds})
