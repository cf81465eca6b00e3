"""How many networks of others become equivariant unaided?

    pip install torchvision timm segmentation_models_pytorch onnx onnxscript onnxruntime
    # beside torch 2.13: pip install --no-deps torchvision==0.28.0, for 0.29 wants torch 2.14
    python benchmarks/twins.py try                       # all that have no row yet
    python benchmarks/twins.py try --only timm           # those with this in their name
    python benchmarks/twins.py table                     # counts, and a table for the notes

Each network, with random weights and ten classes, goes into `equivariant_twin(model, P4)` as it
is. Then: the largest relative error of the law in single precision on one image, over one and two
quarter turns; a step of training, after which every number that has a gradient is
finite; what `to_plain` gives beside the twin; and what onnxruntime gives of the exported file. A
network that is refused has its reason in the row. The twin goes through the compiled kernel and its
plain copy does not, so each rounds for itself; where they differ by more than 1e-6 they are
compared once more with the twin, too, going the ordinary way ("same way").
"""

from __future__ import annotations

import argparse
import csv
import gc
import re
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from equivlab.equivariance import equivariance_error
from equivlab.groups import P4
from equivlab.transfer import ConversionError, equivariant_twin, to_plain

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.nn.planar.ways import never
from tests.transfer.twin.foreign import build

RESULTS = Path(__file__).resolve().parent / "results" / "twins.csv"
COLUMNS = [
    "network", "unaided", "pixels", "parameters", "of the twin", "law", "trains", "plain",
    "plain, same way", "onnx", "seconds", "why not",
]  # fmt: skip
TORCHVISION = [
    "squeezenet1_1", "shufflenet_v2_x1_0", "mobilenet_v2", "mobilenet_v3_small", "mnasnet1_0",
    "regnet_x_400mf", "regnet_y_400mf", "efficientnet_b0", "resnet18", "densenet121",
    "googlenet", "inception_v3", "convnext_tiny", "alexnet", "vgg11", "vit_b_16", "swin_t",
    "resnet50", "mobilenet_v3_large", "efficientnet_v2_s",
]  # fmt: skip
TIMM = [
    "lcnet_050", "mobilenetv3_small_100", "tinynet_e", "regnetx_002", "regnety_002",
    "convnext_atto", "convnextv2_atto", "ghostnet_100", "mixnet_s", "efficientnet_b0",
    "tf_efficientnet_b0", "hardcorenas_a", "fbnetc_100", "mobileone_s0", "resnet18",
    "seresnet18", "densenet121", "repvgg_a0", "ese_vovnet19b_dw", "inception_v3", "dla34",
    "hrnet_w18_small", "res2net50_26w_4s", "xception41", "vgg11", "resnetv2_50", "eca_nfnet_l0",
    "skresnet18", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "mixer_s32_224",
    "coatnet_0_rw_224",
]  # fmt: skip
SEGMENTATION = [
    "Unet/mobilenet_v2", "Unet/resnet18", "Unet/efficientnet-b0", "Linknet/resnet18",
    "FPN/resnet18", "UnetPlusPlus/resnet18", "DeepLabV3Plus/resnet18", "MAnet/resnet18",
    "PSPNet/resnet18", "PAN/resnet18",
]  # fmt: skip
HOME = re.compile(r"\(\S*?(/(?:torch|torchvision|timm|segmentation_models_pytorch)/)")
NETWORKS = (
    [f"torchvision {name}" for name in TORCHVISION]
    + [f"timm {name}" for name in TIMM]
    + [f"segmentation_models_pytorch {name}" for name in SEGMENTATION]
)


def trains(model: nn.Module, size: int) -> bool:
    """A step of gradient descent, after which all numbers are finite."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 3, size, size, generator=generator)
    optimizer = torch.optim.SGD(model.train().parameters(), lr=1e-3)
    before = [p.detach().clone() for p in model.parameters()]
    model(x).square().mean().backward()
    optimizer.step()
    model.eval()
    after = list(model.parameters())
    moved = any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    return moved and all(bool(p.isfinite().all()) for p in after)


def onnx_error(plain: nn.Module, x: Tensor, wanted: Tensor) -> float:
    """What onnxruntime gives of the exported network, beside what it should."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own making
        path = str(Path(folder) / "model.onnx")
        torch.onnx.export(
            plain, (x,), path, dynamo=True, input_names=["x"], verbose=False, external_data=False,
        )  # fmt: skip
        (found,) = onnxruntime.InferenceSession(path).run(None, {"x": x.numpy()})
    return equivariance_error(torch.from_numpy(found), wanted)


def one(name: str) -> dict[str, Any]:
    """The row of a network."""
    start = time.process_time()
    model = build(name)
    row: dict[str, Any] = {"network": name, "unaided": "no"}
    try:
        twin = equivariant_twin(model, P4)
    except ConversionError as error:
        said = str(error).removeprefix("equivariant_twin: ")
        return row | {"why not": HOME.sub(r"(\1", said)}  # wherever the package lies
    size = twin.report.size
    x = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        y = twin(x)
        law = max(
            equivariance_error(twin(twin.in_field.act(g, x)), twin.out_field.act(g, y))
            for g in P4.elements[1:3]
        )
        plain = to_plain(twin)
        row |= {"pixels": size, "parameters": twin.report.parameters[0]}
        row |= {"of the twin": twin.report.parameters[1], "law": f"{law:.1e}"}
        row["plain"] = f"{equivariance_error(plain(x), y):.1e}"
        if float(row["plain"]) > 1e-6:
            with never():
                row["plain, same way"] = f"{equivariance_error(plain(x), twin(x)):.1e}"
    row["onnx"] = f"{onnx_error(plain, x, y):.1e}"
    del plain
    row["trains"] = "yes" if trains(twin, size) else "no"
    copy = float(row.get("plain, same way", row["plain"]))
    bounds = law <= 1e-5 and copy <= 1e-6 and float(row["onnx"]) <= 1e-5
    good = bounds and row["trains"] == "yes"
    return row | {"unaided": "yes" if good else "no", "seconds": round(time.process_time() - start)}


def recorded() -> list[dict[str, str]]:
    """The rows of before."""
    if not RESULTS.exists():
        return []
    with RESULTS.open(newline="") as stream:
        return list(csv.DictReader(stream))


def attempt(a: argparse.Namespace) -> None:
    """A row for each network that has none; after each one the file is whole."""
    for name in NETWORKS:
        rows = {row["network"]: row for row in recorded()}
        if (name in rows and not a.again) or not any(word in name for word in a.only):
            continue
        try:
            rows[name] = one(name)
        except Exception as error:  # any failure is a row: what is counted is what works
            reason = " ".join(str(error).split())[:300]
            rows[name] = {"network": name, "unaided": "no", "why not": f"fails: {reason}"}
        print({key: value for key, value in rows[name].items() if value != ""}, flush=True)
        with RESULTS.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows[known] for known in NETWORKS if known in rows)
        gc.collect()


def table(_: argparse.Namespace) -> None:
    """How many, of each package; and the rows in Markdown."""
    rows = recorded()
    counts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        counts[row["network"].partition(" ")[0], row["unaided"]] += 1
    for package in dict.fromkeys(package for package, _ in counts):
        yes, no = counts[package, "yes"], counts[package, "no"]
        print(f"{package}: {yes} of {yes + no} unaided")
    print("\n| " + " | ".join(COLUMNS[:10]) + " |\n|" + "---|" * 10)
    for row in rows:
        print("| " + " | ".join(row[name] for name in COLUMNS[:10]) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["try", "table"])
    parser.add_argument("--only", nargs="+", default=[""], help="with one of these in their names")
    parser.add_argument("--again", action="store_true", help="also what has a row")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    {"try": attempt, "table": table}[arguments.what](arguments)


if __name__ == "__main__":
    main()
