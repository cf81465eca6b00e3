"""The glossary: every term is defined, used, and linked where the course first uses it."""

from __future__ import annotations

import re

import pytest

from tests.notebooks.reading import COURSE, GLOSSARY, LINK, Term, glossary, markdown, prose

TERMS = glossary()


def first_use(term: Term) -> tuple[str, bool] | None:
    """Where the course first uses a term, and whether it is linked to its definition there."""
    address = f"../docs/glossary.md#{term.anchor}"
    for notebook in COURSE:
        for number, text in enumerate(map(prose, markdown(notebook))):
            links = list(LINK.finditer(text))
            for use in term.pattern.finditer(text):
                around = [link for link in links if link.start() <= use.start() < link.end()]
                if not around:
                    return f"{notebook.stem}, text {number}", False
                if around[0]["target"] == address:
                    return f"{notebook.stem}, text {number}", True
    return None


def test_there_are_terms_enough_in_the_order_of_the_alphabet() -> None:
    names = [term.name.lower() for term in TERMS]
    assert len(names) >= 40
    assert names == sorted(names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)
def test_a_term_is_linked_at_its_first_use(term: Term) -> None:
    found = first_use(term)
    assert found is not None, f"the course never uses {term.name}"
    where, linked = found
    assert linked, f"{where} uses {term.name} first and does not link it"


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)
def test_a_definition_is_short_and_names_a_notebook(term: Term) -> None:
    text = GLOSSARY.read_text(encoding="utf-8")
    entry = text.split(f"## {term.name}\n")[1].split("\n## ")[0]
    assert 5 <= len(LINK.sub("", entry).split()) <= 60
    assert re.search(r"\]\(\.\./notebooks/\d\d_\w+\.ipynb\)", entry)
