"""Weights of torchvision and timm for the plain ResNet-18."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from equivlab.models.resnet import ResNet18

__all__ = ["load_resnet18_weights"]


def load_resnet18_weights(
    model: ResNet18, state: Mapping[str, Tensor], head: bool = True
) -> list[str]:
    """Take the weights of torchvision's or timm's ``resnet18`` into the plain network.

    The first layer's filters are summed over their input channels where `model` looks at one
    channel (a grey picture in three equal channels gives the same); another number of classes
    leaves the head as it is.

    Args:
        model: ``ResNet18(None, ...)`` of width 64 with the full stem.
        state: ``torchvision.models.resnet18(...).state_dict()``, or timm's.
        head: take the last layer too, if it fits.

    Returns:
        The names of the parameters that were left as they are.

    Raises:
        ValueError: a group network, or weights of another network; `model` is untouched.
    """
    if model.group is not None:
        raise ValueError(
            "load_resnet18_weights fills the plain network; got one on "
            f"{model.group}. Fill ResNet18(None, ...), then equivlab.transfer.from_plain(it, this)."
        )
    own = model.state_dict()
    given = {name: value for name, value in state.items() if name in own}
    first = given.get("conv1.weight")
    if first is not None and own["conv1.weight"].shape[1] == 1:
        given["conv1.weight"] = first.sum(1, keepdim=True)
    if not head or given.get("fc.weight", own["fc.weight"]).shape != own["fc.weight"].shape:
        given = {name: value for name, value in given.items() if not name.startswith("fc.")}
    missing = [n for n in own if n not in given and not n.startswith("fc.")]
    missing = [n for n in missing if not n.endswith("num_batches_tracked")]
    other = [n for n, value in given.items() if value.shape != own[n].shape]
    unknown = [n for n in state if n not in own]
    if missing or other or unknown:
        wrong = (missing + other + unknown)[0]
        raise ValueError(
            f"These are no weights of this resnet18: {len(missing)} are missing, {len(other)} "
            f"have another shape, {len(unknown)} are unknown, for example {wrong}. Build "
            "ResNet18(None, width=64, stem='full') for those of torchvision and timm."
        )
    model.load_state_dict(own | given)
    return [name for name in own if name not in given]
