"""What all widgets share: modules made of plain files, colours, and the stand-in page."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import tomllib
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import equivlab
from equivlab.groups import P4, P4M
from equivlab.models import P4CNN, Z2CNN, PlainCNN3d, SteerableCNN3d, smooth_network
from equivlab.nn import LiftingConv2d
from equivlab.widgets import RotateImage
from equivlab.widgets.page.foretelling import foretold
from equivlab.widgets.page.html import widget_html
from equivlab.widgets.page.module import SOURCES, page_module, sources_of
from equivlab.widgets.page.packing import packed, row_lengths
from equivlab.widgets.page.palette import HUES, hue, roles_of
from tests.widgets.cases import public_widgets

WIDGETS = list(public_widgets().values())


@pytest.mark.parametrize("widget", WIDGETS)
def test_a_module_has_all_it_needs(widget: type, tmp_path: Path) -> None:
    text = str(widget._esm)
    assert not re.search(r"^import |^export (?!default)", text, re.MULTILINE)
    assert text.count("export default") == 1
    if node := shutil.which("node"):  # names that clash are errors of syntax in a module
        (tmp_path / "page.mjs").write_text(text, encoding="utf-8")
        subprocess.run([node, "--check", tmp_path / "page.mjs"], check=True)


def test_files_come_before_those_that_use_them_and_once() -> None:
    names = [path.relative_to(SOURCES).as_posix() for path in sources_of("image/rotate_image.js")]
    assert names[-1] == "image/rotate_image.js"
    assert len(names) == len(set(names))
    assert names.index("page/elements.js") < names.index("page/canvas_view.js")
    assert names.index("page/canvas_view.js") < names.index("page/turning_view.js")


def test_every_page_file_belongs_to_a_widget_or_to_the_stand_in() -> None:
    sources = {path: path.read_text("utf-8") for path in SOURCES.rglob("*.js")}
    found = [path for path, text in sources.items() if "\nexport default " in text]
    assert len(found) == len(WIDGETS)
    pages = [path.relative_to(SOURCES).as_posix() for path in found]
    pages += ["page/stand_in.js", "lab/static/remoteEntry.js"]
    used = {path for page in pages for path in sources_of(page)}
    assert used == set(SOURCES.resolve().rglob("*.js"))


def test_the_extension_of_jupyterlab_goes_where_jupyterlab_looks() -> None:
    """What it does is tested in a real one."""
    made = tomllib.loads((SOURCES.parents[1] / "pyproject.toml").read_text("utf-8"))
    shared = made["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared == {"equivlab/widgets/lab": "share/jupyter/labextensions/equivlab"}
    package = json.loads((SOURCES / "lab/package.json").read_text("utf-8"))
    assert package["version"] == equivlab.__version__
    built = package["jupyterlab"]["_build"]
    entry = (SOURCES / "lab" / built["load"]).read_text("utf-8")
    assert f"_JUPYTERLAB.{package['name']} = " in entry


def test_colours_are_the_same_in_stills_and_in_pages() -> None:
    light = page_module("page/palette.js").partition("light: {")[2].partition("},")[0]
    for kind, hues in HUES.items():
        written = re.search(rf"{kind}: \[([^\]]*)\]", light)
        assert written is not None
        assert re.findall(r"#\w{6}", written[1]) == list(hues)


def test_roles_go_by_kind_not_by_order() -> None:
    plain, equivariant = nn.Conv2d(1, 1, 3), LiftingConv2d(P4, 1, 1, 3)
    roles = roles_of([plain, equivariant, nn.Sequential(equivariant), plain])
    assert roles == [("plain", 0), ("equivariant", 0), ("equivariant", 1), ("plain", 1)]
    assert len({hue(role) for role in roles}) == 4
    assert roles_of([PlainCNN3d(classes=3), SteerableCNN3d(classes=3), Z2CNN(), P4CNN()]) == [
        ("plain", 0),
        ("equivariant", 0),
        ("plain", 1),
        ("equivariant", 1),
    ]


def test_markup_in_the_state_stays_data() -> None:
    page = widget_html("a", {"_esm": "", "title": "</script><b>"}, [])
    assert "</script><b>" not in page
    assert page.count("</script>") == 2


@pytest.mark.parametrize("shape", [(6, 40, 40), (2, 3, 5, 7), (5000,), (3,)])
def test_packed_bytes_are_smaller_and_none_is_lost(shape: tuple[int, ...]) -> None:
    places = np.indices(shape).reshape(len(shape), -1).T @ np.arange(1, len(shape) + 1)
    raw = (128 + 100 * np.sin(places / 5)).astype(np.uint8).tobytes()
    data = base64.b64encode(raw).decode()
    values = {"_spec": {"side": shape[-1], "titles": ["a"], "on": True, "steps": 72}}
    found = packed(data, row_lengths(values))
    bytes_ = base64.b64decode(found["data"])
    if len(raw) > 4096:
        assert len(bytes_) < len(raw) / 3
        bytes_ = zlib.decompress(bytes_)
    for lag in reversed(found.get("lags", [])):
        undone = bytearray(bytes_)
        for i in range(lag, len(undone)):
            undone[i] = (undone[i] + undone[i - lag]) % 256
        bytes_ = bytes(undone)
    assert bytes_ == raw


def test_frames_that_others_foretell_cost_nothing() -> None:
    """An atlas of P4M, whose frames after the first quarter are those before, turned."""
    images = torch.rand(2, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    network = smooth_network(P4M)
    made = RotateImage(network, images, compare=smooth_network(None))
    spec, rows = made._spec, row_lengths({"_spec": made._spec})
    sizes = {}
    for name, of in (("_maps", spec), ("_compare_maps", spec | spec["compare"])):
        raw = np.frombuffer(getattr(made, name), np.uint8)
        data = base64.b64encode(raw.tobytes()).decode()
        found = packed(data, rows, of)
        sizes[name] = len(found["data"]) / len(packed(data, rows)["data"])
        left, known = foretold(raw, of) or (raw, {})
        assert known["shape"][:3] == [2, 2 if name == "_maps" else of["mirrors"], 72]
        if name == "_maps":
            assert found["turns"] == known
            frames = left.reshape(known["shape"])
            assert (frames[:, 0, 18:] != 0).mean() < 1e-3
            assert (frames[:, 1] != 0).mean() < 1e-3
    assert sizes["_maps"] < 0.25
    assert sizes["_compare_maps"] <= 1


def test_noise_is_left_as_it_is() -> None:
    data = base64.b64encode(np.random.default_rng(0).bytes(9000)).decode()
    assert packed(data, [40]) == {"data": data}
