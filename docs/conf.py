"""How Sphinx makes the site; `tools/site.py` lays out its sources and calls it."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import Generic, get_origin

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.addnodes import pending_xref
from sphinx.ext.autodoc.preserve_defaults import update_defvalue
from sphinx.util.inspect import signature, stringify_signature
from traitlets import HasTraits

import equivlab

ROOMS = [name for _, name, _ in pkgutil.iter_modules(equivlab.__path__) if name[0] != "_"]


def is_public(kind: type) -> bool:
    """Whether a reader can look a class up: it is not ours, or in a façade."""
    house, _, inner = kind.__module__.partition(".")
    if house != "equivlab":
        return not kind.__name__.startswith("_")
    room = importlib.import_module(f"{house}.{inner.partition('.')[0]}")
    return kind.__name__ in getattr(room, "__all__", dir(room))


def facades() -> dict[str, dict[str, object]]:
    """Public names by room."""
    modules = {room: importlib.import_module(f"equivlab.{room}") for room in ROOMS}
    return {
        room: {name: getattr(module, name) for name in getattr(module, "__all__", ())}
        for room, module in modules.items()
    }


def lookable() -> set[str]:
    """The names of all classes above a public one that readers can look up themselves."""
    kinds = [kind for room in facades().values() for kind in room.values()]
    above = {each for kind in kinds if isinstance(kind, type) for each in kind.__mro__}
    return {each.__name__ for each in above if is_public(each)}


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
napoleon_use_ivar = True  # attributes as a list
napoleon_custom_sections = [("Shape", "notes_style"), ("Source", "notes_style")]
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True  # as they are written: a function's repr hides the types beside it
autodoc_type_aliases = {name: name for name in ("ArrayLike", "Numbers", "OptimizerLRScheduler")}
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "imported-members": True, "show-inheritance": True}
# What a class has from one that readers can look up is said there; from another it is said here.
autodoc_default_options["inherited-members"] = ",".join(sorted(lookable()))
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


# What TeX sets apart or together by itself, and a browser does not.
FUNCTION, GAP = "<mi>(?:sin|cos|exp|log)</mi>", '<mspace width="0.17em"></mspace>'
SPACED = (
    (rf"({FUNCTION})(?!<mo[^>]*>&#x00028;|</)", rf"\1{GAP}"),  # cos x, but cos(x)
    (rf"(</m(?:i|n|sub|sup|subsup)>|&#x00029;</mo>)(?={FUNCTION})", rf"\1{GAP}"),  # a cos x
    # After = ( , or an arrow a minus is a sign.
    (r"(&#x(?:0003D|00028|0002C|021A6);</mo>)<mo>&#x02212;", r'\1<mo form="prefix">&#x02212;'),
    (r"<mo([^>]*)>&#x0007C;", r'<mo\1 lspace="0" rspace="0">&#x0007C;'),  # bars of a modulus
)


def as_mathml(formula: str, display: str = "inline") -> str:
    """A formula as MathML, which a browser draws by itself: no script, no network."""
    drawn: str = convert(formula, display=display)
    for pattern, words in SPACED:
        drawn = re.sub(pattern, words, drawn)
    return drawn


def inline_formula(self, node: nodes.math) -> None:
    """A formula within a line."""
    self.body.append(as_mathml(node.astext()))
    raise nodes.SkipNode


def display_formula(self, node: nodes.math_block) -> None:
    """The same on a line of its own."""
    self.body.append(f"<div class='math'>{as_mathml(node.astext(), 'block')}</div>")
    raise nodes.SkipNode


def public_bases(app, name: str, cls: type, options, bases: list) -> None:
    """In the place of a private class its own bases, which a reader can look up."""
    found: list = []
    for each in bases:
        kind = get_origin(each) or each
        if is_public(kind):
            found.append(each)
        else:
            inner = list(kind.__bases__)
            public_bases(app, name, cls, options, inner)
            found += [one for one in inner if one not in (object, Generic, *found)]
    kinds = [get_origin(each) or each for each in found]
    above = [any(k is not o and issubclass(k, o) for k in kinds) for o in kinds]  # said by another
    bases[:] = [each for each, said in zip(found, above, strict=True) if not said]


def without_bare_bases(app, doctree: nodes.document) -> None:
    """That a class is an object is no news."""
    for line in list(doctree.findall(nodes.paragraph)):
        if line.astext() in ("Bases: object", "Bases: "):
            line.parent.remove(line)


# What annotations become that are not shown as they are written, and their readable form.
READABLE = (
    (r"~(?!(?:\w+\.)+Source\b)(?:\w+\.)+", ""),  # there are two of that name
    (r"ndarray\[tuple\[Any, \.\.\.\], dtype\[(\w+(?:\[\w+\])?)\]\]", r"NDArray[\1]"),
    (r"= ?<factory>", "= ..."),  # made anew for each
)


def readable_signature(app, what: str, name: str, obj, options, given, returned):
    """Of a widget what its `__init__` takes (traitlets' `__new__` takes anything); short types."""
    if what == "class" and issubclass(obj, HasTraits):
        update_defvalue(app, obj.__init__, True)
        taken = signature(obj.__init__, bound_method=True)
        given = stringify_signature(taken, show_return_annotation=False, unqualified_typehints=True)
    if given == "(*args, **kwargs)":  # of a protocol
        given = ""
    for pattern, words in READABLE:
        given = given and re.sub(pattern, words, given)
        returned = returned and re.sub(pattern, words, returned)
    return given, returned


def whole_sentences(app, what: str, name: str, obj, options, lines: list[str]) -> None:
    """What stands before a colon is no type: types are in signatures alone, or short."""
    for n, line in enumerate(lines):
        if line.startswith(":vartype "):
            lines[n] = re.sub(r"(?:\w+\.)+(?=\w)", "", line)
    for mark, home in ((":rtype: ", ":returns: "), (":type: ", "")):
        types = [n for n, line in enumerate(lines) if line.startswith(mark)]
        homes = [n for n, line in enumerate(lines) if line and line.startswith(home)]
        if types and homes:
            said = lines.pop(types[0]).removeprefix(mark)
            lines[homes[0]] = f"{home}{said}: {lines[homes[0]].removeprefix(home)}"


# A name, perhaps with its home before it, a member behind it, or called.
NAME = re.compile(r"(?:equivlab\.(?:\w+\.)*)?(\w+)((?:\.\w+)?)(?:\([^()]*(?:\([^()]*\)[^()]*)*\))?")


def within(node: nodes.Node, *kinds: type) -> bool:
    """Whether a node stands in one of some kinds."""
    return node is not None and (isinstance(node, kinds) or within(node.parent, *kinds))


def linked_names(app, doctree: nodes.document) -> None:
    """A public name in a text leads to where the reference describes it."""
    page = app.env.docname
    if not page.startswith("docs/"):
        return
    here = page.rpartition("/")[2]
    rooms = {here: KNOWN.get(here, {}), **KNOWN}  # its own room first
    for code in list(doctree.findall(nodes.literal)):
        found = NAME.fullmatch(code.astext())
        room = code.astext().removeprefix("equivlab.")
        if room in KNOWN and room != code.astext():
            found = NAME.fullmatch(room)
        if not found or within(code, nodes.reference, pending_xref, nodes.title):
            continue
        name, member = found.groups()
        usual = name.islower() and not re.search(r"[_.(]", code.astext())  # a word like any other
        homes = [room for room, names in rooms.items() if name in names]
        if homes and (not usual or homes[0] == here):
            link = pending_xref(refdomain="py", reftype="obj", refexplicit=False, refwarn=False)
            link["reftarget"] = f"equivlab.{homes[0]}.{name}{member}"
            code.replace_self(link)
            link += code


def no_alias(app, what: str, name: str, obj, skip: bool, options) -> bool | None:
    """Whether to leave out a field of a tuple, and what layers do among themselves."""
    alias = (getattr(obj, "__doc__", "") or "").startswith("Alias for field")
    function = getattr(obj, "fget", obj)  # of a property
    owner = (
        getattr(function, "__module__", ""),
        getattr(function, "__qualname__", "").split(".")[0],
    )
    inner = (owner in BASES and name not in OFFERED) or name == "label"
    return True if alias or inner or (what == "class" and isinstance(obj, type)) else None


KNOWN = facades()
# Classes above public ones that have no entry, and what readers call of them.
BASES = {
    (each.__module__, each.__name__)
    for room in KNOWN.values()
    for kind in room.values()
    for each in (kind.__mro__ if isinstance(kind, type) else ())
    if not is_public(each)
}
OFFERED = {"forward", "from_spectrum", "is_exact", "filter_bank", "route", "turn_to", "close"}
OFFERED |= {"to_html", "to_png", "to_gif"}


def setup(app) -> None:
    """Formulas as MathML, no private class, and signatures that can be read."""
    app.connect("autodoc-skip-member", no_alias)
    app.connect("autodoc-process-bases", public_bases)
    app.connect("autodoc-process-signature", readable_signature)
    app.connect("autodoc-process-docstring", whole_sentences, priority=600)  # after napoleon
    app.connect("doctree-read", without_bare_bases)
    app.connect("doctree-read", linked_names)
    app.add_html_math_renderer("mathml", (inline_formula, None), (display_formula, None))
