"""Energies of molecules from what each atom sees around it, on a sphere (Cohen et al., 2018)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from equivlab.models.placing import place
from equivlab.nn.sphere.conv import S2Conv, SO3Conv
from equivlab.nn.sphere.moments import SO3Integrate
from equivlab.nn.sphere.norm import NormedConv
from equivlab.sphere.grid import s2_near_identity_grid, so3_near_identity_grid
from equivlab.tables import ordinary

__all__ = ["SphericalMoleculeCNN", "smooth_spherical_atom_cnn"]


def smooth_spherical_atom_cnn(
    in_channels: int = 10,
    *,
    bandwidth: int = 10,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Sequential:
    """What surrounds an atom, in 64 invariant numbers: lean and smooth, for a CPU.

    Gaussian potentials on a small sphere are smooth themselves: on QM7's, degrees from 4 on hold
    1e-5 of the power. It takes a quarter of the time of the four layers of `SphericalMoleculeCNN`,
    and keeps the law.

    Args:
        in_channels: potentials, and constants that say what the atom is.
        bandwidth: of the input; 4 or more.
        device: where it lives.
        dtype: of its parameters.

    Shape:
        ``(N, in_channels, 2b, 2b)`` to ``(N, 64)``; for `SphericalMoleculeCNN`.
    """
    lift = s2_near_identity_grid(max_beta=3 * math.pi / 4, n_alpha=6)
    points = so3_near_identity_grid(math.pi / 2, math.pi, n_alpha=4, n_beta=2, n_gamma=4)
    model = nn.Sequential(
        NormedConv(S2Conv(in_channels, 16, bandwidth, 4, lift)),
        nn.SiLU(),
        NormedConv(SO3Conv(16, 32, 4, 3, points)),
        nn.SiLU(),
        NormedConv(SO3Conv(32, 64, 3, 3, points, lmax=1)),
        nn.SiLU(),
        SO3Integrate(64, 3),
    )
    return place(model, device, dtype)


class SphericalMoleculeCNN(nn.Module):
    """A network for the energy of a molecule, seen from each of its atoms.

    It is that of Cohen, Geiger, Köhler & Welling (ICLR 2018, section 5.4).

    Four layers shared by all atoms take the potentials on a sphere around an atom to invariant
    features; their sum over the atoms is the molecule's. Invariant under rotations as far as
    its ReLUs allow, and under any order of the atoms exactly.

    Args:
        in_channels: potentials, one for each kind of nucleus.
        bandwidth: of the input; the four layers have 8, 6, 4 and 2.
        features: another network for the atoms, ``(N, in_channels, 2b, 2b)`` to ``(N, 64)``, such
            as `smooth_spherical_atom_cnn`; what is said above then holds as far as it does.
        device: where it lives.
        dtype: of its parameters.

    Shape:
        ``(B, A, in_channels, 2b, 2b)`` and a mask ``(B, A)``, true where there is an atom, to
        ``(B,)``; to ``(B, classes)`` after `replace_head` with more than one.
    """

    def __init__(
        self,
        in_channels: int = 5,
        *,
        bandwidth: int = 10,
        features: nn.Module | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.features = features or self._paper_features(in_channels, bandwidth)
        self.embed = nn.Sequential(
            nn.Linear(64, 256), nn.BatchNorm1d(256), nn.ReLU(),
            nn.Linear(256, 64), nn.BatchNorm1d(64), nn.ReLU(),
        )  # fmt: skip
        self.read = nn.Sequential(
            nn.Linear(64, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 1)
        )
        place(self, device, dtype)

    @staticmethod
    def _paper_features(in_channels: int, bandwidth: int) -> nn.Module:
        channels, bandwidths = (8, 16, 32, 64), (bandwidth, 8, 6, 4, 2)
        lift = s2_near_identity_grid(n_alpha=2 * bandwidth, n_beta=2)
        lifted = S2Conv(in_channels, channels[0], bandwidth, 8, lift)
        layers: list[nn.Module] = [NormedConv(lifted), nn.ReLU()]
        for k in range(1, 4):
            before, after = bandwidths[k : k + 2]
            points = so3_near_identity_grid(n_alpha=2 * before, n_beta=2, n_gamma=2)
            conv = SO3Conv(channels[k - 1], channels[k], before, after, points)
            layers += [NormedConv(conv), nn.ReLU()]
        return nn.Sequential(*layers, SO3Integrate(channels[-1], 2))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Energies ``(B,)`` of molecules ``(B, A, C, 2b, 2b)``; other places cost nothing.

        But in `eval()` under an exporter or on meta, where nobody can count the atoms: there the
        other places are computed too, and left out of the sum.
        """
        if x.dim() != 5 or mask.shape != x.shape[:2] or mask.dtype != torch.bool:
            raise ValueError(
                "SphericalMoleculeCNN takes signals (B, A, C, 2b, 2b) and a bool mask (B, A) of "
                f"atoms; got {tuple(x.shape)} and {tuple(mask.shape)} of {mask.dtype}. "
                "The mask of atomic numbers Z is Z > 0"
            )
        compiled = torch.compiler.is_dynamo_compiling() and not torch.compiler.is_exporting()
        counts = ordinary(mask) or compiled  # a compiler goes on in a second graph
        sums = self._sums(x, mask) if counts else self._sums_without_counting(x, mask)
        energy: Tensor = self.read(sums)
        return energy[:, 0] if energy.shape[1] == 1 else energy

    def _sums(self, x: Tensor, mask: Tensor) -> Tensor:
        """The features of each molecule's atoms, added up, ``(B, 64)``."""
        atoms = self.embed(self.features(x[mask]))  # (atoms, 64)
        owner = mask.nonzero()[:, 0]
        sums: Tensor = atoms.new_zeros(len(x), atoms.shape[1])
        return sums.index_add(0, owner, atoms)

    def _sums_without_counting(self, x: Tensor, mask: Tensor) -> Tensor:
        """The same, from all places; batch norms in training would count those without atoms."""
        if self.training:
            raise ValueError(
                "SphericalMoleculeCNN in training mode counts the atoms of mask, which an exporter "
                "cannot, nor anybody on meta. For inference call model.eval() first; train it as "
                "it is."
            )
        every = self.embed(self.features(x.flatten(0, 1))).unflatten(0, mask.shape)  # (B, A, 64)
        sums: Tensor = torch.where(mask[..., None], every, 0).sum(1)
        return sums
