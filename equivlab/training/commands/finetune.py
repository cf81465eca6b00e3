"""``finetune``: a trained network learns the classes of a folder."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

from equivlab.training.commands.parsing import Parser
from equivlab.weights.pretrained import pretrained_names

__all__ = ["finetune"]

PREFERRED = ("physics-p4m", "lenses-ii-p4m")
EXAMPLE = """\
FOLDER holds a folder for each class, with png, jpg, tif, npy or FITS files of any depth, or
train, validate and test with such folders; or is an .npz of train_images, train_labels, ...

example:
  python -m equivlab finetune photos --from physics-p4m --out runs/photos
  python -m equivlab predict runs/photos new-photos"""


def finetune(arguments: Sequence[str]) -> None:
    """Fine-tune, and say what came out and where it lies."""
    names = pretrained_names()
    usual = next(name for name in (*PREFERRED, *names) if name in names)
    about = "Take a trained network to your own images; run it again after a kill, and it goes on."
    parser = Parser("finetune", about, EXAMPLE)
    parser.add_argument("folder", type=Path, help="of the images")
    known = ", ".join(names)
    parser.add_argument("--from", dest="start", default=usual, metavar="NAME",
                        help=f"a file, or one of {known} ({usual})")  # fmt: skip
    parser.add_argument("--out", type=Path, help="for model and report (runs/<name of the folder>)")
    parser.add_argument("--size", type=int, help="rows and columns (the images' own, or 64)")
    parser.add_argument("--epochs", type=int, help="passes over the images (as many as are good)")
    parser.add_argument("--batch-size", type=int, help="images in a step (32, or fewer)")
    parser.add_argument("--lr", type=float, default=2e-3, help="rate of the last layer (0.002)")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (0)")
    parser.add_argument("--export", choices=["onnx"], help="write model.onnx too")
    parser.add_argument("--no-progress", action="store_true", help="no bars")
    given = parser.parse_args(arguments)
    for name in ("size", "epochs", "batch_size", "lr"):
        value = getattr(given, name)
        if value is not None and not 0 < value < math.inf:
            parser.error(f"--{name.replace('_', '-')} is above 0; got {value}")
    if given.seed < 0:
        parser.error(f"--seed is 0 or more; got {given.seed}")
    from equivlab.training.finetuning import finetune as fine_tune  # late: it loads a lot

    out = given.out or Path("runs") / given.folder.resolve().stem
    done = fine_tune(
        given.folder, given.start, out, size=given.size, epochs=given.epochs,
        batch_size=given.batch_size, lr=given.lr, seed=given.seed, export=given.export,
        progress=not given.no_progress,
    )  # fmt: skip
    exported = f", and as ONNX {done.exported}" if done.exported else ""
    sys.stdout.write(
        f"Macro AUC {done.judged.areas['macro']}, accuracy {done.judged.accuracy:.1%} on "
        f"{len(done.judged.labels)} test images.\nThe network is {done.model}{exported}; the "
        f"report is {done.report}.\nNow: python -m equivlab predict {out} FOLDER\n"
    )
