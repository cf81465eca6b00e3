"""The statistics of batch norms: part of what a network knows, though nothing learns them.

>>> import torch
>>> from torch import nn
>>> model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).eval()
>>> renew_norms(model, torch.randn(60, 1, 8, 8).split(20))
['1']
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

import torch
from torch import Tensor, nn

__all__ = ["is_held", "renew_norms", "stay_in_eval"]


@torch.no_grad()
def renew_norms(model: nn.Module, batches: Iterable[Tensor]) -> list[str]:
    """Measure the running means and variances of all batch norms anew; labels are not needed.

    A network that is taken to images with another noise or contrast normalises them by numbers of
    the old ones until this is done (Li et al., *Revisiting Batch Normalization for Practical
    Domain Adaptation*, ICLR workshop 2017). After averaging weights it is due too (Izmailov et
    al., UAI 2018). The statistics are means over the batches, each as large as the next.

    Args:
        model: the network, changed in place; its mode is kept. Norms held by `freeze` stay.
        batches: what the network is called with, ``(B, ...)``, prepared as in its training.

    Returns:
        The names of the norms that were renewed.

    Raises:
        ValueError: no batch, where there is a norm to renew; it is untouched.
    """
    norms = {
        name: part
        for name, part in model.named_modules()
        if isinstance(part, nn.modules.batchnorm._BatchNorm)
        and part.track_running_stats
        and not is_held(part)
    }
    if not norms:
        return []
    first, rest = _first_of(batches)
    modes = [(part, part.training) for part in model.modules()]
    momenta = {name: norm.momentum for name, norm in norms.items()}
    try:
        model.eval()  # dropout is not wanted
        for norm in norms.values():
            norm.reset_running_stats()
            norm.momentum = None  # the mean of all batches
            norm.train()
        for batch in chain([first], rest):
            model(batch)
    finally:
        for name, norm in norms.items():
            norm.momentum = momenta[name]
        for part, mode in modes:
            part.training = mode
    return list(norms)


def _first_of(batches: Iterable[Tensor]) -> tuple[Tensor, Iterable[Tensor]]:
    remaining = iter(batches)
    for first in remaining:
        return first, remaining
    raise ValueError("renew_norms wants at least one batch of inputs; got none.")


def is_held(module: nn.Module) -> bool:
    """Whether `equivlab.transfer.freeze` keeps this module in `eval()`."""
    return any(hook is stay_in_eval for hook in module._forward_pre_hooks.values())


def stay_in_eval(module: nn.Module, inputs: object) -> None:
    """A function of the module, not a method: so a copy of the network is frozen too."""
    module.training = False
