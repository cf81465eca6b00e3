"""``audit``: how equivariant is a network? As a page that needs nothing but itself."""

from __future__ import annotations

import importlib
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from equivlab.data.sets.reading import read_image
from equivlab.equivariance.auditing import audit as measure
from equivlab.equivariance.report import AuditReport
from equivlab.groups import P4, P4M
from equivlab.training.commands.parsing import Parser
from equivlab.training.pages import figure_html, paragraph_html, table_html, write_page
from equivlab.weights.classifier import as_channels, image_files, load_classifier
from equivlab.weights.preparation import Preparation, resize, square

__all__ = ["audit"]

GROUPS = {"P4": P4, "P4M": P4M}
EXAMPLE = """\
MODEL is a name, a file or folder of finetune, or module:factory whose factory() is one.

example:
  python -m equivlab audit lenses-ii-p4m --images images --group P4M
  python -m equivlab audit torchvision.models:resnet18 --images images --group P4"""


def audit(arguments: Sequence[str]) -> None:
    """Measure, write the page, and say the result in a line."""
    parser = Parser("audit", "Measure how equivariant a network is, layer by layer.", EXAMPLE)
    parser.add_argument("model", help="a network")
    parser.add_argument("--images", type=Path, required=True, help="a folder of images, or one")
    parser.add_argument("--group", choices=list(GROUPS), default="P4M", help="P4 or P4M (P4M)")
    parser.add_argument("--count", type=int, default=4, help="images to try (4)")
    parser.add_argument("--channels", type=int, help="of the images (the network's, or their own)")
    parser.add_argument("--size", type=int, help="rows and columns (their own)")
    parser.add_argument("--out", type=Path, default=Path("audit.html"), help="(audit.html)")
    given = parser.parse_args(arguments)
    if given.count < 1 or (given.size or 3) < 3 or (given.channels or 1) < 1:
        parser.error("--count and --channels are 1 or more, --size is 3 or more")
    model, prepare, channels = _network(given.model)
    x, names = _images(given.images, given.count, given.channels or channels, given.size)
    try:
        report = measure(model, prepare(x), GROUPS[given.group])
    except (RuntimeError, TypeError, IndexError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{given.model} cannot be measured on images of {tuple(x.shape[1:])}: {reason}. Give "
            "others, or --channels and --size."
        ) from error
    write_page(given.out, f"How equivariant is {given.model}?", _body(report, given.group, names))
    sys.stdout.write(
        f"{given.model} under {given.group}: largest error {report.max_error:.1e}. {report.cause}\n"
        f"The page is {given.out}.\n"
    )


def _network(name: str) -> tuple[nn.Module, nn.Module, int | None]:
    """The network, what prepares its images, and how many channels it wants."""
    module, colon, factory = name.partition(":")
    if not colon or os.path.exists(name):
        found = load_classifier(name)
        return found.model, found.prepare, int(found.card.settings.get("in_channels", 1))
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        home = importlib.import_module(module)
    except ImportError as error:
        raise ValueError(
            f"{name}: {module} cannot be imported ({error}). Give a module on Python's path, or in "
            "this folder."
        ) from error
    maker = getattr(home, factory, None)
    try:
        model = maker if isinstance(maker, nn.Module) else maker() if callable(maker) else None
    except TypeError as error:
        raise ValueError(
            f"{name} cannot be called without arguments ({error}). Give a function that needs none."
        ) from error
    if not isinstance(model, nn.Module):
        there = [key for key, value in vars(home).items() if callable(value) and key[0] != "_"]
        raise ValueError(
            f"{name} gives no torch.nn.Module. {module} has {', '.join(there[:12]) or 'nothing'}."
        )
    return model.eval(), Preparation(), None


def _images(
    folder: Path, count: int, channels: int | None, size: int | None
) -> tuple[Tensor, list[str]]:
    """The first images that can be read, have a square shape in common, and as many channels."""
    found: list[tuple[str, Tensor]] = []
    for path in [folder] if folder.is_file() else image_files(folder):
        try:
            image = read_image(path)
        except ValueError as error:
            sys.stderr.write(f"note: {error}\n")
            continue
        if bool(image.isfinite().all()):
            wanted = channels or min(len(image), 3)
            image = square(as_channels(image, wanted, path.name, opacity=True))
            found.append((path.name, image if size is None else resize(image[None], size)[0]))
        if len(found) == 4 * count:
            break
    if not found:
        raise ValueError(f"No image in {folder} can be read. Write or fetch them again.")
    usual = Counter(image.shape for _, image in found).most_common(1)[0][0]
    chosen = [(name, image) for name, image in found if image.shape == usual][:count]
    return torch.stack([image for _, image in chosen]), [name for name, _ in chosen]


def _body(report: AuditReport, group: str, names: list[str]) -> list[str]:
    columns = ["type", "field", "shape", "max", "own"]
    head = ["layer", "type", "field", "shape", "largest error so far", "own break"]
    rows = (
        [str(name), *(f"{v:.1e}" if isinstance(v, float) else str(v) for v in row)]
        for name, row in zip(report.table.index, report.table[columns].to_numpy(), strict=True)
    )
    return [
        paragraph_html(
            f"Largest relative error of the whole network over {group}: {report.max_error:.1e}; up "
            f"to {report.exact:.0e} is rounding. Images: {', '.join(names)}."
        ),
        *(paragraph_html(cause) for cause in report.causes or [report.cause]),
        figure_html(report.plot(), "errors by layer and by angle"),
        "<h2>Every layer</h2>",
        table_html(head, rows),
    ]
