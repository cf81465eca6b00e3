"""The threads of torch, for the compiled kernel too.

torch's threads are those of an OpenMP library; between two operators they do not sleep but spin,
so that the next one begins at once. A second pool of threads would wait for the same processors.
So the kernel asks the very library that torch has loaded, by the function that GCC's compiled code
calls; LLVM's and Intel's libraries have it too.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import lru_cache
from pathlib import Path

import torch

__all__ = ["parallel", "threads_for"]

LEAST_WORK = 4_000_000  # multiplications of an ordinary convolution that are worth a thread
NAMES = {"linux": "libtorch_cpu.so", "darwin": "libtorch_cpu.dylib"}

_forked = False


def _in_a_child() -> None:
    global _forked
    _forked = True  # OpenMP's threads stayed in the parent, and it would wait for them for ever


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)


@lru_cache(maxsize=1)
def parallel() -> int | None:
    """The address of ``GOMP_parallel`` in torch's OpenMP library, None where there is none."""
    name = NAMES.get(sys.platform)
    if name is None or not torch.backends.openmp.is_available():
        return None
    try:
        # Looked up in torch and in what it was linked to, in that order.
        torch_itself = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / name))
        return ctypes.cast(torch_itself.GOMP_parallel, ctypes.c_void_p).value
    except (OSError, AttributeError):
        return None


def threads_for(work: int) -> int:
    """How many threads of torch's are worth waking.

    Args:
        work: multiplications of the ordinary convolution.
    """
    if _forked or parallel() is None:
        return 1
    return max(1, min(torch.get_num_threads(), work // LEAST_WORK))
