"""Exported pages: formulas that need no script, solutions that are folded."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from equivlab.widgets.page.export import OfflineHTMLExporter

WORDS = r"""
A field $f(g^{-1}x) < 3$ costs \$5, and `$PATH$` is code.

$$\int_{S^2} f \, dx = \sum_k a_k$$

\begin{align}
a &= b \\
\end{align}
"""


def exported(*cells: nbformat.NotebookNode) -> str:
    page, _ = OfflineHTMLExporter().from_notebook_node(new_notebook(cells=list(cells)))
    return page


def test_formulas_are_mathml() -> None:
    page = exported(new_markdown_cell(WORDS))
    assert page.count("<math") == 3
    assert page.count('display="block"') == 2
    assert "<msup>" in page
    assert "<mo>&#x0003C;</mo>" in page or "<mo>&lt;</mo>" in page
    for left in ("$f", "$$", "\\int", "\\begin{align}"):
        assert left not in page.partition("<main")[2]
    assert "<code>$PATH$</code>" in page
    assert "$5" in page


@pytest.mark.parametrize("tags", [[], ["solution"]])
def test_solutions_are_folded_at_the_end_of_the_page(tags: list[str]) -> None:
    """After the last cell, though an output has the end of a page in it too."""
    cell = new_code_cell("answer = 42", metadata={"tags": tags})
    inner = {"text/html": "<iframe srcdoc='<body></body>'></iframe>"}
    cell.outputs = [nbformat.v4.new_output("display_data", data=inner)]
    page = exported(cell, new_markdown_cell("the end"))
    assert ("details.equivlab-solution" in page) == bool(tags)
    if tags:
        assert page.index("the end") < page.index("details.equivlab-solution")
        assert 'celltag_solution"' in page
