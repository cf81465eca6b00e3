"""Why a layer breaks the law on the sphere, on SO(3) and on HEALPix maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equivlab.equivariance.recording import Call
from equivlab.fields import Field, HealpixMaps, SpinMaps
from equivlab.nn.sphere import SO3Activation, SO3Moments, SpinActivation

__all__ = ["cause_on_sphere", "is_bending"]

OURS = (SO3Activation, SpinActivation, SO3Moments)
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
POOLS = tuple(
    kind
    for kind in vars(nn.modules.pooling).values()
    if isinstance(kind, type) and issubclass(kind, nn.Module) and kind is not nn.Module
)
NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.instancenorm._InstanceNorm)
BATCH_NORM = nn.modules.batchnorm._BatchNorm


def is_bending(call: Call) -> bool:
    """Is this a function of samples, which obeys the law as far as the grid holds the result?

    Our own that say so of themselves, and whatever is applied to each sample by itself: if
    one half of the samples is set to zero, the other half of the output stays.
    """
    given, found = (call.inputs[0] if call.inputs else None), call.output
    if isinstance(call.module, OURS):
        return True
    if not isinstance(given, Tensor) or not isinstance(found, Tensor) or given.dim() < 3:
        return False
    if given.shape != found.shape or len(call.inputs) > 1 or call.named:
        return False
    half = torch.arange(given[0, 0].numel(), device=given.device) % 3 == 0
    half = half.view(given.shape[2:])
    zero = torch.zeros_like(given)
    try:
        kept = call.module(torch.where(half, given, zero))
        rest = call.module(torch.where(half, zero, given))
    except (RuntimeError, ValueError, TypeError):
        return False
    return bool(torch.equal(torch.where(half, kept, rest), found))


def cause_on_sphere(call: Call, source: Field[Tensor] | None, own: float) -> str:
    """One sentence on why the layer breaks the law, and the remedy."""
    module = call.module
    if isinstance(source, HealpixMaps):
        return _on_healpix(module, source)
    if isinstance(module, CONVOLUTIONS):
        return (
            "its filters step over rows and columns of the grid of angles, which no rotation "
            "keeps but those about z. Use S2Conv, SO3Conv or SpinConv."
        )
    if isinstance(module, nn.Flatten | nn.Linear):
        return (
            "it has a number of its own for each sample, and a rotation moves them. Average over "
            "the grid before it: SO3Integrate, SO3Moments or S2Moments."
        )
    if isinstance(module, POOLS):
        return (
            "it counts samples, and the grid has more of them to the area near the poles. Average "
            "by the weights of the grid: SO3Integrate, SO3Moments or S2Moments."
        )
    normalised = isinstance(module, BATCH_NORM) and module.running_mean is None
    if isinstance(module, NORMS) or normalised:
        return (
            "its mean and variance count samples, and the grid has more of them to the area near "
            "the poles. Use SO3BatchNorm or SpinBatchNorm."
        )
    if isinstance(source, SpinMaps) and not isinstance(module, OURS):
        return (
            "it treats the orders in γ as channels: a shift or a bend of the maps n ≠ 0 is none "
            "of the signal. Use SpinActivation and SpinBatchNorm."
        )
    if isinstance(module, SpinActivation):
        return (
            f"its function is evaluated at {module.angles} angles γ, too few for what it makes of "
            f"orders up to {module.orders_in}: {own:.0%} of the output depends on the pose. Give "
            "more angles=, or a smoother function, such as SiLU for ReLU."
        )
    if is_bending(call):
        return (
            f"a function of the samples makes degrees above the bandwidth, and they fold back: "
            f"{own:.0%} of the output depends on the pose. Leave degrees of the grid free "
            "(lmax= of the convolution before it, or a larger bandwidth_out), use SO3Activation "
            "with oversampling=2, or a smoother function, such as SiLU for ReLU."
        )
    return (
        "its output depends on where a sample stands on the grid; look for code that treats "
        "rows, columns or γ by number."
    )


def _on_healpix(module: nn.Module, maps: HealpixMaps) -> str:
    lmax = maps.lmax or 0
    if lmax > 2 * maps.nside and not isinstance(module, (*CONVOLUTIONS, nn.Linear, nn.Flatten)):
        return (
            f"it takes degrees up to {lmax} from maps of nside {maps.nside}, which hold those up "
            f"to 2·nside accurately. Use lmax={2 * maps.nside} or finer maps."
        )
    return (
        "it treats HEALPix pixels by number, and a rotation moves them between numbers. Go "
        "through harmonics: HealpixToSphere, then S2Conv or SpinConv."
    )
