"""ResNet-18: invariant for every size, torchvision's when plain, equal parameters."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.groups import P4, P4M, Cyclic, PointGroup
from equivlab.models.parts import PlanarParts
from equivlab.models.planar import _usual_widths
from equivlab.models.resnet import ResNet18
from equivlab.models.resnet_weights import load_resnet18_weights
from equivlab.transfer import to_plain


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def lively(model: ResNet18) -> ResNet18:
    """With the running statistics of noise, so that the norms are not the identity in `eval()`."""
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.randn(2, model.conv1.in_channels, 65, 65))
    return model.eval()


@pytest.mark.parametrize("group", [P4, P4M])
@pytest.mark.parametrize("stem", ["full", "no_pool", "small"])
@pytest.mark.parametrize("size", [28, 33, 50, 64, 65])
def test_turns_and_mirrors_change_nothing(group: PointGroup, stem: str, size: int) -> None:
    torch.manual_seed(0)
    model = lively(ResNet18(group, 2, 3, width=8, stem=stem))  # type: ignore[arg-type]
    x = torch.randn(2, 2, size, size)
    for dtype, bound in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        model, x = model.to(dtype), x.to(dtype)
        with torch.no_grad():
            wanted = model(x)
            turned = torch.stack([model(group.move(g, x)) for g in group.elements])
        assert float((turned - wanted).abs().max() / wanted.abs().max()) < bound
        assert float(wanted.std(0).max()) > 1e-3  # it does look at the image


def test_rectangles_and_training_mode() -> None:
    torch.manual_seed(0)
    model = ResNet18(P4M, width=8).double().train()
    x = torch.randn(3, 1, 40, 53, dtype=torch.float64)
    wanted = model(x)
    for g in P4M.elements:
        assert torch.allclose(model(P4M.move(g, x)), wanted, atol=1e-10)


def test_the_full_size_of_the_published_images() -> None:
    torch.manual_seed(0)
    model = lively(ResNet18(P4M, width=8))
    x = torch.randn(1, 1, 150, 150)
    with torch.no_grad():
        wanted = model(x)
        for g in P4M.elements:
            assert torch.allclose(model(P4M.move(g, x)), wanted, rtol=1e-4, atol=1e-4)


def test_the_plain_twin_has_no_symmetry() -> None:
    torch.manual_seed(0)
    model = lively(ResNet18(None, width=8))
    x = torch.randn(2, 1, 65, 65)
    with torch.no_grad():
        off = (model(torch.rot90(x, 1, (-2, -1))) - model(x)).abs().max()
    assert float(off) > 1e-3


@pytest.mark.parametrize("width", [8, 16, 64])
def test_equal_parameters_or_equal_width(width: int) -> None:
    plain = count(ResNet18(None, width=width))
    for group in (P4, P4M):
        assert abs(count(ResNet18(group, width=width)) / plain - 1) < 0.02
    narrow = ResNet18(P4M, width=width, match="width")
    assert narrow.fc.in_features == width
    assert count(narrow) < plain / 6


def test_a_readout_by_the_maximum() -> None:
    torch.manual_seed(0)
    mean, most = (lively(ResNet18(P4, width=8, readout=r)) for r in ("mean", "max"))  # type: ignore[arg-type]
    most.load_state_dict(mean.state_dict())
    x = torch.randn(2, 1, 33, 33)
    with torch.no_grad():
        assert (most.features(x) > mean.features(x)).all()


def torchvision_resnet18(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """The published network from its state dict, by plain functions: the oracle."""

    def conv_norm(x: Tensor, conv: str, norm: str, stride: int, padding: int) -> Tensor:
        x = F.conv2d(x, state[f"{conv}.weight"], stride=stride, padding=padding)
        mean, var = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
        return F.batch_norm(x, mean, var, state[f"{norm}.weight"], state[f"{norm}.bias"])

    x = F.max_pool2d(F.relu(conv_norm(x, "conv1", "bn1", 2, 3)), 3, 2, 1)
    for stage in range(1, 5):
        for block in range(2):
            at = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            y = F.relu(conv_norm(x, f"{at}.conv1", f"{at}.bn1", stride, 1))
            y = conv_norm(y, f"{at}.conv2", f"{at}.bn2", 1, 1)
            if stride == 2:
                x = conv_norm(x, f"{at}.downsample.0", f"{at}.downsample.1", 2, 0)
            x = F.relu(x + y)
    return F.linear(x.mean((-2, -1)), state["fc.weight"], state["fc.bias"])


def test_the_plain_network_is_torchvisions() -> None:
    torch.manual_seed(0)
    model = lively(ResNet18(None, 3, 1000))
    state = model.state_dict()
    assert count(model) == 11_689_512  # torchvision's and timm's own number
    assert len(state) == 122
    x = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        assert torch.allclose(model(x), torchvision_resnet18(state, x), atol=1e-4)


def test_weights_of_torchvision_are_taken() -> None:
    torch.manual_seed(0)
    given = {k: torch.rand_like(v.float()) for k, v in ResNet18(None, 3, 1000).state_dict().items()}
    same = ResNet18(None, 3, 1000)
    assert load_resnet18_weights(same, given) == []
    assert all(torch.equal(v, given[k]) for k, v in same.state_dict().items() if v.dim())
    grey = ResNet18(None, 1, 3)
    head = grey.fc.weight.detach().clone()
    assert load_resnet18_weights(grey, given) == ["fc.weight", "fc.bias"]
    assert torch.equal(grey.fc.weight, head)
    x = torch.randn(1, 1, 33, 33)
    same.eval(), grey.eval()
    with torch.no_grad():
        wanted = same.features(x.expand(-1, 3, -1, -1))
        assert torch.allclose(grey.features(x), wanted, rtol=1e-4)


def test_other_weights_are_refused() -> None:
    state = ResNet18(None, 3, 10).state_dict()
    narrow = ResNet18(None, 3, 10, width=32)
    before = narrow.conv1.weight.detach().clone()
    with pytest.raises(ValueError, match="have another shape, 0 are unknown"):
        load_resnet18_weights(narrow, state)
    assert torch.equal(narrow.conv1.weight, before)
    with pytest.raises(ValueError, match="fills the plain network; got one on P4"):
        load_resnet18_weights(ResNet18(P4, width=8), state)
    with pytest.raises(ValueError, match="1 are unknown, for example layer5"):
        load_resnet18_weights(ResNet18(None, 3, 10), state | {"layer5.0": torch.zeros(1)})


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="whose order divides the width; got match='width' and"):
        ResNet18(P4M, width=12, match="width")
    with pytest.raises(ValueError, match="stem is one of full, no_pool, small; got 'tiny'"):
        ResNet18(P4, stem="tiny")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"ResNet18\(P4\) takes \(B, 1, H, W\)"):
        ResNet18(P4, width=8)(torch.zeros(1, 3, 33, 33))


def test_it_leaves_as_an_ordinary_network() -> None:
    torch.manual_seed(0)
    model = lively(ResNet18(P4M, width=8)).double()
    plain = to_plain(model)
    assert not any(type(m).__module__.startswith("equivlab.nn") for m in plain.modules())
    x = torch.randn(2, 1, 50, 50, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(plain(x), model(x), atol=1e-12)


def test_weights_come_from_the_seed_alone() -> None:
    """Counting parameters for the width draws no number of the caller's."""
    before = torch.get_rng_state()
    assert PlanarParts(P4M).fields(8, 3) == 3
    assert len(_usual_widths(PlanarParts(Cyclic(8)))) == 6
    assert torch.equal(torch.get_rng_state(), before)
