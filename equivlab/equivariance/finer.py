"""The same layers on a finer grid: what is left of an error is not the grid's.

On pixels and voxels a network that steps over its grid, by a stride or a pooling, gives every
second of the values that it would give with steps of one, if later filters are spread accordingly
(*à trous*). On the sphere a function of the samples makes degrees above the bandwidth, which fold
back; on a grid twice as fine they have room.

Source: Holschneider et al., *A real-time algorithm for signal analysis with the help of the wavelet
transform*, 1989 (filters with holes); Driscoll & Healy, 1994 (bandwidth).
"""

from __future__ import annotations

import copy

from torch import Tensor, nn

from equivlab.equivariance.causes.sphere import is_bending
from equivlab.equivariance.causes.steps import first
from equivlab.equivariance.measuring import FAILURES
from equivlab.equivariance.recording import OUTPUT, Call, bare, record
from equivlab.nn import (
    GroupAlign2d,
    GroupAvgPool2d,
    IrrepAvgPool3d,
    SO3Activation,
    SO3Moments,
    SpinActivation,
)
from equivlab.nn.window import Window
from equivlab.sphere import s2_fft, s2_ifft, so3_fft, so3_ifft

__all__ = ["oversampled", "without_steps"]

MOST_COST = 8  # times the work of the network, by the steps that are left out
CONVOLUTIONS = (nn.Conv2d, nn.Conv3d)
MAXIMA = (nn.MaxPool2d, nn.MaxPool3d)
MEANS = (nn.AvgPool2d, nn.AvgPool3d)
FINER = 2  # times the bandwidth
STRAIGHT = (nn.modules.batchnorm._BatchNorm, nn.Dropout, nn.Identity, SO3Moments)  # make no degrees


def without_steps(model: nn.Module, x: Tensor, layer: str | None = None) -> nn.Module | None:
    """The same network on every pixel: steps of one, filters with holes, padding all round.

    At the places where the network has values, they are the same; so its error is that of the
    network but for what the grid does: a stride that misses the last row, padding on one side
    alone, and pixels that are left out between angles. Where the padding was one-sided there is a
    row more. Steps that code takes in `forward`, without a layer, are not seen.

    Args:
        model: takes `x`.
        x: ``(B, ..., H, W)`` or ``(B, C, D, H, W)``.
        layer: as far as which; the whole model if None.

    Returns:
        `model` itself where there is nothing to change; else a copy; None where there are steps
        that cannot be left out: layers of other kinds, or so many that it would be too much work;
        and where the network beyond the layer does not take `x`.
    """
    try:
        calls = _until(layer, record(model, x))
    except FAILURES:  # beyond the layer that is looked at
        return None
    axes = 3 if any(_axes(call.module) == 3 for call in calls) else 2
    rates = {x.shape[-1]: 1}
    changes: dict[str, int] = {}
    for call in calls:
        module, given, found = call.module, _first(call.inputs), _first((call.output,))
        if given is None or found is None or given.dim() < 2 + axes or any(module.children()):
            continue
        rate = rates.get(given.shape[-1], 1)
        if _axes(module):
            name = _name(call)
            if changes.setdefault(name, rate) != rate:
                return None  # one layer at two rates
            rates[found.shape[-1]] = rate * (1 if _frames(module) else _step(module))
        elif found.dim() == given.dim() and found.shape[-1] != given.shape[-1]:
            return None  # it steps in a way of its own
        if found.dim() == given.dim():
            rates.setdefault(found.shape[-1], rate)
    modules = dict(bare(model).named_modules())
    if not any(_step(modules[name]) > 1 or _one_sided(modules[name]) for name in changes):
        return model
    if max(rates.values()) ** axes > MOST_COST:
        return None
    finer = copy.deepcopy(bare(model))
    modules = dict(finer.named_modules())
    done = [_spread(modules[name], rate) for name, rate in changes.items()]
    return finer if all(done) else None


def _until(layer: str | None, calls: list[Call]) -> list[Call]:
    """The calls up to that of a layer."""
    names = [call.name for call in calls]
    return calls[: names.index(layer) + 1] if layer in names and layer != OUTPUT else calls


def _first(values: tuple[object, ...]) -> Tensor | None:
    return next((value for value in values if isinstance(value, Tensor)), None)


def _name(call: Call) -> str:
    """Of a module, as `named_modules` has it."""
    return "" if call.name == OUTPUT else call.name.partition("#")[0]


def _axes(module: nn.Module) -> int:
    """How many axes the window of a layer has; 0 without one that is known here."""
    if isinstance(module, Window):
        return module.axes
    if isinstance(module, (*CONVOLUTIONS, *MAXIMA, *MEANS)):
        return 3 if type(module).__name__.endswith("3d") else 2
    return 0


def _number(module: nn.Module, name: str) -> int:
    """One number of a layer's window: the same for all axes."""
    return first(getattr(module, name, 1)) or 0


def _step(module: nn.Module) -> int:
    by_size = getattr(module, "stride", None) is None
    return _number(module, "kernel_size" if by_size else "stride")


def _frames(module: nn.Module) -> bool:
    """Whether it only makes room for the steps of a layer after it."""
    return isinstance(module, GroupAlign2d)


def _one_sided(module: nn.Module) -> bool:
    """Whether it pads one side more than the other."""
    reach = _number(module, "dilation") * (_number(module, "kernel_size") - 1)
    return module.padding == "same" and reach % 2 == 1


def _spread(module: nn.Module, rate: int) -> bool:
    """Take steps of one, and spread a filter by `rate`; False where it cannot be done."""
    dilation = _number(module, "dilation") * rate
    if module.padding == "same":
        margin = (dilation * (_number(module, "kernel_size") - 1) + 1) // 2
    else:
        margin = _number(module, "padding") * rate
    if isinstance(module, GroupAvgPool2d | IrrepAvgPool3d | nn.AvgPool2d | nn.AvgPool3d):
        module.stride = 1
        return rate == 1  # they have no holes
    if isinstance(module, Window):
        module.set_window(module.kernel_size, 1, margin, dilation, module.padding_mode)
        return True
    each = _axes(module) if isinstance(module, CONVOLUTIONS) else 1
    for name, value in (("stride", 1), ("padding", margin), ("dilation", dilation)):
        setattr(module, name, each * (value,) if each > 1 else value)
    return getattr(module, "padding_mode", "zeros") == "zeros"


class _OnFinerGrid(nn.Module):
    """A function of the samples, taken on a finer grid and cut off at the bandwidth."""

    def __init__(self, function: nn.Module) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, 2b, 2b)`` or ``(B, C, 2b, 2b, 2b)`` to the same."""
        b = x.shape[-1] // 2
        if x.dim() == 4:
            y = s2_ifft(s2_fft(self.function(s2_ifft(s2_fft(x), FINER * b)), lmax=b - 1), b)
        else:
            y = so3_ifft(so3_fft(self.function(so3_ifft(so3_fft(x), FINER * b)), lmax=b - 1), b)
        return y.to(x.dtype)


def oversampled(model: nn.Module, x: Tensor, layer: str | None = None) -> nn.Module | None:
    """The same network on the sphere, with each function of the samples on a grid twice as fine.

    Args:
        model: takes `x`.
        x: signals ``(B, C, 2b, 2b)`` or HEALPix maps ``(B, C, P)``.
        layer: as far as which; the whole model if None.

    Returns:
        `model` itself where no layer bends its samples; else a copy; None where one does so on
        HEALPix maps, which have no finer grid here.
    """
    finer = copy.deepcopy(bare(model))
    changed = False
    for call in _until(layer, record(model, x)):
        given = _first(call.inputs)
        if call.name == OUTPUT or given is None or any(call.module.children()):
            continue
        module = finer.get_submodule(call.name.partition("#")[0])
        if isinstance(module, SO3Activation):
            module.oversampling *= FINER
        elif isinstance(module, SpinActivation):
            return None
        elif isinstance(module, (_OnFinerGrid, *STRAIGHT)) or not is_bending(call):
            continue
        elif not _on_grid(given):
            return None
        else:
            parent, _, last = call.name.partition("#")[0].rpartition(".")
            setattr(finer.get_submodule(parent), last, _OnFinerGrid(module))
        changed = True
    return finer if changed else model


def _on_grid(x: Tensor) -> bool:
    side = x.shape[-1]
    return x.dim() in (4, 5) and set(x.shape[2:]) == {side} and side % 2 == 0
