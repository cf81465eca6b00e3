"""A network learns a folder, can be stopped and gone on with, and is taken away in one file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

pytest.importorskip("lightning")

from lightning.pytorch.callbacks import Callback

from equivlab.data.sets import InUseError, locked
from equivlab.groups import P4
from equivlab.models.resnet import ResNet18
from equivlab.training.finetuning import FineTuned, begin, exporting, finetune, schedule_for
from equivlab.training.finetuning.schedule import FEW, Schedule
from equivlab.training.finetuning.starting import size_of, steps_for
from equivlab.training.lightning import GradualUnfreezing
from equivlab.transfer import learning_rates
from equivlab.weights import ModelCard, load_classifier, load_pretrained, read_tensors
from tests.training.finetuning.mixed import CLASSES, SIDE, trained, write_folder

pytestmark = pytest.mark.filterwarnings(
    "ignore:Left out", "ignore::FutureWarning", "ignore::DeprecationWarning"
)
QUICK = {"epochs": 4, "batch_size": 6, "progress": False}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finetune")
    write_folder(root / "photos", 14)
    trained(root / "start.safetensors")
    return root


@pytest.fixture(scope="module")
def done(home: Path) -> FineTuned:
    return finetune(home / "photos", home / "start.safetensors", home / "run", **QUICK)  # type: ignore[arg-type]


def test_what_comes_out_can_be_used(home: Path, done: FineTuned) -> None:
    assert done.model == home / "run" / "model.safetensors"
    found = load_classifier(home / "run")
    assert found.classes == CLASSES
    assert found.card.metrics["accuracy, test images"] == round(done.judged.accuracy, 4)
    assert "bars 14, dots 14" in found.card.data
    table = found.predict(home / "photos" / "bars" / "00.npy")
    assert (table["remark"] == "").all()
    assert table["class"][0] in CLASSES
    assert len(done.judged.labels) == 4  # 15 % of each class
    assert torch.allclose(done.judged.chances.sum(1), torch.ones(4, dtype=torch.float64))


def test_the_report_needs_nothing_but_itself(done: FineTuned) -> None:
    page = done.report.read_text()
    assert "AUC" in page
    assert "broken.png is no image" in page
    sources = re.findall(r'(?:src|href)="([^"]{0,20})', page)
    assert sources
    assert all(source.startswith("data:image/png") for source in sources)
    assert "<script" not in page


def test_a_stopped_run_goes_on_to_the_same_end(
    home: Path, done: FineTuned, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = GradualUnfreezing.on_train_epoch_start

    def stopped(self: Callback, trainer: object, module: object) -> None:
        if module.current_epoch == 2:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        asked(self, trainer, module)  # type: ignore[arg-type]

    monkeypatch.setattr(GradualUnfreezing, "on_train_epoch_start", stopped)
    call = (home / "photos", home / "start.safetensors", home / "stopped")
    with pytest.raises(KeyboardInterrupt):
        finetune(*call, **QUICK)  # type: ignore[arg-type]
    assert not (home / "stopped" / "model.safetensors").exists()
    monkeypatch.undo()
    again = finetune(*call, **QUICK)  # type: ignore[arg-type]
    whole, resumed = (read_tensors(one.model)[0] for one in (done, again))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    with pytest.raises(ValueError, match="belongs to another run"):
        finetune(*call, **QUICK | {"epochs": 5})  # type: ignore[arg-type]


def test_stages_thaw_from_the_head_down() -> None:
    model = ResNet18(P4, width=4)
    few = Schedule(0.25, 0.6, 0.5)
    plan = few.thawing(model, 20)
    order = [stage for epoch in sorted(plan) for stage in plan[epoch]]
    assert order == ["layer4", "layer3", "layer2", "layer1", "stem"]
    assert min(plan) == 5
    assert max(plan) == 12
    assert set(few.thawing(model, 1)) <= {0, 1}
    assert sum(map(len, few.thawing(model, 2).values())) == 5


def test_many_images_hold_nothing_back() -> None:
    model = ResNet18(P4, width=4)
    many = schedule_for(FEW * 3, 3)
    assert set(many.thawing(model, 20)) == {0}
    assert len({group["lr"] for group in learning_rates(model, 1.0, many.decay)}) == 1
    few = schedule_for(FEW * 3 - 1, 3)
    assert few.decay < 1
    assert max(few.thawing(model, 20)) > 0


def test_two_in_one_folder(home: Path, done: FineTuned) -> None:
    call = (home / "photos", home / "start.safetensors", home / "run")
    before = done.model.read_bytes()
    with locked(home / "run" / "training"), pytest.raises(InUseError, match="is being written by"):
        finetune(*call, **QUICK)  # type: ignore[arg-type]
    assert done.model.read_bytes() == before


def test_gray_images_in_color_give_what_they_gave(home: Path, tmp_path: Path) -> None:
    start = home / "start.safetensors"
    before, _ = load_pretrained(start)
    colored, card = begin(start, ("x", "y"), 3)
    assert card.settings["in_channels"] == 3
    assert card.settings["classes"] == 2
    x = torch.rand(2, 1, SIDE, SIDE)
    with torch.no_grad():
        gray = before.features(x)
        assert torch.allclose(colored.eval().features(x.expand(-1, 3, -1, -1)), gray, atol=1e-5)
        rgb = trained(tmp_path / "rgb.safetensors", channels=3)
        one, _ = begin(rgb, ("x", "y"), 1)
        three = load_pretrained(rgb)[0].features(x.expand(-1, 3, -1, -1))
        assert torch.allclose(one.eval().features(x), three, atol=1e-5)
    with pytest.raises(ValueError, match="trained on 3 channels and the images have 4"):
        begin(rgb, ("x", "y"), 4)


def test_a_network_of_the_same_classes_keeps_its_head(home: Path) -> None:
    before, _ = load_pretrained(home / "start.safetensors")
    same, card = begin(home / "start.safetensors", ("a", "b", "c"), 1)
    assert card.classes == ("a", "b", "c")
    x = torch.rand(2, 1, SIDE, SIDE)
    with torch.no_grad():
        assert torch.equal(same.eval()(x), before(x))
        turned, card = begin(home / "start.safetensors", ("c", "a", "b"), 1)
        assert card.classes == ("c", "a", "b")
        assert torch.equal(turned.eval()(x), before(x)[:, [2, 0, 1]])
    other, _ = begin(home / "start.safetensors", ("a", "b", "d"), 1)
    assert not torch.equal(other.fc.weight, before.fc.weight)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("shapes", "size", "side", "wanted"),
    [
        ({(150, 150)}, None, 150, ["crop_center", "sqrt_stretch", "standardize_each"]),
        ({(64, 64)}, None, 64, ["sqrt_stretch", "standardize_each"]),
        ({(64, 64), (70, 80)}, None, 96, ["square", "resize", "sqrt_stretch", "standardize_each"]),
        ({(150, 150)}, 96, 96, ["resize", "sqrt_stretch", "standardize_each"]),
    ],
)
def test_steps_fit_the_images(shapes, size, side, wanted) -> None:  # type: ignore[no-untyped-def]
    card = load_pretrained("lenses-i-150px-p4m")[1]
    assert [name for name, _ in steps_for(card, shapes, size, side)] == wanted
    assert size_of(card) == 96
    bare = ModelCard("ResNet18", {}, "", "")
    assert [name for name, _ in steps_for(bare, {(9, 9)}, None, 9)] == ["standardize_each"]


def test_an_export_that_cannot_be_is_refused_first(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="needs onnx and onnxscript: pip install onnx"):
        finetune(home / "photos", home / "start.safetensors", tmp_path / "run", export="onnx")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match="exported to 'onnx'; got 'keras'"):
        finetune(home / "photos", home / "start.safetensors", tmp_path / "run", export="keras")


def test_the_onnx_file_gives_the_same(done: FineTuned, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    x = torch.rand(5, 1, SIDE, SIDE)
    path = exporting.export_onnx(done.classifier, x[:2], tmp_path / "model.onnx")
    (found,) = runtime.InferenceSession(str(path)).run(None, {"images": x.numpy()})
    with torch.no_grad():
        assert torch.allclose(torch.from_numpy(found), done.classifier(x), atol=1e-5)
