"""Every check of an exercise is tested with three wrong answers or more, each told apart."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

from tests.notebooks.reading import COURSE, ROOT, cells

CHECK = re.compile(r"\bcheck_\w+(?=\()")


def asked() -> set[str]:
    """The checks that the course calls."""
    sources = [cell["source"] for path in COURSE for cell in cells(path)]
    return {name for source in sources for name in CHECK.findall(source)}


def words(function: ast.FunctionDef) -> Iterator[str]:
    """What a test expects in a verdict: of each case, and of each line ``assert "..." in ...``."""
    for decorator in function.decorator_list:
        for node in ast.walk(decorator):
            if isinstance(node, ast.Tuple) and isinstance(node.elts[-1], ast.Constant):
                yield str(node.elts[-1].value)
    for node in ast.walk(function):
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Constant):
            yield str(node.left.value)


def recognised() -> dict[str, set[str]]:
    """By check: the words by which its tests tell wrong answers apart."""
    found = defaultdict(set)
    for path in (ROOT / "tests" / "course").glob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                for name in set(CHECK.findall(ast.unparse(node))):
                    found[name] |= set(words(node))
    return found


def test_three_wrong_answers_of_each_exercise_are_told_apart() -> None:
    checks, found = asked(), recognised()
    assert len(checks) >= 2 * (len(COURSE) - 1)
    assert {name: found[name] for name in checks if len(found[name]) < 3} == {}
