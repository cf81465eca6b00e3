"""What is installed, what a wheel holds, and that the pages beside the code tell the truth."""

from __future__ import annotations

import importlib.metadata as metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import equivlab
from tools import environments

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SECTIONS = environments.sections((ROOT / "constraints.txt").read_text())
PINS = {
    canonicalize_name(requirement.name): requirement
    for lines in SECTIONS.values()
    for requirement in map(Requirement, lines)
}
README = (ROOT / "README.md").read_text()
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))


def installed_closure(name: str, extra: str) -> dict[str, Version]:
    """Every distribution that `name[extra]` needs here, directly or not, and its version."""
    found: dict[str, Version] = {}
    seen = set()
    pending = [(name, extra)]
    while pending:
        package, wanted = pending.pop()
        if (package, wanted) in seen:
            continue
        seen.add((package, wanted))
        distribution = metadata.distribution(package)
        found[canonicalize_name(package)] = Version(distribution.version)
        for requirement in map(Requirement, distribution.requires or []):
            if requirement.marker is None or requirement.marker.evaluate(
                default_environment() | {"extra": wanted}
            ):
                extras = requirement.extras or {""}
                pending += [(requirement.name, each) for each in {"", *extras}]
    return found


def test_version_has_one_source() -> None:
    assert metadata.version("equivlab") == equivlab.__version__


def test_wheel_holds_the_whole_package(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("equivlab-*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        path.relative_to(ROOT).as_posix()
        for pattern in ("*.py", "*.js", "*.css", "py.typed")
        for path in (ROOT / "equivlab").rglob(pattern)
    }
    assert "equivlab/py.typed" in wanted
    assert wanted <= packed
    assert not [name for name in packed if not name.startswith(("equivlab/", "equivlab-"))]


def test_exporter_entry_point_loads() -> None:
    (entry,) = [
        entry
        for entry in metadata.entry_points(group="nbconvert.exporters")
        if entry.name == "equivlab"
    ]
    assert entry.load().__name__ == "OfflineHTMLExporter"


def test_every_requirement_is_pinned_within_its_range() -> None:
    extras = chain.from_iterable(PROJECT["optional-dependencies"].values())
    for requirement in map(Requirement, [*PROJECT["dependencies"], *extras]):
        if requirement.name != "equivlab":
            (pin,) = PINS[canonicalize_name(requirement.name)].specifier
            assert requirement.specifier.contains(pin.version), requirement


def test_pins_are_exact_versions_that_any_machine_can_find() -> None:
    for name, pin in PINS.items():
        (specifier,) = pin.specifier
        assert pin.url is None, name
        assert specifier.operator == "==", name
        assert Version(specifier.version).local is None, name


@pytest.mark.parametrize(
    ("extra", "headings"),
    [("lab", {"lab"}), ("test", {"lab", "test", "installer"})],
)
def test_pins_cover_what_an_extra_brings(extra: str, headings: set[str]) -> None:
    allowed = headings | {"CUDA build of torch", "macOS and Windows"}
    listed = {
        canonicalize_name(Requirement(line).name)
        for heading in allowed
        for line in SECTIONS[heading]
    }
    assert set(installed_closure("equivlab", extra)) - {"equivlab"} <= listed


def test_environment_files_are_up_to_date() -> None:
    expected = environments.environment_files((ROOT / "constraints.txt").read_text())
    for name, text in expected.items():
        assert (ROOT / name).read_text() == text, "run `make environments`"


def test_binder_file_is_complete_and_names_no_local_path() -> None:
    environment = yaml.safe_load((ROOT / "binder/environment.yml").read_text())
    python, _, section = environment["dependencies"]
    assert python == "python=3.12"
    packages = {
        canonicalize_name(Requirement(line).name): line
        for line in section["pip"]
        if not line.startswith("--extra-index-url https://")
    }
    assert packages["torch"].endswith("+cpu")
    assert not [name for name in packages if name.startswith(("nvidia-", "cuda-"))]
    assert set(installed_closure("equivlab", "lab")) - {"equivlab"} <= set(packages)


def test_what_binder_would_build() -> None:
    pytest.importorskip("repo2docker", reason="jupyter-repo2docker is not installed")
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "3-2e12" in said, "the base environment should be Python 3.12"
    # The environment comes before the repository, so a new notebook does not rebuild it.
    steps = [
        "env update -p ${NB_PYTHON_PREFIX} --file",
        "COPY --chown=0:0 src/ ",
        "binder/postBuild",
    ]
    places = [said.find(step) for step in steps]
    assert -1 not in places, said
    assert places == sorted(places), said
    assert '--file "binder/environment.yml"' in said


def test_post_build_stops_at_the_first_error_and_can_run() -> None:
    script = ROOT / "binder/postBuild"
    assert script.stat().st_mode & 0o111
    assert "set -e" in script.read_text().splitlines()


def test_readme_example_runs_and_the_law_holds(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in example.splitlines() if line]) == 10
    exec(compile(example, "README.md", "exec"), {})
    assert 0 <= float(capsys.readouterr().out) <= 2e-6


def test_readme_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(((?!https?:)[^)#]+)\)", README)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_every_notebook_has_its_line_and_badge(notebook: str) -> None:
    assert f"(notebooks/{notebook})" in README
    assert f"/main?urlpath=lab/tree/notebooks/{notebook})" in README


def test_citation_names_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors", "license"} <= set(citation)
    assert citation["version"] == equivlab.__version__
