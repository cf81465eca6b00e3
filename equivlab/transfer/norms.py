"""The statistics of batch norms: part of what a network knows, though nothing learns them.

>>> import torch
>>> from torch import nn
>>> model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).eval()
>>> renew_norms(model, torch.randn(60, 1, 8, 8).split(20))
['1']
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

from equivlab.nn.running import BatchNorm, batch_norms, is_batch_norm

__all__ = ["is_held", "renew_norms", "stay_in_eval"]

Batch = Tensor | tuple[object, ...]


@torch.no_grad()
def renew_norms(model: nn.Module, batches: Iterable[Batch]) -> list[str]:
    """Measure the running means and variances of all batch norms anew; labels are not needed.

    A network that is taken to images with another noise or contrast normalises them by numbers of
    the old ones until this is done (Li et al., *Revisiting Batch Normalization for Practical
    Domain Adaptation*, ICLR workshop 2017). After averaging weights it is due too (Izmailov et
    al., UAI 2018). The statistics are means over the batches, each as large as the next.

    Args:
        model: the network, on the plane, the sphere or in space, changed in place; its mode is
            kept. Norms held by `freeze` stay, and so do those that no batch reaches.
        batches: what the network is called with, ``(B, ...)``, prepared as in its training; a
            tuple where it takes several.

    Returns:
        The names of the norms that were renewed.

    Raises:
        ValueError: no batch, where there is a norm to renew. After an error all is as before.
    """
    norms = {
        name: norm
        for name, norm in batch_norms(model).items()
        if norm.track_running_stats and not is_held(norm)
    }
    if not norms:
        return []
    first, rest = _first_of(batches)
    before = {name: [value.clone() for value in norm.buffers()] for name, norm in norms.items()}
    renewed: list[str] = []
    try:
        with _measuring(model, list(norms.values())):
            for batch in chain([first], rest):
                model(*batch) if isinstance(batch, tuple) else model(batch)
        renewed = [name for name, norm in norms.items() if norm.num_batches_tracked]
    finally:
        for name in norms.keys() - set(renewed):
            for value, old in zip(norms[name].buffers(), before[name], strict=True):
                value.copy_(old)
    return renewed


@contextmanager
def _measuring(model: nn.Module, norms: list[BatchNorm]) -> Iterator[None]:
    """The norms in training, with the mean of all batches; all else in `eval()`."""
    modes = [(part, part.training) for part in model.modules()]
    momenta = [norm.momentum for norm in norms]
    try:
        model.eval()  # dropout is not wanted
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
            norm.train()
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for part, mode in modes:
            part.training = mode


def _first_of(batches: Iterable[Batch]) -> tuple[Batch, Iterable[Batch]]:
    remaining = iter(batches)
    for first in remaining:
        return first, remaining
    raise ValueError("renew_norms wants at least one batch of inputs; got none.")


def is_held(module: nn.Module) -> bool:
    """Whether `equivlab.transfer.freeze` keeps this module's norms in `eval()`."""
    return any(hook is stay_in_eval for hook in module._forward_pre_hooks.values())


def stay_in_eval(module: nn.Module, inputs: object) -> None:
    """Keep a norm, or the norm inside a layer such as `NormedConv`, in `eval()`.

    A function of the module, not a method: so a copy of the network is frozen too.
    """
    for part in (module, *module.children()):
        if is_batch_norm(part):
            part.training = False
