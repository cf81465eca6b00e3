"""The layers on the sphere and on SO(3), a row each."""

from __future__ import annotations

import torch
from torch import Tensor

from equivlab import nn
from equivlab.sphere import spin_ifft
from tests.nn.case import Case
from tests.sphere.spectra import random_spectrum

NO_TWIN = "has no twin.*torch.export"
SMALL = "Bandwidth 4 means 8"  # of a signal with 6


def _few_degrees(dtype: torch.dtype) -> Tensor:
    return spin_ifft(random_spectrum((2, 2), 2, 1), 4).to(dtype)


LAYERS: dict[str, Case] = {
    "S2Conv": Case(
        lambda: nn.S2Conv(2, 3, 4, 3),
        bad=(
            ((1, 2, 6, 6), r"Bandwidth 4 means 8 samples.*s2_ifft\(s2_fft\(x, lmax=2\), 4\)"),
            ((1, 2, 7, 7), "same even number"),
        ),
        plain=NO_TWIN,
    ),
    "SO3Conv": Case(
        lambda: nn.SO3Conv(2, 3, 4, 3),
        bad=(((1, 2, 8, 8), r"S2Conv\(2, ...\)"), ((1, 2, 6, 6, 6), "bandwidth_in=3")),
        plain=NO_TWIN,
    ),
    "SpinConv": Case(
        lambda: nn.SpinConv(2, 3, 4, 3, 1, 1),
        bad=(((1, 2, 8, 8), r"SpinConv\(2"), ((1, 2, 5, 8, 8), "Orders up to 1 are 3 maps")),
        plain=NO_TWIN,
    ),
    "NormedConv": Case(
        lambda: nn.NormedConv(nn.S2Conv(2, 3, 4, 3)),
        bad=(((1, 2, 6, 6), SMALL),),
        plain=NO_TWIN,
    ),
    "NormedConv spin": Case(
        lambda: nn.NormedConv(nn.SpinConv(2, 3, 4, 3, 1, 1)),
        bad=(((1, 2, 3, 6, 6), SMALL),),
        plain=NO_TWIN,
    ),
    "SO3BatchNorm": Case(
        lambda: nn.SO3BatchNorm(2, 4), bad=(((1, 2, 6, 6, 6), SMALL),), plain=NO_TWIN
    ),
    "SpinBatchNorm": Case(
        lambda: nn.SpinBatchNorm(2, 4, 1), bad=(((1, 2, 3, 6, 6), SMALL),), plain=NO_TWIN
    ),
    # The square of a signal has twice its degrees and no more: the law is exact where they fit.
    "SO3Activation": Case(
        lambda: nn.SO3Activation(2, 4, torch.square, 1.5),
        bad=(((1, 2, 6, 6, 6), SMALL),),
        plain=NO_TWIN,
    ),
    "SpinActivation": Case(
        lambda: nn.SpinActivation(2, 4, 1, activation=torch.square, angles=5),
        bad=(((1, 2, 3, 6, 6), SMALL),),
        plain=NO_TWIN,
        first=_few_degrees,
    ),
    "S2Moments": Case(lambda: nn.S2Moments(2, 4), bad=(((1, 2, 6, 6), SMALL),), plain=NO_TWIN),
    "SO3Moments": Case(lambda: nn.SO3Moments(2, 4), bad=(((1, 2, 6, 6, 6), SMALL),), plain=NO_TWIN),
    "SO3Integrate": Case(
        lambda: nn.SO3Integrate(2, 4), bad=(((1, 2, 6, 6, 6), SMALL),), plain=NO_TWIN
    ),
    "HealpixToSphere": Case(
        lambda: nn.HealpixToSphere(2, 4, 4), bad=(((1, 2, 48), r"ud_grade\(x, 4\)"),), plain=NO_TWIN
    ),
}
