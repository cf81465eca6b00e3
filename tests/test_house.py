"""The house: what may import what, and what exists once; read from the source."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "equivlab"
# From the top down; rooms on one line stand side by side.
ROOMS = [
    ["course"],
    ["widgets"],
    ["training"],
    ["transfer"],
    ["weights"],
    ["models"],
    ["data"],
    ["equivariance"],
    ["plots"],
    ["nn"],
    ["fields"],
    ["projection"],
    ["sphere"],
    ["groups", "so3"],
    ["processor"],
    ["tables"],
    ["imports"],
]
HEIGHT = {room: -level for level, rooms in enumerate(ROOMS) for room in rooms}
Graph = dict[str, set[str]]  # which modules each imports
FACES = {"equivlab", "equivlab.__main__"}  # the way in: what they name may stand on any floor
LINES = {"equivlab/**/*.py": 320, "equivlab/**/*.js": 500, "tests/**/*.py": 400}
TEST_IMPORT = re.compile(r"^\s*(?:from|import)\s+tests\.(?:\w+\.)*test_\w+", re.MULTILINE)


@cache
def modules() -> dict[str, Path]:
    """Every module of the package, by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(source: str, name: str, path: Path, known: frozenset[str]) -> set[str]:
    """The modules among `known` that an import names, anywhere in the text of module `name`."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parent = package.rsplit(".", node.level - 1)[0] + "." if node.level else ""
            home = (parent + (node.module or "")).rstrip(".")
            for alias in node.names:
                inner = f"{home}.{alias.name}"
                if inner != "equivlab.__version__":  # says what made a file, and depends on nothing
                    found.add(inner if inner in known else home)
    return {each for each in found if each in known} - {name}


@cache
def imports() -> Graph:
    """For every module of the package, which of its modules it imports."""
    known = frozenset(modules())
    return {
        name: imported(path.read_text(encoding="utf-8"), name, path, known)
        for name, path in modules().items()
    }


def room(name: str) -> str:
    return name.split(".")[1]


def goes_up(name: str, target: str) -> bool:
    """Whether `target` stands above `name`; side by side, only a room's own modules may meet."""
    if name in FACES:
        return False
    if target in FACES:
        return True
    here, there = HEIGHT[room(name)], HEIGHT[room(target)]
    return there > here or (there == here and room(name) != room(target))


def upwards(graph: Graph) -> list[str]:
    return [
        f"{name} imports {target}"
        for name, targets in sorted(graph.items())
        for target in sorted(targets)
        if goes_up(name, target)
    ]


def circles(graph: Graph) -> list[list[str]]:
    """The sets of modules that reach each other by imports, a façade and its modules included."""
    reached = {name: set(targets) for name, targets in graph.items()}
    for middle in graph:  # Warshall (1962)
        for name in graph:
            if middle in reached[name]:
                reached[name] |= reached[middle]
    found = {
        tuple(sorted(other for other in reached[name] if name in reached[other]))
        for name in graph
        if name in reached[name]
    }
    return [list(names) for names in sorted(found)]


def test_every_room_has_its_place() -> None:
    rooms = {room(name) for name in modules() if name not in FACES}
    assert rooms <= set(HEIGHT), "say in ROOMS, and in docs/architecture.md, where it stands"


def test_the_drawing_is_true() -> None:
    """docs/architecture.md has the rooms in this order, and every arrow points downwards."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = [
        re.findall(r"`equivlab/(\w+)(?:/|\.py)`", row)
        for row in page.splitlines()
        if row[:2] == "| "
    ]
    assert [row for row in rows if row] == ROOMS
    arrows = re.findall(r"^ +(\w+) --> (\w+)$", page, re.MULTILINE)
    assert arrows
    assert [(a, b) for a, b in arrows if HEIGHT[b] >= HEIGHT[a]] == []


def test_the_root_holds_five_modules_at_most() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 5


def test_imports_point_downwards() -> None:
    assert upwards(imports()) == []


def test_no_module_imports_what_imports_it() -> None:
    assert circles({name: each for name, each in imports().items() if name not in FACES}) == []


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("equivlab.fields.base", "from equivlab.nn import FieldModule", ["equivlab.nn"]),
        ("equivlab.fields.base", "def late():\n    import equivlab.nn.base", ["equivlab.nn.base"]),
        ("equivlab.sphere.s2", "if TYPE_CHECKING:\n    from equivlab import nn", ["equivlab.nn"]),
        ("equivlab.sphere.s2", "from ..nn.base import FieldModule", ["equivlab.nn.base"]),
        ("equivlab.nn.base", "from equivlab import P4", ["equivlab"]),
        ("equivlab.groups", "from equivlab.so3 import SO3", ["equivlab.so3"]),
        ("equivlab.nn.base", "from equivlab.groups import P4", []),
        ("equivlab.nn.base", "from equivlab.nn.window import Window", []),
    ],
)
def test_an_import_upwards_is_seen(name: str, text: str, found: list[str]) -> None:
    targets = imported(text, name, modules()[name], frozenset(modules()))
    assert upwards({name: targets}) == [f"{name} imports {target}" for target in found]


def test_a_circle_is_seen() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"a"}}
    assert circles(graph) == [["b", "c"]]


def test_a_name_and_a_module_do_not_shadow_each_other() -> None:
    """Importing a module sets its name in its package, whatever the façade put there."""
    shadowed = [
        f"{name}.{alias.name}"
        for name, path in modules().items()
        if path.name == "__init__.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if f"{name}.{alias.name}" in modules() and f"{node.module}.{alias.name}" not in modules()
    ]
    assert shadowed == []


def test_tests_import_no_tests() -> None:
    """What several tests use is in a module without ``test_`` in its name."""
    paths = sorted((ROOT / "tests").rglob("*.py"))
    assert [path for path in paths if TEST_IMPORT.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    "notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_notebooks_import_facades(notebook: Path) -> None:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = "".join("".join(c["source"]) + "\n" for c in cells if c["cell_type"] == "code")
    used = re.findall(r"^\s*(?:from|import)\s+(equivlab[\w.]*)", code, re.MULTILINE)
    facades = {
        name
        for name, path in modules().items()
        if path.name == "__init__.py" or name.count(".") < 2
    }
    assert used
    assert set(used) <= facades


@pytest.mark.parametrize(("files", "most"), LINES.items())
def test_a_file_is_one_concept(files: str, most: int) -> None:
    lengths = {
        path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines())
        for path in ROOT.glob(files)
    }
    assert lengths
    assert {path: length for path, length in lengths.items() if length > most} == {}


def defining(name: str) -> list[str]:
    """The files of the package and the tests that define a function of this name."""
    return [
        path.relative_to(ROOT).as_posix()
        for folder in (PACKAGE, ROOT / "tests")
        for path in sorted(folder.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]


def test_the_error_of_a_law_is_defined_once() -> None:
    assert defining("equivariance_error") == ["equivlab/equivariance/error.py"]
    assert defining("relative") == defining("relative_error") == []
    ratio = re.compile(r"norm\(.* - .*\).*/.*norm\(")
    assert not [name for name, path in modules().items() if ratio.search(path.read_text("utf-8"))]


def test_layers_are_read_in_one_place() -> None:
    """What a layer was given and gave: hooks on the output stand nowhere else."""
    readers = [
        name
        for name, path in modules().items()
        if "register_forward_hook(" in path.read_text("utf-8")
    ]
    assert readers == ["equivlab.equivariance.recording"]
    assert defining("record") == ["equivlab/equivariance/recording.py"]
