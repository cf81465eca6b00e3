"""Which test compares which layer with something that is not our code."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

Test = TypeVar("Test", bound=Callable[..., None])
HERE = Path(__file__).parent


def oracle_of(*layers: type) -> Callable[[Test], Test]:
    """Says, above a test, for which layers it is the oracle; the guard reads it in the source."""
    assert layers

    def unchanged(test: Test) -> Test:
        return test

    return unchanged


@cache
def oracles() -> dict[str, list[str]]:
    """For each name of a layer, the tests that say to be its oracle."""
    found: dict[str, list[str]] = {}
    for path in sorted(HERE.rglob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for name in _said(node):
                    found.setdefault(name, []).append(f"{path.relative_to(HERE)}::{node.name}")
    return found


def _said(test: ast.FunctionDef) -> list[str]:
    return [
        argument.id
        for call in test.decorator_list
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == oracle_of.__name__
        for argument in call.args
        if isinstance(argument, ast.Name)
    ]
