"""Names of classes travel with sets, classifiers and checkpoints, and are matched by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("lightning")

from equivlab.data import FolderImages, ShardedImages, lens_recipe, simulate_to_shards
from equivlab.data.sets import Batches, ImageSet, TensorImages
from equivlab.training import ImageClassifier, Recipe, fit_lightning
from equivlab.training.commands import main
from equivlab.training.lightning.data import agreed
from tests.training.small_runs import CPU

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
SHARDS, FOLDERS = ("no_sub", "cdm", "axion"), ("axion", "cdm", "no_sub")
LEVELS = {"no_sub": 0.0, "cdm": 1.0, "axion": 2.0}  # how bright an image of each class is


def folders(root: Path, names: tuple[str, ...] = FOLDERS, each: int = 4) -> FolderImages:
    for name in names:
        (root / name).mkdir(parents=True)
        for n in range(each):
            np.save(root / name / f"{n}.npy", np.full((6, 6), LEVELS.get(name.lower(), 3.0)))
    return FolderImages(root)


def in_memory(names: tuple[str, ...] | None = SHARDS, each: int = 4) -> TensorImages:
    """As shards have them: in turns, in the order of their names."""
    labels = torch.arange(3 * each) % 3
    levels = torch.tensor([LEVELS[name] for name in names or SHARDS])
    return TensorImages(levels[labels].view(-1, 1, 1, 1).expand(-1, 1, 6, 6), labels, names)


class Level(nn.Module):
    """Right for classes in the order of folders, without having to learn it."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return -((x.mean((1, 2, 3))[:, None] - torch.tensor([2.0, 1.0, 0.0])) ** 2) * self.scale


def test_folders_and_shards_agree(tmp_path: Path) -> None:
    recipe = Recipe(epochs=1, batch_size=12, augment="none")
    classifier = ImageClassifier(Level(), 3, recipe)
    train = folders(tmp_path / "train")
    report = fit_lightning(
        classifier, train, in_memory(), tmp_path / "run", machine=CPU, progress=False
    )
    assert report.curve[0]["val_accuracy"] == report.best_auc == 1.0
    assert classifier.classes == FOLDERS
    for name in ("best.ckpt", "last.ckpt"):
        found = torch.load(tmp_path / "run" / name, weights_only=True)
        assert found["classes"] == list(FOLDERS)


def test_the_classifiers_order_is_the_one(tmp_path: Path) -> None:
    """Such as that of a network which was trained elsewhere."""
    classifier = ImageClassifier(Level(), FOLDERS)
    for part in agreed(classifier, in_memory(), in_memory(("cdm", "no_sub", "axion"))):
        images, labels = part[range(len(part))]
        wanted = torch.tensor([FOLDERS.index("no_sub"), FOLDERS.index("cdm"), 0])
        assert torch.equal(labels, wanted[images[:, 0, 0, 0].long()])
        assert torch.equal(labels, part.labels())
        assert part.classes == FOLDERS


def test_a_part_of_a_set_keeps_its_part(tmp_path: Path) -> None:
    part = Batches(in_memory(), torch.tensor([0, 1, 2, 5]))
    _, found = agreed(ImageClassifier(Level(), FOLDERS), in_memory(), part)
    assert found.labels().tolist() == [2, 1, 0, 0]


def test_sets_without_names_are_taken_by_their_numbers() -> None:
    classifier = ImageClassifier(Level(), 3)
    train, _ = agreed(classifier, in_memory(None), in_memory(None))
    assert train.labels().tolist() == [0, 1, 2] * 4
    assert classifier.classes is None
    agreed(classifier, in_memory(None), in_memory())
    assert classifier.classes == SHARDS


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("CDM", "axion", "no_sub"), "CDM, axion, no_sub in FolderImages, and no_sub, cdm, axion"),
        (("axion", "no_sub"), "axion, no_sub in FolderImages, and no_sub, cdm, axion were"),
        (("axion", "cdm", "no_sub", "wdm"), "axion, cdm, no_sub, wdm in FolderImages, and no_s"),
    ],
)
def test_names_that_differ_are_both_shown(
    tmp_path: Path, names: tuple[str, ...], message: str
) -> None:
    other = folders(tmp_path / "other", names)
    with pytest.raises(ValueError, match=f"The validation images do not fit: .*{message}"):
        agreed(ImageClassifier(Level(), 3), in_memory(), other)


def test_classes_that_cannot_be_judged() -> None:
    images = in_memory()
    part = Batches(images, torch.tensor([0, 1, 3, 4]))
    with pytest.raises(ValueError, match="no validation image of the class axion"):
        agreed(ImageClassifier(Level(), 3), images, part)
    unnamed = in_memory(None)
    with pytest.raises(ValueError, match="no validation image of the class 2"):
        agreed(ImageClassifier(Level(), 3), unnamed, Batches(unnamed, part.indices))
    with pytest.raises(ValueError, match=r"of 4 classes, but the images have 3: no_sub, cdm"):
        agreed(ImageClassifier(Level(), 4), images, images)
    with pytest.raises(ValueError, match=r"training images do not fit: .* 0 to 1; got 2 and 3 mo"):
        agreed(ImageClassifier(Level(), 2), in_memory(None), in_memory(None))


def test_real_shards_have_names_that_folders_match(tmp_path: Path) -> None:
    simulate_to_shards(tmp_path, lens_recipe("II", 8), 12, progress=False)
    shards: ImageSet = ShardedImages(tmp_path)
    _, found = agreed(ImageClassifier(Level(), FOLDERS), in_memory(), shards)
    first = FOLDERS.index(shards.classes[int(shards.labels()[0])])
    assert int(found.labels()[0]) == first


def test_the_command_line_trains_on_folders_and_validates_on_shards(tmp_path: Path) -> None:
    """The same images twice: folders number them axion, cdm, no_sub, shards no_sub, cdm, axion."""
    pytest.importorskip("jsonargparse")
    shards = simulate_to_shards(tmp_path / "shards", lens_recipe("II", 9), 30, progress=False)
    for number, (image, label) in enumerate(shards):
        folder = tmp_path / "folders" / shards.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{number:02d}.npy", image.numpy())
    assert FolderImages(tmp_path / "folders").classes == FOLDERS
    assert shards.classes == SHARDS
    ends = []
    for name in ("shards", "folders"):
        main([
            "train", "--data.train", str(tmp_path / "folders"), "--data.validate",
            str(tmp_path / name), "--machine.workers", "0", "--machine.accelerator", "cpu",
            "--model.width", "2", "--model.group", "none", "--model.stem", "small",
            "--model.recipe.epochs", "1", "--model.recipe.batch_size", "10", "--progress", "false",
            "--folder", str(tmp_path / f"on_{name}"),
        ])  # fmt: skip
        found = torch.load(tmp_path / f"on_{name}" / "best.ckpt", weights_only=True)
        assert found["classes"] == list(FOLDERS)
        ends.append({k: v for k, v in found["curve"][0].items() if not k.endswith("seconds")})
    assert ends[0] == pytest.approx(ends[1], abs=1e-6)
