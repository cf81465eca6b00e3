"""The examples for clusters run as they stand: here, on one machine, and on little."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from equivlab.training.commands import main
from tests.data.sets.folders import same_folders

yaml = pytest.importorskip("yaml")
jsonschema = pytest.importorskip("jsonschema")

ROOT = Path(__file__).resolve().parents[3]
HOME = ROOT / "docs" / "cluster"
BASH = shutil.which("bash")
LITTLE = {"FAMILY": "tracks", "COUNT": "5", "SHARD_SIZE": "2"}
pytestmark = [
    pytest.mark.skipif(BASH is None or os.name == "nt", reason="needs bash"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning"),
]

TEXT = {"type": "string"}
AMOUNT = {"type": "string", "pattern": r"^\d+(\.\d+)?(m|Ki|Mi|Gi|Ti)?$"}


def having(required: str, optional: str = "", **fields: Any) -> dict[str, Any]:
    """An object of a schema with these fields and no others."""
    names = [*required.split(), *optional.split()]
    found = {name: fields.get(name, {}) for name in names}
    return {
        "type": "object", "properties": found, "required": required.split(),
        "additionalProperties": False,
    }  # fmt: skip


def listed(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1}


# The fields of batch/v1 Job and of v1 PersistentVolumeClaim that the example uses, by the API
# reference of Kubernetes 1.34.
AMOUNTS = {"type": "object", "additionalProperties": AMOUNT}
META = having("name", name={"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"})
COUNT = {"type": "integer", "minimum": 0}
CONTAINER = having(
    "name image command args", "imagePullPolicy env resources volumeMounts",
    name=META["properties"]["name"], image=TEXT, command=listed(TEXT), args=listed(TEXT),
    imagePullPolicy={"enum": ["Always", "IfNotPresent", "Never"]},
    env=listed(having("name value", name={"type": "string", "pattern": "^[A-Z_]+$"}, value=TEXT)),
    resources=having("", "requests limits", requests=AMOUNTS, limits=AMOUNTS),
    volumeMounts=listed(having("name mountPath", name=TEXT, mountPath=TEXT)),
)  # fmt: skip
POD = having(
    "containers restartPolicy", "volumes", containers=listed(CONTAINER),
    restartPolicy={"enum": ["OnFailure", "Never"]},
    volumes=listed(having(
        "name persistentVolumeClaim", name=TEXT,
        persistentVolumeClaim=having("claimName", claimName=TEXT),
    )),
)  # fmt: skip
JOB = having(
    "apiVersion kind metadata spec", apiVersion={"const": "batch/v1"}, kind={"const": "Job"},
    metadata=META, spec=having(
        "template", "completions parallelism completionMode backoffLimit", completions=COUNT,
        parallelism=COUNT, backoffLimit=COUNT, template=having("spec", spec=POD),
        completionMode={"enum": ["Indexed", "NonIndexed"]},
    ),
)  # fmt: skip
CLAIM = having(
    "apiVersion kind metadata spec", apiVersion={"const": "v1"},
    kind={"const": "PersistentVolumeClaim"}, metadata=META, spec=having(
        "accessModes resources", resources=having("requests", requests=AMOUNTS),
        accessModes=listed({"enum": ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"]}),
    ),
)  # fmt: skip


def kubernetes() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The claim, the Job, and its container."""
    claim, job = yaml.safe_load_all((HOME / "simulate.yaml").read_text(encoding="utf-8"))
    return claim, job, job["spec"]["template"]["spec"]["containers"][0]


def call(
    command: list[str], folder: Path, more: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run as a job would be run: our Python is the first on the path, and so is our package."""
    here = f"{Path(sys.executable).parent}{os.pathsep}{folder}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": here, "PYTHONPATH": str(ROOT), "HOME": str(folder)} | more
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=env)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The set of one process."""
    folder = tmp_path_factory.mktemp("alone") / "set"
    little = ["--family", "tracks", "--count", "5", "--shard-size", "2"]
    main(["simulate", str(folder), *little])
    return folder


def test_the_job_is_one_that_kubernetes_knows() -> None:
    claim, job, container = kubernetes()
    jsonschema.validate(claim, CLAIM)
    jsonschema.validate(job, JOB)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(job | {"spec": job["spec"] | {"completion": 3}}, JOB)
    env = {entry["name"]: entry["value"] for entry in container["env"]}
    assert job["spec"]["completionMode"] == "Indexed"
    assert int(env["PARTS"]) == job["spec"]["completions"]
    (mount,) = container["volumeMounts"]
    (volume,) = job["spec"]["template"]["spec"]["volumes"]
    assert mount["name"] == volume["name"]
    assert env["SET"].startswith(mount["mountPath"] + "/")
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_the_pods_make_the_set_of_one_process(tmp_path: Path, alone: Path) -> None:
    *_, container = kubernetes()
    env = {entry["name"]: entry["value"] for entry in container["env"]}
    env |= LITTLE | {"SET": str(tmp_path / "set"), "PARTS": "2"}
    for index in ("1", "0"):
        command = [*container["command"], *container["args"]]
        done = call(command, tmp_path, env | {"JOB_COMPLETION_INDEX": index})
        assert done.returncode == 0, done.stderr
    assert "has 5 images of tracks" in done.stdout
    assert same_folders(tmp_path / "set", alone)


def test_the_array_makes_the_set_of_one_process(tmp_path: Path, alone: Path) -> None:
    script = HOME / "simulate.slurm"
    assert re.search(r"^#SBATCH --array=1-40$", script.read_text(encoding="utf-8"), re.MULTILINE)
    for number in ("2", "1"):
        job = LITTLE | {"SLURM_ARRAY_TASK_ID": number, "SLURM_ARRAY_TASK_COUNT": "2"}
        done = call([str(BASH), str(script)], tmp_path, job)
        assert done.returncode == 0, done.stderr
    assert same_folders(tmp_path / "spins", alone)  # in the home folder, where none is said


@pytest.mark.slow
def test_the_training_trains(tmp_path: Path, alone: Path) -> None:
    pytest.importorskip("lightning")
    pytest.importorskip("jsonargparse")
    srun = tmp_path / "srun"
    srun.write_text('#!/bin/sh\nexec "$@"\n')
    srun.chmod(0o755)
    job = {"TRAIN": str(alone), "VALIDATE": str(alone), "EPOCHS": "1", "WORKERS": "0", "WIDTH": "4"}
    done = call([str(BASH), str(HOME / "train.slurm")], tmp_path, job)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "p4m" / "model.safetensors").exists()


@pytest.mark.parametrize("name", ["simulate.slurm", "train.slurm"])
def test_the_lines_for_slurm_are_options_of_sbatch(name: str) -> None:
    lines = (HOME / name).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/bin/bash"
    options = [line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH")]
    known = {
        "job-name", "array", "ntasks", "cpus-per-task", "mem", "time", "requeue", "output", "nodes",
        "ntasks-per-node", "gpus-per-node",
    }  # fmt: skip
    assert {option.partition("=")[0] for option in options} <= known
    first = next(n for n, line in enumerate(lines) if line and not line.startswith("#"))
    assert not any(line.startswith("#SBATCH") for line in lines[first:])  # Slurm reads no further
