"""ModelNet10 seen from a sphere around each shape: train upright, test upright and turned.

    EQUIVLAB_MODELNET10=modelnet10_voxels.npz python benchmarks/sphere_shapes.py --threads 1

Networks: ``spherical``; its planar twin ``planar`` of about as many parameters on the same
equiangular pictures; ``planar+full``, trained on shapes in free rotations, each epoch one of four
for each shape. Rays are cast onto the surface of the voxels from bandwidth 32 (distance, lean,
filled share, and the convex hull: seven channels); what lies below degree 16 is kept, on a grid
of 32 × 32. Test shapes turn before that, exactly: the rays turn, no grid is resampled. Settings
were chosen on a tenth of the training shapes (`--validate`); each network is tested once, after
its last epoch. Every epoch and all signals are kept in `benchmarks/runs`, so a killed run goes on.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import torch
from kept import RUNS, keep, parsed
from torch import Tensor, nn

from equivlab.data import modelnet10
from equivlab.data.sets.batches import stratified
from equivlab.data.shapes.rotation import random_rotations
from equivlab.models.sphere import smooth_spherical_shape_cnn
from equivlab.projection import project_voxel_surface
from equivlab.sphere import s2_fft, s2_ifft
from equivlab.sphere.rotation import rotate_coefficients
from equivlab.training import accuracy, fit, predict
from equivlab.weights.files import read_tensors, write_tensors

CAST, KEPT = 32, 16  # bandwidths of the rays and of what the networks see
CHANNELS, COPIES = 7, 4
NAMES = ("distance", "cosine", "sine", "filled", "hull distance", "hull cosine", "hull sine")
NETWORKS = {"spherical": 1e-2, "planar": 2e-3, "planar+full": 2e-3}  # and the rate of Adam
TESTS = {"upright": None, "about z": "z", "free": "any"}


def signals(grids: Tensor, turns: Tensor | None = None) -> Tensor:
    """What the sphere around each shape sees, ``(N, 7, 32, 32)``."""
    parts = []
    for begin in range(0, len(grids), 32):
        some = slice(begin, begin + 32)
        turn = None if turns is None else turns[some]
        x = project_voxel_surface(grids[some], bandwidth=CAST, rotation=turn)
        parts.append(s2_ifft(s2_fft(x, lmax=KEPT - 1), KEPT))
    return torch.cat(parts)


def kept(name: str, make: Callable[[], Tensor]) -> Tensor:
    """A tensor from `benchmarks/runs`, made and stored there if it is missing."""
    path = RUNS / f"sphere-shapes-signals-{name}.safetensors"
    if not path.exists():
        write_tensors({"x": make()}, path, {})
    return read_tensors(path)[0]["x"]


def turns_for(count: int, about: str | None, seed: int) -> Tensor | None:
    """One rotation for each shape, or None for upright ones."""
    if about is None:
        return None
    return random_rotations(count, torch.Generator().manual_seed(seed), about)


def planar_twin(classes: int = 10) -> nn.Sequential:
    """Four convolutions on the β–α picture and a mean over it."""

    def layer(before: int, after: int, stride: int) -> list[nn.Module]:
        conv = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        return [conv, nn.BatchNorm2d(after), nn.SiLU()]

    layers = [*layer(CHANNELS, 32, 1), *layer(32, 64, 2), *layer(64, 96, 2), *layer(96, 96, 1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, classes))


class Training:
    """The shapes to learn from, and those to test on, standardised by the former."""

    def __init__(self, data: dict[str, Tensor], validate: bool, shapes: int | None) -> None:
        some, few = slice(None), slice(None)
        if shapes is not None:  # the shapes stand class after class: take some of each
            some, few = (slice(None, None, max(1, n // shapes)) for n in (3984, 836))
        self.grids, self.labels = data["x_train"][some], data["y_train"][some].long()
        self.part = "" if shapes is None else f"{shapes}-"
        self.upright = kept(f"{self.part}train", lambda: signals(self.grids))
        self.learn = torch.ones(len(self.labels), dtype=torch.bool)
        if validate:
            self.learn[stratified(self.labels, 0.1, seed=0)] = False
            held, self.test_labels = self.grids[~self.learn], self.labels[~self.learn]
        else:
            held, self.test_labels = data["x_test"][few], data["y_test"][few].long()
        half = "validate" if validate else "test"
        self.tests = {
            name: kept(
                f"{self.part}{half}-{name.replace(' ', '-')}",
                lambda about=about: signals(held, turns_for(len(held), about, 1)),
            )
            for name, about in TESTS.items()
        }
        x = self.upright[self.learn]
        self.mean, self.std = x.mean((0, 2, 3), keepdim=True), x.std((0, 2, 3), keepdim=True)

    def standard(self, x: Tensor) -> Tensor:
        """Mean 0 and deviation 1 for each channel."""
        return (x.float() - self.mean) / self.std

    def images(self, augmented: bool) -> Tensor:
        """``(N, 7, 32, 32)``, or with copies in free rotations ``(N, 4, 7, 32, 32)``."""
        if not augmented:
            return self.standard(self.upright[self.learn])
        copies = [
            kept(
                f"{self.part}turned-{k}",
                lambda k=k: signals(self.grids, turns_for(len(self.grids), "any", 10 + k)).half(),
            )
            for k in range(COPIES)
        ]
        return torch.stack([copy[self.learn] for copy in copies], 1)

    def augment(self, augmented: bool, mirror: bool) -> Callable[[Tensor, torch.Generator], Tensor]:
        """One of the copies for each shape; the mirror image of half of them."""

        def change(x: Tensor, generator: torch.Generator) -> Tensor:
            if augmented:
                which = torch.randint(COPIES, (len(x),), generator=generator)
                x = self.standard(x[torch.arange(len(x)), which])
            if mirror:  # α → −α
                flip = torch.rand(len(x), generator=generator) < 0.5
                x = torch.where(flip[:, None, None, None], x.flip(-1).roll(1, -1), x)
            return x

        return change


def law(grids: Tensor) -> None:
    """Print how far spectra of turned shapes are from turned spectra, without degree 0."""
    turns = turns_for(len(grids), "any", 1)
    print(f"| rays from bandwidth | degrees below | {' | '.join(NAMES)} | ms for a shape |")
    print("|---|---|" + "---|" * (CHANNELS + 1))
    for bandwidth in (16, 24, 32, 48):
        started = time.process_time()
        found = project_voxel_surface(grids, bandwidth=bandwidth, rotation=turns)
        milliseconds = 1e3 * (time.process_time() - started) / len(grids)
        upright = project_voxel_surface(grids, bandwidth=bandwidth)
        for degrees in (6, 10):
            wanted = rotate_coefficients(s2_fft(upright, lmax=degrees - 1), turns)[..., 1:]
            off = s2_fft(found, lmax=degrees - 1)[..., 1:] - wanted
            errors = (off.norm(dim=(0, 2)) / wanted.norm(dim=(0, 2))).tolist()
            cells = " | ".join(f"{100 * e:.1f} %" for e in errors)
            print(f"| {bandwidth} | {degrees} | {cells} | {milliseconds:.0f} |", flush=True)


def run(name: str, arguments: argparse.Namespace, shapes: Training) -> dict:
    """Train (or go on training) one network and test it once."""
    torch.manual_seed(arguments.seed)
    model = (
        smooth_spherical_shape_cnn(CHANNELS, 10, bandwidth=KEPT)
        if name == "spherical"
        else planar_twin()
    )
    augmented = name.endswith("+full")
    stem = f"sphere-shapes-{name}-{arguments.epochs}epochs-seed{arguments.seed}{arguments.tag}"
    stem += "-validate" if arguments.validate else ""
    started = time.process_time()
    losses = fit(
        model,
        shapes.images(augmented),
        shapes.labels[shapes.learn],
        epochs=arguments.epochs,
        batch_size=32,
        lr=arguments.lr or NETWORKS[name],
        seed=arguments.seed,
        augment=shapes.augment(augmented, arguments.mirror),
        checkpoint=RUNS / f"{stem}.safetensors",
    )
    seconds = time.process_time() - started
    tests = {test: shapes.standard(x) for test, x in shapes.tests.items()}
    same = predict(model, tests["upright"]).argmax(1) == predict(model, tests["free"]).argmax(1)
    result = {
        "network": name,
        "parameters": sum(p.numel() for p in model.parameters()),
        "epochs": arguments.epochs,
        **{t: round(100 * accuracy(model, x, shapes.test_labels), 2) for t, x in tests.items()},
        "free, same answer as upright": round(100 * float(same.double().mean()), 2),
        "final loss": round(losses[-1], 4),
        "tested on": f"{len(shapes.test_labels)} "
        + ("held-out training shapes" if arguments.validate else "test shapes"),
        "seed": arguments.seed,
        "mirror": arguments.mirror,
        "rate": arguments.lr or NETWORKS[name],
        "CPU seconds in this call": round(seconds),
    }
    return keep(RUNS / f"{stem}.json", result)


def main() -> None:
    """Run the networks asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=os.environ.get("EQUIVLAB_MODELNET10"))
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--lr", type=float, help="instead of each network's own")
    parser.add_argument("--mirror", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--tag", default="", help="of the files, for other settings")
    parser.add_argument("--validate", action="store_true", help="test on a tenth of the training")
    parser.add_argument("--law", action="store_true", help="measure the projection instead")
    parser.add_argument("--shapes", type=int, help="only so many, to try the program")
    arguments = parsed(parser)
    data = modelnet10(arguments.data)
    if arguments.law:
        law(data["x_train"][::40])
        return
    shapes = Training(data, arguments.validate, arguments.shapes)
    print(
        f"| network | parameters | epochs | {' | '.join(f'{t} %' for t in TESTS)} | same answer |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in arguments.networks:
        r = run(name, arguments, shapes)
        cells = " | ".join(f"{r[t]:.1f}" for t in (*TESTS, "free, same answer as upright"))
        print(f"| {name} | {r['parameters']:,} | {r['epochs']} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
