"""Batch norms that share their statistics among processes: one batch, on however many devices.

With several processes an ordinary batch norm sees its own process's share of a batch, so small
shares make noisy statistics, and the result depends on how many processes there are.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from equivlab.nn.running import RunningNorm, batch_norms

__all__ = ["SyncedBatchNorm1d", "SyncedBatchNorm2d", "SyncedBatchNorm3d", "sync_norms"]


class _Synced(RunningNorm):
    """One of torch's batch norms with the statistics of all processes.

    Alone, and in `eval()`, it is the same layer. `torch.nn.SyncBatchNorm` does this on GPUs; this
    one works wherever the processes can add numbers.
    """

    synced = True

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``(B, C, ...)``."""
        if not self.shares():
            out: Tensor = super().forward(input)
            return out
        self._check_input_dim(input)  # type: ignore[operator]  # of torch's class
        return self.normalise(input)


class SyncedBatchNorm1d(_Synced, nn.BatchNorm1d):
    """`torch.nn.BatchNorm1d` with the statistics of all processes: for numbers, ``(B, C)``."""


class SyncedBatchNorm2d(_Synced, nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d` with the statistics of all processes: the plain twin's layer."""


class SyncedBatchNorm3d(_Synced, nn.BatchNorm3d):
    """`torch.nn.BatchNorm3d` with the statistics of all processes: for voxels."""


SYNCED: dict[type[_BatchNorm], type[_BatchNorm]] = {
    nn.BatchNorm1d: SyncedBatchNorm1d,
    nn.BatchNorm2d: SyncedBatchNorm2d,
    nn.BatchNorm3d: SyncedBatchNorm3d,
}


def sync_norms(model: nn.Module) -> list[str]:
    """Let all batch norms of a network share their statistics among processes.

    Args:
        model: changed in place: its layers, parameters and hooks stay the same objects.

    Returns:
        The names of the norms that do so now and did not before.

    Raises:
        TypeError: a batch norm of another package, whose `forward` is its own; nothing is changed.

    >>> from equivlab.models import ResNet18
    >>> len(sync_norms(ResNet18(None, width=8)))
    20
    """
    norms = {
        name: norm
        for name, norm in batch_norms(model).items()
        if not isinstance(norm, nn.SyncBatchNorm) and not getattr(norm, "synced", False)
    }
    for name, norm in norms.items():
        if not isinstance(norm, RunningNorm) and type(norm) not in SYNCED:
            raise TypeError(
                f"sync_norms knows equivlab's batch norms and torch.nn's BatchNorm1d to 3d; {name} "
                f"is {type(norm).__module__}.{type(norm).__name__}. Call a lazy one once first; "
                "put nn.BatchNorm2d and a separate activation in place of a fused one; or train "
                "in one process."
            )
    for norm in norms.values():
        if isinstance(norm, RunningNorm):
            norm.synced = True
        else:
            norm.__class__ = SYNCED[type(norm)]  # the same attributes, another forward
    return list(norms)
