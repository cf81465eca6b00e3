"""The compiled kernel: which build of it fits this processor, and how it is called.

`kernel.c` beside this file is compiled when the package is installed. Where no build of it fits
the processor (`equivlab.processor`), every layer takes its ordinary path.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from equivlab.nn.planar.compiled.finer import Finer
from equivlab.nn.planar.compiled.places import Places
from equivlab.processor import best_build, parallel, scratch

__all__ = ["Library", "Problem", "load"]

Long, Pointer = ctypes.c_ssize_t, ctypes.c_void_p


class Problem(ctypes.Structure):
    """What is convolved with what; `Problem` in ``panels.h``.

    Attributes:
        places: the tables that it points into.
        finer: those of the group.
        out_shape: ``(B, O, G, H', W')``.
        address: of itself.
        rooms: floats to work in, for each operator that was asked.
    """

    _fields_ = [
        *((name, Long) for name in ("group", "sheets", "batch", "ins", "outs")),
        *((name, Long) for name in ("height", "width", "kernel", "stride", "padding", "dilation")),
        *((name, Long) for name in ("rows", "columns", "threads", "count")),
        ("taps", Pointer),
        ("copies", Long),
        ("maps", Pointer),
    ]

    def __init__(self, *sizes: int, places: Places, finer: Finer) -> None:
        taps, maps = places.taps, finer.maps
        rest = (taps.shape[1], taps.data_ptr(), finer.copies, maps.data_ptr())
        super().__init__(*sizes, *rest)
        self.places, self.finer = places, finer
        fields = self.outs // finer.copies
        self.out_shape = (self.batch, fields, maps.numel(), self.rows, self.columns)
        self.address = ctypes.addressof(self)
        self.rooms: dict[str, int] = {}


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
        for name, gives, takes in (
            ("compiler", ctypes.c_char_p, []),
            ("problem", Long, []),
            ("matrices", Long, [Pointer]),
            ("forward_scratch", Long, [Pointer]),
            ("convolve_scratch", Long, [Pointer]),
            ("gradient_scratch", Long, [Pointer]),
            ("pack", None, [*2 * [Pointer], Long, Long, *2 * [Pointer]]),
            ("forward", None, [*4 * [Pointer], ctypes.c_int, *3 * [Pointer]]),
            ("convolve", None, [*3 * [Pointer], Long, Long, *5 * [Pointer]]),
            ("weight_gradient", None, 7 * [Pointer]),
        ):
            function = getattr(library, f"equivlab_{name}")
            function.restype, function.argtypes = gives, takes
        if library.equivlab_problem() != ctypes.sizeof(Problem):
            raise OSError(f"{path} was compiled from other sources: python hatch_build.py")
        self.compiler = library.equivlab_compiler().decode()

    def pack(self, problem: Problem, weight: Tensor) -> Tensor:
        """The weights in the basis of irreducible representations, for `forward`.

        Args:
            problem: the sizes of the convolution.
            weight: ``(O, I·G, k, k)``, of an image ``(O, I, k, k)``, contiguous float32.
        """
        size = self._library.equivlab_matrices(problem.address)
        matrices = torch.empty(size, dtype=torch.float32, device="cpu")
        self._library.equivlab_pack(
            problem.address, *self._layout(problem, weight, False), matrices.data_ptr()
        )
        return matrices

    def _layout(self, problem: Problem, weight: Tensor, adjoint: bool) -> tuple[int, int, int, int]:
        """Where the weights are, one filter after another, and the turned numbers in a filter."""
        one = problem.sheets * problem.kernel**2  # numbers of a filter from field to field
        row, column = (one, problem.outs * one) if adjoint else (problem.ins * one, one)
        table = problem.places.opposite if adjoint else problem.places.turned
        return weight.data_ptr(), row, column, table.data_ptr()

    def _room(self, operator: str, problem: Problem) -> int:
        """The address of what an operator works in."""
        floats = problem.rooms.get(operator)
        if floats is None:
            ask = getattr(self._library, f"equivlab_{operator}_scratch")
            floats = problem.rooms[operator] = ask(problem.address)
        return scratch(floats)

    def forward(
        self,
        problem: Problem,
        x: Tensor,
        matrices: Tensor,
        bias: Tensor | None,
        relu: bool = False,
    ) -> Tensor:
        """The convolution: ``(B, I, G, H, W)`` to ``(B, O, G, H', W')``, all contiguous float32.

        Of an image ``(B, I, 1, H, W)``. The fields are those of the finer group, if it is one.

        Args:
            problem: the sizes of what follows.
            x: the input.
            matrices: the weights, packed.
            bias: ``(O,)``, or None.
            relu: cut the output at 0.
        """
        out = x.new_empty(problem.out_shape)
        self._library.equivlab_forward(
            problem.address,
            x.data_ptr(),
            matrices.data_ptr(),
            None if bias is None else bias.data_ptr(),
            relu,
            out.data_ptr(),
            self._room("forward", problem),
            parallel(),
        )
        return out

    def convolve(
        self,
        problem: Problem,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        adjoint: bool = False,
    ) -> Tensor:
        """`pack` and `forward` at once, for weights that are used once.

        Args:
            problem: the sizes of the convolution.
            x: the input.
            weight: ``(O, I·G, k, k)``, contiguous float32; for the adjoint ``(I, O·G, k, k)``.
            bias: ``(O,)``, or None.
            adjoint: whether `problem` is the gradient to the input of a convolution with `weight`.
        """
        out = x.new_empty(problem.out_shape)
        self._library.equivlab_convolve(
            problem.address,
            x.data_ptr(),
            *self._layout(problem, weight, adjoint),
            None if bias is None else bias.data_ptr(),
            out.data_ptr(),
            self._room("convolve", problem),
            parallel(),
        )
        return out

    def weight_gradient(self, problem: Problem, x: Tensor, gradient: Tensor) -> Tensor:
        """The gradient of the weights, ``(O, I·G, k, k)``, of an image ``(O, I, k, k)``.

        Args:
            problem: the sizes of the convolution.
            x: its input, contiguous float32.
            gradient: that of its output, contiguous float32.
        """
        shape = (problem.outs, problem.ins * problem.sheets, problem.kernel, problem.kernel)
        weight = torch.empty(shape, dtype=torch.float32, device="cpu")
        pointers = (each.data_ptr() for each in (x, gradient, problem.places.turned, weight))
        room = self._room("gradient", problem)
        self._library.equivlab_weight_gradient(problem.address, *pointers, room, parallel())
        return weight


@lru_cache(maxsize=1)
def load() -> Library | None:
    """The build for this processor, if the package has one that works."""
    return best_build(Path(__file__).parent, Library)
