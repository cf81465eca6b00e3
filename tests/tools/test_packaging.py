"""What is installed, what a wheel holds, and that the pages beside the code tell the truth."""

from __future__ import annotations

import importlib.metadata as metadata
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import equivlab
import hatch_build
import hatch_readme
from tools import check_release, environments, hashes, install

ROOT = Path(__file__).resolve().parents[2]
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


def test_wheel_holds_the_whole_package(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        path.relative_to(ROOT).as_posix()
        for pattern in ("*.py", "*.js", "*.css", "py.typed")
        for path in (ROOT / "equivlab").rglob(pattern)
    }
    assert "equivlab/py.typed" in wanted
    assert wanted <= packed
    assert not [name for name in packed if not name.startswith(("equivlab/", "equivlab-"))]


@pytest.mark.parametrize(("switch", "said"), [("0", 0), ("1", 1)])
def test_a_build_without_the_kernel_says_so_unless_it_was_asked_for(
    switch: str, said: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    app = SimpleNamespace(display_warning=warnings.append)
    monkeypatch.setenv("EQUIVLAB_KERNEL", switch)
    monkeypatch.setattr(hatch_build, "compile_kernel", lambda folder: [])
    hook = hatch_build.WheelBuildHook(str(tmp_path), {}, None, None, "", "wheel", app)
    content: dict[str, Any] = {"artifacts": []}
    hook.add_kernel(content)
    assert content == {"artifacts": []}
    assert len(warnings) == said
    assert all("no C compiler made the kernel for" in words for words in warnings)


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


def test_every_pin_has_its_hashes() -> None:
    constraints = (ROOT / "constraints.txt").read_text()
    text = (ROOT / "hashes.txt").read_text()
    assert hashes.is_current(constraints, text), "run `python -m tools.hashes`"
    assert not hashes.is_current(constraints.replace("numpy==", "numpy==9."), text)
    assert not hashes.is_current(constraints, text.replace("\nnumpy==", "\nnumpie=="))
    for heading, pins in hashes.wanted(constraints).items():
        if pins:
            assert len(hashes.blocks(install.hashed(heading))) == len(pins)


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


@pytest.mark.skipif(os.name == "nt", reason="repo2docker runs on POSIX systems")
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
    assert os.name == "nt" or script.stat().st_mode & 0o111
    assert "set -e" in script.read_text().splitlines()


def test_readme_example_runs_and_the_law_holds(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in example.splitlines() if line]) == 10
    exec(compile(example, "README.md", "exec"), {})
    assert 0 <= float(capsys.readouterr().out) <= 2e-6


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs/architecture.md"]
)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(((?!https?:)[^)#]+)\)", text)
    assert targets or page in ("SECURITY.md", "docs/architecture.md")
    folder = (ROOT / page).parent
    assert [target for target in targets if not (folder / target).exists()] == []


def test_actions_are_pinned_by_commit() -> None:
    workflows = list((ROOT / ".github/workflows").glob("*.yml"))
    used = [name for path in workflows for name in re.findall(r"uses: (\S+)", path.read_text())]
    assert len(workflows) > 1
    assert used
    assert [name for name in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}|\./\S+", name)] == []
    assert all((ROOT / name).is_file() for name in used if name.startswith("./"))


def test_only_the_release_and_the_site_may_ask_for_tokens() -> None:
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] == {"contents": "read"}
        asking = [name for name, job in workflow["jobs"].items() if "permissions" in job]
        assert asking == {"release": ["publish"], "site": ["publish", "course"]}.get(path.stem, [])
        for job in workflow["jobs"].values():
            assert set(job.get("needs", "").split()) <= set(workflow["jobs"])


def test_workflows_call_what_there_is() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(" ".join(re.findall(r"^([a-z][a-z -]*):(?!=)", makefile, re.MULTILINE)).split())
    called: dict[str, set[str]] = {}
    for path in [*(ROOT / ".github/workflows").glob("*.yml"), ROOT / ".ci/run"]:
        text = path.read_text()
        called[path.stem] = set(re.findall(r"(?:run: |exec |&& )make ([\w-]+)", text))
        assert called[path.stem] <= targets, path.name
        modules = re.findall(r"-m (tools\.\w+)", text)
        files = [f"{module.replace('.', '/')}.py" for module in modules]
        files += re.findall(r"\btools/\w+\.py", text)
        assert [name for name in files if not (ROOT / name).is_file()] == []
    assert called["site"] == {"course", "docs"}
    assert called["test"] == called["run"] == {"test"}


def test_on_the_index_every_link_of_the_readme_is_an_address(wheel: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    there = f"{PROJECT['urls']['Source']}/%s/v{equivlab.__version__}/"
    packed = zipfile.ZipFile(wheel)
    (name,) = [each for each in packed.namelist() if each.endswith(".dist-info/METADATA")]
    page = packed.read(name).decode().partition("\n\n")[2]
    links = re.findall(r"(!?)\[[^\]\[]*\]\(([^)]+)\)", page)
    assert [target for _, target in links if not target.startswith("https://")] == []
    pictures = [target for picture, target in links if picture and "badge" not in target]
    assert len(pictures) == text.count("](notebooks/images/") > 1
    for picture, target in links:
        for kind, wanted in (("raw", True), ("blob", False)):
            if target.startswith(there % kind):
                assert (picture == "!") is wanted
                assert (ROOT / target.removeprefix(there % kind)).exists()
    assert hatch_readme.absolute(page, "https://x", "9") == page
    kept = "[a](#b) [c](mailto:d)"
    assert hatch_readme.absolute(kept, "https://x", "9") == kept


def test_a_release_has_one_version_everywhere(tmp_path: Path) -> None:
    for name, text in {
        "equivlab/__init__.py": '__version__ = "1.2.0"\n',
        "CITATION.cff": "title: x\nversion: 1.2.0\n",
        "CHANGELOG.md": "# Changelog\n\n## 1.2.0\n\n## 1.1.0\n",
        "dist/equivlab-1.2.0-py3-none-any.whl": "",
        "dist/equivlab-1.2.0.tar.gz": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert check_release.faults("v1.2.0", tmp_path / "dist", tmp_path) == []
    assert len(check_release.faults("v1.1.0", tmp_path / "dist", tmp_path)) == 5
    (tmp_path / "CHANGELOG.md").write_text("## 1.2.0, not yet released\n")
    (tmp_path / "dist/equivlab-1.2.0.tar.gz").unlink()
    changelog, source = check_release.faults("v1.2.0", tmp_path / "dist", tmp_path)
    assert changelog == "CHANGELOG.md is not at 1.2.0; its first is 1.2.0, not yet released"
    assert "has no *.tar.gz" in source
    for name, pattern in check_release.PLACES.items():  # and they are read in this repository
        assert re.search(pattern, (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE), name


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_every_notebook_has_its_line_and_badge(notebook: str) -> None:
    assert f"(notebooks/{notebook})" in README
    top = "".join(json.loads((ROOT / "notebooks" / notebook).read_text())["cells"][0]["source"])
    for text in (README, top):
        assert f"/main?urlpath=lab/tree/notebooks/{notebook})" in text
        assert f"/blob/course/colab/notebooks/{notebook})" in text


def test_citation_names_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors", "license"} <= set(citation)
    assert citation["version"] == equivlab.__version__
