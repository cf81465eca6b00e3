"""The audit: exact networks pass, spoiled ones are found, and the cause is named."""

from __future__ import annotations

import math
import subprocess
import sys
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from equivlab import audit
from equivlab.equivariance import assert_equivariant
from equivlab.fields import Invariant, RegularMaps, ScalarMaps
from equivlab.groups import P4, P4M, PointGroup
from equivlab.models import P4CNN, Z2CNN
from equivlab.nn import (
    GroupConv2d,
    GroupMaxPool2d,
    GroupPool,
    HealpixToSphere,
    InvariantReadout,
    LiftingConv2d,
    S2Conv,
)
from equivlab.so3 import SO3
from equivlab.transfer import to_plain

matplotlib.use("Agg")


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("group", [P4, P4M], ids=str)
def test_an_equivariant_network(group: PointGroup, x: Tensor) -> None:
    torch.manual_seed(0)
    report = audit(P4CNN(group), x, group, angles=8)
    assert report.max_error < 1e-5
    assert report.causes == []
    elements = [group.element_name(g) for g in group.elements]
    assert list(report.table.columns) == ["type", "field", "shape", *elements, "max", "own"]
    assert report.table["max"].max() < 1e-5
    assert report.table.loc["features.0", "field"] == "RegularMaps"
    assert report.table.loc["output", "shape"] == (2, 10)
    assert report.cause == "Equivariant to rounding."
    assert repr(report).endswith("Whole model: exact.\nEquivariant to rounding.")


def test_double_precision_tells_rounding_from_defects(x: Tensor) -> None:
    torch.manual_seed(0)
    model = P4CNN()
    assert audit(model, x, P4, angles=0, dtype=torch.float64).max_error < 1e-12
    assert next(model.parameters()).dtype == torch.float32


def test_a_plain_network_and_its_cause(x: Tensor) -> None:
    torch.manual_seed(0)
    report = audit(Z2CNN(), x, P4, angles=0)
    assert report.max_error > 0.01
    assert report.table.loc["features.0", "max"] > 0.5
    assert "nothing ties them. Use LiftingConv2d" in report.cause


def test_an_ordinary_copy_of_an_equivariant_network_passes(x: Tensor) -> None:
    """Flattened orientations are recognised where they obey the law."""
    torch.manual_seed(0)
    report = audit(to_plain(P4CNN()), x, P4, angles=0)
    assert report.max_error < 1e-5
    assert report.table.loc["features.0", "field"] == "FlatRegularMaps"


class Own(nn.Module):
    """A user's network, with a defect of the user's choice between two good layers."""

    def __init__(self, defect: nn.Module) -> None:
        super().__init__()
        self.lift = LiftingConv2d(P4, 1, 4, 3, padding=1)
        self.defect = defect
        self.conv = GroupConv2d(P4, 4, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.defect(self.lift(x)))


class BiasPerOrientation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.randn(1, 4, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias


class FlatNorm(nn.Module):
    """BatchNorm2d on flattened orientations, with statistics of its own for each."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(16)
        self.norm.weight.data.uniform_(0.5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.flatten(1, 2)).unflatten(1, (4, 4))


DEFECTS = [
    (lambda: GroupMaxPool2d(P4, 4, 3, 2), "defect", "stops 1 short of the edge"),
    (BiasPerOrientation, "defect", "order of the orientations"),
    (FlatNorm, "defect.norm", "Use GroupBatchNorm"),
    (lambda: nn.LayerNorm([4, 28, 28]), "defect", "Use GroupLayerNorm"),
    (lambda: GroupConv2d(P4, 4, 4, 2, padding="same"), "defect", "Use an odd kernel"),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("defect", "layer", "words"), DEFECTS)
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_defects_are_found_and_explained(
    defect: type[nn.Module], layer: str, words: str, dtype: torch.dtype, x: Tensor
) -> None:
    torch.manual_seed(0)
    model = Own(defect())
    for value in model.parameters():
        if value.dim() == 3:
            value.data.uniform_(0.5, 2)
    report = audit(model, x, P4, angles=0, dtype=dtype)
    assert report.max_error > 0.01
    assert report.table.loc["lift", "max"] < 1e-5
    assert report.table.loc[layer, "own"] > 0.01
    assert words in report.cause
    assert any(cause.startswith(f"{layer}:") for cause in report.causes)


class Corner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lift = LiftingConv2d(P4, 1, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.lift(x)[..., :9, :9]


def test_code_between_the_layers(x: Tensor) -> None:
    report = audit(Corner(), x, P4, angles=0)
    assert report.max_error > 0.1
    assert "code between the layers" in report.cause


def test_the_head_that_reads_pixels_by_number(x: Tensor) -> None:
    model = nn.Sequential(
        LiftingConv2d(P4, 1, 2, 3, stride=5), GroupPool(P4, 2), nn.Flatten(), nn.Linear(72, 3)
    )
    report = audit(model, x, P4, angles=0)
    assert "InvariantReadout" in report.cause


def test_angles_and_the_baseline() -> None:
    """Smooth images: little is lost to resampling, nothing at quarter turns."""
    torch.manual_seed(0)
    at = torch.linspace(-3, 3, 27)
    x = torch.exp(-((at[:, None] - 0.5) ** 2) - 2 * at[None, :] ** 2)[None, None]
    model = nn.Sequential(LiftingConv2d(P4, 1, 4, 3, padding=1), nn.ReLU(), InvariantReadout(P4, 4))
    report = audit(model, x, P4, angles=16)
    curve = report.curve.set_index("angle_deg")
    assert isinstance(report.curve, pd.DataFrame)
    assert list(report.curve.columns) == ["angle_deg", "error", "baseline"]
    quarters = [0.0, 90.0, 180.0, 270.0]
    assert curve.loc[quarters].to_numpy().max() < 1e-5
    assert 1e-4 < curve.loc[45.0, "baseline"] < 0.05
    given = audit(model, x, P4, angles=[0.3]).curve
    assert given["angle_deg"].tolist() == [pytest.approx(math.degrees(0.3))]


def test_the_model_is_left_as_it_was(x: Tensor) -> None:
    model = P4CNN()
    model.features[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    audit(model, x, P4, angles=2)
    assert model.training
    assert not model.features[1].training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(m._forward_hooks for m in model.modules())


def test_fields_can_be_told() -> None:
    x = torch.randn(2, 3, 4, 9, 9)
    assert audit(GroupConv2d(P4, 3, 2, 3), x, P4, angles=0).max_error < 1e-5
    net = nn.Sequential(
        LiftingConv2d(P4, 1, 4, 3), nn.Flatten(1, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    images = torch.randn(2, 1, 9, 9)
    wrong = audit(net, images, P4, angles=0, out_field=Invariant(P4, 16))
    assert wrong.max_error > 0.1
    spread = nn.Sequential(net, nn.Unflatten(1, (4, 4, 1, 1)))
    assert audit(spread, images, P4, angles=0, out_field=RegularMaps(P4, 4)).max_error < 1e-5


def test_the_report_is_a_table_and_a_figure(x: Tensor) -> None:
    report = audit(P4CNN(), x, P4, angles=4)
    assert "<table" in report._repr_html_()
    figure = report.plot()
    assert len(figure.axes) >= 2
    assert all(ax.get_xlabel() or ax.get_ylabel() for ax in figure.axes)
    plt.close(figure)


class Two(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


@pytest.mark.parametrize(
    ("model", "given", "group", "kind", "words"),
    [
        (P4CNN(), torch.randn(1, 28, 28), P4, ValueError, r"x\[None\]"),
        (P4CNN(), torch.zeros(0, 1, 28, 28), P4, ValueError, "empty"),
        (P4CNN(), torch.full((1, 1, 28, 28), math.nan), P4, ValueError, "NaN or infinite"),
        (P4CNN(), torch.zeros(1, 1, 28, 28).int(), P4, TypeError, r"x.float\(\)"),
        (nn.Conv2d(1, 1, 3), [1, 2], P4, ValueError, r"got list. Convert it: torch.as_ten"),
        (nn.ReLU(), torch.zeros(1, 1, 9, 9, device="meta"), P4, ValueError, "the meta device"),
        (nn.Conv2d(1, 1, 3), torch.randn(1, 1, 9, 9), "P4", TypeError, "takes a group, such as P4"),
        (Two(), torch.randn(1, 1, 9, 9), P4, TypeError, "gives one tensor; got tuple"),
        (nn.Threshold(0, math.inf), torch.randn(1, 1, 9, 9), P4, ValueError, "NaN or infinity"),
    ],
)
def test_what_cannot_be_audited(
    model: nn.Module, given: Tensor, group: PointGroup, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        audit(model, given, group)


def test_names_that_there_are_not(x: Tensor) -> None:
    """A slip of the pen is no reason to guess from the shape."""
    net, field = nn.Sequential(LiftingConv2d(P4, 1, 2, 3), nn.ReLU()), ScalarMaps(P4, 1)
    with pytest.raises(ValueError, match=r"fields names 2, and the layers .* are 0, 1, output"):
        audit(net, x, P4, fields={"2": field})
    with pytest.raises(ValueError, match=r"in_field names images, and the inputs .* are input\. G"):
        audit(net, {"input": x}, P4, in_field={"images": field})
    with pytest.raises(ValueError, match="in_field names input, and the inputs by name are none"):
        audit(net, x, P4, in_field={"input": field})


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_on_the_sphere(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer, signal = S2Conv(1, 2, 4, 3).to(dtype), torch.randn(2, 1, 8, 8).to(dtype)
    assert audit(layer, signal, SO3).causes == []
    assert_equivariant(layer, signal)
    maps = torch.randn(1, 1, 192).to(dtype)
    assert audit(HealpixToSphere(1, 4, 4), maps, SO3).causes == []


class ConvNeXtBlock(nn.Module):
    """Layer norm and Linear with the channels last, as ConvNeXt and Swin have them."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.norm, self.up = nn.LayerNorm(6), nn.Linear(6, 12)
        self.bend, self.down = nn.GELU(), nn.Linear(12, 6)

    def forward(self, x: Tensor) -> Tensor:
        y = self.mix(x).permute(0, 2, 3, 1)
        return x + self.down(self.bend(self.up(self.norm(y)))).permute(0, 3, 1, 2)


def test_channels_last(x: Tensor) -> None:
    """Only the convolution is to blame: what works on each pixel is innocent."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 6, 1), ConvNeXtBlock())
    report = audit(net, x[:, :, :9, :9], P4, angles=0)
    assert [cause.split(":")[0] for cause in report.causes] == ["1.mix"]
    assert report.table.loc["1.norm", "field"] == "ChannelsLastMaps"
    weight = net[1].mix.weight.data
    weight.copy_(torch.stack([weight.rot90(r, (-2, -1)) for r in range(4)]).mean(0))
    tied = audit(net, x[:, :, :9, :9], P4, angles=0)
    assert tied.causes == []
    assert tied.max_error < 1e-5


class Several(nn.Module):
    """Maps and scores at once, in any container."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.lift, self.conv = LiftingConv2d(P4, 1, 2, 3), nn.Conv2d(1, 2, 3)

    def forward(self, x: Tensor) -> object:
        good, bad = self.lift(x), self.conv(x)
        return {
            "tuple": (good, bad),
            "dict": {"good": good, "bad": bad},
            "object": SimpleNamespace(good=good, bad=bad),
        }[self.kind]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [("tuple", 0, 1), ("dict", "good", "bad"), ("object", "good", lambda y: y.bad)],
)
def test_which_output_to_look_at(kind: str, good: object, bad: object, x: Tensor) -> None:
    torch.manual_seed(0)
    model = Several(kind)
    right = audit(model, x[:, :, :9, :9], P4, angles=2, output=good)
    assert right.max_error < 1e-5
    assert right.causes == []
    assert audit(model, x[:, :, :9, :9], P4, angles=2, output=bad).max_error > 0.1
    with pytest.raises(TypeError, match="output=0, output='logits'"):
        audit(model, x, P4)
    with pytest.raises(TypeError, match="got NoneType for output='none'"):
        audit(model, x, P4, output="none")


def test_groups_of_model_and_audit_may_differ(x: Tensor) -> None:
    torch.manual_seed(0)
    turns = audit(P4CNN(P4, width=2), x, P4M, angles=0)
    assert turns.table.loc["features.0", ["90°", "180°"]].max() < 1e-5
    assert turns.table.loc["features.0", "mirror, 0°"] > 0.1
    assert turns.table.loc["features.0", "field"] == "OtherMaps"
    fewer = audit(P4CNN(P4M, width=1), x, P4, angles=0)
    assert fewer.max_error < 1e-5
    assert fewer.elements == ["0°", "90°", "180°", "270°"]


class Cancels(nn.Module):
    """A sum, added up in an order of its own, less nearly as much: few digits are left."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.register_buffer("less", x.double().sum((2, 3)) * (1 - 1e-4))

    def forward(self, x: Tensor) -> Tensor:
        columns = sum(x.unbind(3))
        return sum(columns.unbind(2)) - self.less.to(x)


def test_rounding_that_a_network_enlarges_is_rounding(x: Tensor) -> None:
    report = audit(nn.Sequential(nn.Identity(), Cancels(x)), x, P4, angles=0)
    assert report.max_error > 1e-5
    assert report.causes == []
    assert "rounding, which the network enlarges" in report.cause
    assert audit(Cancels(x), x, P4, angles=0).causes == []
    assert audit(Cancels(x), x, P4, angles=0, dtype=torch.float64).causes == []


def test_fewer_elements(x: Tensor) -> None:
    report = audit(P4CNN(width=2), x, P4, angles=0, elements=[0, 3])
    assert report.elements == ["0°", "270°"]
    with pytest.raises(ValueError, match="elements 0 to 3"):
        audit(P4CNN(width=2), x, P4, elements=[5])
    found = audit(P4CNN(width=2), x, P4, angles=0, elements=torch.tensor([0, 3]))
    assert found.elements == report.elements


def test_numbers_and_rows_of_numpy() -> None:
    both = nn.Sequential(Several("tuple")).eval()
    image, turns = torch.randn(1, 1, 9, 9), np.linspace(0, 6, 3)
    last = audit(both, image, P4, angles=np.int64(2), output=np.int64(-1))  # type: ignore[arg-type]
    assert last.curve["angle_deg"].tolist() == [0, 180]
    assert last.max_error > 0.1
    with pytest.raises(TypeError, match="got NoneType for output=-3"):
        audit(both, image, P4, angles=0, output=-3)
    layer, signal = S2Conv(1, 1, 3, 3), torch.randn(1, 1, 6, 6)
    assert len(audit(layer, signal, SO3, angles=turns).curve) == 3  # type: ignore[arg-type]


def test_the_import_is_light() -> None:
    """What a report needs is loaded when there is one."""
    heavy = ["pandas", "matplotlib", "e3nn", "scipy", "healpy", "ducc0"]
    code = (
        "import sys, equivlab.equivariance; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
