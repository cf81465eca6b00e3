"""Twins of networks of torchvision, timm and segmentation_models_pytorch, if they are there."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from equivlab.equivariance import assert_equivariant
from equivlab.groups import P4
from equivlab.transfer import ConversionError, equivariant_twin, to_plain
from tests.laws import relative
from tests.transfer.twin.foreign import build

#: One small network of each family.
NETWORKS = [
    "torchvision resnet18", "torchvision mobilenet_v3_small", "torchvision efficientnet_b0",
    "torchvision regnet_x_400mf", "torchvision inception_v3", "torchvision densenet121",
    "torchvision convnext_tiny", "torchvision vgg11", "timm resnet18", "timm mobilenetv3_small_100",
    "timm tf_efficientnet_b0", "timm regnetx_002", "timm convnextv2_atto", "timm densenet121",
    "timm vgg11", "timm inception_v3", "segmentation_models_pytorch Unet/mobilenet_v2",
]  # fmt: skip


#: Of these the exported file is run too; of all of them `benchmarks/twins.py` does it.
EXPORTED = ("torchvision mobilenet_v3_small", "timm convnextv2_atto")
#: Networks with attention, or whose tokens have places.
REFUSED = ["timm vit_tiny_patch16_224", "timm swin_tiny_patch4_window7_224", "torchvision vit_b_16"]


def built(name: str) -> nn.Module:
    """The network, or the test is skipped."""
    try:
        return build(name)
    except ImportError as error:
        pytest.skip(f"{name}: {error}")


@pytest.mark.parametrize("name", NETWORKS)
def test_it_works_unaided(name: str, tmp_path: Path) -> None:
    plain = built(name)
    twin = equivariant_twin(plain, P4).eval()
    x = torch.randn(1, 3, twin.report.size, twin.report.size)
    with torch.no_grad():
        assert twin(x).shape == plain(x).shape
        assert_equivariant(twin, x)
        y, ordinary = twin(x), to_plain(twin)
        assert relative(ordinary(x), y) <= 1e-6
    was, now = twin.report.parameters
    assert 0.9 < now / was < 1.1
    if name in EXPORTED:
        assert relative(in_onnx(ordinary, x, tmp_path / "model.onnx"), y) <= 1e-5
    twin.train()(torch.cat([x, x.flip(-1)])).square().mean().backward()
    torch.optim.SGD(twin.parameters(), 1e-3).step()
    assert all(bool(p.isfinite().all()) for p in twin.parameters())
    assert_equivariant(twin.eval(), x)


def in_onnx(plain: nn.Module, x: Tensor, path: Path) -> Tensor:
    """What onnxruntime gives of it; skipped where there is none."""
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own making
        torch.onnx.export(plain, (x,), str(path), dynamo=True, verbose=False, external_data=False)
    session = runtime.InferenceSession(str(path))
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    return torch.from_numpy(found)


@pytest.mark.parametrize("name", REFUSED)
def test_a_transformer_gets_a_clear_no(name: str) -> None:
    plain = built(name)
    with pytest.raises(ConversionError, match=r"network with attention \(.* is a .*Atten"):
        equivariant_twin(plain, P4)
