"""Spherical convolutions: time and memory beside e3nn's SO(3) grid, and what activations cost.

    make bench BENCH=sphere                          # everything, two minutes
    make bench BENCH=sphere ARGS="--only activations"

CPU time of one thread, contestants in turns, medians. Sizes are those of the 2018 paper's
network for digits, batch 32. e3nn's route is `o3.SO3Grid` with as many samples as ours
(``aspect_ratio=1``) and, for the layer, `o3.Linear` between its two transforms. Operations are
counted as 2·(multiplications) in the dense products of our route, and set against what
`torch.mm` of 1024² reaches in the same minute. (HEALPix: `benchmarks/healpix.py`.)
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import subprocess
import sys
from collections.abc import Callable

import torch
import torch.nn.functional as F
from timing import Calls, both_ways, in_turns, milliseconds
from torch import Tensor, nn

from equivlab.models.sphere import (
    smooth_spherical_digit_cnn,
    spherical_digit_cnn,
    spin_digit_cnn,
)
from equivlab.nn import S2Conv, SO3Activation, SO3Conv, SpinActivation
from equivlab.so3 import SO3
from equivlab.sphere import (
    rotate_s2,
    rotate_so3,
    rotate_spin,
    s2_ifft,
    so3_fft,
    so3_ifft,
    spin_fft,
    spin_ifft,
)
from equivlab.sphere import so3_near_identity_grid as near_identity
from equivlab.sphere.compiled import transform as compiled
from equivlab.training import training_step

BATCH = 32


def gemm() -> Callable[[], object]:
    """The yardstick: 2·1024³ operations."""
    a = torch.randn(1024, 1024)
    return lambda: torch.mm(a, a)


def gflops(milliseconds: float) -> float:
    return 2 * 1024**3 / milliseconds / 1e6


def transform_flops(bandwidth: int, degrees: int, signals: int) -> float:
    """Of one pass of the dense route: two Fourier sums and the sum over β."""
    n, K = 2 * bandwidth, 2 * degrees - 1
    return 2.0 * signals * (n**3 * K + n**2 * K**2 + K**2 * n * 2 * degrees)


def without(call: Callable[[], object]) -> Callable[[], object]:
    """A call as it is where the transform was not compiled."""

    def plain() -> object:
        found, compiled.load = compiled.load, lambda: None
        try:
            return call()
        finally:
            compiled.load = found

    return plain


def e3nn_layer(ins: int, outs: int, b_in: int, b_out: int) -> tuple[nn.Module, nn.Module]:
    """e3nn's transform at `b_in`, and its convolution from there to `b_out`."""
    from e3nn import o3

    def irreps(channels: int, degrees: int) -> o3.Irreps:
        return o3.Irreps([(channels * (2 * k + 1), (k, 1)) for k in range(degrees)])

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            # Analysis of the degrees that are kept, and synthesis.
            self.low = o3.SO3Grid(b_out - 1, b_in, aspect_ratio=1)
            self.up = o3.SO3Grid(b_out - 1, b_out, aspect_ratio=1)
            one = irreps(1, b_out)
            self.linear = o3.Linear(one, one, f_in=ins, f_out=outs, internal_weights=False,
                                    shared_weights=True)  # fmt: skip
            points = near_identity(max_gamma=math.pi / 8, n_gamma=3)
            self.w = nn.Parameter(torch.randn(ins, outs, len(points)))
            beta, alpha, gamma = points.float().unbind(1)
            D = [o3.wigner_D(k, alpha, beta, gamma).flatten(1) for k in range(b_out)]
            self.register_buffer("D", torch.cat(D, 1))

        def forward(self, x: Tensor) -> Tensor:
            psi = torch.einsum("ni,xyn->xyi", self.D, self.w) / self.D.shape[0] ** 0.5
            y = self.linear(self.low.from_grid(x), weight=psi)
            return self.up.to_grid(y)

    return o3.SO3Grid(b_in - 1, b_in, aspect_ratio=1), Layer()


def times(rounds: int) -> None:
    """The table of times."""
    z = 20
    x = so3_ifft([torch.randn(BATCH, z, k, k) / k for k in range(1, 20, 2)])
    image = torch.randn(BATCH, 1, 60, 60)
    grid, theirs = e3nn_layer(20, 40, 10, 6)
    points = near_identity(max_gamma=math.pi / 8, n_gamma=3)
    lift, conv = S2Conv(1, 20, 30, 10), SO3Conv(20, 40, 10, 6, points)
    calls: Calls = {
        "gemm": gemm(),
        "pair": lambda: so3_ifft(so3_fft(x)),
        "pair e3nn": lambda: grid.to_grid(grid.from_grid(x)),
        "pair, both ways": both_ways(lambda x: so3_ifft(so3_fft(x)), x),
        "pair e3nn, both ways": both_ways(lambda x: grid.to_grid(grid.from_grid(x)), x),
        "S2Conv, both ways": both_ways(lift, image),
        "SO3Conv, both ways": both_ways(conv, x),
        "SO3Conv e3nn, both ways": both_ways(theirs, x),
        "step": step_of(spherical_digit_cnn()),
        "step, smooth": step_of(smooth_spherical_digit_cnn()),
        "step, spin": step_of(spin_digit_cnn()),
    }
    both = ("pair", "pair, both ways", "SO3Conv, both ways", "step", "step, smooth")
    calls |= {f"{name}, by torch": without(calls[name]) for name in both}
    found = milliseconds(in_turns(calls, rounds=rounds))
    rate = gflops(found["gemm"])
    pair = 2 * transform_flops(10, 10, BATCH * z)
    share = pair / found["pair"] / 1e6 / rate
    print(f"float32 torch.mm 1024²: {rate:.0f} GFLOP/s\n")
    print("| what, batch 32, float32 | equivlab ms | not compiled ms | e3nn ms | ratio |")
    print("|---|---|---|---|---|")
    names = {
        "pair": "SO(3) transform pair, b = 10, 20 channels, forward",
        "pair, both ways": "the same, forward and backward",
        "S2Conv, both ways": "S2Conv 1→20, b 30→10, forward and backward",
        "SO3Conv, both ways": "SO3Conv 20→40, b 10→6, forward and backward",
        "step": "training step of the paper's network (58,550 parameters, Adam)",
        "step, smooth": "training step of the smooth network (58,358 parameters, Adam)",
        "step, spin": "training step of the network of few orders (57,708 parameters, Adam)",
    }
    for name, text in names.items():
        other = found.get(name.replace("pair", "pair e3nn").replace("SO3Conv", "SO3Conv e3nn"))
        other = None if name.startswith(("S2", "step")) else other
        ratio = "–" if other is None else f"{other / found[name]:.1f}"
        plain = found.get(f"{name}, by torch")
        cells = ["–" if ms is None else f"{ms:.1f}" for ms in (plain, other)]
        print(f"| {text} | {found[name]:.1f} | {' | '.join(cells)} | {ratio} |")
    print(f"\ntransform pair: {pair / 1e9:.2f} GFLOP, {share:.0%} of the rate of torch.mm")


def step_of(model: nn.Module) -> Callable[[], object]:
    """One step of Adam on one batch."""
    x, y = torch.randn(BATCH, 1, 60, 60), torch.randint(10, (BATCH,))
    step = training_step(model, torch.optim.Adam(model.parameters()))
    return lambda: step(x, y)


def memory() -> None:
    """Peak of resident memory in one training step above what stood before; a fresh process."""
    command = [sys.executable, __file__, "--only", "one-step"]
    settings = os.environ | {"OMP_NUM_THREADS": "1"}
    settings.pop("GLIBC_TUNABLES", None)  # huge pages would be counted in whole
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=True)
    print(f"train-step memory above rest, paper's network, batch 32: {done.stdout.strip()} MB")


def one_step() -> None:
    """Print the megabytes of one step; tables and optimiser are made by a step of batch 2."""
    import psutil

    model = spherical_digit_cnn()
    optimiser = torch.optim.Adam(model.parameters())
    x, y = torch.randn(BATCH, 1, 60, 60), torch.randint(10, (BATCH,))
    for count in (2, BATCH):
        optimiser.zero_grad()
        with open("/proc/self/clear_refs", "w") as control:
            control.write("5")  # forget the peak so far (Linux)
        rest = psutil.Process().memory_info().rss
        F.cross_entropy(model(x[:count]), y[:count]).backward()
        optimiser.step()
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(f"{peak / 1024 - rest / 2**20:.0f}")


def half_gain(x: Tensor) -> Tensor:
    """SiLU of features of half the deviation."""
    return F.silu(x / 2)


def quadratic(x: Tensor) -> Tensor:
    """The parabola nearest to a ReLU on normal features, up to its constant."""
    return x / 2 + x.square() * (1 / math.sqrt(8 * math.pi))


FUNCTIONS = {
    "ReLU": torch.relu, "ELU": F.elu, "tanh": torch.tanh, "GELU": F.gelu, "SiLU": F.silu,
    "SiLU(x/2)": half_gain, "softplus": F.softplus, "cube": lambda x: x**3,
    "square": torch.square, "x/2 + x²/√8π": quadratic,
}  # fmt: skip
OVERSAMPLING = (1, 1.5, 2, 2.5, 3)


def activations(bandwidth: int = 10) -> None:
    """The relative error of the law by function and oversampling, and what each costs."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    features = S2Conv(1, 8, 30, bandwidth)(s2_ifft(torch.randn(4, 1, 900))).detach()
    white = so3_ifft([torch.randn(4, 8, k, k) / math.sqrt(k) for k in range(1, 2 * bandwidth, 2)])
    R = SO3.random_elements(4, generator)
    print("| function | " + " | ".join(f"{s}×" for s in OVERSAMPLING) + " |")
    print("|---" * (len(OVERSAMPLING) + 1) + "|")
    for name, function in FUNCTIONS.items():
        cells = []
        for factor in OVERSAMPLING:
            layer = SO3Activation(8, bandwidth, function, factor)
            errors = []
            for x in (features / features.std(), white / white.std()):
                wanted = rotate_so3(layer(x), R)
                errors.append(float((layer(rotate_so3(x, R)) - wanted).norm() / wanted.norm()))
            cells.append(" / ".join(f"{error:.1e}" for error in errors))
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    x = white.requires_grad_()
    calls = {
        f"{s}×": both_ways(SO3Activation(8, bandwidth, F.silu, s), x.detach()) for s in OVERSAMPLING
    }
    cost = milliseconds(in_turns(calls, rounds=7))
    print("| SiLU forward and backward, ms | " + " | ".join(f"{cost[k]:.1f}" for k in cost) + " |")


def angles(bandwidth: int = 12, top: int = 2, degrees: int = 6) -> None:
    """The relative error of the law of a SpinActivation by function and number of angles γ.

    Of white signals of orders up to `top` on a grid with twice their degrees, as far as the
    next layer looks: at as many degrees as they had.
    """
    torch.manual_seed(0)
    degree = torch.arange(degrees**2).sqrt().floor()
    spectrum = torch.randn(4, 8, 2 * top + 1, degrees**2) / torch.sqrt(2 * degree + 1)
    x = spin_ifft(spectrum, bandwidth)
    x = x / x.square().sum(2).mean().sqrt()
    R = SO3.random_elements(4, torch.Generator().manual_seed(1))
    counts = (5, 6, 7, 8, 10, 12, 16)
    print("| function | " + " | ".join(f"{n} angles" for n in counts) + " |")
    print("|---" * (len(counts) + 1) + "|")
    for name in ("ReLU", "SiLU", "square", "cube"):
        cells = []
        for count in counts:
            layer = SpinActivation(8, bandwidth, top, top, FUNCTIONS[name], count)
            wanted = spin_fft(rotate_spin(layer(x), R), lmax=degrees - 1)
            found = spin_fft(layer(rotate_spin(x, R)), lmax=degrees - 1)
            cells.append(f"{float((found - wanted).norm() / wanted.norm()):.1e}")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def linear_law() -> None:
    """The law of the linear stack of the paper's sizes, in both precisions."""
    torch.manual_seed(0)
    points = near_identity(max_gamma=math.pi / 8, n_gamma=3)
    for dtype in (torch.float32, torch.float64):
        stack = nn.Sequential(S2Conv(1, 20, 30, 10), SO3Conv(20, 40, 10, 6, points)).to(dtype)
        x = s2_ifft(torch.randn(4, 1, 900, dtype=torch.float64)).to(dtype)
        R = SO3.random_elements(4, torch.Generator().manual_seed(0))
        with torch.no_grad():
            wanted = rotate_so3(stack(x), R)
            error = (stack(rotate_s2(x, R)) - wanted).norm() / wanted.norm()
        print(f"law of S2Conv then SO3Conv, white input, {dtype}: {float(error):.1e}")


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parts = {
        "times": times,
        "memory": memory,
        "activations": activations,
        "angles": angles,
        "law": linear_law,
    }
    parser.add_argument("--only", choices=[*parts, "one-step"])
    parser.add_argument("--rounds", type=int, default=11)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if arguments.only == "one-step":
        return one_step()
    print(f"torch {torch.__version__}, {platform.machine()}, one thread, CPU time, medians\n")
    for name, part in parts.items():
        if arguments.only in (None, name):
            part(arguments.rounds) if name == "times" else part()  # type: ignore[operator]
            print()
    return None


if __name__ == "__main__":
    main()
