"""How Sphinx makes the site; `tools/site.py` lays out its sources and calls it."""

from __future__ import annotations

from typing import Generic, get_origin

from docutils import nodes
from latex2mathml.converter import convert

import equivlab

project = "equivlab"
author = "equivlab developers"
copyright = "equivlab developers, MIT license"
version = release = equivlab.__version__

root_doc = "docs/index"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the notebooks are stored with their outputs, and tested elsewhere
nb_merge_streams = True
nb_render_markdown_format = "gfm"
default_role = "literal"  # `name` in a docstring is code
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Shape", "notes_style"), ("Source", "notes_style")]
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True  # as they are written: a function's repr hides the types beside it
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "imported-members": True, "show-inheritance": True}
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = "equivlab"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_theme_options = {"navigation_with_keys": False}  # the arrows turn widgets
html_show_sphinx = False
html_math_renderer = "mathml"
html_domain_indices = False
html_copy_source = False


def inline_formula(self, node: nodes.math) -> None:
    """A formula as MathML, which a browser draws by itself: no script, no network."""
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def display_formula(self, node: nodes.math_block) -> None:
    """The same on a line of its own."""
    self.body.append(f"<div class='math'>{convert(node.astext(), display='block')}</div>")
    raise nodes.SkipNode


def public_bases(app, name: str, cls: type, options, bases: list) -> None:
    """In the place of a private class its own bases, which a reader can look up."""
    found: list = []
    for each in bases:
        kind = get_origin(each) or each
        if kind.__name__.startswith("_"):
            inner = list(kind.__bases__)
            public_bases(app, name, cls, options, inner)
            found += [one for one in inner if one not in (object, Generic, *found)]
        else:
            found.append(each)
    bases[:] = found


def setup(app) -> None:
    """Formulas as MathML, and no private class."""
    app.connect("autodoc-process-bases", public_bases)
    app.add_html_math_renderer("mathml", (inline_formula, None), (display_formula, None))
