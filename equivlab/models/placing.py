"""Where a network lives: the same seed gives the same numbers on every device."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

__all__ = ["place"]

Network = TypeVar("Network", bound=nn.Module)


def place(model: Network, device: torch.device | str | None, dtype: torch.dtype | None) -> Network:
    """Take a new network to a device and a dtype; None leaves what it has."""
    if device is not None:
        model.to(device=device)
    if dtype is not None:
        model.to(dtype=dtype)
    return model
