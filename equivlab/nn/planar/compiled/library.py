"""The compiled kernel: which build of it fits this processor, and how it is called.

`kernel.c` beside this file is compiled when the package is installed, once for each kind of
vector unit. The build that torch's own convolutions would use is loaded here; where none is, every
layer takes its ordinary path.
"""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from equivlab.nn.planar.compiled.openmp import parallel
from equivlab.nn.planar.compiled.places import Places

__all__ = ["Library", "Problem", "load"]

BUILDS = {"AVX512": ("avx512", "avx2"), "AVX2": ("avx2",)}  # by what torch found, the best first
ARM = ("aarch64", "arm64", "ARM64")
SUFFIX = {"nt": ".dll"}.get(os.name, ".so")

Long, Pointer = ctypes.c_ssize_t, ctypes.c_void_p
_local = threading.local()  # .scratch is the room of each thread


class Problem(ctypes.Structure):
    """What is convolved with what; `Problem` in ``panels.h``.

    Attributes:
        places: the tables that it points into.
    """

    _fields_ = [
        *((name, Long) for name in ("group", "batch", "ins", "outs", "height", "width")),
        *((name, Long) for name in ("kernel", "stride", "padding", "dilation", "rows", "columns")),
        ("threads", Long),
        ("taps", Pointer),
    ]

    def __init__(self, *sizes: int, places: Places) -> None:
        super().__init__(*sizes, places.taps.data_ptr())
        self.places = places


class Library:
    """One build of the kernel.

    Attributes:
        name: ``'avx512'``, ``'avx2'``, ``'neon'``.
        compiler: what made it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem.removeprefix("kernel-")
        self._library = library = ctypes.CDLL(str(path))
        problem = ctypes.POINTER(Problem)
        for name, gives, takes in (
            ("compiler", ctypes.c_char_p, []),
            ("matrices", Long, [problem]),
            ("forward_scratch", Long, [problem]),
            ("gradient_scratch", Long, [problem]),
            ("pack", None, [problem, Pointer, Long, Long, Pointer, Pointer]),
            ("forward", None, [problem, *3 * [Pointer], ctypes.c_int, *3 * [Pointer]]),
            ("weight_gradient", None, [problem, *6 * [Pointer]]),
        ):
            function = getattr(library, f"equivlab_{name}")
            function.restype, function.argtypes = gives, takes
        self.compiler = library.equivlab_compiler().decode()

    def pack(self, problem: Problem, weight: Tensor, adjoint: bool = False) -> Tensor:
        """The weights in the basis of irreducible representations, for `forward`.

        Args:
            problem: the sizes of the convolution.
            weight: ``(O, I·G, k, k)``, contiguous float32; for the adjoint ``(I, O·G, k, k)``.
            adjoint: whether `problem` is the gradient to the input of a convolution with `weight`.
        """
        size = self._library.equivlab_matrices(problem)
        matrices = torch.empty(size, dtype=torch.float32, device="cpu")
        one = problem.group * problem.kernel**2  # numbers of a filter from field to field
        row, column = (one, problem.outs * one) if adjoint else (problem.ins * one, one)
        table = problem.places.opposite if adjoint else problem.places.turned
        self._library.equivlab_pack(
            problem, weight.data_ptr(), row, column, table.data_ptr(), matrices.data_ptr()
        )
        return matrices

    def forward(
        self,
        problem: Problem,
        x: Tensor,
        matrices: Tensor,
        bias: Tensor | None,
        relu: bool = False,
    ) -> Tensor:
        """The convolution: ``(B, I, G, H, W)`` to ``(B, O, G, H', W')``, all contiguous float32.

        Args:
            problem: the sizes of what follows.
            x: the input.
            matrices: the weights, packed.
            bias: ``(O,)``, or None.
            relu: cut the output at 0.
        """
        shape = (problem.batch, problem.outs, problem.group, problem.rows, problem.columns)
        out = torch.empty(shape, dtype=torch.float32, device="cpu")
        shift = None if bias is None else bias.data_ptr()
        room = _scratch(self._library.equivlab_forward_scratch(problem))
        self._library.equivlab_forward(
            problem,
            x.data_ptr(),
            matrices.data_ptr(),
            shift,
            relu,
            out.data_ptr(),
            room,
            parallel(),
        )
        return out

    def weight_gradient(self, problem: Problem, x: Tensor, gradient: Tensor) -> Tensor:
        """The gradient of the weights, ``(O, I·G, k, k)``.

        Args:
            problem: the sizes of the convolution.
            x: its input, contiguous float32.
            gradient: that of its output, contiguous float32.
        """
        shape = (problem.outs, problem.ins * problem.group, problem.kernel, problem.kernel)
        weight = torch.empty(shape, dtype=torch.float32, device="cpu")
        pointers = (each.data_ptr() for each in (x, gradient, problem.places.turned, weight))
        room = _scratch(self._library.equivlab_gradient_scratch(problem))
        self._library.equivlab_weight_gradient(problem, *pointers, room, parallel())
        return weight


def _scratch(floats: int) -> int:
    """The address of so many floats that belong to this thread."""
    room: Tensor | None = getattr(_local, "scratch", None)
    if room is None or len(room) < floats:
        room = _local.scratch = torch.empty(floats, dtype=torch.float32, device="cpu")
    return room.data_ptr()


@lru_cache(maxsize=1)
def load() -> Library | None:
    """The build for this processor, if the package has one that works."""
    if os.environ.get("EQUIVLAB_KERNEL") == "0":
        return None
    capability = torch.backends.cpu.get_cpu_capability()
    for name in BUILDS.get(capability, ("neon",) if platform.machine() in ARM else ()):
        path = Path(__file__).parent / f"kernel-{name}{SUFFIX}"
        if path.exists():
            try:
                return Library(path)
            except (OSError, AttributeError):  # of another system, or cut short
                continue
    return None
