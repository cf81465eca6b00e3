"""The archive for laptops without a network: its pieces, with a wheel of three lines."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools import bundle, offline_install

COURSE = """
import sys
from pathlib import Path
notebook = Path(sys.argv[2]) / "notebooks" / "00.ipynb"
notebook.parent.mkdir(parents=True, exist_ok=True)
notebook.open("a").write("{}")
print("Next:  elsewhere")
"""


def write_wheel(folder: Path) -> Path:
    """A wheel called equivlab, whose course is one notebook."""
    files = {
        "equivlab/__init__.py": "",
        "equivlab/__main__.py": COURSE,
        "equivlab-9.9.dist-info/METADATA": "Metadata-Version: 2.4\nName: equivlab\nVersion: 9.9\n"
        "Provides-Extra: lab\n",
        "equivlab-9.9.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "equivlab-9.9.dist-info/RECORD"
    lines = []
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        lines.append(f"{name},sha256={digest.decode()},{len(text)}\n")
    path = folder / "equivlab-9.9-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**files, record: "".join(lines) + f"{record},,\n"}.items():
            wheel.writestr(name, text)
    return path


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    ensurepip = pytest.importorskip("ensurepip", reason="this Python has no pip to install from")
    shipped = list((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    if not shipped:
        pytest.skip("this Python's pip lies elsewhere")
    folder = tmp_path_factory.mktemp("bundle") / "equivlab-9.9"
    (folder / "wheels").mkdir(parents=True)
    write_wheel(folder / "wheels")
    (folder / "wheels" / shipped[0].name).write_bytes(shipped[0].read_bytes())
    bundle.lay_out(folder)
    bundle.check(folder)
    return bundle.pack(folder)


def unpack(archive: Path, folder: Path) -> Path:
    zipfile.ZipFile(archive).extractall(folder)
    return folder / "equivlab-9.9"


def test_the_archive_holds_each_wheel_with_its_hash(archive: Path, tmp_path: Path) -> None:
    home = unpack(archive, tmp_path)
    assert {path.name for path in home.iterdir()} == {
        *("README.txt", "bundle.json", "install.py", "requirements.txt", "wheels")
    }
    lines = (home / "requirements.txt").read_text().splitlines()
    assert [line.partition("==")[0] for line in lines] == ["equivlab[lab]", "pip"]
    for line, wheel in zip(lines, sorted((home / "wheels").iterdir()), strict=True):
        assert line.endswith(hashlib.sha256(wheel.read_bytes()).hexdigest())
    assert not list(archive.parent.glob("*.part"))


@pytest.mark.slow
def test_it_installs_without_an_index_and_keeps_what_is_there(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/nothing-listens")
    home = unpack(archive, tmp_path)
    command = [sys.executable, str(home / "install.py")]
    first = subprocess.run(command, capture_output=True, text=True)
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.splitlines()[-1].endswith(str(home / "lessons/notebooks/00.ipynb"))
    assert "Next:" not in first.stdout
    asks = json.loads((home / ".venv/share/jupyter/lab/settings/overrides.json").read_text())
    assert asks["@jupyterlab/apputils-extension:notification"] == {"fetchNews": "false"}
    second = subprocess.run(command, capture_output=True, text=True)
    assert "installing" in first.stdout
    assert "installing" not in second.stdout
    wheel = home / "wheels" / "equivlab-9.9-py3-none-any.whl"
    (home / ".venv" / "equivlab-installed").unlink()  # as after a kill
    wheel.write_bytes(wheel.read_bytes() + b"0")
    third = subprocess.run(command, capture_output=True, text=True)
    assert third.returncode == 1
    assert "DO NOT MATCH THE HASHES" in third.stderr
    assert "could not install the wheels" in third.stderr
    assert not (home / ".venv" / "equivlab-installed").exists()


def test_a_bundle_that_lacks_a_wheel_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels")
    bundle.lay_out(tmp_path)
    with (tmp_path / "requirements.txt").open("a") as file:
        file.write(f"missing==1.0 --hash=sha256:{64 * '0'}\n")
    with pytest.raises(subprocess.CalledProcessError):
        bundle.check(tmp_path)


def test_another_machine_is_told_what_the_files_are_for(tmp_path: Path) -> None:
    here = offline_install.here_is()
    assert offline_install.misfit({**here, "digest": ""}) == ""
    other = {**here, "machine": "pdp11", "python": "2.7", "digest": ""}
    said = offline_install.misfit(other)
    assert f"are for {here['system']} on pdp11 and Python 2.7" in said
    assert f"this is {here['machine']}, not pdp11 and {here['python']}, not 2.7" in said
    (tmp_path / "bundle.json").write_text(json.dumps(other))
    (tmp_path / "install.py").write_bytes(Path(offline_install.__file__).read_bytes())
    done = subprocess.run(
        [sys.executable, str(tmp_path / "install.py")], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / ".venv").exists()
