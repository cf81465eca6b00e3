"""Compiled code that fits this processor, and the threads of torch for it.

Kernels in C are compiled when the package is installed, once for each kind of vector unit. The
build that torch's own operators would use is loaded; where none is, everything works without.

torch's threads are those of an OpenMP library; between two operators they do not sleep but spin,
so that the next one begins at once. A second pool of threads would wait for the same processors.
So a kernel asks the very library that torch has loaded, by the function that GCC's compiled code
calls; LLVM's and Intel's libraries have it too.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from equivlab.tables import legible

__all__ = ["at_hand", "best_build", "most_threads", "parallel", "scratch", "threads_for"]

Build = TypeVar("Build")

BUILDS = {"AVX512": ("avx512", "avx2"), "AVX2": ("avx2",)}  # by what torch found, the best first
ARM = ("aarch64", "arm64", "ARM64")
SUFFIX = {"nt": ".dll"}.get(os.name, ".so")
LEAST_WORK = 4_000_000  # multiplications of an ordinary convolution that are worth a thread
NAMES = {"linux": "libtorch_cpu.so", "darwin": "libtorch_cpu.dylib"}

_local = threading.local()  # .scratch is the room of each thread, .room how large and where
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


def most_threads() -> int:
    """How many threads of torch's there are to wake."""
    return 1 if _forked or parallel() is None else torch.get_num_threads()


def threads_for(work: int) -> int:
    """How many of `most_threads` are worth waking.

    Args:
        work: multiplications of the ordinary convolution.
    """
    return max(1, min(most_threads(), work // LEAST_WORK))


def best_build(folder: Path, take: Callable[[Path], Build]) -> Build | None:
    """What `take` makes of the build in `folder` for this processor, if one is there and works.

    Args:
        folder: where ``kernel-avx2.so`` and the like are.
        take: loads a build, and raises `OSError` or `AttributeError` where it cannot.
    """
    if os.environ.get("EQUIVLAB_KERNEL") == "0":
        return None
    capability = torch.backends.cpu.get_cpu_capability()
    for name in BUILDS.get(capability, ("neon",) if platform.machine() in ARM else ()):
        path = folder / f"kernel-{name}{SUFFIX}"
        if path.exists():
            try:
                return take(path)
            except (OSError, AttributeError):  # of another system, or cut short
                continue
    return None


def scratch(floats: int) -> int:
    """The address of so many floats that belong to this thread."""
    size, address = getattr(_local, "room", (0, 0))
    if size < floats:
        _local.scratch = torch.empty(floats, dtype=torch.float32, device="cpu")
        size, address = _local.room = floats, _local.scratch.data_ptr()
    return address


def at_hand(*tensors: Tensor | None) -> bool:
    """Are all of them ordinary tensors on the CPU, with nobody between us and their numbers?"""
    return all(x is None or _ordinary(x) for x in tensors)


def _ordinary(x: Tensor) -> bool:
    batched = torch._C._functorch.is_legacy_batchedtensor(x)  # by `is_grads_batched=True`
    return type(x) in (Tensor, nn.Parameter) and legible(x) and not batched
