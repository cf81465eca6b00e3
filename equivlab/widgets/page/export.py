"""Notebooks as web pages in which the widgets still turn, without a kernel and a network.

``jupyter nbconvert --to equivlab notebook.ipynb`` writes one HTML file. Every anywidget whose
state the notebook carries (run it with ``--execute``, or save the widget state in JupyterLab)
is put into the page with its own code and data; a stand-in for the kernel's side keeps the
values that the page sets. The script of plotly, some 2 MB, goes into pages with one of its figures.
Formulas are MathML, which browsers draw by themselves, and solutions are
folded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from equivlab.imports import needs_extra

with needs_extra("lab", "equivlab.widgets.page.export"):
    from jinja2 import pass_context
    from latex2mathml.converter import convert
    from nbconvert.exporters import HTMLExporter
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
    from nbconvert.preprocessors import Preprocessor

from equivlab.plots.interactive import library_html
from equivlab.widgets.page.html import widget_html

__all__ = ["InlineWidgets", "OfflineHTMLExporter", "stored_widgets"]

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


# Each cell with a solution goes into an element that opens by a click or the space bar. It stays
# visible where scripts are off. On paper all are open.
FOLD = """
<style>
details.equivlab-solution > summary {
  cursor: pointer; padding: 4px 0 4px calc(var(--jp-cell-prompt-width, 64px) + 10px);
}
details.equivlab-solution > summary:focus-visible { outline: 2px solid currentColor; }
</style>
<script>
for (const cell of document.querySelectorAll(".celltag_solution")) {
  const folded = document.createElement("details");
  folded.className = "equivlab-solution";
  const title = folded.appendChild(document.createElement("summary"));
  title.textContent = "A solution";
  cell.before(folded);
  folded.append(cell);
}
addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details")) one.open = true;
});
</script>
"""


def stored_widgets(notebook: Any) -> Iterator[tuple[str, Any, Any, Any]]:
    """Each view of an anywidget whose state the notebook carries.

    Yields:
        A name of its place, its cell, its output, and what is stored: ``state`` and ``buffers``.
    """
    stored = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    for number, cell in enumerate(notebook.cells):
        for place, output in enumerate(cell.get("outputs", [])):
            view = output.get("data", {}).get(VIEW)
            model = stored.get(view["model_id"]) if view else None
            if model is not None and "_esm" in model["state"]:
                yield f"{number}-{place}", cell, output, model


class InlineWidgets(Preprocessor):
    """Replace the views of anywidgets by HTML that needs neither kernel nor network."""

    def preprocess(self, notebook: Any, resources: Any) -> tuple[Any, Any]:
        library = ""
        for identity, _, output, model in stored_widgets(notebook):
            page = widget_html(identity, model["state"], model.get("buffers", []))
            if not library and model["state"].get("_library"):
                library = library_html()
                page = library + page
            output["data"] = {"text/html": page}
        if not any(VIEW in o.get("data", {}) for c in notebook.cells for o in c.get("outputs", [])):
            notebook.metadata.pop("widgets", None)  # nothing is left that needs the manager
        return notebook, resources


class _WithMathML(IPythonRenderer):
    """Formulas in TeX as MathML."""

    def block_math(self, body: str) -> str:
        return convert(body, display="block")

    def inline_math(self, body: str) -> str:
        return convert(body)

    def latex_environment(self, name: str, body: str) -> str:
        return convert(rf"\begin{{{name}}}{body}\end{{{name}}}", display="block")


class OfflineHTMLExporter(HTMLExporter):
    """`HTMLExporter` with the widgets inside, formulas as MathML and no code from elsewhere.

    Cells with the tag ``solution`` are folded.
    """

    export_from_notebook = "HTML with live widgets (offline)"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.register_preprocessor(  # type: ignore[no-untyped-call]
            InlineWidgets, enabled=True
        )
        # Scripts from elsewhere: the widget manager wanted one, formulas in TeX the other.
        self.require_js_url = "data:text/javascript,"
        self.mathjax_url = "data:text/javascript,//"  # the template appends a query

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        """As the base class does it, but for the formulas."""
        renderer = _WithMathML(
            escape=False,
            attachments=context.get("cell", {}).get("attachments", {}),
            embed_images=self.embed_images,
            path=context.get("resources", {}).get("metadata", {}).get("path", ""),
            anchor_link_text=self.anchor_link_text,
            exclude_anchor_links=self.exclude_anchor_links,
            **self.lexer_options,
        )
        return MarkdownWithMath(renderer=renderer).render(source)

    def from_notebook_node(  # type: ignore[override]  # as that of templates
        self, nb: Any, resources: Any = None, **kw: Any
    ) -> tuple[str, Any]:
        """The page, and what goes with it; see the base class."""
        page, more = super().from_notebook_node(nb, resources, **kw)
        folds = any("solution" in cell.metadata.get("tags", []) for cell in nb.cells)
        before, end, after = str(page).rpartition("</body>")  # outputs may hold pages of their own
        return before + (FOLD if folds else "") + end + after, more
