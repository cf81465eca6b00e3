"""One larger network on the rotMNIST protocol, free in size: C16, C8, or mirrors and quarter turns.

    EQUIVLAB_MNIST=mnist.npz python benchmarks/rotmnist_large.py --group C16 --bfloat16

Filters of C16 and C8 are harmonics, turned by any angle, and maps end at a circle (`DiscMask`);
they are computed frequency by frequency (`frequencies.py`). Of P4M's four layers, whose small
features do not mind mirrors, the maps are then seen as functions on P4, for a mirrored digit is
none (Weiler & Cesa, NeurIPS 2019, restrict D16 to C16 in the same way). Each digit is turned anew,
and bent a little, each time that it is seen. Digits are tested as they are, and as the mean of
their probabilities over `--poses` turns within the angle of the group, which knows the others.

The rate is constant after the first epoch and falls along a line to zero in the last `--cooldown`
epochs, and the bends to `--last-bends`; a mean of the weights, exponential over the steps, is what
is tested. Protocol and sets as `rotmnist.py`; a killed run goes on, and with other `--epochs` as
long as no cooldown has begun. `--validate` trains on 10,000 and gives the error on the 2,000,
without looking at the test digits. `--bfloat16` is for processors that have matrix units for it
(AMX): maps and filters are rounded to it, weights and their steps are not.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from frequencies import ByFrequency, MapByMap, OfImages
from kept import RUNS, keep, parsed
from rotmnist import protocol
from torch import Tensor, nn

from equivlab.fields import rotate_maps
from equivlab.groups import P4, P4M, Cyclic, PointGroup, group_of
from equivlab.models.parts import PlanarParts
from equivlab.nn import (
    GroupBatchNorm,
    GroupConv2d,
    GroupMaxPool2d,
    GroupPool,
    GroupRestrict,
    LiftingConv2d,
)

RATE, DECAY, SMOOTHING = 2e-3, 0.998, 0.05


class TurningNetwork(nn.Module):
    """28² pixels, then 14², 7²: filters of harmonics, maps that end at a circle.

    Args:
        order: n of C_n.
        fields: of the layers at 28², at 14² (two layers), and at 7² (two layers and one).
    """

    def __init__(self, order: int, fields: Sequence[int]) -> None:
        super().__init__()
        edges, middle, last, turns, end = fields
        parts = PlanarParts(Cyclic(order))

        def block(conv: nn.Module, after: int, *then: nn.Module, side: int) -> list[nn.Module]:
            """The maps that a halving takes are cut to the circle in the same product."""
            shape = MapByMap(nn.Sequential(parts.disc(1), *then), order, side)
            return [conv, parts.norm(after), nn.ReLU(), shape]

        def conv(
            before: int, after: int, size: int, *then: nn.Module, side: int
        ) -> list[nn.Module]:
            layer = parts.conv(before, after, size, padding=size // 2, bias=False)
            return block(ByFrequency(layer), after, *then, side=side)

        half = parts.halve(1)
        lift = OfImages(parts.lift(1, edges, 7, padding=3, bias=False))
        self.features = nn.Sequential(
            *block(lift, edges, half, side=28),
            *conv(edges, middle, 7, side=14), *conv(middle, last, 7, half, side=14),
            *conv(last, turns, 5, side=7), *conv(turns, turns, 5, side=7),
            *conv(turns, end, 5, side=7),
            GroupPool(Cyclic(order), end, "max"),
        )  # fmt: skip
        self.scores = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(2 * end, 96), nn.ReLU(), nn.Dropout(0.2), nn.Linear(96, 10)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Class scores ``(B, 10)`` of images ``(B, 1, 28, 28)``; these in float32."""
        maps = self.features(x)
        found: Tensor = self.scores(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1).float())
        return found


def mirrored_network(fields: Sequence[int]) -> nn.Sequential:
    """24² pixels, then 12², 6², 4², 1: P4M, then P4.

    Args:
        fields: of the layers at 24², 12² and 6², of P4M, and at 4² and 1, of P4.
    """
    edges, middle, last, turns, end = fields

    def conv(group: PointGroup, before: int, after: int, size: int, margin: int) -> list[nn.Module]:
        layer = GroupConv2d(group, before, after, size, padding=margin, bias=False)
        return [layer, GroupBatchNorm(group, after), nn.ReLU()]

    return nn.Sequential(
        LiftingConv2d(P4M, 1, edges, 7, padding=3, bias=False),
        GroupBatchNorm(P4M, edges), nn.ReLU(),
        GroupMaxPool2d(P4M, edges, 2),
        *conv(P4M, edges, middle, 3, 1), *conv(P4M, middle, middle, 3, 1),
        GroupMaxPool2d(P4M, middle, 2),
        *conv(P4M, middle, last, 3, 1),
        GroupRestrict(P4M, P4, last),
        *conv(P4, 2 * last, turns, 3, 0), *conv(P4, turns, end, 4, 0),
        GroupPool(P4, end, "max"), nn.Flatten(), nn.Dropout(0.2), nn.Linear(end, 10),
    )  # fmt: skip


# Words for it, what makes it, pixels a side (of 28, whose frame has 0.4 % of the ink), its fields.
NETWORKS: dict[str, tuple[str, Callable[[Sequence[int]], nn.Module], int, Sequence[int]]] = {
    "P4M": ("P4M, then P4", mirrored_network, 24, (10, 28, 40, 72, 96)),
    "C8": ("C8 with discs", partial(TurningNetwork, 8), 28, (16, 24, 24, 40, 56)),
    "C16": ("C16 with discs", partial(TurningNetwork, 16), 28, (10, 16, 16, 24, 32)),
}


def prepared(images: Tensor, side: int) -> Tensor:
    """Without the frame, and with the background at zero, which is what turns bring in."""
    cut = (images.shape[-1] - side) // 2
    return (images - images.min())[..., cut : cut + side, cut : cut + side].contiguous()


def bent(x: Tensor, generator: torch.Generator, strength: float, bold: float) -> Tensor:
    """Each digit by its own angle, a little larger or smaller, sheared, moved, bent, and bolder.

    Args:
        x: ``(B, 1, N, N)``.
        generator: of the changes.
        strength: of all of them but the angle.
        bold: how much the strokes get thicker or thinner.
    """
    count, side = len(x), x.shape[-1]

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator)

    angles = torch.rand(count, generator=generator) * 2 * math.pi
    cos, sin = angles.cos(), angles.sin()
    turns = torch.stack([cos, -sin, sin, cos], 1).view(count, 2, 2)
    maps = turns @ (torch.eye(2) + 0.07 * strength * normal(2, 2))
    pixel = strength * 2 / side
    shifts = 0.7 * pixel * normal(2, 1)
    grid = F.affine_grid(torch.cat([maps, shifts], 2), list(x.shape), align_corners=False)
    bends = F.interpolate(normal(2, 5, 5), (side, side), mode="bicubic", align_corners=True)
    grid = grid + 0.7 * pixel * bends.permute(0, 2, 3, 1)
    x = F.grid_sample(x, grid, mode="bicubic", align_corners=False)
    if not bold:
        return x
    # The grey edges of a stroke grow or shrink, and it with them.
    powers = (bold * strength * normal(1, 1, 1)).exp()
    most = x.amax((2, 3), keepdim=True).clamp(min=1e-4)  # of a blank one, too
    return most * (x / most).clamp(min=1e-4) ** powers


def rate_at(epoch: float, epochs: int, cooldown: int) -> float:
    """Rises in the first epoch, falls in the last `cooldown` ones."""
    return RATE * min(1.0, 0.05 + epoch, (epochs - epoch) / max(cooldown, 1))


def train(
    model: nn.Module, arguments: argparse.Namespace, images: Tensor, labels: Tensor, path: Path
) -> nn.Module:
    """Train, or go on; the network with the mean of the weights."""
    mean = copy.deepcopy(model).eval()
    batch = arguments.batch_size
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.01)
    start = 0
    if path.exists():
        state = torch.load(path, weights_only=True)
        start = state["epoch"]
        for part, name in ((model, "model"), (mean, "mean"), (optimizer, "optimizer")):
            part.load_state_dict(state[name])
    for epoch in range(start, arguments.epochs):
        generator = torch.Generator().manual_seed(arguments.seed * 10_000 + epoch)
        torch.manual_seed(arguments.seed * 10_000 + epoch)  # dropout
        order = torch.randperm(len(images), generator=generator)
        begun, cpu, loss_sum, right = time.perf_counter(), time.process_time(), 0.0, 0
        steps = len(images) // batch
        model.train()
        for step in range(steps):
            these = order[step * batch : (step + 1) * batch]
            rate = rate_at(epoch + step / steps, arguments.epochs, arguments.cooldown)
            optimizer.param_groups[0]["lr"] = rate
            first, last = arguments.bends, arguments.last_bends
            strength = first if epoch == 0 else last + (first - last) * rate / RATE
            scores = model(
                bent(images[these], generator, strength, arguments.bold).to(arguments.dtype)
            )
            loss = F.cross_entropy(scores, labels[these], label_smoothing=SMOOTHING)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            follow(mean, model, min(DECAY, 1 - 1 / (1 + epoch * steps + step)))
            loss_sum += loss.item()
            right += int((scores.argmax(1) == labels[these]).sum())
        state = {"model": model.state_dict(), "mean": mean.state_dict()}
        state |= {"optimizer": optimizer.state_dict(), "epoch": epoch + 1}
        draft = path.with_suffix(".new")
        torch.save(state, draft)
        draft.replace(path)
        print(
            f"epoch {epoch + 1}: loss {loss_sum / steps:.4f}, errors on bent digits "
            f"{100 * (1 - right / steps / batch):.2f} %, {time.perf_counter() - begun:.0f} s "
            f"({time.process_time() - cpu:.0f} of the processor)",
            flush=True,
        )
    return mean


@torch.no_grad()
def follow(mean: nn.Module, model: nn.Module, decay: float) -> None:
    """One step of the exponential mean, of weights and of the norms' statistics."""
    own, new = mean.state_dict(), model.state_dict()
    for name, value in own.items():
        if value.is_floating_point():
            value.lerp_(new[name], 1 - decay)


@torch.no_grad()
def errors(
    model: nn.Module, images: Tensor, labels: Tensor, poses: Sequence[float], dtype: torch.dtype
) -> tuple[float, float]:
    """Percent of wrong digits as they are, and by the mean odds over further turns, in radians."""
    wrong, seen = [0, 0], 0
    for x, y in zip(images.split(500), labels.split(500), strict=True):
        odds = model(x.to(dtype)).float().softmax(1)
        wrong[0] += int((odds.argmax(1) != y).sum())
        for angle in poses:
            turned = rotate_maps(x, angle, "bicubic")
            odds += model(turned.to(dtype)).float().softmax(1)
        wrong[1] += int((odds.argmax(1) != y).sum())
        seen += len(x)
        if seen % 10_000 == 0:
            print(f"tested {seen:,}: {wrong[0]:,} wrong, {wrong[1]:,} over poses", flush=True)
    return 100 * wrong[0] / len(images), 100 * wrong[1] / len(images)


def main() -> None:
    """Train the network and print its errors."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=44)
    parser.add_argument("--cooldown", type=int, default=13)
    parser.add_argument("--group", choices=list(NETWORKS), default="C16")
    parser.add_argument("--batch-size", type=int, default=96)
    parser.add_argument(
        "--bfloat16",
        dest="dtype",
        action="store_const",
        const=torch.bfloat16,
        default=torch.float32,
    )
    parser.add_argument("--fields", type=int, nargs=5, metavar="F", help="of the layers")
    parser.add_argument("--bends", type=float, default=1.0, help="their strength; 0: turns only")
    parser.add_argument("--last-bends", type=float, default=0.5, help="at the end of the cooldown")
    parser.add_argument("--bold", type=float, default=0.0, help="strokes thicker or thinner")
    parser.add_argument("--poses", type=int, default=4)
    parser.add_argument("--validate", action="store_true", help="10k to train, error on the 2k")
    arguments = parsed(parser)
    words, make, side, fields = NETWORKS[arguments.group]
    fields = arguments.fields or fields
    learn, judge = ("train", "validate") if arguments.validate else ("all", "test")
    sets = {name: (prepared(x, side), y) for name, (x, y) in protocol().items()}
    stem = f"large-{arguments.group}-{'-'.join(map(str, fields))}-{learn}-seed{arguments.seed}"
    torch.manual_seed(arguments.seed)
    model = train(make(fields), arguments, *sets[learn], RUNS / f"{stem}.pt")
    turns = group_of(arguments.group).turns
    poses = [2 * math.pi / turns * n / arguments.poses for n in range(1, arguments.poses)]
    one, several = errors(model, *sets[judge], poses, arguments.dtype)
    result = {
        "network": words,
        "parameters": sum(p.numel() for p in model.parameters()),
        "epochs": arguments.epochs,
        "cooldown": arguments.cooldown,
        "batch": arguments.batch_size,
        "bends": f"{arguments.bends:g} to {arguments.last_bends:g}, bold {arguments.bold:g}",
        "numbers": str(arguments.dtype).removeprefix("torch."),
        "seed": arguments.seed,
        "error on": judge,
        "error % in one pose": round(one, 3),
        f"error % over {arguments.poses} poses": round(several, 3),
    }
    print(keep(RUNS / f"{stem}-{arguments.epochs}epochs.json", result))


if __name__ == "__main__":
    main()
