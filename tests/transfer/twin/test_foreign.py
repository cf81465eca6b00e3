"""Twins of networks of torchvision, timm and segmentation_models_pytorch, if they are there."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from equivlab.equivariance import assert_equivariant
from equivlab.groups import P4
from equivlab.transfer import ConversionError, equivariant_twin, to_plain
from tests.laws import relative

#: One small network of each family.
NETWORKS = [
    "torchvision resnet18", "torchvision mobilenet_v3_small", "torchvision efficientnet_b0",
    "torchvision regnet_x_400mf", "torchvision inception_v3", "torchvision densenet121",
    "torchvision convnext_tiny", "torchvision vgg11", "timm resnet18", "timm mobilenetv3_small_100",
    "timm tf_efficientnet_b0", "timm regnetx_002", "timm convnextv2_atto", "timm densenet121",
    "timm vgg11", "timm inception_v3", "segmentation_models_pytorch resnet18",
]  # fmt: skip


def package(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The package, or the test is skipped.

    torchvision's wheels are for a build of torch with CUDA; on another their compiled operators are
    missing, and no network needs them, so one is declared and what is said of the others is let go.
    """
    if "torchvision" not in sys.modules:
        real = torch.library.register_fake

        def soft(*args: Any, **named: Any) -> Any:
            def register(function: Any) -> Any:
                try:
                    return real(*args, **named)(function)
                except RuntimeError:
                    return function

            return register

        monkeypatch.setattr(torch.library, "register_fake", soft)
        try:
            if not hasattr(torch.ops.torchvision, "nms"):
                package.library = torch.library.Library("torchvision", "DEF")  # type: ignore[attr-defined]
                package.library.define("nms(Tensor dets, Tensor scores, float limit) -> Tensor")  # type: ignore[attr-defined]
        except RuntimeError:
            pass
    return pytest.importorskip(name, exc_type=ImportError)


def build(name: str, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    home, _, kind = name.partition(" ")
    found = package(home, monkeypatch)
    torch.manual_seed(0)
    if home == "timm":
        return found.create_model(kind, pretrained=False, num_classes=10).eval()
    if home == "torchvision":
        more = {"init_weights": False} if "inception" in kind else {}
        return getattr(found.models, kind)(weights=None, num_classes=10, **more).eval()
    return found.Unet(kind, encoder_weights=None, classes=2).eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_it_works_unaided(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = build(name, monkeypatch)
    twin = equivariant_twin(plain, P4).eval()
    x = torch.randn(1, 3, twin.report.size, twin.report.size)
    with torch.no_grad():
        assert twin(x).shape == plain(x).shape
        assert_equivariant(twin, x)
        assert relative(to_plain(twin)(x), twin(x)) <= 1e-6
    was, now = twin.report.parameters
    assert 0.9 < now / was < 1.1


def test_a_vision_transformer_gets_a_clear_no(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = build("timm vit_tiny_patch16_224", monkeypatch)
    with pytest.raises(ConversionError, match=r"network with attention \(blocks\.0\.attn is a"):
        equivariant_twin(plain, P4)
