"""What has no twin, said so that it can be mended: where it is, why, and what to do."""

from __future__ import annotations

from torch import nn

__all__ = ["ConversionError", "attention_in"]


class ConversionError(ValueError):
    """A network, or a part of it, that `equivariant_twin` does not convert.

    Args:
        path: the module, as in ``'layer1.0.conv1'``; empty for the network itself.
        line: file and line of the code, where they are known.
        why: what cannot be converted.
        remedy: what one can do.

    Attributes:
        path: as given.
        line: as given.
    """

    def __init__(self, path: str, line: str, why: str, remedy: str) -> None:
        place = f"{path}: " if path else ""
        at = f" ({line})" if line else ""
        super().__init__(f"equivariant_twin: {place}{why}{at}. {remedy}")
        self.path = path
        self.line = line


# What attention between places has, and that between channels, such as selective kernels, has not.
HEADS = ("num_heads", "heads", "num_attention_heads", "qkv", "to_qkv", "query", "q_proj", "q")


def attention_in(model: nn.Module) -> str:
    """The remedy where a network has attention between places in it, else nothing."""
    for name, part in model.named_modules():
        kind = type(part).__name__
        called = "Attention" in kind or "Attn" in kind
        if isinstance(part, nn.MultiheadAttention) or (
            called and any(hasattr(part, word) for word in HEADS)
        ):
            return (
                f"It is a network with attention ({name} is a {kind}), such as a vision "
                "transformer, whose tokens and their places follow no turn: it has no twin. Take a "
                "convolutional network, such as a ResNet or ConvNeXt."
            )
    return ""
