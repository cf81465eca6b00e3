"""A network and its preparation as one ONNX file, which needs neither equivlab nor PyTorch."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from equivlab.transfer.plain import to_plain
from equivlab.weights.classifier import Classifier

__all__ = ["check_export", "export_onnx"]

NEEDED = ("onnx", "onnxscript")


def check_export(export: str | None) -> None:
    """Refuse, before any training, an export that cannot be.

    Raises:
        ValueError: another format than ``'onnx'``.
        ModuleNotFoundError: what it needs is not installed.
    """
    if export not in (None, "onnx"):
        raise ValueError(f"Networks are exported to 'onnx'; got {export!r}.")
    missing = [name for name in NEEDED if export and find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            f"The export to ONNX needs {' and '.join(missing)}: pip install {' '.join(missing)}"
        )


def export_onnx(classifier: Classifier, images: Tensor, path: Path) -> Path:
    """Write what gives probabilities ``(B, K)`` of any number of raw images ``(B, C, H, W)``.

    Args:
        classifier: the network with its preparation.
        images: two of its images, whose size the file then has.
        path: the file.
    """
    network = torch.nn.Sequential(
        classifier.prepare, to_plain(classifier.model), torch.nn.Softmax(1)
    )
    batch = torch.export.Dim("batch", min=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own making
        torch.onnx.export(
            network.eval(), (images,), str(path), dynamo=True, dynamic_shapes=({0: batch},),
            input_names=["images"], output_names=["probabilities"], verbose=False,
            external_data=False,
        )  # fmt: skip
    return path
