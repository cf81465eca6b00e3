"""One larger network on the rotMNIST protocol, free in size: mirrors and quarter turns, then turns.

    EQUIVLAB_MNIST=mnist.npz python benchmarks/rotmnist_large.py --epochs 40 --cooldown 10

Four layers of P4M, whose small features do not mind mirrors, are then seen as functions on P4, for
a mirrored digit is none (Weiler & Cesa, NeurIPS 2019, restrict D16 to C16 in the same way). The
angles between quarter turns are learned: each digit is turned anew, and bent a little, each time
that it is seen. Digits are tested as the mean of their probabilities over `--poses` further turns.

The rate is constant after the first epoch and falls along a line to zero in the last `--cooldown`
epochs, and the bends to half, for the digits of the test are not bent; a mean of the weights,
exponential over the steps, is what is tested. Protocol and sets as `rotmnist.py`; a killed run goes
on, and with a larger `--epochs` as long as no cooldown has begun. `--validate` trains on 10,000 and
gives the error on the 2,000, without looking at the test digits.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from kept import RUNS, keep, parsed
from rotmnist import protocol
from torch import Tensor, nn

from equivlab.fields import rotate_maps
from equivlab.groups import P4, P4M, PointGroup
from equivlab.nn import (
    GroupBatchNorm,
    GroupConv2d,
    GroupMaxPool2d,
    GroupPool,
    GroupRestrict,
    LiftingConv2d,
)

BATCH, RATE, DECAY, SMOOTHING = 64, 2e-3, 0.998, 0.05
SIDE = 24  # of 28: the frame is empty


def network() -> nn.Sequential:
    """The network, its weights drawn with seed 0: 24² pixels, then 12², 6², 4², 1."""
    torch.manual_seed(0)

    def conv(group: PointGroup, before: int, after: int, size: int, margin: int) -> list[nn.Module]:
        layer = GroupConv2d(group, before, after, size, padding=margin, bias=False)
        return [layer, GroupBatchNorm(group, after), nn.ReLU()]

    return nn.Sequential(
        LiftingConv2d(P4M, 1, 8, 7, padding=3, bias=False), GroupBatchNorm(P4M, 8), nn.ReLU(),
        GroupMaxPool2d(P4M, 8, 2),
        *conv(P4M, 8, 20, 3, 1), *conv(P4M, 20, 20, 3, 1),
        GroupMaxPool2d(P4M, 20, 2),
        *conv(P4M, 20, 32, 3, 1),
        GroupRestrict(P4M, P4, 32),
        *conv(P4, 64, 56, 3, 0), *conv(P4, 56, 80, 4, 0),
        GroupPool(P4, 80, "max"), nn.Flatten(), nn.Dropout(0.2), nn.Linear(80, 10),
    )  # fmt: skip


def prepared(images: Tensor) -> Tensor:
    """Without the frame, and with the background at zero, which is what turns bring in."""
    cut = (images.shape[-1] - SIDE) // 2
    return (images - images.min())[..., cut:-cut, cut:-cut].contiguous()


def bent(x: Tensor, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """Each digit by its own angle, a little larger or smaller, sheared, moved and bent.

    Args:
        x: ``(B, 1, N, N)``.
        generator: of the changes.
        strength: of all of them but the angle.
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
    return F.grid_sample(x, grid, mode="bicubic", align_corners=False)


def rate_at(epoch: float, epochs: int, cooldown: int) -> float:
    """Rises in the first epoch, falls in the last `cooldown` ones."""
    return RATE * min(1.0, 0.05 + epoch, (epochs - epoch) / max(cooldown, 1))


def train(arguments: argparse.Namespace, images: Tensor, labels: Tensor, path: Path) -> nn.Module:
    """Train, or go on; the network with the mean of the weights."""
    model, mean = network(), network().eval()
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
        steps = len(images) // BATCH
        model.train()
        for step in range(steps):
            these = order[step * BATCH : (step + 1) * BATCH]
            rate = rate_at(epoch + step / steps, arguments.epochs, arguments.cooldown)
            optimizer.param_groups[0]["lr"] = rate
            strength = 1.0 if epoch == 0 else 0.5 + 0.5 * rate / RATE
            scores = model(bent(images[these], generator, strength))
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
            f"{100 * (1 - right / steps / BATCH):.2f} %, {time.perf_counter() - begun:.0f} s "
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
def errors(model: nn.Module, images: Tensor, labels: Tensor, poses: int) -> float:
    """Percent of wrong digits; the probabilities are means over turns within a quarter."""
    wrong = 0
    for x, y in zip(images.split(1000), labels.split(1000), strict=True):
        odds = torch.zeros(len(x), 10)
        for pose in range(poses):
            turned = rotate_maps(x, pose * math.pi / 2 / poses, "bicubic") if pose else x
            odds += model(turned).softmax(1)
        wrong += int((odds.argmax(1) != y).sum())
    return 100 * wrong / len(images)


def main() -> None:
    """Train the network and print its errors."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--cooldown", type=int, default=10)
    parser.add_argument("--poses", type=int, default=8)
    parser.add_argument("--validate", action="store_true", help="10k to train, error on the 2k")
    arguments = parsed(parser)
    learn, judge = ("train", "validate") if arguments.validate else ("all", "test")
    sets = {name: (prepared(x), y) for name, (x, y) in protocol().items()}
    stem = f"large-{learn}-seed{arguments.seed}"
    model = train(arguments, *sets[learn], RUNS / f"{stem}.pt")
    result = {
        "network": "P4M, then P4",
        "parameters": sum(p.numel() for p in model.parameters()),
        "epochs": arguments.epochs,
        "cooldown": arguments.cooldown,
        "seed": arguments.seed,
        "error on": judge,
        "error % in one pose": round(errors(model, *sets[judge], 1), 3),
        f"error % over {arguments.poses} poses": round(
            errors(model, *sets[judge], arguments.poses), 3
        ),
    }
    print(keep(RUNS / f"{stem}-{arguments.epochs}epochs.json", result))


if __name__ == "__main__":
    main()
