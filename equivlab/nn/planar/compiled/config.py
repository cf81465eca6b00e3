"""What this installation of equivlab is made of, in a few lines for a report."""

from __future__ import annotations

import os
import platform

import torch

from equivlab import __version__
from equivlab.nn.planar.compiled.library import load
from equivlab.processor import parallel

__all__ = ["show_config"]


def show_config() -> str:
    """Versions, the compiled kernel and its compiler, the processor's vectors, threads, torch.

    >>> show_config().splitlines()[0].split()[0]
    'equivlab'
    """
    lines = {
        "equivlab": __version__,
        "kernel": _kernel(),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
    }
    return "\n".join(f"{name:9}{value}" for name, value in lines.items())


def _kernel() -> str:
    kernel = load()
    if kernel is not None:
        threads = (
            "torch's own" if parallel() is not None else "one, as torch has no OpenMP to share"
        )
        return f"{kernel.name}, compiled by {kernel.compiler}; threads: {threads}"
    if os.environ.get("EQUIVLAB_KERNEL") == "0":
        return "switched off by EQUIVLAB_KERNEL=0; group convolutions take torch's conv2d"
    return "none was built for this processor; group convolutions take torch's conv2d"
