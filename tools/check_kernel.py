"""Try the compiled kernel of an installed equivlab: is it there, and are its numbers right?

cd /somewhere/else && python /path/to/tools/check_kernel.py            it must be there
... --absent                                                         it must not
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import torch

from equivlab import P4, P4M, show_config
from equivlab.nn import GroupConv2d

LARGE = (4, 8, 28, 28)  # batch, fields, rows, columns: a case for the kernel


def main(arguments: Sequence[str] | None = None) -> str | None:
    """What is wrong, or None."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--absent", action="store_true", help="everything goes the ordinary way")
    wanted = "conv2d: no compiled kernel" if parser.parse_args(arguments).absent else "kernel"
    print(show_config())
    torch.manual_seed(0)
    for group in (P4, P4M):
        batch, fields, *sides = LARGE
        layer = GroupConv2d(group, fields, fields, 3, padding=1)
        x = torch.randn(batch, fields, group.order, *sides)
        with torch.no_grad():
            way, y = layer.route(x), layer(x)
            exact = layer.double()(x.double())  # by torch's own convolution
        error = float((y - exact).abs().max() / exact.abs().max())
        print(f"{group}: {way}; largest error {error:.0e}")
        if way != wanted:
            return f"{group} should take {wanted!r}"
        if not error <= 2e-6:
            return f"{group}: wrong numbers"
    return None


if __name__ == "__main__":
    sys.exit(main())
