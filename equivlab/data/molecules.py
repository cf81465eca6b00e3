"""Small organic molecules with their energies: QM7."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from equivlab.data.archives import read_arrays

__all__ = ["FOLDS", "qm7"]

FOLDS = 5
FOLD_SEED = 0
#: Our name, the name in the archive.
ARRAYS = {"Z": "Z", "R": "R", "E": "E_pbe0_kcal"}
WITHOUT_FILE = (
    "Give path=... or point EQUIVLAB_QM7 at an .npz file with the arrays Z (N, atoms), "
    "R (N, atoms, 3) in Å and E_pbe0_kcal (N,)"
)


def qm7(path: str | os.PathLike[str] | None = None) -> dict[str, Tensor]:
    """QM7: molecules of up to seven heavy atoms (C, N, O, S) and their atomisation energies.

    The 7101 molecules of the QML subset are not all 7165 of the published set and come without
    its folds, so name results "QM7 (QML subset, 7101)". The folds here are fixed: molecules in
    the order of their energies, each five in a row dealt to the five folds by a seeded shuffle.

    Args:
        path: an ``.npz`` file; else ``$EQUIVLAB_QM7``.

    Returns:
        ``Z (N, 23)`` `torch.uint8`, 0 where there is no atom; ``R (N, 23, 3)`` float32 in Å;
        ``E (N,)`` float64 in kcal/mol (PBE0); ``fold (N,)`` int64, 0 to 4.

    Raises:
        FileNotFoundError: neither a path nor the variable names a file.
        ValueError: a file that is not QM7.

    Source:
        Rupp, Tkatchenko, Müller & von Lilienfeld, Phys. Rev. Lett. 108 (2012) 058301;
        stratified folds as in Montavon et al., NIPS 2012.
    """
    source = path or os.environ.get("EQUIVLAB_QM7")
    if not source:
        raise FileNotFoundError(f"No file of QM7 was named. {WITHOUT_FILE}")
    arrays = read_arrays(Path(source), ARRAYS.values(), "QM7", instead=WITHOUT_FILE)
    Z, R, E = (arrays[name] for name in ARRAYS.values())
    if Z.ndim != 2 or len(Z) < FOLDS or R.shape != (*Z.shape, 3) or E.shape != Z.shape[:1]:
        raise ValueError(
            f"QM7 has Z (N, atoms), R (N, atoms, 3) and E (N,), N ≥ {FOLDS}; got {Z.shape}, "
            f"{R.shape} and {E.shape}. {WITHOUT_FILE}"
        )
    if not (np.isfinite(R).all() and np.isfinite(E).all()):
        raise ValueError(f"QM7 holds finite numbers; {source} has NaN or infinity. {WITHOUT_FILE}")
    return {
        "Z": torch.from_numpy(Z.astype(np.uint8)),
        "R": torch.from_numpy(R.astype(np.float32)),
        "E": torch.from_numpy(E.astype(np.float64)),
        "fold": _stratified_folds(torch.from_numpy(E.astype(np.float64))),
    }


def _stratified_folds(energies: Tensor) -> Tensor:
    """A fold for each molecule, so that every fold sees the whole range of energies."""
    generator = torch.Generator().manual_seed(FOLD_SEED)
    blocks = -(-len(energies) // FOLDS)
    dealt = torch.rand(blocks, FOLDS, generator=generator).argsort(1).flatten()
    folds = torch.empty(len(energies), dtype=torch.int64)
    folds[torch.argsort(energies, stable=True)] = dealt[: len(energies)]
    return folds
