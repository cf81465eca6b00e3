"""QM7 (QML subset): errors of the point network for atomisation energies, five fixed folds.

    EQUIVLAB_QM7=qm7.npz python benchmarks/qm7.py --epochs 10 --threads 1

The 7101 molecules of the QML subset, not the published file of 7165; the folds are those of
`equivlab.data.qm7`. For each fold: energies linear in the numbers of H, C, N, O and S are fitted
to the other four by least squares, and a network on points learns what is left. `--validate`
tests on a tenth of the training molecules instead, to choose settings by; the network after the
last epoch is tested once. Neighbours are found once, for all molecules. A killed run goes on from
its last stored epoch.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from kept import RUNS, keep
from torch import Tensor, nn

from equivlab.checkpoint import read_tensors, write_tensors
from equivlab.data import qm7
from equivlab.models.points import PointNetwork
from equivlab.nn.space import Neighbours, find_neighbours

KERNEL_RIDGE_MAE = 10.0  # on Coulomb eigenvalues, same molecules
STORE_EVERY = 5


@dataclass(frozen=True)
class Molecules:
    """All molecules end to end, with their neighbours."""

    species: Tensor  # (N,)
    energies: Tensor  # (B,)
    first_atom: Tensor  # (B + 1,)
    first_pair: Tensor  # (B + 1,)
    near: Neighbours

    def batch(self, some: Tensor) -> tuple[Tensor, Neighbours, Tensor]:
        """Species, neighbours and molecule numbers of the molecules `some` ``(b,)``."""
        atoms, owner = ranges(self.first_atom, some)
        pairs, _ = ranges(self.first_pair, some)
        moved = torch.zeros(len(self.species), dtype=torch.long)
        moved[atoms] = torch.arange(len(atoms))
        near = Neighbours(
            moved[self.near.source[pairs]],
            moved[self.near.target[pairs]],
            self.near.vector[pairs],
            len(atoms),
            self.near.cutoff,
        )
        return self.species[atoms], near, owner


def ranges(first: Tensor, some: Tensor) -> tuple[Tensor, Tensor]:
    """The places ``first[s] … first[s+1]`` for each ``s`` in `some`, and whose they are."""
    sizes = first[some + 1] - first[some]
    owner = torch.arange(len(some)).repeat_interleave(sizes)
    start = first[some] - F.pad(sizes.cumsum(0)[:-1], (1, 0))
    return torch.arange(int(sizes.sum())) + start[owner], owner


def molecules(data: dict[str, Tensor], cutoff: float) -> Molecules:
    """Find all neighbours."""
    there = data["Z"] > 0
    owner = there.nonzero()[:, 0]
    near = find_neighbours(data["R"][there], cutoff, owner)
    counts = [torch.bincount(o, minlength=len(there)) for o in (owner, owner[near.target])]
    first_atom, first_pair = (F.pad(count.cumsum(0), (1, 0)) for count in counts)
    return Molecules(data["Z"][there].long(), data["E"], first_atom, first_pair, near)


def composition(Z: Tensor) -> Tensor:
    """How many H, C, N, O and S, and 1, ``(B, 6)``."""
    counts = [(z == Z).sum(1).double() for z in (1, 6, 7, 8, 16)]
    return torch.stack([*counts, torch.ones(len(Z), dtype=torch.float64)], 1)


def network(cutoff: float, arguments: argparse.Namespace) -> PointNetwork:
    """The network, its weights drawn with the seed."""
    torch.manual_seed(arguments.seed)
    return PointNetwork(
        1,
        cutoff,
        hidden=arguments.hidden,
        layers=arguments.layers,
        species=17,
        degree=arguments.degree,
        radial=16,
        mean_neighbours=10.0,
        pooling="sum",
    )


def train(
    model: nn.Module,
    all_of_them: Molecules,
    target: Tensor,
    learn: Tensor,
    arguments: argparse.Namespace,
    path: Path,
) -> nn.Module:
    """Minimise the mean absolute error; gives the running average of the weights."""
    optimiser = torch.optim.Adam(model.parameters(), lr=arguments.lr)
    average = {name: value.clone() for name, value in model.state_dict().items()}
    done = resume(path, model, average, optimiser)
    steps = math.ceil(len(learn) / arguments.batch)
    for epoch in range(done, arguments.epochs):
        order = learn[torch.randperm(len(learn), generator=torch.Generator().manual_seed(epoch))]
        total = 0.0
        for step, some in enumerate(order.split(arguments.batch)):
            progress = (epoch + step / steps) / arguments.epochs
            warm = min(1.0, (epoch * steps + step + 1) / 100)
            rate = arguments.lr * warm * (1 + math.cos(math.pi * progress)) / 2
            optimiser.param_groups[0]["lr"] = rate
            optimiser.zero_grad()
            loss = F.l1_loss(model(*all_of_them.batch(some))[:, 0], target[some])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimiser.step()
            total += loss.item()
            with torch.no_grad():
                for name, value in model.state_dict().items():
                    average[name].lerp_(value, 0.005)
        if (epoch + 1) % STORE_EVERY == 0 or epoch + 1 == arguments.epochs:
            store(path, model, average, optimiser, epoch + 1)
            print(f"  epoch {epoch + 1}: loss {total / steps:.4f}", flush=True)
    model.load_state_dict(average)
    return model.eval()


def store(
    path: Path,
    model: nn.Module,
    average: dict[str, Tensor],
    optimiser: torch.optim.Adam,
    epoch: int,
) -> None:
    """Weights, their average, and Adam's state as one file."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.items()}
    for number, values in optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{number}.{name}": value for name, value in values.items()}
    write_tensors(tensors, path, {"epoch": str(epoch)})


def resume(
    path: Path, model: nn.Module, average: dict[str, Tensor], optimiser: torch.optim.Adam
) -> int:
    """Take up the run in `path`, if there is one; the epochs it has done."""
    if not path.exists():
        return 0
    tensors, notes = read_tensors(path)
    state: dict[int, dict[str, Tensor]] = {}
    weights = {}
    for key, value in tensors.items():
        kind, name = key.split(".", 1)
        if kind == "model":
            weights[name] = value
        elif kind == "average":
            average[name] = value
        else:
            number, name = name.split(".")
            state.setdefault(int(number), {})[name] = value
    model.load_state_dict(weights)
    optimiser.load_state_dict(optimiser.state_dict() | {"state": state})
    return int(notes["epoch"])


@torch.no_grad()
def predict(model: nn.Module, all_of_them: Molecules, some: Tensor) -> Tensor:
    """What the network gives for the molecules `some`."""
    return torch.cat([model(*all_of_them.batch(part))[:, 0] for part in some.split(200)])


def one_fold(
    fold: int, data: dict[str, Tensor], all_of_them: Molecules, arguments: argparse.Namespace
) -> dict[str, float]:
    """Train without the molecules of `fold`, or a tenth of the others, and test on them."""
    judge = data["fold"] == fold
    if arguments.validate:
        others = (~judge).nonzero()[:, 0]
        judge = torch.zeros_like(judge)
        judge[others[::10]] = True
        learn = torch.ones_like(judge)
        learn[data["fold"] == fold] = False
        learn &= ~judge
    else:
        learn = ~judge
    learn, judge = learn.nonzero()[:, 0], judge.nonzero()[:, 0]
    counts = composition(data["Z"])
    fit = torch.linalg.lstsq(counts[learn], data["E"][learn, None], driver="gelsd").solution
    rest = data["E"] - (counts @ fit)[:, 0]
    scale = rest[learn].std()
    model = network(arguments.cutoff, arguments)
    stem = f"qm7-{arguments.name}-fold{fold}-{arguments.epochs}epochs-seed{arguments.seed}"
    stem += "-validate" if arguments.validate else ""
    started = time.process_time()
    train(
        model, all_of_them, (rest / scale).float(), learn, arguments, RUNS / f"{stem}.safetensors"
    )
    off = predict(model, all_of_them, judge).double() * scale - rest[judge]
    result = {
        "fold": fold,
        "MAE": float(off.abs().mean()),
        "RMSE": float(off.square().mean().sqrt()),
        "composition MAE": float(rest[judge].abs().mean()),
        "molecules": len(judge),
        "parameters": sum(p.numel() for p in model.parameters()),
        "epochs": arguments.epochs,
        "CPU seconds in this call": round(time.process_time() - started),
        "settings": {k: v for k, v in vars(arguments).items() if k != "data"},
    }
    return keep(RUNS / f"{stem}.json", result)


def main() -> None:
    """Run the folds asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=os.environ.get("EQUIVLAB_QM7"))
    parser.add_argument("--folds", nargs="+", type=int, default=list(range(5)))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--hidden", default="32x0e + 16x1o")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--degree", type=int, default=1)
    parser.add_argument("--cutoff", type=float, default=5.0)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="points", help="of the files, for other settings")
    parser.add_argument("--validate", action="store_true", help="test on a tenth of the training")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    RUNS.mkdir(exist_ok=True)
    data = qm7(arguments.data)
    all_of_them = molecules(data, arguments.cutoff)
    found = [one_fold(fold, data, all_of_them, arguments) for fold in arguments.folds]
    print("| fold | molecules | composition only, MAE | point network, MAE | RMSE |")
    print("|---|---|---|---|---|")
    for r in found:
        cells = f"{r['composition MAE']:.2f} | {r['MAE']:.2f} | {r['RMSE']:.2f}"
        print(f"| {r['fold']} | {r['molecules']} | {cells} |")
    weights = [r["molecules"] / sum(q["molecules"] for q in found) for r in found]
    mae = sum(w * r["MAE"] for w, r in zip(weights, found, strict=True))
    rmse = math.sqrt(sum(w * r["RMSE"] ** 2 for w, r in zip(weights, found, strict=True)))
    print(f"\nAll: MAE {mae:.2f}, RMSE {rmse:.2f} kcal/mol; kernel ridge on Coulomb eigenvalues, ")
    print(f"same molecules: MAE {KERNEL_RIDGE_MAE}.")


if __name__ == "__main__":
    main()
