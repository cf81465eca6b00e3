"""The recipe for conda-forge keeps to what its linter asks of a recipe, and to pyproject.toml."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

import equivlab
from tools.recipe import NAMES, ROOT, main, recipe

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ORDER = [
    *("schema_version", "context", "package", "source", "build"),
    *("requirements", "tests", "about", "extra"),
]
# A name, and perhaps a space and a range without spaces; or a function of the build.
NEEDED = re.compile(r'[a-z0-9_.-]+(?: [<>=!]=?[\w.,<>=!*]+)?|\$\{\{ \w+\("c"\) \}\}')


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "v1.tar.gz"
    path.write_bytes(b"an archive")
    return path


@pytest.fixture
def read(archive: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(recipe(archive, "somebody"))
    return found


def test_it_keeps_the_linters_rules(archive: Path, read: dict[str, Any]) -> None:
    text = recipe(archive, "somebody")
    assert text.endswith("somebody\n")  # one empty line at the end, no more
    assert re.findall(r"\$\{\{\S|\S\}\}", text) == []
    assert list(read) == ORDER
    assert list(read["requirements"]) == ["build", "host", "run"]
    assert read["build"]["number"] == 0
    assert "noarch" not in read["build"]  # it has a compiled kernel
    assert read["requirements"]["build"] == ['${{ compiler("c") }}', '${{ stdlib("c") }}']
    for name in ("host", "run"):
        needed = read["requirements"][name]
        assert "python" in needed  # without a range, which the builder adds
        assert [each for each in needed if not NEEDED.fullmatch(each)] == []
    assert read["tests"]
    assert read["extra"]["recipe-maintainers"] == ["somebody"]
    about = read["about"]
    assert about["license"] == "MIT"
    assert (ROOT / about["license_file"]).exists()
    assert {"homepage", "summary", "documentation", "repository"} <= set(about)


def test_it_is_of_this_version_and_of_that_archive(read: dict[str, Any]) -> None:
    assert read["context"]["version"] == equivlab.__version__
    assert read["source"]["sha256"] == hashlib.sha256(b"an archive").hexdigest()
    assert read["source"]["url"].endswith("/tags/v${{ version }}.tar.gz")


def test_it_asks_for_what_the_project_asks_for(read: dict[str, Any]) -> None:
    run = read["requirements"]["run"][1:]
    wanted = {NAMES.get(r.name, r.name): r for r in map(Requirement, PROJECT["dependencies"])}
    assert [line.partition(" ")[0] for line in run] == list(wanted)
    for line, requirement in zip(run, wanted.values(), strict=True):
        assert Requirement(line).specifier == requirement.specifier
    oldest, newest = re.findall(r"\d\.\d+", read["build"]["skip"])
    assert PROJECT["requires-python"] == f">={oldest},<{newest}"


@pytest.mark.parametrize("system", ["linux-64", "osx-arm64", "win-64"])
def test_its_builder_renders_it(archive: Path, tmp_path: Path, system: str) -> None:
    builder = pytest.importorskip("rattler_build", reason="py-rattler-build is not installed")
    (tmp_path / "recipe.yaml").write_text(recipe(archive, "somebody"), encoding="utf-8")
    variants = {"python": ["3.12.* *_cpython"], "c_compiler": ["clang"], "c_stdlib": ["stdlib"]}
    (one,) = builder.Stage0Recipe.from_file(tmp_path / "recipe.yaml").render(
        builder.VariantConfig(variants),
        builder.RenderConfig(platform=builder.PlatformConfig(target_platform=system)),
    )
    assert one.recipe.package.version == equivlab.__version__
    assert one.recipe.build.string.startswith("py312h")


def test_the_command_writes_it(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    there = tmp_path / "there"
    command = ["recipe", str(archive), "--folder", str(there), "--maintainer", "me"]
    monkeypatch.setattr("sys.argv", command)
    main()
    target = there / "recipe.yaml"
    assert capsys.readouterr().out == f"{target}\n"
    assert target.read_text(encoding="utf-8") == recipe(archive, "me")
