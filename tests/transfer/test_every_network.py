"""The tools of `equivlab.transfer` on every network of `equivlab.models`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from equivlab.nn.running import batch_norms
from equivlab.nn.synced import sync_norms
from equivlab.transfer import (
    freeze,
    learning_rates,
    renew_norms,
    replace_head,
    stages,
    to_plain,
    unfreeze,
)
from tests.laws import relative
from tests.networks import NETWORKS, build

NAMES = sorted(NETWORKS)
HEADS = [name for name in NAMES if NETWORKS[name].head]
PLAIN = [name for name in NAMES if NETWORKS[name].no_plain is None]


def copied(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def moved(model: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    """The names of parameters and statistics that are not what they were."""
    after = model.state_dict()
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


def step(model: nn.Module, name: str) -> None:
    """One step of training."""
    optimiser = torch.optim.SGD(learning_rates(model, 0.5))
    model.train()
    out = model(*NETWORKS[name].inputs())
    (out * torch.linspace(0.5, 1.5, out.numel()).view_as(out)).square().mean().backward()
    optimiser.step()


def owners(model: nn.Module, members: list[nn.Module]) -> set[str]:
    """The names of all that belongs to some modules."""
    wanted = set(members)
    return {
        f"{path}.{name}".lstrip(".")
        for path, part in model.named_modules()
        if part in wanted
        for name in part.state_dict()
        if "." not in name
    }


@pytest.mark.parametrize("name", NAMES)
def test_stages_hold_everything_once(name: str) -> None:
    model = build(name)
    groups = learning_rates(model, 1.0)
    assert list(stages(model))[-1] == "head"
    inside = [id(p) for group in groups for p in group["params"]]
    assert sorted(inside) == sorted(id(p) for p in model.parameters())
    assert [group["lr"] for group in groups] == [0.5**n for n in reversed(range(len(groups)))]
    members = [part for parts in stages(model).values() for part in parts]
    assert set(batch_norms(model).values()) <= set(members)
    assert len(members) == len(set(members))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_frozen_stays(name: str) -> None:
    """Weights and statistics too, in `train()`, and nothing else."""
    model = build(name)
    frozen = freeze(model)
    before = copied(model)
    step(model, name)
    cold = set().union(*(owners(model, stages(model)[stage]) for stage in frozen))
    changed = moved(model, before)
    assert not changed & cold
    assert changed  # the head learns
    assert unfreeze(model) == list(stages(model))
    before = copied(model)
    step(model, name)
    thawed = moved(model, before)
    assert {n for n in before if n.endswith("var")} <= thawed
    assert not any(part._forward_pre_hooks for part in model.modules())


@pytest.mark.parametrize("name", NAMES)
def test_norms_are_renewed(name: str) -> None:
    """In every domain, as one batch in `train()` leaves them where only the newest counts."""
    model, twin = build(name).eval(), build(name)
    inputs = NETWORKS[name].inputs()
    norms = batch_norms(model)
    before = copied(model)
    for norm in batch_norms(twin).values():
        norm.momentum = 1.0
    for part in twin.modules():
        part.training = not isinstance(part, nn.Dropout)
    with torch.no_grad():
        twin(*inputs)
    assert renew_norms(model, [inputs]) == list(norms)
    wanted = {n: value for n, value in copied(twin).items() if n.endswith(("mean", "var"))}
    assert bool(wanted) == bool(norms)
    for statistic, value in wanted.items():
        assert torch.allclose(model.state_dict()[statistic], value, atol=1e-6), statistic
    assert all(n.endswith(("mean", "var", "tracked")) for n in moved(model, before))
    assert len(moved(model, before)) >= len(norms)


@pytest.mark.parametrize("name", NAMES)
def test_norms_are_shared(name: str) -> None:
    model = build(name)
    before = copied(model)
    assert sync_norms(model) == list(batch_norms(model))
    assert all(norm.synced for norm in batch_norms(model).values())
    assert sync_norms(model) == []
    assert not moved(model, before)
    step(model, name)
    if NETWORKS[name].no_plain is None:
        plain = to_plain(model)
        assert not any(type(m).__module__.startswith("equivlab") for m in plain.modules())


@pytest.mark.parametrize("name", NAMES)
def test_a_new_head(name: str) -> None:
    model = build(name).eval()
    field = getattr(model, "out_field", None)
    if name not in HEADS:
        with pytest.raises(TypeError, match=r"wants a network that ends in nn\.Linear"):
            replace_head(model, 5)
        return
    before = {n: value for n, value in copied(model).items() if n in moved_names(model)}
    head = replace_head(model, 5)
    assert head.out_features == 5
    assert model(*NETWORKS[name].inputs()).shape == (4, 5)
    assert not moved(model, before)
    if field is not None:
        assert type(model.out_field) is type(field)
        assert model.out_field.channels == 5
        assert model.out_field.group == field.group


def moved_names(model: nn.Module) -> set[str]:
    """All but the head."""
    return set(model.state_dict()) - owners(model, stages(model)["head"][-1:])


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(PLAIN)))
def test_what_has_no_twin_is_named(name: str) -> None:
    layer = NETWORKS[name].no_plain
    with pytest.raises(TypeError, match=rf"{layer} has no twin.*it is .*torch.export"):
        to_plain(build(name))


READ = """
import sys, torch
sys.modules["equivlab"] = None  # importing it is an error from here on
for path in sys.argv[1:]:
    plain, inputs = torch.load(path, weights_only=False)
    torch.save(plain(*inputs), path + ".out")
    torch.export.export(plain, inputs)
assert not [name for name in sys.modules if name.startswith("equivlab.")]
"""


def test_plain_networks_go_where_this_package_is_not(tmp_path: Path) -> None:
    wanted = {}
    for name in PLAIN:
        model, inputs = build(name), NETWORKS[name].inputs()
        with torch.no_grad():
            model.train()(*inputs)  # statistics that are not 0 and 1
            wanted[name] = model.eval()(*inputs)
        if wanted[name].dim() == 5 and name == "smooth_network":
            wanted[name] = wanted[name].flatten(1, 2)
        plain = to_plain(model)
        assert not any(type(m).__module__.startswith("equivlab") for m in plain.modules()), name
        torch.save((plain, inputs), tmp_path / name)
    paths = [str(tmp_path / name) for name in PLAIN]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-c", READ, *paths]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in PLAIN:
        found = torch.load(tmp_path / f"{name}.out")
        assert relative(found, wanted[name]) < 1e-5, name
