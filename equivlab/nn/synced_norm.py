"""Batch norms that share their statistics among processes: one batch, on however many devices.

With several processes an ordinary batch norm sees its own process's share of a batch, so small
shares make noisy statistics, and the result depends on how many processes there are.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from equivlab.nn.planar_norm import GroupBatchNorm

__all__ = ["SyncedBatchNorm2d", "SyncedGroupBatchNorm", "sync_norms"]


class SyncedGroupBatchNorm(GroupBatchNorm):
    """A `GroupBatchNorm` whose mean and variance in training are those of all processes' maps.

    ``layer(act(g, f)) == act(g, layer(f))`` as for `GroupBatchNorm`, whose parameters, buffers and
    arguments it has; alone, and in `eval()`, it is the same layer. `torch.nn.SyncBatchNorm` does
    this for ordinary maps on GPUs; this one works wherever the processes can add numbers.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``(B, C, G, H, W)``."""
        if not (self.training and _processes() > 1):
            return super().forward(input)
        label = f"GroupBatchNorm({self.in_field.group}, {self.num_features})"
        return _normalise_together(self, self.in_field.validate(input, label))


class SyncedBatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d` with the statistics of all processes: the plain twin's layer."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``(B, C, H, W)``."""
        if not (self.training and _processes() > 1):
            return super().forward(input)
        self._check_input_dim(input)
        return _normalise_together(self, input)


SYNCED: dict[type[nn.Module], type[nn.Module]] = {
    GroupBatchNorm: SyncedGroupBatchNorm,
    nn.BatchNorm2d: SyncedBatchNorm2d,
}


def sync_norms(model: nn.Module) -> list[str]:
    """Let the batch norms of a network on the plane share their statistics among processes.

    Args:
        model: changed in place: its layers, parameters and hooks stay the same objects.

    Returns:
        The names of the norms that do so now.

    >>> from equivlab.models import ResNet18
    >>> len(sync_norms(ResNet18(None, width=8)))
    20
    """
    changed = []
    for name, part in model.named_modules():
        if type(part) in SYNCED:
            part.__class__ = SYNCED[type(part)]  # the same attributes, another forward
            changed.append(name)
    return changed


def _processes() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


class _Sum(torch.autograd.Function):
    """The sum over all processes; as every process's loss depends on it, so is its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


def _normalise_together(norm: nn.modules.batchnorm._BatchNorm, x: Tensor) -> Tensor:
    """``(B, C, ...)`` by the mean and the variance of all processes' batches together."""
    axes = (0, *range(2, x.dim()))
    shape = (1, -1, *(1 for _ in axes[1:]))
    values = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
    count = values.new_tensor([x.numel() // x.shape[1]])
    sums: Tensor = _Sum.apply(torch.cat([values.sum(axes), count]))  # type: ignore[no-untyped-call]
    mean, count = sums[:-1] / sums[-1], sums[-1].detach()
    centred = values - mean.view(shape)
    var: Tensor = _Sum.apply((centred * centred).sum(axes)) / count  # type: ignore[no-untyped-call]
    _remember(norm, mean.detach(), var.detach() * count / (count - 1))
    out = centred * (var + norm.eps).rsqrt().view(shape)
    if norm.affine:
        out = out * norm.weight.view(shape) + norm.bias.view(shape)
    return out.to(x.dtype)


@torch.no_grad()
def _remember(norm: nn.modules.batchnorm._BatchNorm, mean: Tensor, var: Tensor) -> None:
    """The running statistics, as torch keeps them."""
    if norm.running_mean is None or norm.running_var is None:
        return
    tracked: Tensor = norm.num_batches_tracked  # type: ignore[assignment]  # with the others
    tracked += 1
    newest = 1 / int(tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), newest)
    norm.running_var.lerp_(var.to(norm.running_var.dtype), newest)
