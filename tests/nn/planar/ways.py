"""One layer by both of its ways: the compiled kernel, and the ordinary convolution."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from equivlab.nn.planar.compiled import route
from equivlab.nn.planar.compiled.library import load

needs_kernel = pytest.mark.skipif(
    load() is None, reason="the kernel was not compiled, or EQUIVLAB_KERNEL=0"
)


@contextmanager
def always() -> Iterator[None]:
    """The kernel takes what it can, also where it does not pay."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(route, "pays", lambda *_: True)
        yield


@contextmanager
def never() -> Iterator[None]:
    """All goes the ordinary way, as on a machine without a compiler."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(route, "load", lambda: None)
        yield
