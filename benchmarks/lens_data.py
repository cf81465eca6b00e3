"""The lens simulator and its shards: speed, kills, throughput of the loader, peak memory.

    python benchmarks/lens_data.py speed      # images a second beside lenstronomy, 1 and 2 workers
    python benchmarks/lens_data.py kills      # ten SIGKILLs while simulating, and while training
    python benchmarks/lens_data.py loader     # shards against images in memory
    python benchmarks/lens_data.py memory     # peak memory against the size of the set

Speeds are images per second of CPU time of one thread, medians of interleaved rounds; the
two-worker number is wall time and needs two free cores.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from equivlab.data.lenses.images import lens_recipe, render_with_lenstronomy, simulate
from equivlab.data.lenses.scenes import draw_scene
from equivlab.data.lenses.sets import simulate_to_shards
from equivlab.data.sets import Batches, TensorImages
from equivlab.data.sets.shards import ShardedImages
from equivlab.data.sets.verify import verify_shards
from equivlab.data.sets.writer import write_shards
from equivlab.training.batches import EpochBatches, loader

ROUNDS = 7
COUNT = 6144  # images for the wall times, which count the start of the processes too


def one_by_one(model: str, numbers: range) -> None:
    """What DeepLenseSim does: lenstronomy, image by image, then noise."""
    recipe = lens_recipe(model)
    for number in numbers:
        rng = np.random.default_rng([0, number])
        scene = draw_scene(recipe, number % 3, rng)
        flux = render_with_lenstronomy(recipe, scene)
        recipe.camera.add_noise(flux, scene.exposure, rng)


def speed() -> None:
    """Images a second of CPU time, and of wall time with one and two workers."""
    warnings.simplefilter("ignore")
    print(
        "| model | size | lenstronomy, one at a time | equivlab | ratio | workers 1 | workers 2 |"
    )
    print("|---|---|---|---|---|---|---|")
    for model in ("I", "II", "III"):
        recipe, numbers = lens_recipe(model), range(12)
        ways = {
            "theirs": lambda model=model, numbers=numbers: one_by_one(model, numbers),
            "ours": lambda recipe=recipe, numbers=numbers: simulate(recipe, numbers),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for way in ways.values():
            way()
        for _ in range(ROUNDS):
            for name, way in ways.items():
                start = time.thread_time()
                way()
                times[name].append(len(numbers) / (time.thread_time() - start))
        rates = {name: statistics.median(values) for name, values in times.items()}
        walls = []
        for workers in (1, 2):
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                simulate_to_shards(
                    folder, recipe, COUNT, shard_size=256, workers=workers, progress=False
                )
                walls.append(COUNT / (time.perf_counter() - start))
        side = recipe.camera.pixels
        print(
            f"| {model} | {side}×{side} | {rates['theirs']:.0f} | {rates['ours']:.0f} | "
            f"{rates['ours'] / rates['theirs']:.1f} | {walls[0]:.0f} | {walls[1]:.0f} |"
        )


def child(what: str, folder: str) -> None:
    """What the kill test starts and kills."""
    if what == "simulate":
        recipe = lens_recipe("II", 32)
        simulate_to_shards(folder, recipe, 6000, shard_size=200, workers=2, progress=False)
        return
    from equivlab.groups import P4
    from equivlab.models.resnet import ResNet18
    from equivlab.training import ImageClassifier, Machine, Recipe, fit_lightning

    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(360) % 3
    images = torch.randn(360, 1, 33, 33, generator=generator) + labels[:, None, None, None] / 9
    classifier = ImageClassifier(ResNet18(P4, width=8), 3, Recipe(epochs=40, batch_size=60))
    part = Batches(TensorImages(images, labels))
    fit_lightning(
        classifier, part, part, folder, machine=Machine("cpu", 1), ema=0.9, progress=False
    )


def kills(many: int = 10) -> None:
    """SIGKILL at random moments; the end must be that of an undisturbed run."""
    random = np.random.default_rng(0)
    for what, longest in (("simulate", 6.0), ("train", 12.0)):
        with tempfile.TemporaryDirectory() as folder:
            whole, broken = Path(folder, "whole"), Path(folder, "broken")
            child(what, str(whole))
            done, calls = 0, 0
            while True:
                command = [sys.executable, __file__, "child", what, str(broken)]
                process = subprocess.Popen(
                    command, start_new_session=True, stderr=subprocess.DEVNULL
                )
                calls += 1
                try:
                    # From the import to well inside the work.
                    process.wait(4 + random.uniform(0, longest) if done < many else None)
                except subprocess.TimeoutExpired:
                    # Every second time the workers are left to find out by themselves.
                    target = os.killpg if done % 2 else os.kill
                    target(process.pid, signal.SIGKILL)
                    process.wait()
                    done += 1
                    continue
                break
            assert process.returncode == 0
            if what == "simulate":
                names = sorted(p.name for p in whole.iterdir())
                same = names == sorted(p.name for p in broken.iterdir())
                same &= filecmp.cmpfiles(whole, broken, names, shallow=False)[0] == names
                verify_shards(broken)
            else:
                states = [torch.load(f / "last.ckpt", weights_only=True) for f in (whole, broken)]
                same = states[0]["curve"] == states[1]["curve"] and all(
                    torch.equal(value, states[1]["state_dict"][name])
                    for name, value in states[0]["state_dict"].items()
                )
            print(f"{what}: {done} kills in {calls} calls, equal: {same}", flush=True)


def throughput() -> None:
    """Batches a second of one epoch in random order, from shards and from memory."""
    print("| images | set | in memory | shards, mapped | ratio | shards, read | ratio |")
    print("|---|---|---|---|---|---|---|")
    for side, count in ((64, 9000), (150, 3000), (150, 9000)):
        with tempfile.TemporaryDirectory() as folder:
            shape = (1, side, side)

            def make(numbers, shape=shape):
                return np.full((len(numbers), *shape), 1.5, np.float32), np.array(numbers) % 3

            write_shards(folder, make, count, {}, progress=False)
            shards, read = ShardedImages(folder), ShardedImages(folder, mapped_mb=0)
            sets = {"memory": TensorImages(*shards.batch(range(count)))}
            sets |= {"shards": shards, "read": read}
            rates: dict[str, list[float]] = {name: [] for name in sets}
            for epoch in range(ROUNDS):
                for name, images in sets.items():
                    order = EpochBatches(count, 64, seed=0)
                    order.set_epoch(epoch)
                    start = time.thread_time()
                    total = sum(len(y) for _, y in loader(Batches(images), order))
                    rates[name].append(total / 64 / (time.thread_time() - start))
            m, s, r = (statistics.median(rates[name]) for name in sets)
            size = f"{count * side * side * 4 / 1e6:.0f} MB"
            print(
                f"| {side}×{side} | {size} | {m:.0f} | {s:.0f} | {s / m:.2f} "
                f"| {r:.0f} | {r / m:.2f} |"
            )


def read_all(folder: str, limit_mb: int) -> None:
    """Read a set once in random order under a limit of address space; print the peaks."""
    status = Path("/proc/self/status").read_text()
    used = int(status.split("VmSize:")[1].split()[0]) * 1024
    before = int(status.split("VmRSS:")[1].split()[0])
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the imports
    resource.setrlimit(resource.RLIMIT_AS, (used + limit_mb * 1_000_000, resource.RLIM_INFINITY))
    found = ShardedImages(folder)
    order = EpochBatches(len(found), 64, seed=0)
    total = sum(float(x.mean()) * len(y) for x, y in loader(Batches(found), order))
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    size = len(found) * found.shape[-1] ** 2 * 4 / 1e6
    try:
        np.empty(int(size * 1e6), np.uint8)
        fits = "yes"
    except MemoryError:
        fits = "no"
    assert total > 0
    print(f"| {size:.0f} MB | {fits} | {(peak - before) / 1000:.0f} MB |", flush=True)


def memory(limit_mb: int = 300) -> None:
    """Peak memory while reading sets of 50 to 1600 MB in random order."""
    print(f"| set | fits under the limit (+{limit_mb} MB) | peak memory of an epoch |")
    print("|---|---|---|", flush=True)
    root = Path(tempfile.mkdtemp(dir=Path(__file__).parent))
    try:
        for count in (768, 3072, 12288, 24576):

            def make(numbers):
                return np.ones((len(numbers), 1, 128, 128), np.float32), np.array(numbers) % 3

            write_shards(root / str(count), make, count, {}, shard_size=256, progress=False)
            command = [sys.executable, __file__, "read", str(root / str(count)), str(limit_mb)]
            subprocess.run(command, check=True)
            shutil.rmtree(root / str(count))
    finally:
        shutil.rmtree(root)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["speed", "kills", "loader", "memory", "child", "read"])
    parser.add_argument("arguments", nargs="*")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.what == "child":
        child(*given.arguments)
    elif given.what == "read":
        read_all(given.arguments[0], int(given.arguments[1]))
    else:
        jobs = {"speed": speed, "kills": kills, "loader": throughput, "memory": memory}
        jobs[given.what]()


if __name__ == "__main__":
    main()
