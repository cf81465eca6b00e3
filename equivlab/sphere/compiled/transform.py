"""The transform on SO(3) by compiled code: the same sums as `GemmRoute`, in half of the operations.

It takes float32 on the CPU, sizes for which `GemmRoute` has tables. Signals go side by side in the
lanes of the processor's vectors, and their numbers straight into the blocks of the degrees.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeGuard

import torch
from torch import Tensor

from equivlab.processor import at_hand, best_build, parallel, scratch, threads_for
from equivlab.sphere.so3_routes import GemmRoute, Route

__all__ = ["expand", "fits", "project"]

FEWEST = 4  # signals that fill a vector well enough
Long, Pointer = ctypes.c_ssize_t, ctypes.c_void_p


class Plan(ctypes.Structure):
    """Sizes and tables; `Plan` in ``kernel.c``."""

    _fields_ = [
        *((name, Long) for name in ("bandwidth", "degrees", "batch", "channels", "threads")),
        *((name, Pointer) for name in ("polar", "waves")),
    ]


class Library:
    """One build of the kernel."""

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        plan = ctypes.POINTER(Plan)
        library.equivlab_room.restype, library.equivlab_room.argtypes = Long, [plan]
        for function in (library.equivlab_project, library.equivlab_expand):
            function.restype, function.argtypes = None, [plan, *4 * [Pointer]]
        self.room = library.equivlab_room
        self.project, self.expand = library.equivlab_project, library.equivlab_expand


@lru_cache(maxsize=1)
def load() -> Library | None:
    """The build for this processor, if the package has one that works."""
    return best_build(Path(__file__).parent, Library)


def fits(route: Route, tensors: Sequence[Tensor], signals: int) -> TypeGuard[GemmRoute]:
    """Whether the compiled transform takes these tensors, in place of this route."""
    return (
        isinstance(route, GemmRoute)
        and signals >= FEWEST
        and load() is not None
        and all(x.dtype is torch.float32 and not x.is_neg() for x in tensors)
        and at_hand(*tensors)
        and (torch.get_num_threads() == 1 or parallel() is not None)
    )


def project(route: GemmRoute, x: Tensor) -> tuple[Tensor, ...]:
    """Samples ``(B, C, 2b, 2b, 2b)`` to blocks ``(B, m, C, n)``."""
    B, C = x.shape[:2]
    blocks = [x.new_empty(B, side, C, side) for side in range(1, 2 * route.degrees, 2)]
    _run("project", route, x.contiguous(), blocks)
    return tuple(blocks)


def expand(route: GemmRoute, blocks: Sequence[Tensor]) -> Tensor:
    """The transpose, blocks to samples."""
    B, _, C, _ = blocks[0].shape
    n = 2 * route.bandwidth
    x = blocks[0].new_empty(B, C, n, n, n)
    _run("expand", route, x, [block.contiguous() for block in blocks])
    return x


def _run(name: str, route: GemmRoute, x: Tensor, blocks: Sequence[Tensor]) -> None:
    library = load()
    if library is None:
        raise RuntimeError("equivlab was installed without its compiled kernel.")
    B, C, n, K = *x.shape[:3], 2 * route.degrees - 1
    threads = threads_for(B * C * n * n * n * K)
    tables = route.to_beta.data_ptr(), route.waves.data_ptr()
    plan = Plan(route.bandwidth, route.degrees, B, C, threads, *tables)
    places = (Pointer * len(blocks))(*(block.data_ptr() for block in blocks))
    getattr(library, name)(plan, x.data_ptr(), places, scratch(library.room(plan)), parallel())
