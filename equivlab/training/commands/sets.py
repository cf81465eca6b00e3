"""``simulate`` and ``verify``: make sets of images, and check what lies on the disk."""

from __future__ import annotations

import contextlib
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from equivlab.data.lenses.images import lens_recipe
from equivlab.data.lenses.sets import lens_source
from equivlab.data.physics.families import physics_families
from equivlab.data.physics.sets import physics_source
from equivlab.data.sets.plans import Source, Workers
from equivlab.data.sets.verify import verify_folder
from equivlab.data.sets.writer import write_part, write_source
from equivlab.training.checkpoints import verify_run
from equivlab.training.commands.parsing import Parser

__all__ = ["simulate", "verify"]

SIMULATE = """\
--part 3/40 makes the third of forty parts, for an array of jobs on one shared folder; the last to
end finishes the set, and so does the same command without --part. A larger --count lets it grow.

example:
  python -m equivlab simulate lenses/train --model II --count 9000 --seed 0
  python -m equivlab simulate spins --family ising --count 900 --shard-size 20 --part 3/40"""
VERIFY = "example:\n  python -m equivlab verify lenses/train runs/p4m"


def simulate(arguments: Sequence[str]) -> None:
    """Make a set of shards or a part of one, go on with it, or let it grow."""
    about = "Make a set of lenses, or of another family of physics images; a killed call goes on."
    parser = Parser("simulate", about, SIMULATE)
    names = list(physics_families())
    parser.add_argument("folder", type=Path, help="where to")
    parser.add_argument("--model", help="of lenses: I, II, III or IV (II)")
    parser.add_argument("--family", choices=names, default="lenses", metavar="NAME",
                        help=", ".join(names))  # fmt: skip
    parser.add_argument("--count", type=int, default=9000, help="images in all (9000)")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (0)")
    parser.add_argument("--pixels", type=int, help="instead of the model's own, or of 64")
    parser.add_argument("--orientation", choices=["uniform", "fixed"], help="of lenses (uniform)")
    parser.add_argument("--shard-size", type=int, default=1024, help="images in a file (1024)")
    parser.add_argument("--workers", type=int, default=1, help="processes (1)")
    parser.add_argument("--dask", metavar="ADDRESS", help="of a scheduler, instead of --workers")
    parser.add_argument("--part", type=_part, metavar="n/N", help="only this part of the shards")
    given = parser.parse_args(arguments)
    if given.family != "lenses" and (given.model or given.orientation):
        parser.error("--model and --orientation are of lenses only")
    source, what = _source(given)
    with _workers(given) as workers:
        if given.part is None:
            write_source(
                given.folder, source, given.count, shard_size=given.shard_size, workers=workers
            )
            left = 0
        else:
            left = write_part(
                given.folder, source, given.count, given.part, shard_size=given.shard_size,
                workers=workers,
            )  # fmt: skip
    if left:
        number, parts = given.part
        sys.stdout.write(
            f"Part {number} of {parts} of {given.folder} is done; {left:,} shards are still to be "
            "written by others.\n"
        )
        return
    sys.stdout.write(f"{given.folder} has {given.count:,} images of {what}, seed {given.seed}.\n")


@contextlib.contextmanager
def _workers(given: Namespace) -> Iterator[Workers]:
    """Processes here, or a cluster that exists."""
    if given.dask is None:
        yield given.workers
        return
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("--dask needs dask: pip install distributed") from error
    try:
        client = Client(given.dask, timeout=20, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"There is no dask scheduler at {given.dask} ({error}). Start one with `dask "
            "scheduler` and give the address that it says, for example tcp://10.0.0.1:8786."
        ) from error
    with client:
        yield client.get_executor(pure=False)


def _source(given: Namespace) -> tuple[Source, str]:
    """What is simulated, and what it is called."""
    if given.family != "lenses":
        size = 64 if given.pixels is None else given.pixels
        source = physics_source(given.family, seed=given.seed, size=size)
        return source, f"{given.family.replace('_', ' ')}, 1×{size}×{size}"
    recipe = lens_recipe(
        given.model or "II", given.pixels, orientation=given.orientation or "uniform"
    )
    side = recipe.camera.pixels
    source = lens_source(recipe, seed=given.seed)
    return source, f"{recipe.name}, {recipe.channels}×{side}×{side}"


def _part(text: str) -> tuple[int, int]:
    """``3/40``: the third of forty."""
    number, slash, parts = text.partition("/")
    if not (slash and number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        raise ArgumentTypeError(f"takes the third of forty parts as 3/40; got {text!r}")
    return int(number), int(parts)


def verify(arguments: Sequence[str]) -> None:
    """A line for each folder; those of damaged ones go to the errors."""
    parser = Parser("verify", "Check every file of sets of images and of runs.", VERIFY)
    parser.add_argument("folders", nargs="+", type=Path, help="of runs, or of sets of images")
    code = 0
    for folder in parser.parse_args(arguments).folders:
        try:
            is_run = any(folder.glob("*.ckpt"))
            found = verify_run(folder) if is_run else verify_folder(folder)
            sys.stdout.write(f"{found}\n")
        except (OSError, ValueError) as error:
            sys.stderr.write(f"{error}\n")
            code = 1
    if code:
        sys.exit(code)
