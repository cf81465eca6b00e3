"""From learned weights to an ordinary kernel: one matrix product for each pair of irreps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from equivlab.nn.space.features import Features
from equivlab.nn.space.jets import MONOMIALS, jet_basis
from equivlab.nn.space.kernel import KernelShape, Pair, grid_basis

__all__ = ["KernelExpansion"]


@dataclass(frozen=True)
class _Block:
    """The part of a kernel from one kind of features to another."""

    pair: Pair
    inputs: int  # features
    outputs: int
    terms: int  # kernels in the basis
    start: int  # of its weights

    @property
    def weights(self) -> slice:
        return slice(self.start, self.start + self.inputs * self.outputs * self.terms)


class KernelExpansion:
    """How the weights of a steerable convolution lie in memory, and what kernel they make.

    The weights are one list: block by block, ``(features out, features in, kernels)`` in each.
    The basis is one list too, so that it is a single buffer of the layer: the kernels of each
    distinct pair of irreps once, end to end. Smooth kernels (the profile ``'gaussian'``) are
    given by 20 coefficients, see `equivlab.nn.space.jets`, where others are by ``k³`` taps.

    Args:
        features_in: what the input channels are.
        features_out: what the output channels are.
        shape: what the kernels share.

    Attributes:
        count: how many weights.
        places: numbers that give a kernel from one channel to another, such as its taps.
    """

    def __init__(
        self,
        features_in: tuple[Features, ...],
        features_out: tuple[Features, ...],
        shape: KernelShape,
    ) -> None:
        self.shape = shape
        smooth = shape.profile == "gaussian"
        self.table = jet_basis if smooth else grid_basis
        self.places = (len(MONOMIALS),) if smooth else 3 * (shape.size,)
        self.channels = (
            sum(out.channels for out in features_out),
            sum(into.channels for into in features_in),
        )
        self.rows: list[list[_Block]] = []
        self.count = 0
        for out in features_out:
            row = []
            for into in features_in:
                pair = (into.degree, into.parity, out.degree, out.parity)
                terms = len(self.table(pair, shape))
                row.append(_Block(pair, into.count, out.count, terms, self.count))
                self.count += into.count * out.count * terms
            self.rows.append(row)
        pairs = {block.pair: block.terms for row in self.rows for block in row}
        taps = math.prod(self.places)
        self._pairs = {
            pair: (terms, (2 * pair[0] + 1) * (2 * pair[2] + 1) * taps)
            for pair, terms in pairs.items()
        }  # the shape of the kernels of each pair

    def fans(self) -> list[int]:
        """For each output irrep, how many kernels add up in one of its features."""
        return [sum(block.inputs * block.terms for block in row) for row in self.rows]

    def weights_of_row(self, row: int) -> slice:
        """Where the weights of an output irrep lie."""
        blocks = self.rows[row]
        return slice(blocks[0].weights.start, blocks[-1].weights.stop)

    def basis(self) -> Tensor:
        """All kernels of all pairs, end to end, float64."""
        return torch.cat([self.table(pair, self.shape).flatten() for pair in self._pairs])

    def expand(self, weight: Tensor, basis: Tensor) -> Tensor:
        """The kernel ``(C_out, C_in, *places)`` of `weight` ``(count,)`` and the `basis`."""
        taps = math.prod(self.places)
        kernels = self._by_pair(basis)
        rows = []
        for blocks in self.rows:
            parts = []
            for block in blocks:
                l_in, _, l_out, _ = block.pair
                pairs = block.outputs * block.inputs
                own = weight[block.weights].view(pairs, block.terms)  # (M_out·M_in, T)
                part = own @ kernels[block.pair]  # (M_out·M_in, o·i·places)
                o, i = 2 * l_out + 1, 2 * l_in + 1
                part = part.view(block.outputs, block.inputs, o, i * taps).transpose(1, 2)
                parts.append(part.reshape(block.outputs * o, block.inputs * i * taps))
            rows.append(torch.cat(parts, 1))
        return torch.cat(rows).view(*self.channels, *self.places)

    def _by_pair(self, basis: Tensor) -> dict[Pair, Tensor]:
        """The kernels of each pair as a matrix ``(T, o·i·places)``, views of `basis`."""
        found, start = {}, 0
        for pair, (terms, length) in self._pairs.items():
            found[pair] = basis[start : start + terms * length].view(terms, length)
            start += terms * length
        return found
