"""Colours keep their meaning: equivariant networks are orange, plain ones blue, everywhere."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from equivlab.plots.style import HUES

__all__ = ["HUES", "hue", "is_equivariant", "roles_of"]

Role = tuple[str, int]


def is_equivariant(network: nn.Module) -> bool:
    """Whether any of its layers with weights says on which fields a group acts.

    Those without weights, such as a pooling, stand in plain networks as well.
    """
    return any(
        getattr(module, "out_field", None) is not None and any(True for _ in module.parameters())
        for module in network.modules()
    )


def roles_of(networks: Iterable[nn.Module]) -> list[Role]:
    """Of each network its kind, and its number among those of that kind."""
    counts = dict.fromkeys(HUES, 0)
    roles = []
    for network in networks:
        kind = "equivariant" if is_equivariant(network) else "plain"
        roles.append((kind, counts[kind]))
        counts[kind] += 1
    return roles


def hue(role: Role) -> str:
    """The colour of a network in stills."""
    kind, number = role
    return HUES[kind][number % len(HUES[kind])]
