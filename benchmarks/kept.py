"""Where trainings keep their checkpoints and results, and on which machine they ran."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import torch

RUNS = Path(__file__).parent / "runs"


def keep(path: Path, result: dict[str, Any]) -> dict[str, Any]:
    """Write a result, with the machine, as JSON; give it back."""
    what = f"{platform.machine()}, {torch.get_num_threads()} threads"
    if torch.cuda.is_available():
        what += f", {torch.cuda.get_device_name()}"
    result["machine"] = f"{what}, torch {torch.__version__}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1))
    return result
