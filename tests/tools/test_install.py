"""The installer's decisions, without installing anything."""

from __future__ import annotations

import ctypes
import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tools import install

ORDINARY = ["filelock", "sympy>=1.13.3"]
CUDA = [*ORDINARY, 'nvidia-cudnn-cu13==9.20; platform_system == "Linux"']
TOOLKIT = [*ORDINARY, 'cuda-toolkit[cublas]==13.0.3; platform_system == "Linux"']


def report(needs: list[str], version: str = "2.13.0") -> dict[str, Any]:
    metadata = {"name": "torch", "version": version, "requires_dist": needs}
    return {"install": [{"metadata": metadata}]}


@pytest.mark.parametrize("needs", [CUDA, TOOLKIT])
def test_without_a_driver_a_cuda_build_is_replaced_by_the_cpu_build(needs: list[str]) -> None:
    request = install.torch_request(report(needs), "2.13.0", driver=False)
    assert request == ["--no-deps", "torch==2.13.0+cpu", "--index-url", install.CPU_INDEX]


def test_without_a_driver_a_cpu_build_is_taken_from_where_pip_found_it() -> None:
    request = install.torch_request(report(ORDINARY, "2.13.0+cpu"), "2.13.0", driver=False)
    assert request == ["--no-deps", "torch==2.13.0"]


def test_with_a_driver_the_cuda_build_is_taken() -> None:
    assert install.torch_request(report(CUDA), "2.13.0", driver=True)[1] == "torch==2.13.0"


def test_with_a_driver_a_local_cpu_build_is_passed_over() -> None:
    request = install.torch_request(report(ORDINARY, "2.13.0+cpu"), "2.13.0", driver=True)
    assert request == ["--no-deps", "torch===2.13.0"]


@pytest.mark.parametrize("driver", [True, False])
def test_a_torch_that_is_there_stays(driver: bool) -> None:
    assert install.torch_request({"install": []}, "2.13.0", driver) == []


def failing_pip(*arguments: str) -> None:
    raise install.InstallError("pip stopped")


def test_no_cpu_build_stops_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "pip_output", lambda *_: json.dumps(report(CUDA)))
    monkeypatch.setattr(install, "pip", failing_pip)
    with pytest.raises(
        install.InstallError, match=r"No CPU build of torch 2\.13\.0 [^$]+PIP_FIND_LINKS"
    ):
        install.install_torch("2.13.0", driver=False)


def test_no_cuda_build_goes_on_with_what_pip_has(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "pip_output", lambda *_: json.dumps(report(ORDINARY)))
    monkeypatch.setattr(install, "pip", failing_pip)
    install.install_torch("2.13.0", driver=True)
    assert "GPU will stay unused" in capsys.readouterr().out


@pytest.mark.parametrize(("code", "answer"), [(0, True), (100, False)])
def test_a_driver_counts_only_if_it_answers(
    code: int, answer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(cuInit=lambda _: code))
    assert install.has_nvidia_driver() is answer


LINES = """\
# -- installer --
hatchling==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
pip==26.3 \\
    --hash=sha256:ba

# -- lab --
numpy==2.0 \\
    --hash=sha256:ca
setuptools==84.0 ; python_version < '4' \\
    --hash=sha256:da

# -- test --
pytest==9.0 \\
    --hash=sha256:ea
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose .venv looks complete for `lab`, and a pip and venv that only take notes."""
    venv = tmp_path / ".venv"
    venv.mkdir()
    for name, value in {
        "ROOT": tmp_path,
        "VENV": venv,
        "PYTHON": venv / "python",
        "CONSTRAINTS": tmp_path / "constraints.txt",
        "HASHES": tmp_path / "hashes.txt",
        "HASHED": venv / "hashed.txt",
        "STAMP": venv / "stamp",
        "STARTED": venv / "started",
        "TORCH_HELD": venv / "torch.txt",
    }.items():
        monkeypatch.setattr(install, name, value)
    (tmp_path / "constraints.txt").write_text("pip==26.3\ntorch==2.13.0\n")
    (tmp_path / "hashes.txt").write_text(LINES)
    for path in (tmp_path / "pyproject.toml", venv / "python", venv / "pyvenv.cfg"):
        path.touch()
    install.STAMP.write_text(f"lab {install.fingerprint()}\n")
    monkeypatch.setattr(install, "install_torch", lambda *_: None)
    return tmp_path


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the installer would have run."""
    ran: list[str] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        ran.append(" ".join(command))
        return subprocess.CompletedProcess(command, 0, stdout="2.13.0+cpu\n")

    monkeypatch.setattr(install.subprocess, "run", run)
    return ran


def test_a_second_call_runs_nothing(checkout: Path, commands: list[str]) -> None:
    install.main("lab")
    assert commands == []


def test_test_needs_more_than_lab_and_then_covers_it(checkout: Path, commands: list[str]) -> None:
    install.main("test")
    assert commands[-1].endswith(f"--editable {checkout}[test]")
    commands.clear()
    install.main("test")
    install.main("lab")
    assert commands == []


def test_what_builds_from_source_is_installed_first(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without isolation pip builds with what .venv has, and Python 3.11 puts an old one there."""
    asked: list[str] = []
    monkeypatch.setattr(install, "install_hashed", asked.append)
    monkeypatch.setattr(install, "hold_torch", list)
    monkeypatch.setattr(install, "pip", lambda *given, path: asked.append(" ".join(given)))
    monkeypatch.setattr(install, "a_compiler", lambda folder: "")
    monkeypatch.setattr(install, "make_venv", lambda: None)
    install.main("test")
    tools, lab, test, last = asked
    assert [line[:6] for line in tools.splitlines() if line[0] != " "] == [
        "hatchl",
        "pip==2",
        "setupt",
    ]
    assert lab.startswith("numpy==2.0 \\\n    --hash=sha256:ca\nsetuptools")
    assert test == "pytest==9.0 \\\n    --hash=sha256:ea\n"
    assert "--no-build-isolation" in last


def test_lab_asks_for_no_test_tools(checkout: Path, commands: list[str]) -> None:
    install.STAMP.unlink()
    install.main("lab")
    hashed = [command for command in commands if "--require-hashes" in command]
    assert len(hashed) == 2
    assert all("--no-deps" in command and str(install.HASHED) in command for command in hashed)
    assert "pytest" not in install.HASHED.read_text()


def test_a_missing_heading_is_named(checkout: Path) -> None:
    with pytest.raises(install.InstallError, match="no heading `# -- docs --`"):
        install.hashed("docs")


def test_an_exchanged_file_is_refused(tmp_path: Path) -> None:
    """By pip itself: the hashes of a real wheel, and then others."""
    name = "equivlab_nothing-1.0-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\nName: equivlab-nothing\nVersion: 1.0\n"
    folder = "equivlab_nothing-1.0.dist-info"
    with zipfile.ZipFile(tmp_path / name, "w") as wheel:
        wheel.writestr(f"{folder}/METADATA", metadata)
        wheel.writestr(
            f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{folder}/RECORD", "")
    digest = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    codes = []
    for each in (digest, "0" * 64):
        wanted = tmp_path / "hashed.txt"
        wanted.write_text(f"equivlab-nothing==1.0 \\\n    --hash=sha256:{each}\n")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--require-hashes"]
        command += ["--no-deps", "--no-index", "--find-links", str(tmp_path), "-r", str(wanted)]
        codes.append(subprocess.run(command, capture_output=True).returncode)
    assert codes[0] == 0
    assert codes[1] != 0


def test_pip_may_not_swap_the_build_of_torch(checkout: Path, commands: list[str]) -> None:
    install.main("test")
    assert f"--constraint {install.TORCH_HELD}" in commands[-1]
    assert install.TORCH_HELD.read_text() == "torch==2.13.0+cpu\n"


@pytest.mark.parametrize(
    "name", ["pyproject.toml", "constraints.txt", "hashes.txt", ".venv/pyvenv.cfg"]
)
def test_a_change_calls_for_an_install(name: str, checkout: Path, commands: list[str]) -> None:
    with (checkout / name).open("a") as file:
        file.write("\n# changed\n")
    install.main("lab")
    assert commands
    assert not any("--clear" in command for command in commands)


def test_an_install_that_was_cut_off_starts_afresh(checkout: Path, commands: list[str]) -> None:
    install.STAMP.unlink()
    install.STARTED.touch()
    install.main("lab")
    assert any("venv --clear" in command for command in commands)
    assert install.is_current("lab")
    assert not install.STARTED.exists()


def test_a_failed_install_leaves_no_stamp(
    checkout: Path, commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "pip", failing_pip)
    with pytest.raises(install.InstallError):
        install.main("test")
    assert not install.is_current("lab")
    assert install.STARTED.exists()


def test_a_missing_pin_is_named(checkout: Path) -> None:
    with pytest.raises(install.InstallError, match=r"no line `numpy==\.\.\.`"):
        install.pinned("numpy")


@pytest.mark.parametrize("reachable", [True, False])
def test_a_compiler_is_fetched_where_none_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reachable: bool
) -> None:
    asked: list[str] = []

    def fetch(requirements: str, *options: str) -> None:
        asked.extend([requirements[:9], *options])
        if not reachable:
            raise install.InstallError("no network")

    monkeypatch.setattr(install, "install_hashed", fetch)
    monkeypatch.setattr(install.shutil, "which", lambda name: None)
    monkeypatch.delenv("EQUIVLAB_KERNEL", raising=False)
    assert install.a_compiler(str(tmp_path)) == str(tmp_path)  # and the install goes on
    assert asked == ["ziglang==", "--target", str(tmp_path)]
    monkeypatch.setattr(install.shutil, "which", lambda name: "/usr/bin/cc")
    assert install.a_compiler(str(tmp_path)) == ("" if install.os.name != "nt" else str(tmp_path))
