"""The batches of an epoch: for every number of images and processes those of one process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from equivlab.data.lenses.images import lens_recipe
from equivlab.data.lenses.sets import simulate_to_shards
from equivlab.data.sets import Batches, TensorImages
from equivlab.training.batches import EpochBatches, loader


def test_the_order_is_shared_by_the_processes() -> None:
    whole = EpochBatches(23, 6, seed=4)
    parts = [EpochBatches(23, 6, seed=4, rank=rank, processes=2) for rank in (0, 1)]
    orders = []
    for epoch in (0, 1):
        for batches in (whole, *parts):
            batches.set_epoch(epoch)
        for batch, *shares in zip(whole, *parts, strict=True):
            assert sorted(batch) == sorted(shares[0] + shares[1])
            assert len(shares[0]) == len(shares[1]) == 3
        orders.append([place for batch in whole for place in batch])
        assert len(set(orders[-1])) == 18
    assert orders[0] != orders[1]
    assert [len(b) for b in EpochBatches(23, 6, seed=None)] == [6, 6, 6, 5]
    with pytest.raises(ValueError, match="batch_size=5, processes=2"):
        EpochBatches(20, 5, 0, 0, 2)


@pytest.mark.parametrize("processes", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", [None, 5])
def test_any_number_of_images_on_any_number_of_processes(processes: int, seed: int | None) -> None:
    """Sizes 1 to 64, in batches of 12 and 24: the shares of a batch are that batch, in turns."""
    for count in range(1, 65):
        for size in (12, 24):
            if seed is not None and count < processes:
                with pytest.raises(ValueError, match=f"Take devices={count} or fewer"):
                    EpochBatches(count, size, seed, 0, processes)
                continue
            whole = list(EpochBatches(count, size, seed))
            shares = [list(EpochBatches(count, size, seed, r, processes)) for r in range(processes)]
            assert all(len(mine) == len(whole) > 0 for mine in shares)
            for number, batch in enumerate(whole):
                parts = [mine[number] for mine in shares]
                assert [parts[n % processes][n // processes] for n in range(len(batch))] == batch
                assert sum(map(len, parts)) == len(batch)
                assert seed is None or all(parts)  # nobody learns from nothing
            seen = sorted(place for batch in whole for place in batch)
            if seed is None:
                assert seen == list(range(count))
            else:
                assert len(set(seen)) == len(seen) == count // min(size, count) * min(size, count)


def test_no_image_for_a_process_is_an_empty_batch() -> None:
    part = Batches(TensorImages(torch.randn(3, 1, 4, 4), torch.arange(3)))
    batches = EpochBatches(3, 2, None, rank=1, processes=2)
    assert [tuple(x.shape) for x, _ in loader(part, batches)] == [(1, 1, 4, 4), (0, 1, 4, 4)]


def test_a_loader_with_workers(tmp_path: Path) -> None:
    found = simulate_to_shards(tmp_path, lens_recipe("II", 8), 20, shard_size=8, progress=False)
    part = Batches(found, torch.arange(5, 20))
    images, labels = next(iter(loader(part, EpochBatches(15, 15, None), workers=1)))
    wanted = found.batch(range(5, 20))
    assert torch.equal(images, wanted[0])
    assert torch.equal(labels, wanted[1])
