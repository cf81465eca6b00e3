"""QM7 (QML subset): energies from what each atom sees on a sphere about it, upright and turned.

    EQUIVLAB_QM7=qm7.npz python benchmarks/sphere_qm7.py --folds 0 --threads 1

Networks: ``smooth`` (`smooth_spherical_atom_cnn` for each atom, their sum read out), ``paper``
(that of Cohen et al. 2018, section 5.4), ``planar`` (the planar twin on the same pictures, trained
the same way), ``coulomb`` (a dense network on sorted Coulomb matrices, sorted anew with noise in
each epoch). Each atom's sphere has bandwidth 10, and for each of H, C, N, O, S the potential of
the other atoms of that kind, in units of the atom's own charge, and a constant that says whether
the atom is of that kind. Energies linear in the numbers of H, C, N, O and S are fitted to the
training molecules by least squares, and a network learns what is left. Test molecules are taken as
the file has them ("upright") and, once more, each turned freely before it is projected. Folds, and
`--validate`, are those of `benchmarks/qm7.py`. The network after the last epoch is tested once.
Every epoch is kept in `benchmarks/runs`, so a killed run goes on.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from kept import RUNS, keep, parsed
from qm7 import KERNEL_RIDGE_MAE, composition, ranges
from regression import train
from torch import Tensor, nn

from equivlab.data import qm7
from equivlab.data.shapes.rotation import random_rotations
from equivlab.models.molecules import SphericalMoleculeCNN, smooth_spherical_atom_cnn
from equivlab.projection import project_molecule

BANDWIDTH, ELEMENTS, BOHR = 10, (1, 6, 7, 8, 16), 0.529177
NETWORKS = {"smooth": 1e-2, "paper": 5e-3, "planar": 5e-3, "coulomb": 2e-3}  # rates of Adam


class Inputs(Protocol):
    """What a network takes of the molecules numbered `some` ``(b,)``."""

    def batch(self, some: Tensor, anew: torch.Generator | None = None) -> tuple[Tensor, ...]: ...


@dataclass
class Spheres:
    """What every atom sees, the atoms of all molecules end to end."""

    signals: Tensor  # (N, 5, 2b, 2b)
    kinds: Tensor  # (N, 5)
    first: Tensor  # (B + 1,)

    def batch(self, some: Tensor, anew: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Signals ``(b, A, 10, 2b, 2b)`` and the mask of atoms ``(b, A)``."""
        atoms, _ = ranges(self.first, some)
        counts = self.first[some + 1] - self.first[some]
        mask = torch.arange(int(counts.max())) < counts[:, None]
        x = self.signals[atoms]
        x = torch.cat([x, self.kinds[atoms][:, :, None, None].expand_as(x)], 1)
        out = x.new_zeros(*mask.shape, *x.shape[1:])
        out[mask] = x
        return out, mask


@dataclass
class CoulombMatrices:
    """Upper triangles of Coulomb matrices, rows sorted by their norms."""

    matrices: Tensor  # (B, 23, 23)
    mean: Tensor | float = 0.0  # (276,)
    std: Tensor | float = 1.0

    def batch(self, some: Tensor, anew: torch.Generator | None = None) -> tuple[Tensor]:
        """``(b, 276)``; with a generator noise of deviation 1 is added to the norms."""
        m = self.matrices[some]
        norms = m.norm(dim=2)
        if anew is not None:
            norms = norms + torch.randn(norms.shape, generator=anew)
        order = norms.argsort(1, descending=True)
        m = m.gather(1, order[:, :, None].expand_as(m)).gather(2, order[:, None].expand_as(m))
        row, column = torch.triu_indices(*m.shape[1:])
        return ((m[:, row, column] - self.mean) / self.std,)


def seen_by_atoms(Z: Tensor, R: Tensor) -> Spheres:
    """Project molecules; a potential is divided by the charge of the atom that feels it."""
    parts = []
    for z, r in zip(Z.split(64), R.split(64), strict=True):
        x = project_molecule(r, z, bandwidth=BANDWIDTH, elements=ELEMENTS)
        parts.append((x / z.clamp_min(1)[:, :, None, None, None])[z > 0])
    kinds = (Z[Z > 0][:, None] == torch.tensor(ELEMENTS)).float()
    return Spheres(torch.cat(parts), kinds, F.pad((Z > 0).sum(1).cumsum(0), (1, 0)))


def coulomb_matrices(Z: Tensor, R: Tensor) -> CoulombMatrices:
    """``Z_i Z_j / |R_i − R_j|`` in Hartree, and ``½ Z_i^2.4`` on the diagonal."""
    z = Z.float()
    distance = (torch.cdist(R, R) / BOHR).clamp_min(1e-3)  # 0 between empty places
    matrices = z[:, :, None] * z[:, None] / distance
    matrices.diagonal(dim1=1, dim2=2).copy_(0.5 * z**2.4)
    return CoulombMatrices(matrices)


class CoulombNetwork(nn.Sequential):
    """Three dense layers; the answer is one number for each molecule."""

    def __init__(self, inputs: int = 276) -> None:
        super().__init__(
            nn.Linear(inputs, 400), nn.SiLU(), nn.Linear(400, 100), nn.SiLU(), nn.Linear(100, 1),
            nn.Flatten(0),
        )  # fmt: skip


def planar_atoms() -> nn.Sequential:
    """The planar twin: three convolutions on the β–α picture of an atom, and a mean."""

    def layer(before: int, after: int, stride: int) -> list[nn.Module]:
        conv = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        return [conv, nn.BatchNorm2d(after), nn.SiLU()]

    layers = [*layer(10, 48, 2), *layer(48, 64, 2), *layer(64, 64, 1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def network(name: str, seed: int) -> nn.Module:
    """A network by its name, its weights drawn with `seed`."""
    torch.manual_seed(seed)
    if name == "coulomb":
        return CoulombNetwork()
    if name == "paper":
        return SphericalMoleculeCNN(10, bandwidth=BANDWIDTH)
    atoms = (
        smooth_spherical_atom_cnn(10, bandwidth=BANDWIDTH) if name == "smooth" else planar_atoms()
    )
    return SphericalMoleculeCNN(10, bandwidth=BANDWIDTH, features=atoms)


@torch.no_grad()
def predict(model: nn.Module, inputs: Inputs, some: Tensor) -> Tensor:
    """What the network gives for the molecules `some`, ``(b,)``."""
    return torch.cat([model(*inputs.batch(part)) for part in some.split(100)]).double()


def halves(fold: Tensor, number: int, validate: bool) -> tuple[Tensor, Tensor]:
    """Molecules to learn from and to test on: a fold, or a tenth of the others."""
    others = (fold != number).nonzero()[:, 0]
    if not validate:
        return others, (fold == number).nonzero()[:, 0]
    learn = torch.ones(len(others), dtype=torch.bool)
    learn[::10] = False
    return others[learn], others[::10]


class Fold:
    """One split: what is left of the energies, and the inputs as they are and turned."""

    def __init__(
        self, data: dict[str, Tensor], number: int, validate: bool, molecules: int | None
    ) -> None:
        self.number = number
        self.learn, self.judge = halves(data["fold"], number, validate)
        if molecules is not None:
            order = torch.randperm(len(self.learn), generator=torch.Generator().manual_seed(0))
            self.learn = self.learn[order[:molecules]]
        counts = composition(data["Z"])
        fit = torch.linalg.lstsq(
            counts[self.learn], data["E"][self.learn, None], driver="gelsd"
        ).solution
        self.rest = data["E"] - (counts @ fit)[:, 0]
        self.scale = self.rest[self.learn].std()
        # Each molecule's rotation is the same in every fold.
        turns = random_rotations(len(data["R"]), torch.Generator().manual_seed(1))
        self.turned = (data["R"].double() @ turns.mT).float()[self.judge]
        self.data = data

    def spheres(self) -> tuple[Spheres, Spheres]:
        """Upright, and turned test molecules; standardised by the training molecules."""
        both = seen_by_atoms(self.data["Z"], self.data["R"])
        turned = seen_by_atoms(self.data["Z"][self.judge], self.turned)
        x = both.signals[ranges(both.first, self.learn)[0]]
        mean, std = x.mean((0, 2, 3), keepdim=True), x.std((0, 2, 3), keepdim=True)
        for spheres in (both, turned):
            spheres.signals.sub_(mean).div_(std)
        return both, turned

    def matrices(self) -> tuple[CoulombMatrices, CoulombMatrices]:
        """The same for Coulomb matrices."""
        both = coulomb_matrices(self.data["Z"], self.data["R"])
        turned = coulomb_matrices(self.data["Z"][self.judge], self.turned)
        (x,) = both.batch(self.learn)
        for matrices in (both, turned):
            matrices.mean, matrices.std = x.mean(0), x.std(0) + 0.1
        return both, turned


def run(
    name: str, fold: Fold, inputs: tuple[Inputs, Inputs], arguments: argparse.Namespace
) -> dict[str, object]:
    """Train (or go on training) one network on one fold and test it once."""
    model = network(name, arguments.seed)
    epochs = arguments.epochs * (arguments.coulomb_factor if name == "coulomb" else 1)
    stem = f"sphere-qm7-{name}-fold{fold.number}-{epochs}epochs-seed{arguments.seed}"
    stem += f"-{arguments.molecules}molecules" if arguments.molecules else ""
    stem += arguments.tag + ("-validate" if arguments.validate else "")
    started = time.process_time()
    target = (fold.rest / fold.scale).float()
    lr = arguments.lr or NETWORKS[name]
    path = RUNS / f"{stem}.safetensors"
    train(model, inputs[0].batch, target, fold.learn, path, epochs=epochs, lr=lr)
    seconds = time.process_time() - started
    found = {
        "upright": predict(model, inputs[0], fold.judge) * fold.scale,
        "turned": predict(model, inputs[1], torch.arange(len(fold.judge))) * fold.scale,
    }
    rest = fold.rest[fold.judge]
    result: dict[str, object] = {
        "network": name,
        "fold": fold.number,
        "parameters": sum(p.numel() for p in model.parameters()),
        "epochs": epochs,
        "composition MAE": float(rest.abs().mean()),
        "composition RMSE": float(rest.square().mean().sqrt()),
        "change of a prediction by turning, RMS": float(
            (found["turned"] - found["upright"]).square().mean().sqrt()
        ),
        "trained on": len(fold.learn),
        "molecules": len(rest),
        "tested on": "a tenth of the training" if arguments.validate else "the fold",
        "seed": arguments.seed,
        "CPU seconds in this call": round(seconds),
    }
    for how, energies in found.items():
        result[f"{how} MAE"] = float((energies - rest).abs().mean())
        result[f"{how} RMSE"] = float((energies - rest).square().mean().sqrt())
    return keep(RUNS / f"{stem}.json", result)


def main() -> None:
    """Run the networks and folds asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=os.environ.get("EQUIVLAB_QM7"))
    parser.add_argument("--networks", nargs="+", default=["smooth", "planar", "coulomb"],
                        choices=NETWORKS)  # fmt: skip
    parser.add_argument("--folds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--coulomb-factor", type=int, default=10, help="its epochs cost little")
    parser.add_argument("--lr", type=float, help="instead of each network's own")
    parser.add_argument("--tag", default="", help="of the files, for other settings")
    parser.add_argument("--validate", action="store_true", help="test on a tenth of the training")
    parser.add_argument("--molecules", type=int, help="train on so many only")
    arguments = parsed(parser)
    data = qm7(arguments.data)
    columns = ["upright MAE", "upright RMSE", "turned MAE", "turned RMSE"]
    print(f"| fold | network | parameters | epochs | {' | '.join(columns)} |")
    print("|---|---|---|---|---|---|---|---|")
    for number in arguments.folds:
        fold = Fold(data, number, arguments.validate, arguments.molecules)
        spheres: tuple[Spheres, Spheres] | None = None
        for name in arguments.networks:
            if name == "coulomb":
                r = run(name, fold, fold.matrices(), arguments)
            else:
                spheres = spheres or fold.spheres()
                r = run(name, fold, spheres, arguments)
            cells = " | ".join(f"{r[c]:.2f}" for c in columns)
            print(f"| {number} | {name} | {r['parameters']:,} | {r['epochs']} | {cells} |")
        mae, rmse = r["composition MAE"], r["composition RMSE"]
        cells = f"{mae:.2f} | {rmse:.2f} | {mae:.2f} | {rmse:.2f}"
        print(f"| {number} | composition only | 6 | – | {cells} |", flush=True)
    print(f"\nKernel ridge on Coulomb eigenvalues, same molecules: MAE {KERNEL_RIDGE_MAE}.")


if __name__ == "__main__":
    main()
