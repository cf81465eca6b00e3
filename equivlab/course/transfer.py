"""Checks for the exercises on transfer: freezing a network, and filters for a group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equivlab.course.verdict import Verdict, run_attempt
from equivlab.groups import P4
from equivlab.nn import GroupConv2d

__all__ = ["check_freeze", "check_group_filter"]

CLOSE = 1e-9


def small_network() -> nn.Sequential:
    """Convolution, batch norm, mean, head; with statistics of images around zero."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(1, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, 3),
        )
    with torch.no_grad():
        for _ in range(20):
            model(torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(1)))
    return model


def check_freeze(attempt: Callable[[nn.Sequential], Any]) -> Verdict:
    """Stop all of a network but its last layer from learning: ``attempt(model)``.

    The attempt is called once; then the network is put into `train()` and learns two steps on
    images that are brighter than those it knows.

    Args:
        attempt: takes a `torch.nn.Sequential` with a batch norm and changes it in place.
    """
    model = small_network()
    bright = 3 + 2 * torch.randn(12, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        wanted = model.eval()[:-1](bright)
    model.train()
    _, trouble = run_attempt(lambda m: (attempt(m), True), (model,))
    if trouble:
        return Verdict(False, trouble)
    norm = model[1]
    held = isinstance(norm, nn.BatchNorm2d) and not norm.training
    before = {name: value.clone() for name, value in model.state_dict().items()}
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not learning:
        return Verdict(False, "Nothing learns any more: leave the last layer, model[-1], alone.")
    optimiser = torch.optim.AdamW(learning, lr=0.1)
    for _ in range(2):
        optimiser.zero_grad()
        F.cross_entropy(model.train()(bright), torch.arange(12) % 3).backward()
        optimiser.step()
    with torch.no_grad():
        features = model[:-1](bright)
    state = model.state_dict()
    moved = [name for name, value in before.items() if not torch.equal(value, state[name])]
    return _said_of_freezing(moved, held, bool(torch.allclose(features, wanted, atol=1e-5)))


def _said_of_freezing(moved: list[str], held: bool, same_features: bool) -> Verdict:
    """The verdict on what moved, whether the norm was in `eval()`, and what comes out."""
    kept = ("running_mean", "running_var", "num_batches_tracked")
    weights = [name for name in moved if name.split(".")[0] != "5" and not name.endswith(kept)]
    if weights:
        return Verdict(False, f"{', '.join(weights)} still learns: requires_grad_(False).")
    if any("running" in name for name in moved):
        if held:
            said = "the norm was in eval(), but model.train() put it back. Let it stay there."
        else:
            said = "they have no gradient, so requires_grad says nothing about them."
        return Verdict(False, f"The running mean and variance drift to the new images: {said}")
    if not same_features:
        return Verdict(
            False, "The statistics stand still, but in train() the norm takes those of the batch."
        )
    return Verdict(True, "Weights and statistics stand still, and the head learns.")


def check_group_filter(attempt: Callable[[Tensor], Any]) -> Verdict:
    """Ordinary filters as filters of a P4 layer: ``attempt(filters)``.

    Args:
        attempt: takes filters ``(O, I, k, k)`` in float64; should give ``(O, I, 4, k, k)`` with
            which map ``h`` of the group convolution sees map ``h`` alone, through the filter
            turned by ``h``.
    """
    generator = torch.Generator().manual_seed(0)
    plain = torch.randn(3, 2, 3, 3, generator=generator, dtype=torch.float64)
    found, trouble = run_attempt(attempt, (plain.clone(),))
    if trouble:
        return Verdict(False, trouble)
    if not isinstance(found, Tensor) or found.shape != (3, 2, 4, 3, 3):
        what = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        return Verdict(
            False, f"It should give a tensor (O, I, 4, k, k), (3, 2, 4, 3, 3); got {what}."
        )
    layer = GroupConv2d(P4, 2, 3, 3, bias=False).double()
    x = torch.randn(1, 2, 4, 6, 6, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(found.double().flatten(1, 2))
        first = layer(x)[:, :, 0]
    seen = torch.stack([F.conv2d(x[:, :, h], plain) for h in range(4)])
    if _same(first, seen[0]):
        return Verdict(True, "Each orientation minds its own map; training will mix them.")
    for h in (1, 2, 3):
        if _same(first, seen[h]):
            return Verdict(False, f"Map 0 looks at map {h}: put the filter where h is 0.")
    if _same(first, F.conv2d(x.sum(2), plain)) or _same(first, F.conv2d(x.mean(2), plain)):
        return Verdict(False, "Every orientation looks at all four: leave three of them zero.")
    return Verdict(False, "Map 0 is not what the ordinary filter makes of map 0.")


def _same(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() <= CLOSE)
