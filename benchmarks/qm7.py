"""QM7 (QML subset): errors of the point network for atomisation energies, five fixed folds.

    EQUIVLAB_QM7=qm7.npz python benchmarks/qm7.py --epochs 10 --threads 1

The 7101 molecules of the QML subset, not the published file of 7165; the folds are those of
`equivlab.data.qm7`. For each fold: energies linear in the numbers of H, C, N, O and S are fitted
to the other four by least squares, and a network on points learns what is left. `--validate`
tests on a tenth of the training molecules instead, to choose settings by; the network after the
last epoch is tested once. Neighbors are found once, for all molecules. A killed run goes on from
its last stored epoch.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from kept import RUNS, keep, parsed
from regression import train
from torch import Tensor, nn

from equivlab.data import qm7
from equivlab.models.points import PointNetwork
from equivlab.nn.space import Neighbors, find_neighbors

KERNEL_RIDGE_MAE = 10.0  # on Coulomb eigenvalues, same molecules
STORE_EVERY = 5


@dataclass(frozen=True)
class Molecules:
    """All molecules end to end, with their neighbours."""

    species: Tensor  # (N,)
    energies: Tensor  # (B,)
    first_atom: Tensor  # (B + 1,)
    first_pair: Tensor  # (B + 1,)
    near: Neighbors

    def batch(self, some: Tensor) -> tuple[Tensor, Neighbors, Tensor]:
        """Species, neighbours and molecule numbers of the molecules `some` ``(b,)``."""
        atoms, owner = ranges(self.first_atom, some)
        pairs, _ = ranges(self.first_pair, some)
        moved = torch.zeros(len(self.species), dtype=torch.long)
        moved[atoms] = torch.arange(len(atoms))
        near = Neighbors(
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
    near = find_neighbors(data["R"][there], cutoff, owner)
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
        arguments.hidden,
        classes=1,
        cutoff=cutoff,
        layers=arguments.layers,
        species=17,
        lmax=arguments.degree,
        radial=16,
        mean_neighbors=10.0,
        pooling="sum",
    )


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
        model,
        lambda some, generator: all_of_them.batch(some),
        (rest / scale).float(),
        learn,
        RUNS / f"{stem}.safetensors",
        epochs=arguments.epochs,
        lr=arguments.lr,
        size=arguments.batch,
        store_every=STORE_EVERY,
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
    parser.add_argument("--name", default="points", help="of the files, for other settings")
    parser.add_argument("--validate", action="store_true", help="test on a tenth of the training")
    arguments = parsed(parser)
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
