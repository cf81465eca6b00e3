"""Which way an input goes: through the compiled kernel, or through the ordinary convolution.

The kernel takes what it was written for and what it makes faster. All else goes the ordinary way,
which gives the same numbers to rounding; ``docs/notes/compiled-kernel.md`` has the table.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor, is_legacy_batchedtensor
from torch.autograd import forward_ad

from equivlab.groups import PointGroup
from equivlab.nn.planar.compiled.direct import packed, problem_of, run
from equivlab.nn.planar.compiled.finer import Finer, finer
from equivlab.nn.planar.compiled.gain import Layer, pays
from equivlab.nn.planar.compiled.library import load
from equivlab.nn.planar.compiled.operator import recorded
from equivlab.nn.planar.filterbank import Memo
from equivlab.nn.window import padded
from equivlab.processor import parallel
from equivlab.tables import in_a_mode

__all__ = ["Convolution", "convolve", "obstacle"]

ORDINARY, STRIDED, FLOAT = (Tensor, nn.Parameter), torch.strided, torch.float32
LARGEST_KERNEL = 11  # for which the kernel has room on its stack


class Convolution(Layer, Protocol):
    """What is asked of a layer here."""

    groups: int
    dilation: int
    padding_mode: str
    rectified: bool
    matrices: Memo[Tensor]

    def filters_of(self, weight: Tensor, count: int, order: Tensor) -> Tensor:
        """Numbers for each tap of the first orientations of each filter, its maps in this order."""


def convolve(layer: Convolution, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor | None:
    """The convolution by the compiled kernel, or None where the ordinary one is to be taken.

    Args:
        layer: a planar convolution.
        x: what it was given, checked.
        weight: its weights, as they are now.
        bias: and its bias.
    """
    if obstacle(layer, x, weight, bias) is not None:
        return None
    group, tables = layer.in_field.group, _tables_of(layer.in_field.group)
    lifts = x.dim() == 4
    x, padding = framed(layer, x.unsqueeze(2) if lifts else x)
    geometry = (layer.stride, padding, layer.dilation)
    maps = tables.image if lifts else tables.maps
    if _learns(x, weight, bias):
        filters = layer.filters_of(weight, tables.copies, maps)
        y = recorded(x, filters, bias, group.order, tables.order, *geometry)
        return F.relu(y) if layer.rectified else y
    elements = (group.order, tables.order)
    problem = problem_of(x.shape, layer.out_channels, elements, layer.kernel_size, geometry)
    matrices = layer.matrices.recall(
        weight, lambda seen: packed(problem, layer.filters_of(seen, tables.copies, maps))
    )
    return run(problem, x, matrices, bias, layer.rectified)


def _tables_of(group: PointGroup) -> Finer:
    tables = finer(group)
    if tables is None:
        raise RuntimeError(f"obstacle lets no {group} through")
    return tables


def framed(layer: Convolution, x: Tensor) -> tuple[Tensor, int]:
    """`x`, and how many zeros the kernel is to think around it; other frames are laid here."""
    before, after = layer.margins
    if layer.padding_mode == "zeros" and before == after:
        return x, before
    maps = padded(x.flatten(1, 2), 2 * layer.margins, layer.padding_mode)
    return maps.unflatten(1, x.shape[1:3]), 0


def obstacle(layer: Convolution, x: Tensor, weight: Tensor, bias: Tensor | None) -> str | None:
    """Why `x` does not go through the kernel, in a few words; None where it does."""
    if torch.compiler.is_compiling():
        return "compiled by torch"
    return (
        _of_the_layer(layer)
        or _of_a_tensor(x)
        or _of_a_tensor(weight)
        or (None if bias is None else _of_a_tensor(bias))
        or _of_the_moment()
        or _of_the_size(layer, x, weight, bias)
    )


def _of_the_layer(layer: Convolution) -> str | None:
    if load() is None:
        return "no compiled kernel"
    if finer(layer.in_field.group) is None:
        return f"{layer.in_field.group}: has no quarter turns of square pixels"
    if layer.groups != 1:
        return "groups of channels"
    if layer.kernel_size > LARGEST_KERNEL:
        return f"kernel_size over {LARGEST_KERNEL}"
    return None


def _of_a_tensor(x: Tensor) -> str | None:
    if type(x) not in ORDINARY:
        return "a class of tensors of its own"
    wrapped = is_functorch_wrapped_tensor(x) or is_legacy_batchedtensor(x)
    if wrapped or not x.is_cpu or x.layout is not STRIDED or x.is_neg():
        return "not on the CPU, or a transformation of torch"
    if x.dtype is not FLOAT:
        return "not float32"
    return None


def _of_the_moment() -> str | None:
    if in_a_mode():
        return "a mode of torch"
    if torch._C._get_tracing_state() is not None:
        return "traced"
    if torch.is_autocast_enabled("cpu"):
        return "autocast"
    if forward_ad._current_level >= 0:
        return "forward derivatives"
    return None


def _of_the_size(layer: Convolution, x: Tensor, weight: Tensor, bias: Tensor | None) -> str | None:
    if not (x.is_contiguous() and weight.is_contiguous()):
        return "not contiguous in memory"
    if torch.get_num_threads() > 1 and parallel() is None:
        return "torch's threads are not to be shared"
    if not pays(layer, x, _learns(x, weight, bias)):
        return "too small to gain"
    return None


def _learns(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    if not torch.is_grad_enabled():
        return False
    return x.requires_grad or weight.requires_grad or (bias is not None and bias.requires_grad)
