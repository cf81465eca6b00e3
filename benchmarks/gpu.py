"""On a CUDA GPU: images per second and memory of the spherical networks, layers beside peers.

    python benchmarks/gpu.py                    # two minutes
    python benchmarks/gpu.py --only networks

Times are between CUDA events, contestants in turns, medians; a turn is several calls in a row,
so that the GPU is never idle for want of a first one. TF32 is off, and everything is float32
where nothing else is said. "captured" is `equivlab.training.fit(capture=True)`: the step recorded
once as a CUDA graph.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from sphere import e3nn_layer, near_identity
from timing import Calls, both_ways, gpu_seconds, in_turns, milliseconds
from torch import Tensor, nn

from equivlab.groups import P4, P4M
from equivlab.models import (
    ResNet18,
    planar_digit_cnn,
    smooth_spherical_digit_cnn,
    spherical_digit_cnn,
)
from equivlab.nn import GroupConv2d, LiftingConv2d, S2Conv, SO3Conv
from equivlab.sphere import healpix_isht, healpix_sht, so3_fft, so3_ifft
from equivlab.training import CapturedStep, training_step


def medians(calls: Calls, rounds: int = 7, turn: float = 20.0) -> dict[str, float]:
    """Milliseconds of each call, by CUDA events; `turn` in milliseconds."""
    return milliseconds(in_turns(calls, rounds=rounds, turn=turn / 1e3, clock=gpu_seconds))


def card() -> None:
    """What the card reaches."""
    a = torch.randn(8192, 8192, device="cuda")
    half = a.bfloat16()
    big = torch.empty(1 << 28, device="cuda")
    found = medians(
        {"mm": lambda: a @ a, "bf16": lambda: half @ half, "copy": lambda: big.clone()}, 5, 50
    )
    rate = {name: 2 * 8192**3 / found[name] / 1e9 for name in ("mm", "bf16")}
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}: torch.mm float32 "
        f"{rate['mm']:.0f} TFLOP/s, bf16 {rate['bf16']:.0f} TFLOP/s, copies "
        f"{2 * big.numel() * 4 / found['copy'] / 1e9:.1f} TB/s\n"
    )


def networks() -> None:
    """Images per second and peak memory of the networks for digits on the sphere."""
    print("| network | batch | inference | captured | training | captured | step, MB |")
    print("|---|---|---|---|---|---|---|")
    for name, build in {
        "paper's": spherical_digit_cnn,
        "smooth": smooth_spherical_digit_cnn,
        "smooth, grids 18, 8, 15": partial(smooth_spherical_digit_cnn, grids=(18, 8, 15)),
        "smooth, grids 22, 11, 18": partial(smooth_spherical_digit_cnn, grids=(22, 11, 18)),
        "planar twin": planar_digit_cnn,
    }.items():
        for batch in (32, 256):
            model = build().cuda()
            x = torch.randn(batch, 1, 60, 60, device="cuda")
            y = torch.randint(10, (batch,), device="cuda")
            calls = {"eager": step_of(model, x, y, False)}
            calls["eager"]()
            torch.cuda.synchronize()
            rest = torch.cuda.memory_allocated()
            torch.cuda.reset_peak_memory_stats()
            calls["eager"]()
            peak = (torch.cuda.max_memory_allocated() - rest) / 2**20
            calls["captured"] = step_of(build().cuda(), x, y, True)
            found = medians(calls)
            tested = medians(inference(build().cuda().eval(), x))
            cells = [f"{1e3 * batch / time:,.0f}" for time in (*tested.values(), *found.values())]
            print(f"| {name} | {batch} | {' | '.join(cells)} | {peak:.0f} |", flush=True)
    print()


def step_of(model: nn.Module, x: Tensor, y: Tensor, capture: bool) -> Callable[[], object]:
    """One step of Adam, as `fit` takes it."""
    rate = torch.tensor(1e-3, device="cuda") if capture else 1e-3
    optimiser = torch.optim.Adam(model.parameters(), lr=rate, capturable=capture)
    take = (CapturedStep if capture else training_step)(model, optimiser)
    return lambda: take(x, y)


def inference(model: nn.Module, x: Tensor) -> Calls:
    """The forward pass, plain and as a graph."""
    forward = unchanged(model, x)
    for _ in range(3):
        forward()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        forward()
    return {"eager": forward, "captured": graph.replay}


def layers() -> None:
    """Transforms and spherical convolutions beside e3nn's."""
    x = so3_ifft([torch.randn(32, 20, k, k, device="cuda") / k for k in range(1, 20, 2)])
    image = torch.randn(32, 1, 60, 60, device="cuda")
    grid, theirs = (part.cuda() for part in e3nn_layer(20, 40, 10, 6))
    points = near_identity(max_gamma=math.pi / 8, n_gamma=3)
    lift, conv = S2Conv(1, 20, 30, 10).cuda(), SO3Conv(20, 40, 10, 6, points).cuda()
    maps = {n: torch.randn(16, 12 * n * n, device="cuda") for n in (32, 128)}
    pairs: dict[str, tuple[Callable[[], object], Callable[[], object] | None]] = {
        "SO(3) transform pair, b = 10, 20 channels": (
            lambda: so3_ifft(so3_fft(x)),
            lambda: grid.to_grid(grid.from_grid(x)),
        ),
        "the same, forward and backward": (
            both_ways(lambda x: so3_ifft(so3_fft(x)), x),
            both_ways(lambda x: grid.to_grid(grid.from_grid(x)), x),
        ),
        "S2Conv 1→20, b 30→10, both ways": (both_ways(lift, image), None),
        "SO3Conv 20→40, b 10→6, both ways": (both_ways(conv, x), both_ways(theirs, x)),
        **{
            f"healpix_sht and isht, nside {n}, batch 16": (
                lambda n=n: healpix_isht(healpix_sht(maps[n]), n),
                None,
            )
            for n in maps
        },
    }
    print("| what, batch 32 | equivlab ms | e3nn ms | ratio |")
    print("|---|---|---|---|")
    for name, (ours, other) in pairs.items():
        found = medians({"ours": ours} | ({} if other is None else {"e3nn": other}))
        peer = found.get("e3nn")
        cells = "– | –" if peer is None else f"{peer:.2f} | {peer / found['ours']:.1f}"
        print(f"| {name} | {found['ours']:.2f} | {cells} |", flush=True)
    print()


def planar() -> None:
    """Planar layers beside the `nn.Conv2d` with as many maps: the ratio of their times."""
    print("| layer | maps | batch, size | type, memory | Conv2d ms | forward | both | unchanged |")
    print("|---|---|---|---|---|---|---|---|")
    for group, width, batch, size in [(P4, 64, 16, 28), (P4, 256, 64, 64), (P4M, 256, 64, 64)]:
        for kind, dtype in (("contiguous", torch.float32), ("channels-last", torch.bfloat16)):
            for lifting in (True, False):
                maps_in, fields = (3 if lifting else width), width // group.order
                layer = (
                    LiftingConv2d(group, 3, fields, 3, padding=1)
                    if lifting
                    else GroupConv2d(group, fields, fields, 3, padding=1)
                )
                form = torch.channels_last if kind == "channels-last" else torch.contiguous_format
                flat = torch.randn(batch, maps_in, size, size, device="cuda", dtype=dtype)
                flat = flat.contiguous(memory_format=form)
                x = flat if lifting else flat.unflatten(1, (fields, group.order))
                plain = nn.Conv2d(maps_in, width, 3, padding=1)
                plain, layer = (m.to("cuda", dtype, memory_format=form) for m in (plain, layer))
                calls: Calls = {
                    "plain": lambda plain=plain, flat=flat: plain(flat),
                    "ours": lambda layer=layer, x=x: layer(x),
                    "plain, both": both_ways(plain, flat),
                    "ours, both": both_ways(layer, x),
                    "plain, unchanged": unchanged(plain, flat),
                    "ours, unchanged": unchanged(layer, x),
                }
                t = medians(calls, 5, 10)
                ratios = [
                    t["ours" + use] / t["plain" + use] for use in ("", ", both", ", unchanged")
                ]
                print(
                    f"| {type(layer).__name__} {group} | {maps_in}→{width} | {batch}, {size}² | "
                    f"{str(dtype)[6:]}, {kind} | {t['plain']:.3f} | "
                    + " | ".join(f"{ratio:.2f}" for ratio in ratios)
                    + " |",
                    flush=True,
                )
    print()


def resnets() -> None:
    """Training steps of ResNet-18 on images as large as simulated lenses, bf16 autocast."""
    batch, size = 128, 150
    x = torch.randn(batch, 1, size, size, device="cuda")
    y = torch.randint(3, (batch,), device="cuda")
    print("| ResNet-18 | width | parameters | images a second | channels-last | step, GB |")
    print("|---|---|---|---|---|---|")
    for width in (32, 64):
        for group in (None, P4, P4M):
            cells = []
            for form in (torch.contiguous_format, torch.channels_last):
                torch.cuda.reset_peak_memory_stats()
                model = ResNet18(group, width=width, exact_size=True).cuda()
                model = model.to(memory_format=form)
                optimiser = torch.optim.AdamW(model.parameters())

                def step(model=model, optimiser=optimiser, form=form) -> None:
                    optimiser.zero_grad()
                    with torch.autocast("cuda", torch.bfloat16):
                        F.cross_entropy(model(x.contiguous(memory_format=form)), y).backward()
                    optimiser.step()

                found = medians({"step": step}, 3, 100)["step"]
                cells.append(f"{1e3 * batch / found:,.0f}")
            count = sum(p.numel() for p in model.parameters())
            peak = torch.cuda.max_memory_allocated() / 2**30
            row = f"| {group or 'plain'} | {width} | {count:,} | {' | '.join(cells)} | {peak:.1f} |"
            print(row, flush=True)
    print()


def unchanged(layer: nn.Module, x: Tensor) -> Callable[[], object]:
    """Inference: the weights are those of the call before."""

    def call() -> None:
        with torch.no_grad():
            layer(x)

    return call


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parts = {
        "card": card,
        "networks": networks,
        "layers": layers,
        "planar": planar,
        "resnets": resnets,
    }
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts))
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("benchmarks/gpu.py measures a CUDA GPU, and there is none here.")
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.manual_seed(0)
    for name in arguments.only:
        parts[name]()


if __name__ == "__main__":
    main()
