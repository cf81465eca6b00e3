"""Where trainings keep their checkpoints and results, and on which machine they ran."""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import torch

RUNS = Path(__file__).parent / "runs"
RUNS.mkdir(exist_ok=True)


def parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The arguments, with those that every training has: ``--seed`` and ``--threads``."""
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    return arguments


def machine() -> str:
    """What it runs on."""
    what = f"{platform.machine()}, {torch.get_num_threads()} threads"
    if torch.cuda.is_available():
        what += f", {torch.cuda.get_device_name()}"
    return f"{what}, torch {torch.__version__}"


def keep(path: Path, result: dict[str, Any]) -> dict[str, Any]:
    """Write a result, with the machine, as JSON; give it back."""
    result["machine"] = machine()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1))
    return result
