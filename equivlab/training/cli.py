r"""``python -m equivlab``: simulate sets of lenses and train on them, in a terminal or a cluster.

    python -m equivlab simulate lenses/train --model II --count 90000 --seed 0 --workers 8
    python -m equivlab simulate lenses/validate --model II --count 15000 --seed 1
    python -m equivlab train --data.train lenses/train --data.validate lenses/validate \
        --model.group P4M --model.recipe.epochs 10 --trainer.devices 4 --folder runs/p4m

``train`` is Lightning's own command line: ``--help`` lists everything, ``--print_config`` writes
a configuration, ``--config`` reads one. Run the same command again after a kill: it goes on. To
keep the mean of the last weights: ``--trainer.callbacks+=equivlab.training.EqualWeightAveraging``,
and to validate with fresh statistics of the batch norms: ``equivlab.training.RenewedNorms``.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from equivlab.data.batches import Batches, ImageSet, stratified
from equivlab.data.folders import FolderImages
from equivlab.data.lens_sets import simulate_to_shards
from equivlab.data.lensing import lens_recipe
from equivlab.data.shards import ShardedImages
from equivlab.data.stretch import arcsinh_stretch, sqrt_stretch, standardise_each
from equivlab.groups import P4, P4M
from equivlab.models.resnet import ResNet18
from equivlab.nn import synced_norm
from equivlab.training.classifier import ImageClassifier, Recipe
from equivlab.training.run import ImageData, checkpoints, loggers

__all__ = ["LensData", "LensNetwork", "main"]

GROUPS = {"none": None, "P4": P4, "P4M": P4M}
STRETCHES = {
    "none": standardise_each,
    "sqrt": lambda x: standardise_each(sqrt_stretch(x)),
    "arcsinh": lambda x: standardise_each(arcsinh_stretch(x)),
}


RECIPE = Recipe()


class LensNetwork(ImageClassifier):
    """A ResNet-18 on a group, as the command line makes it.

    Args:
        group: which symmetry it has.
        in_channels: channels of the images.
        classes: how many there are.
        width: channels of the plain network's first stage.
        stem: as `equivlab.models.ResNet18`.
        stretch: applied to the flux before each image is standardised.
        recipe: how it learns.
        sync_norms: batch norms of several devices share their statistics. (Lightning's own
            ``trainer.sync_batchnorm`` knows nothing of groups.)
    """

    def __init__(
        self,
        group: Literal["none", "P4", "P4M"] = "P4M",
        in_channels: int = 1,
        classes: int = 3,
        width: int = 64,
        stem: Literal["full", "no_pool", "small"] = "full",
        stretch: Literal["none", "sqrt", "arcsinh"] = "sqrt",
        recipe: Recipe = RECIPE,
        sync_norms: bool = False,
    ) -> None:
        torch.manual_seed(recipe.seed)
        network = ResNet18(GROUPS[group], in_channels, classes, width, stem=stem, exact_size=True)
        if sync_norms:
            synced_norm.sync_norms(network)
        super().__init__(network, classes, recipe, STRETCHES[stretch])


class LensData(ImageData):
    """Shards, or folders of classes, by their paths.

    Args:
        train: a folder written by ``simulate``, or one with a folder for each class.
        validate: another, to choose the epoch by.
        fraction: share of the training images of each class.
        batch_size: images in a step, of all devices together.
        seed: of the order.
        workers: processes that load images.
    """

    def __init__(
        self,
        train: str,
        validate: str,
        fraction: float = 1.0,
        batch_size: int = 64,
        seed: int = 0,
        workers: int = 2,
    ) -> None:
        images = _open(train)
        chosen = stratified(images.labels(), fraction, seed)
        super().__init__(
            Batches(images, chosen), Batches(_open(validate)), batch_size, seed, workers
        )


def _open(path: str) -> ImageSet:
    sharded = (Path(path) / "manifest.json").is_file()
    return ShardedImages(path) if sharded else FolderImages(path)


class _TrainCLI(LightningCLI):
    """Lightning's command line with our defaults: checkpoints, logs and resuming."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--folder", default="runs/lenses", help="of checkpoints and logs")
        parser.link_arguments("model.recipe.batch_size", "data.batch_size")
        parser.link_arguments("model.recipe.seed", "data.seed")
        parser.link_arguments("model.recipe.epochs", "trainer.max_epochs")
        parser.set_defaults(
            {"trainer.use_distributed_sampler": False, "trainer.num_sanity_val_steps": 0}
        )

    @property
    def _folder(self) -> Path:
        return Path(self._get(self.config_init, "folder"))

    def instantiate_trainer(self, **kwargs: Any) -> Any:
        given = self._get(self.config_init, "trainer")
        kwargs["callbacks"] = [*(given.get("callbacks") or []), *checkpoints(self._folder)]
        if given.get("logger") is None:
            kwargs["logger"] = loggers(self._folder)
        return super().instantiate_trainer(default_root_dir=str(self._folder), **kwargs)

    def before_fit(self) -> None:
        last = self._folder / "last.ckpt"
        self.config_init["fit"]["weights_only"] = True  # no pickles
        if last.exists():
            self.config_init["fit"]["ckpt_path"] = str(last)


def main(arguments: Sequence[str]) -> None:
    """Run one command.

    Raises:
        SystemExit: another command, or wrong options; the message lists what there is.
    """
    parser = argparse.ArgumentParser("python -m equivlab", description=__doc__.split("\n")[0])
    parser.add_argument("command", choices=["simulate", "train"])
    command = parser.parse_args(arguments[:1]).command
    if command == "simulate":
        _simulate(arguments[1:])
    else:
        with warnings.catch_warnings():
            # It suspects a mistake where a command has arguments of its own.
            warnings.filterwarnings("ignore", "LightningCLI's args parameter")
            _TrainCLI(
                LensNetwork,
                LensData,
                args=["fit", *arguments[1:]],
                seed_everything_default=0,
                auto_configure_optimizers=False,
                save_config_kwargs={"overwrite": True},
            )


def _simulate(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser("python -m equivlab simulate")
    parser.add_argument("folder")
    parser.add_argument("--model", default="II", help="I, II, III or IV")
    parser.add_argument("--count", type=int, default=9000, help="images of all classes together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pixels", type=int, help="instead of the model's own")
    parser.add_argument("--orientation", default="uniform", choices=["uniform", "fixed"])
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args(arguments)
    recipe = lens_recipe(given.model, given.pixels, orientation=given.orientation)
    simulate_to_shards(given.folder, recipe, given.count, seed=given.seed, workers=given.workers)
