"""Which command is meant, and how every one of them ends: in a line that says what to do."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from equivlab.training.commands.audit import audit
from equivlab.training.commands.finetune import finetune
from equivlab.training.commands.parsing import Parser, told
from equivlab.training.commands.predict import predict
from equivlab.training.commands.sets import simulate, verify
from equivlab.training.signals import stopped_by_signals

__all__ = ["main"]

COMMANDS = """commands:
  finetune   take a trained network to a folder of your own images
  predict    classify the images of a folder; writes a CSV file
  audit      how equivariant is a network? writes a page
  simulate   make a set of gravitational lenses, or of other physics images
  train      train a network anew, on sets of any size and several devices
  verify     check the files of sets and runs
  course     copy the notebooks of the course into a folder of yours
Each has its own help:  python -m equivlab finetune --help"""
TRAIN = r"""usage: python -m equivlab train --data.train SET --data.validate SET [options]

Train a ResNet-18 on sets of images; run it again after a kill, and it goes on.

  --data.train SET           shards by simulate, or a folder of classes
  --data.validate SET        another, to choose the epoch by
  --data.fraction 0.1        share of the training images (1)
  --model.group P4M          none, P4 or P4M (P4M)
  --model.width 64           channels of the plain network's first stage (64)
  --model.stretch sqrt       none, sqrt or arcsinh, of the flux (sqrt)
  --model.recipe.epochs 10   passes over the images (10); .batch_size, .lr, .augment, .seed
  --machine.devices 4        GPUs or processes (auto); .precision, .workers, .compile
  --folder runs/lenses       of checkpoints, logs and the finished model.safetensors
  --config FILE              options that --print_config wrote
  --help-all                 every option

example:
  python -m equivlab train --data.train lenses/train --data.validate lenses/validate \
      --model.group P4M --model.recipe.epochs 10 --folder runs/p4m
"""


def main(arguments: Sequence[str]) -> None:
    """Run one command.

    Raises:
        SystemExit: another command, or wrong options; the message says which. 143 and 130 after
            SIGTERM and Ctrl-C, 1 where `verify` finds damage, an input does not fit, or a package
            of an extra is not installed; the message says what to do.
    """
    parser = Parser("", "Rotation-equivariant networks, from the command line.", COMMANDS)
    parser.add_argument("command", choices=list(FUNCTIONS), metavar="command")
    command = parser.parse_args(arguments[:1]).command
    try:
        with stopped_by_signals(), _notes():
            FUNCTIONS[command](arguments[1:])
    except ModuleNotFoundError as error:
        sys.exit(str(error))  # one line with the remedy, instead of how we came there
    except (OSError, ValueError, FloatingPointError) as error:
        if command == "train":  # its configuration can be anything: show where it came from
            raise
        sys.exit(" ".join(told(error).split()) or type(error).__name__)


def train(arguments: Sequence[str]) -> None:
    """Train anew; ``--help`` is what fits a screen."""
    if set(arguments) & {"--help", "-h"}:
        sys.stdout.write(TRAIN)
        return
    from equivlab.training.lightning.cli import train as by_lightning  # late: it needs the extra

    by_lightning(["--help" if given == "--help-all" else given for given in arguments])


@contextlib.contextmanager
def _notes() -> Iterator[None]:
    """What is said to users is a line without the place in our code."""

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int,
        file: TextIO | None = None, line: str | None = None,
    ) -> None:  # fmt: skip
        if issubclass(category, UserWarning):
            sys.stderr.write(f"note: {message}\n")
        else:
            before(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        before, warnings.showwarning = warnings.showwarning, show
        warnings.filterwarnings("always", category=UserWarning, module=r"equivlab\.")
        yield


FUNCTIONS: dict[str, Callable[[Sequence[str]], None]] = {
    "finetune": finetune,
    "predict": predict,
    "audit": audit,
    "simulate": simulate,
    "train": train,
    "verify": verify,
}
