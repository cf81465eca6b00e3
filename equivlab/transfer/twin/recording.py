"""Runs a network on an image without content, and writes its calls down."""

from __future__ import annotations

import copy
import sys
import traceback
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._pytree import tree_map

from equivlab.transfer.twin.reading import DROPS_BRANCHES, Call, Reading, Ref, Side, Weight
from equivlab.transfer.twin.refusing import ConversionError, attention_in

__all__ = ["read"]

#: Containers of torch whose `forward` is that of their children: looked into.
CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
#: What asks about a tensor and computes nothing.
QUESTIONS = [
    "__get__",
    "size",
    "dim",
    "ndimension",
    "numel",
    "stride",
    "is_contiguous",
    "is_floating_point",
    "is_complex",
    "__len__",
    "element_size",
    "get_device",
    "data_ptr",
    "storage_offset",
    "type",
    "requires_grad_",
    "__format__",
    "__repr__",
    "is_same_size",
    "_is_view",
    "__hash__",
    "__bool__",
    "item",
    "tolist",
]
#: What gives a parameter another shape and leaves its numbers.
SHAPES_ALONE = ("view", "reshape", "unsqueeze", "squeeze", "getitem", "to", "expand")
#: Operators that Python may call from the right.
SWAPPED = ("add", "sub", "mul", "truediv", "div", "pow")


def read(model: nn.Module, image: Sequence[int]) -> Reading:
    """Run a copy of `model` without content on an image ``(B, C, H, W)`` and write down its calls.

    Raises:
        ConversionError: it cannot be copied or run so, or looks at the content of a tensor.
    """
    empty = _without_content(model)
    reading = Reading(tuple(image))
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    x = torch.empty(tuple(image), device="meta", dtype=dtype)
    recorder = _Recorder(empty, reading, x)
    try:
        with torch.no_grad(), recorder:
            out = empty(x)
    except ConversionError:
        raise
    except Exception as error:
        raise ConversionError(
            recorder.failed or "", _line_of(error),
            f"fails on an image {tuple(image)} without content: {type(error).__name__}: "
            f"{str(error).strip().splitlines()[0] if str(error).strip() else ''}",
            attention_in(model)
            or "Say what the network takes, like=(1, 3, 224, 224), and let nothing in its forward "
            "depend on the values of pixels.",
        ) from error  # fmt: skip
    reading.output = tree_map(lambda y: recorder.known(y) if isinstance(y, Tensor) else y, out)
    return reading


def _without_content(model: nn.Module) -> nn.Module:
    """A copy on ``meta``, in `eval()`."""
    for name, part in model.named_modules():
        if parametrize.is_parametrized(part):
            raise ConversionError(
                name, "", "has parametrized weights",
                "Bake them in: torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight')",
            )  # fmt: skip
        if part._forward_pre_hooks or part._forward_hooks:
            raise ConversionError(
                name, "", "has forward hooks, which the twin would not call",
                "Remove them (equivlab.transfer.unfreeze; torch.nn.utils.remove_weight_norm).",
            )  # fmt: skip
        if isinstance(part, nn.modules.lazy.LazyModuleMixin):
            raise ConversionError(name, "", "has no weights yet", "Call the network once first.")
    memo: dict[int, Any] = {}
    for kept in model.parameters():
        memo[id(kept)] = nn.Parameter(torch.empty_like(kept, device="meta"), False)
    for buffer in model.buffers():
        memo[id(buffer)] = torch.empty_like(buffer, device="meta")
    try:
        return copy.deepcopy(model, memo).eval()
    except Exception as error:
        raise ConversionError(
            "", "", f"cannot be copied: {error}",
            "Let copy.deepcopy(model) work: give it no tensors that are results of others.",
        ) from error  # fmt: skip


class _Recorder(TorchFunctionMode):
    """Writes calls down; what happens inside a layer of torch is none of its business."""

    def __init__(self, model: nn.Module, reading: Reading, image: Tensor) -> None:
        super().__init__()
        self.reading = reading
        self.path = ""
        self.failed: str | None = None  # the module in which it ended
        self.inside = False  # a layer of torch
        self.kept: list[Tensor] = [image]  # alive, so that no other gets their `id`
        self.where: dict[int, Ref | Weight] = {id(image): Ref(-1)}
        self.versions = {id(image): image._version}  # torch counts what is done in place
        for name, value in [*model.named_parameters(), *model.named_buffers()]:
            self.where[id(value)] = Weight(name, tuple(value.shape))
        self.model = model
        for name, part in model.named_modules(remove_duplicate=False):
            if "forward" not in part.__dict__:
                part.forward = self._watched(name, part, part.forward)

    def _watched(self, name: str, part: nn.Module, run: Callable[..., Any]) -> Callable[..., Any]:
        own = type(part).__module__.startswith("torch.nn") and not isinstance(part, CONTAINERS)
        whole = own or type(part).__name__ in DROPS_BRANCHES

        def forward(*args: Any, **kwargs: Any) -> Any:
            before, self.path = self.path, name
            self.reading.used.add(name)
            try:
                if self.inside or not whole:
                    return run(*args, **kwargs)
                line, given = self.line(), self._given(args, kwargs)
                self.inside = True
                try:
                    return self._keep(type(part), given, run(*args, **kwargs), line, part)
                finally:
                    self.inside = False
            except Exception:
                self.failed = self.failed or name
                raise
            finally:
                self.path = before

        return forward

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", str(func))
        if self.inside or not any(isinstance(x, Tensor) for x in _leaves((args, kwargs))):
            return func(*args, **kwargs)
        if name in QUESTIONS:
            return self._measured(name, func, args, func(*args, **kwargs))
        plain = name.strip("_")
        swapped = name.startswith("__r") and plain[1:] in SWAPPED
        given = self._given(args[::-1] if swapped else args, kwargs)
        out = func(*args, **kwargs)
        return self._keep(plain[1:] if swapped else plain, given, out, self.line())

    def _measured(self, name: str, func: Any, args: tuple[Any, ...], out: Any) -> Any:
        """An answer; sizes remember whose they are."""
        if isinstance(out, Tensor):  # x.mT, x.data
            attribute = (resolve_name(func) or name).split(".")[-2]
            return self._keep(attribute, self._given(args, {}), out, self.line())
        ref = self.where.get(id(args[0])) if args else None
        if not isinstance(ref, Ref):
            return out
        if isinstance(out, torch.Size):
            return tuple(Side.of(n, ref, axis) for axis, n in enumerate(out))
        if name == "size" and type(out) is int and len(args) > 1:
            return Side.of(out, ref, args[1] % args[0].dim())
        return out

    def known(self, x: Tensor) -> Any:
        """What a tensor is, by its name in the reading; a number for one that holds one."""
        found = self.where.get(id(x))
        if found is not None:
            return found
        if x.numel() == 1 and x.device.type != "meta":
            return x.item()
        raise ConversionError(
            self.path, self.line(), f"uses a tensor {tuple(x.shape)} that is no parameter, no "
            "buffer and no result of a call on the image, or that was changed in place",
            "Make it a parameter or buffer of the module (register_buffer), or compute it from the "
            "image without writing into views.",
        )  # fmt: skip

    def _given(self, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """Arguments, with names for tensors."""
        found: tuple[Any, Any] = tree_map(
            lambda x: self.known(x) if isinstance(x, Tensor) else x, (tuple(args), kwargs)
        )
        return found

    def _keep(
        self, target: Any, given: tuple[Any, Any], out: Any, line: str, layer: Any = None
    ) -> Any:
        tensors = [x for x in _leaves(out) if isinstance(x, Tensor)]
        if not tensors:
            return out
        refs = [x for x in _leaves(given) if isinstance(x, Ref)]
        weights = [x for x in _leaves(given) if isinstance(x, Weight)]
        same = len(weights) == 1 and tensors[0].numel() == _numel(weights[0])
        if not refs and same and target in SHAPES_ALONE:
            self._name(tensors[0], Weight(weights[0].name, tuple(tensors[0].shape)))
            return out
        number = len(self.reading.calls)
        for part, tensor in enumerate(tensors):
            if tensor._version != self.versions.get(id(tensor), tensor._version):
                self._forget_views(tensor)
            self._name(tensor, Ref(number, part))
        shapes = [tuple(tensor.shape) for tensor in tensors]
        self.reading.calls.append(
            Call(target, *given, self.path, line, shapes, not isinstance(out, Tensor), layer)
        )
        return out

    def _forget_views(self, changed: Tensor) -> None:
        """A tensor was written to, and so was all that shares its memory: that is not followed."""
        root = changed if changed._base is None else changed._base
        for other in self.kept:
            if other is not changed and (other is root or other._base is root):
                self.where.pop(id(other), None)

    def _name(self, tensor: Tensor, ref: Ref | Weight) -> None:
        self.kept.append(tensor)
        self.where[id(tensor)] = ref
        self.versions[id(tensor)] = tensor._version

    def line(self) -> str:
        """File and line of the code that calls, if it is neither torch's nor ours."""
        frame = sys._getframe(1)
        while frame is not None:
            if _is_theirs(frame):
                return f"{frame.f_code.co_filename}:{frame.f_lineno}"
            frame = frame.f_back  # type: ignore[assignment]
        return ""


def _is_theirs(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    return module.split(".")[0] not in ("torch", "equivlab")


def _line_of(error: Exception) -> str:
    """The innermost line of the user's code in which an error came up."""
    steps = [step for step in traceback.walk_tb(error.__traceback__) if _is_theirs(step[0])]
    return f"{steps[-1][0].f_code.co_filename}:{steps[-1][1]}" if steps else ""


def _leaves(tree: Any) -> list[Any]:
    found: list[Any] = []
    tree_map(found.append, tree)
    return found


def _numel(weight: Weight) -> int:
    return int(torch.Size(weight.shape).numel())
