"""Batch norms of all domains in one place: what they measure, remember and share.

In training a batch norm normalises by the mean and the variance of its batch, and keeps running
means of both; in `eval()` it normalises by what it kept. Layers of the plane, the sphere and space
differ in what an *invariant* mean is; all else stands here.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["BatchNorm", "RunningNorm", "batch_norms", "is_batch_norm"]

#: Mean and variance of each channel, and how many numbers or samples they were measured on.
Moments = tuple[Tensor, Tensor, float]


class RunningNorm(nn.Module):
    """What every batch norm of this package is: `GroupBatchNorm`, `SO3BatchNorm`, and the others.

    ``out = weight[c] · (f − mean[c]) / sqrt(var[c] + eps) + bias[c]``, with a mean and a variance
    that the group does not change, so ``layer(act(g, f)) == act(g, layer(f))``. `freeze`,
    `renew_norms` and `sync_norms` know a batch norm by this class (or as one of torch's).

    Args of all of them:
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics; None averages all batches.
        affine: learn ``weight`` and ``bias``.
        track_running_stats: keep running statistics and use them in `eval()`.
        device: where they live.
        dtype: their type.

    Attributes:
        synced: mean and variance in training are those of all processes' batches together.
    """

    eps: float
    momentum: float | None
    track_running_stats: bool
    num_batches_tracked: Tensor | None
    synced: bool = False

    def moments(self, x: Tensor) -> Moments:
        """Of this process's batch ``(B, C, ...)``: here, plain averages."""
        axes = (0, *range(2, x.dim()))
        mean = x.mean(axes)
        centred = x - mean.view(1, -1, *(1 for _ in axes[1:]))
        return mean, centred.square().mean(axes), x.numel() / x.shape[1]

    def kept(self) -> tuple[Tensor, Tensor] | None:
        """The running mean and variance, or None where there are none."""
        mean, var = self.running_mean, self.running_var
        return (mean, var) if isinstance(mean, Tensor) and isinstance(var, Tensor) else None

    def affine_map(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """Factor and summand of each channel ``(C,)``."""
        scale = torch.rsqrt(var + self.eps)
        if isinstance(self.weight, Tensor):
            scale = scale * self.weight
        shift = -mean * scale
        return scale, shift + self.bias if isinstance(self.bias, Tensor) else shift

    def between(self, difference: Tensor) -> Tensor:
        """What a process's mean adds to the common variance, being off by `difference` ``(C,)``."""
        return difference.square()

    def kept_variance(self, var: Tensor, count: float) -> Tensor:
        """The variance to remember, from that of a batch: here, without bias, as torch does."""
        return var * (count / max(count - 1, 1))

    def normalise(self, x: Tensor) -> Tensor:
        """``scale · x + shift`` of ``(B, C, ...)``; half precision by float32 numbers."""
        values = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        scale, shift = self.scale_and_shift(lambda: self.moments(values))
        shape = (1, -1) + (1,) * (x.dim() - 2)
        return torch.addcmul(shift.view(shape), values, scale.view(shape)).to(x.dtype)

    def reset_running_stats(self) -> None:
        """Forget what was measured."""
        kept = self.kept()
        if kept is not None:
            kept[0].zero_()
            kept[1].fill_(1)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.zero_()

    def scale_and_shift(self, measure: Callable[[], Moments]) -> tuple[Tensor, Tensor]:
        """Factor and summand of each channel, from what is measured now or was remembered."""
        kept = self.kept()
        if kept is not None and not self.training:
            return self.affine_map(*kept)
        mean, var, count = measure()
        if self.shares():
            mean, var, count = self._together(mean, var, count)
        if kept is not None and self.training and self.track_running_stats:
            self._remember(kept, mean.detach(), self.kept_variance(var.detach(), count))
        return self.affine_map(mean, var)

    def shares(self) -> bool:
        """Whether the statistics of this batch are those of several processes."""
        return self.synced and self.training and _processes() > 1

    def _together(self, mean: Tensor, var: Tensor, count: float) -> Moments:
        """The moments of all processes' batches as one."""
        n = mean.new_tensor([count])
        sums = _total(torch.cat([mean * n, n]))
        whole, total = sums[:-1] / sums[-1], sums[-1].detach()
        return whole, _total((var + self.between(mean - whole)) * n) / total, float(total)

    @torch.no_grad()
    def _remember(self, kept: tuple[Tensor, Tensor], mean: Tensor, var: Tensor) -> None:
        rate = self.momentum
        if self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
            if rate is None:
                rate = 1 / float(self.num_batches_tracked)
        for old, new in zip(kept, (mean, var), strict=True):
            old.lerp_(new.to(old), 0.0 if rate is None else rate)


#: A batch norm of this package or of torch.
BatchNorm = RunningNorm | _BatchNorm


def is_batch_norm(module: nn.Module) -> bool:
    """Whether a module is a batch norm, of this package or of torch."""
    return isinstance(module, BatchNorm)


def batch_norms(model: nn.Module) -> dict[str, BatchNorm]:
    """The batch norms of a network by name, in every domain."""
    return {name: part for name, part in model.named_modules() if isinstance(part, BatchNorm)}


def _processes() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


class _Sum(torch.autograd.Function):
    """The sum over all processes; as every process's loss depends on it, so is its gradient."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        return _all_reduced(x)

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> Tensor:
        return _all_reduced(gradients[0])


def _all_reduced(x: Tensor) -> Tensor:
    total = x.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total


def _total(x: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(x)  # type: ignore[no-untyped-call]
    return total
