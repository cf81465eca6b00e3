"""What became of a plain network: a table, a line a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loaded when a table is made
    import pandas as pd

__all__ = ["Row", "TwinReport"]


@dataclass(frozen=True)
class Row:
    """One layer.

    Attributes:
        module: its name in the twin.
        source: its name in the plain network.
        was: the class there.
        became: the layer here.
        weights: ``'kept'``, ``'fresh'``, or nothing where there are none.
    """

    module: str
    source: str
    was: str
    became: str
    weights: str


@dataclass(frozen=True, repr=False)
class TwinReport:
    """What `equivariant_twin` made of a network.

    Attributes:
        rows: a `Row` for each layer.
        parameters: numbers that the plain network learns, and those that the twin learns.
        error: relative error of the law, measured in double precision with all parameters and
            statistics shaken.
        size: pixels a side of the image that it was measured on.
        unused: modules that the plain network does not call in `eval()`, such as heads for
            training; they have no twin.
    """

    rows: tuple[Row, ...]
    parameters: tuple[int, int]
    error: float
    size: int
    unused: tuple[str, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """Columns ``module``, ``was``, ``became``, ``weights``."""
        import pandas as pd

        rows = [(row.module, row.was, row.became, row.weights) for row in self.rows]
        return pd.DataFrame(rows, columns=["module", "was", "became", "weights"])

    @property
    def kept(self) -> list[str]:
        """The layers that start from the plain network's numbers."""
        return [row.module for row in self.rows if row.weights == "kept"]

    @property
    def fresh(self) -> list[str]:
        """The layers that start anew."""
        return [row.module for row in self.rows if row.weights == "fresh"]

    def sentences(self) -> list[str]:
        """What there is to say beside the table."""
        plain, twin = self.parameters
        said = [
            f"{twin:,} parameters, {plain:,} in the plain network.",
            f"{len(self.kept)} layers start from its numbers, {len(self.fresh)} anew.",
            f"The law holds to {self.error:.1e} on {self.size}×{self.size} pixels.",
        ]
        if self.unused:
            said.append(f"Not called in eval(), so left out: {', '.join(self.unused)}.")
        return said

    def __repr__(self) -> str:
        return "\n".join([self.table.to_string(index=False), "", *self.sentences()])

    def _repr_html_(self) -> str:
        said = "".join(f"<li>{sentence}</li>" for sentence in self.sentences())
        return f"{self.table.to_html(index=False)}<ul>{said}</ul>"
