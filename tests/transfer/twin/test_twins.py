"""`equivariant_twin` on small networks of every family: what the twin is, and what it keeps."""

from __future__ import annotations

import copy
import io
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from equivlab.equivariance import assert_equivariant
from equivlab.fields import Invariant, ScalarMaps
from equivlab.groups import P4, P4M, PointGroup
from equivlab.nn import FieldModule, GroupConv2d, GroupDownsample2d, LiftingConv2d
from equivlab.transfer import EquivariantTwin, equivariant_twin, freeze, replace_head, to_plain
from tests.laws import relative
from tests.transfer.twin.architectures import ARCHITECTURES, build, images

NAMES = pytest.mark.parametrize("name", ARCHITECTURES)


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def measured(twin: nn.Module, name: str) -> nn.Module:
    """The twin with statistics that are not 0 and 1."""
    with torch.no_grad():
        twin.train()(images(name, 4))
    return twin.eval()


@NAMES
def test_the_law_holds_on_every_size_and_the_plain_network_is_as_it_was(name: str) -> None:
    plain = build(name)
    before, said = state(plain), repr(plain)
    twin = equivariant_twin(plain, P4M, images(name))
    assert repr(plain) == said
    assert all(torch.equal(before[n], value) for n, value in plain.state_dict().items())
    assert not any(part._forward_hooks or "forward" in vars(part) for part in plain.modules())
    assert not twin.training
    assert twin.report.error < 1e-12
    measured(twin, name)
    with torch.no_grad():
        for size in (images(name).shape[-1], images(name).shape[-1] + 4):
            x = torch.randn(1, 3, size, size)
            assert_equivariant(twin, x, group=P4M)
            if size == images(name).shape[-1]:
                assert twin(x).shape == plain(x).shape
    assert isinstance(twin.in_field, ScalarMaps)
    maps = isinstance(twin.out_field, ScalarMaps)
    assert maps == (name == "Scales")
    assert not {id(p) for p in plain.parameters()} & {id(p) for p in twin.parameters()}


@NAMES
def test_to_plain_and_one_step_of_training(name: str) -> None:
    twin = measured(equivariant_twin(build(name), P4, images(name)), name)
    x = images(name)
    with torch.no_grad():
        plain = to_plain(twin)
        assert relative(plain(x), twin(x)) <= 1e-6
        other = torch.randn(1, 3, x.shape[-1] + 4, x.shape[-1] + 4)
        assert relative(plain(other), twin(other)) <= 1e-6
    assert not any(type(m).__module__.startswith("equivlab") for m in plain.modules())
    optimiser = torch.optim.SGD(twin.parameters(), 0.05)
    before = state(twin)
    twin.train()(x).square().mean().backward()
    optimiser.step()
    gone = [n for n, p in twin.named_parameters() if p.grad is None]
    assert gone == []
    assert sum(not torch.equal(v, before[n]) for n, v in twin.state_dict().items()) > 4
    assert_equivariant(twin.eval(), x)


@NAMES
@pytest.mark.parametrize("group", [P4, P4M], ids=str)
def test_from_plain_is_the_vote_of_the_plain_network(name: str, group: PointGroup) -> None:
    """Its scores, or maps turned back, over all turned images: the plain network is the oracle."""
    if ARCHITECTURES[name].exact is None:
        return
    plain = build(name).double()
    x = images(name, exact=True).double()
    twin = equivariant_twin(plain, group, x, init="from_plain")
    assert not twin.report.fresh
    with torch.no_grad():
        votes = torch.stack([plain(group.move(g, x)) for g in group.elements])
        assert relative(twin(x), votes.mean(0)) < 1e-12
    assert float(votes.std(0).max()) > 1e-4


@pytest.mark.parametrize("name", [n for n in ARCHITECTURES if n != "Scales"])
def test_widths(name: str) -> None:
    plain = build(name)
    numbers = sum(p.numel() for p in plain.parameters())
    if name == "Branches":
        numbers -= sum(p.numel() for p in plain.aux.parameters())
    twin = equivariant_twin(plain, P4, images(name))
    assert twin.report.parameters == (numbers, sum(p.numel() for p in twin.parameters()))
    assert 0.5 < twin.report.parameters[1] / numbers < 1.5  # narrow networks round coarsely
    thin = equivariant_twin(plain, P4, images(name), match="width")
    wide = equivariant_twin(plain, P4, images(name), match="fields", init="fresh")
    assert sum(p.numel() for p in thin.parameters()) < numbers
    assert sum(p.numel() for p in wide.parameters()) > numbers
    assert not wide.report.kept


def test_parameters_of_a_wide_network_are_the_same_to_a_percent() -> None:
    def unit(i: int, o: int) -> list[nn.Module]:
        return [nn.Conv2d(i, o, 3), nn.BatchNorm2d(o), nn.ReLU()]

    plain = nn.Sequential(
        *unit(1, 64), *unit(64, 96), *unit(96, 128), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(128, 10),
    )  # fmt: skip
    for group in (P4, P4M):
        was, now = equivariant_twin(plain, group, 16).report.parameters
        assert abs(now / was - 1) < 0.02


def test_what_starts_anew_is_as_large_as_before() -> None:
    plain = build("Residual")
    twin = equivariant_twin(plain, P4M, 32, seed=3)
    again = equivariant_twin(plain, P4M, 32, seed=3)
    other = equivariant_twin(plain, P4M, 32, seed=4)
    assert all(
        torch.equal(a, b) for a, b in zip(twin.parameters(), again.parameters(), strict=True)
    )
    conv, theirs = twin.network.layer1.get_submodule("0.body.0.0"), plain.layer1[0].body[0][0]
    assert isinstance(conv, GroupConv2d)
    assert not torch.equal(conv.weight, other.network.layer1.get_submodule("0.body.0.0").weight)
    fan_in, wide = conv.weight[0].numel(), theirs.weight[0].numel()
    sizes = conv.weight.std() * fan_in**0.5, theirs.weight.std() * wide**0.5
    assert relative(*sizes) < 0.2
    closed = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 1, 1))
    nn.init.zeros_(closed[1].weight)
    closed[0].requires_grad_(False)
    twin = equivariant_twin(closed, P4, 9)
    norm = twin.network.get_submodule("1")
    assert not norm.weight.any()
    learning = {n.split(".")[1] for n, p in twin.named_parameters() if p.requires_grad}
    assert learning == {"1", "2"}


def test_blurred_strides() -> None:
    plain = build("Residual")
    twin = equivariant_twin(plain, P4, 32, strides="blur")
    assert sum(isinstance(m, GroupDownsample2d) for m in twin.modules()) == 4
    assert all(m.stride == 1 for m in twin.modules() if isinstance(m, GroupConv2d | LiftingConv2d))
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert_equivariant(twin, x)
        assert relative(to_plain(twin)(x), twin(x)) <= 1e-6
        assert twin(x).shape == plain(x).shape


def test_a_twin_is_an_ordinary_module(tmp_path: Path) -> None:
    twin = measured(equivariant_twin(build("Mobile"), P4, 32), "Mobile")
    x = images("Mobile")
    wanted = twin(x)
    save_file(
        {n: v.contiguous() for n, v in twin.state_dict().items()}, tmp_path / "twin.safetensors"
    )
    other = equivariant_twin(build("Mobile"), P4, 32, seed=1).eval()
    assert relative(other(x), wanted) > 1e-3
    other.load_state_dict(load_file(tmp_path / "twin.safetensors"))
    assert torch.equal(other(x), wanted)
    duplicate = copy.deepcopy(twin)
    assert torch.equal(duplicate(x), wanted)
    assert duplicate.report.rows == twin.report.rows
    assert duplicate.in_field == twin.in_field
    kept = io.BytesIO()
    torch.save(twin, kept)
    kept.seek(0)
    read = torch.load(kept, weights_only=False)
    assert torch.equal(read(x), wanted)
    assert isinstance(read, EquivariantTwin)
    assert torch.equal(twin.double().float()(x), wanted)
    assert replace_head(twin, 7).out_features == 7
    assert twin.out_field == Invariant(P4, 7)
    assert twin(x).shape == (2, 7)
    freeze(twin)
    assert {n for n, p in twin.named_parameters() if p.requires_grad} == {
        "network.head.3.weight", "network.head.3.bias",
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"EquivariantTwin takes \(B, 3, H, W\)"):
        twin(torch.zeros(1, 2, 32, 32))


def test_compiled_and_exported() -> None:
    twin = equivariant_twin(build("Scales"), P4, 32).eval()
    x = images("Scales")
    with torch.no_grad():
        wanted = twin(x)
        compiled = torch.compile(twin, backend="aot_eager", fullgraph=True)
        assert relative(compiled(x), wanted) < 1e-6
        program = torch.export.export(twin, (x,))
        assert relative(program.module()(x), wanted) < 1e-6
        assert equivariant_twin(torch.compile(build("Scales")), P4, 32)(x).shape == wanted.shape


def test_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    for name in ("Residual", "Next", "Scales"):
        twin = measured(equivariant_twin(build(name), P4, 32), name)
        x = images(name)
        path = tmp_path / f"{name}.onnx"
        torch.onnx.export(twin, (x,), str(path), dynamo=True, verbose=False)
        session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        assert relative(torch.from_numpy(found), twin(x)) < 1e-5, name


def test_the_report() -> None:
    plain = build("Branches")
    twin = equivariant_twin(plain, P4, 33, init="from_plain")
    report = twin.report
    table = report.table.set_index("module")
    assert table.loc["seven.0", "was"] == "Conv2d"
    assert table.loc["seven.0", "became"].startswith("GroupStripConv2d")
    assert table.loc["stem.0", "became"] == "LiftingConv2d ScalarMaps(P4, 3) -> RegularMaps(P4, 8)"
    assert set(table["weights"]) == {"kept", ""}
    assert report.unused == ("aux",)
    assert "Not called in eval(), so left out: aux" in repr(report)
    assert "<table" in report._repr_html_()
    assert f"{report.parameters[1]:,} parameters" in repr(report)
    assert not any("aux" in name for name, _ in twin.named_modules())
    assert isinstance(twin.network.stem.get_submodule("0"), FieldModule)


def test_several_outputs_and_shared_layers() -> None:
    class Pyramid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.conv = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, padding=1)
            self.slope = nn.Parameter(torch.tensor(0.7))

        def forward(self, x: Tensor) -> dict[str, Tensor | tuple[Tensor, Tensor]]:
            a = self.conv(self.stem(x))
            b = 1 - torch.sigmoid(2.0 ** self.conv(a) / self.slope)
            return {"maps": b, "scores": (b.mean((2, 3)), a.permute(0, 2, 3, 1))}

    plain = Pyramid().double()
    twin = equivariant_twin(plain, P4, 9, init="from_plain")
    assert twin.out_field is None
    x = torch.randn(2, 1, 9, 9, dtype=torch.float64)
    out = twin(x)
    turned = torch.stack(
        [torch.rot90(plain(torch.rot90(x, r, (2, 3)))["maps"], -r, (2, 3)) for r in range(4)]
    )
    assert relative(out["maps"], turned.mean(0)) < 1e-12
    assert out["scores"][0].shape == (2, 4)
    assert out["scores"][1].shape == (2, 7, 7, 4)
    assert len([n for n, _ in twin.named_parameters() if "conv" in n]) == 2
    assert relative(to_plain(twin)(x)["maps"], out["maps"]) < 1e-12
