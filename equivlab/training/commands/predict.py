"""``predict``: a table of what a network says of the images in a folder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from equivlab.training.commands.parsing import Parser
from equivlab.training.pages import write_whole
from equivlab.weights.classifier import load_classifier

__all__ = ["predict"]

EXAMPLE = """\
The CSV has a row for each image: its class and probability, the probability of each class, and
a remark where the image is unlike those of the training, or cannot be read.

example:
  python -m equivlab predict runs/photos new-photos --out predictions.csv
  python -m equivlab predict lenses-ii-p4m images --out - | head"""


def predict(arguments: Sequence[str]) -> None:
    """Write the table, and say how many images each class got."""
    parser = Parser("predict", "Classify the images of a folder.", EXAMPLE)
    parser.add_argument("model", help="a name, a file, or a folder of finetune or train")
    parser.add_argument("folder", type=Path, help="of images, or one image")
    parser.add_argument(
        "--out", default="predictions.csv", help="- is the screen (predictions.csv)"
    )
    parser.add_argument("--batch-size", type=int, default=64, help="images at a time (64)")
    given = parser.parse_args(arguments)
    if given.batch_size < 1:
        parser.error(f"--batch-size is above 0; got {given.batch_size}")
    if Path(given.out).is_dir():
        parser.error(f"--out is a file; {given.out} is a folder")
    table = load_classifier(given.model).predict(given.folder, batch_size=given.batch_size)
    text = table.to_csv(index=False, float_format="%.6g")
    if given.out == "-":
        sys.stdout.write(text)
        return
    write_whole(Path(given.out), text)
    counts = table["class"].value_counts()
    each = ", ".join(f"{name} {count}" for name, count in counts.items())
    remarks = int((table["remark"] != "").sum())
    said = f"; {remarks} have a remark" if remarks else ""
    sys.stdout.write(f"{len(table)} images ({each or 'none of any class'}){said}: {given.out}\n")
