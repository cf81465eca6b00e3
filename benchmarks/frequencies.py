"""Convolutions of small maps as products at each frequency, which take any filter at one price.

    python benchmarks/frequencies.py

A discrete Fourier transform of n² real pixels is one matrix product, and so is its inverse: padding
before it and cutting after it are part of the matrices. In between each of the n²/2 frequencies
has a product of matrices (maps of the batch × maps of the filters), in place of k² for each pixel.
In bfloat16 these run at the speed of a processor's own matrix units.

As a script it gives the time of layers, forward and backward, over that of `nn.Conv2d` of the same
maps and window: the layer itself, computed by frequency, and both in bfloat16.
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from timing import both_ways, cell, in_turns, ratios, wall_seconds
from torch import Tensor, nn

from equivlab.groups import Cyclic
from equivlab.nn import GroupConv2d, LiftingConv2d

BASE = "nn.Conv2d"
LAYERS = [  # n of C_n, fields, pixels of a side, and of the window
    (8, 32, 14, 5), (8, 32, 14, 7), (8, 32, 7, 5), (16, 16, 14, 5), (16, 16, 14, 7), (16, 24, 7, 5),
]  # fmt: skip


@cache
def tables(side: int, kernel: int, mode: str, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Of maps, of filters and back, for a convolution that keeps the size.

    Args:
        side: pixels of the maps.
        kernel: pixels of the filters, an odd number.
        mode: how maps are padded, as in `torch.nn.functional.pad`.
        dtype: of the tables.

    Returns:
        Maps to frequencies ``(2F, side²)``, filters to frequencies ``(2F, kernel²)`` and
        frequencies to maps ``(2F, side²)``, the F real parts before the imaginary ones.
    """
    n = side + kernel - 1
    pixels = torch.cartesian_prod(torch.arange(n), torch.arange(n)).double()
    # Of (u, v) and (-u, -v), whose numbers are conjugate, one.
    half = [(u, v) for u in range(n) for v in range(n) if (u, v) <= (-u % n, -v % n)]
    both = torch.tensor([1.0 if (u, v) == (-u % n, -v % n) else 2.0 for u, v in half])[:, None]
    phases = 2 * math.pi / n * (torch.tensor(half).double() @ pixels.T)
    cos, sin = phases.cos(), phases.sin()
    one = torch.eye(side**2, dtype=torch.float64).view(-1, 1, side, side)
    padded = F.pad(one, [kernel // 2] * 4, mode).flatten(1)  # (side², n²)
    maps = torch.cat([cos, -sin]) @ padded.T
    filters = torch.cat([cos, sin])[:, (pixels < kernel).all(1)]  # conjugate: a correlation
    back = torch.cat([both * cos, -both * sin])[:, (pixels < side).all(1)] / n**2
    return maps.to(dtype), filters.to(dtype), back.to(dtype)


class ComplexProduct(torch.autograd.Function):
    """``(2F, B, C)`` times ``(2F, C, O)``, real parts first."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, w: Tensor) -> Tensor:
        """The F products."""
        ctx.save_for_backward(x, w)
        return _product(x, w)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> tuple[Tensor, Tensor]:
        """Those with the conjugates."""
        (grad,) = grads
        x, w = ctx.saved_tensors
        return (
            _product(grad, w.transpose(1, 2), second=-1),
            _product(x.transpose(1, 2), grad, first=-1),
        )


def _product(x: Tensor, w: Tensor, first: int = 1, second: int = 1) -> Tensor:
    """The product; -1 for the conjugate of a factor."""
    half = len(x) // 2
    y = x.new_empty(len(x), x.shape[1], w.shape[2])
    real, imaginary = y[:half], y[half:]
    torch.bmm(x[:half], w[:half], out=real)
    real.baddbmm_(x[half:], w[half:], alpha=-first * second)
    torch.bmm(x[:half], w[half:], out=imaginary)
    imaginary.baddbmm_(x[half:], w[:half], beta=second, alpha=first)
    return y


class ByFrequency(nn.Module):
    """A group convolution that keeps the size of its maps, computed frequency by frequency.

    Args:
        conv: the layer, without a stride or a bias; its weights are this module's.
        mode: how maps are padded.
    """

    def __init__(self, conv: GroupConv2d | LiftingConv2d, mode: str = "constant") -> None:
        super().__init__()
        self.conv, self.mode = conv, mode

    def forward(self, x: Tensor) -> Tensor:
        """``(B, I, [G,] N, N)`` to ``(B, O, G, N, N)``, in the dtype of `x`."""
        bank = self.conv.filter_bank()[0].to(x.dtype)  # (O·G, I·G, k, k)
        out, into, size, _ = bank.shape
        count, side = len(x), x.shape[-1]
        maps, filters, back = tables(side, size, self.mode, x.dtype)
        seen = (maps @ x.reshape(count * into, -1).T).view(-1, count, into)
        bank = (filters @ bank.transpose(0, 1).reshape(into * out, -1).T).view(-1, into, out)
        found = ComplexProduct.apply(seen, bank).view(len(back), -1)
        return (found.T @ back).view(count, self.conv.out_channels, -1, side, side)


class OfImages(nn.Module):
    """A lifting convolution that keeps the size, as one product with the windows of the images.

    Args:
        conv: the layer, without a stride or a bias.
    """

    def __init__(self, conv: LiftingConv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """``(B, I, N, N)`` to ``(B, O, G, N, N)``, in the dtype of `x`."""
        bank = self.conv.filter_bank()[0].to(x.dtype).flatten(1)
        size = self.conv.kernel_size
        found = bank @ F.unfold(x, size, padding=size // 2)
        return found.view(len(x), self.conv.out_channels, -1, *x.shape[2:])


class MapByMap(nn.Module):
    """A linear layer that treats each map alike, and by itself, as one matrix.

    Args:
        layer: what it does to ``(N², 1, G, N, N)`` pixels, each alone.
        orders: G.
        side: N.
    """

    def __init__(self, layer: Callable[[Tensor], Tensor], orders: int, side: int) -> None:
        super().__init__()
        pixels = torch.eye(side**2).view(-1, 1, 1, side, side).expand(-1, 1, orders, -1, -1)
        with torch.no_grad():
            table = layer(pixels)[:, 0, 0]
        self.side = table.shape[-1]
        self.register_buffer("table", table.flatten(1).clone(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, G, N, N)`` to ``(B, C, G, M, M)``."""
        flat = x.reshape(-1, len(self.table)) @ self.table.to(x.dtype)
        return flat.view(*x.shape[:-2], self.side, self.side)


def row(order: int, fields: int, side: int, size: int, batch: int, rounds: int) -> dict[str, str]:
    """Times of one layer over those of an ordinary one, forward and backward."""
    layer = GroupConv2d(Cyclic(order), fields, fields, size, padding=size // 2, bias=False)
    plain = nn.Conv2d(order * fields, order * fields, size, padding=size // 2, bias=False)
    half = copy.deepcopy(plain).to(torch.bfloat16)
    by_frequency = ByFrequency(layer)
    x = torch.randn(batch, fields, order, side, side)
    flat = x.flatten(1, 2)
    calls = {
        BASE: both_ways(plain, flat),
        "the layer": both_ways(layer, x),
        "by frequency": both_ways(by_frequency, x),
        "nn.Conv2d, bfloat16": both_ways(half, flat.bfloat16()),
        "by frequency, bfloat16": both_ways(by_frequency, x.bfloat16()),
    }
    found = ratios(in_turns(calls, rounds=rounds, clock=wall_seconds), BASE)
    text = f"C{order} {fields} fields k{size} {side}² b{batch}"
    return {"layer": text} | {name: cell(values) for name, values in found.items()}


def main() -> None:
    """Print the table, and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch-size", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--csv", type=Path, help="a file for the rows")
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, wall time; medians")
    rows = []
    for layer in LAYERS:
        rows.append(row(*layer, arguments.batch_size, arguments.rounds))
        print(rows[-1], flush=True)
    if arguments.csv:
        with arguments.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
