"""Figures: one set of numbers in both kinds, laws where there are some, clear words."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_notebook, new_output

from equivlab import plots
from equivlab.fields.irreps import as_irreps, harmonics, turn_features
from equivlab.nn import LiftingConv2d, S2Conv, SO3Conv
from equivlab.plots.harmonics import directions
from equivlab.plots.style import packed
from equivlab.so3 import SO3
from equivlab.sphere import UNSEEN
from equivlab.sphere.healpix.corners import pixel_corners
from equivlab.widgets.page.export import STATE, VIEW
from equivlab.widgets.page.html import state_of
from tests.plots.cases import CASES, Case, noise, report
from tools.alive import alive

pytest.importorskip("plotly")
EACH = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))


@EACH
def test_both_kinds_show_the_same_numbers(case: Case) -> None:
    still, moving = case.make(), case.make(interactive=True)
    assert isinstance(still, Figure)
    known = case.moving(moving.spec["data"])
    drawn = case.still(still)[: len(known)] if case.still(still).ndim == 1 else case.still(still)
    assert drawn.shape == known.shape
    np.testing.assert_allclose(drawn, known, atol=1e-6)
    np.testing.assert_allclose(case.still(moving._still), case.still(still))


@EACH
def test_plotly_takes_it_and_its_traits_are_plain(case: Case) -> None:
    moving = case.make(interactive=True)
    assert len(moving.plotly.data) == len(moving.spec["data"])
    assert json.loads(moving._figure)["layout"]["height"] > 100
    assert "NaN" not in moving._figure
    assert repr(moving) == f"InteractiveFigure({moving.says!r})"
    data, _ = moving._repr_mimebundle_()
    assert data["image/png"]
    assert data["text/plain"] == repr(moving)


def test_arrays_come_back_as_they_were() -> None:
    from plotly.io import from_json

    values = np.arange(6.0).reshape(2, 3) / 7
    trace = {"type": "heatmap", "z": values, "x": np.arange(3), "y": np.array(["a", "b"])}
    found = from_json(json.dumps(packed({"data": [trace]}))).data[0]
    np.testing.assert_allclose(np.frombuffer(_bytes(found.z), "f4").reshape(2, 3), values, 1e-6)
    assert list(found.y) == ["a", "b"]


def _bytes(array: Any) -> bytes:
    return base64.b64decode(array["bdata"])


def test_the_surface_of_turned_features_is_the_turned_surface() -> None:
    """At every point of the turned surface the function is what it was at the point before."""
    features = noise(9).double()
    irreps = as_irreps("1x0e + 1x1o + 1x2e")
    R = SO3.from_zyz(0.3, 1.1, -0.4)
    turned = turn_features(irreps, R, features[None])[0]
    for one, other in ((features, features), (turned, features)):
        spec = plots.plot_irreps(irreps, one, interactive=True).spec  # type: ignore[union-attr]
        for trace, cut, degree in zip(spec["data"], irreps.slices(), range(3), strict=True):
            before = directions() @ R if one is turned else directions()  # R⁻¹ p, as rows
            wanted = harmonics(degree, before) @ other[cut] / (2 * degree + 1) ** 0.5
            np.testing.assert_allclose(trace["surfacecolor"], wanted, atol=1e-9)


def test_a_kernel_on_the_sphere_is_its_points_up_to_a_degree() -> None:
    """Against the sum of Legendre polynomials, ``Σ_p w_p Σ_l (2l + 1)/4π P_l(p·x)``."""
    from scipy.special import eval_legendre

    torch.manual_seed(0)
    layer = S2Conv(2, 3, 8, 4)
    spec = plots.plot_kernel(layer, 2, 1, interactive=True).spec  # type: ignore[union-attr]
    (globe,) = spec["data"]
    beta, alpha = layer.kernel_grid.numpy().T
    points = np.stack([np.sin(beta) * np.cos(alpha), np.sin(beta) * np.sin(alpha), np.cos(beta)])
    near = np.stack([globe[name] for name in "xyz"], -1) @ points
    weights = layer.kernel[1, 2].detach().double().numpy()
    degrees = range(layer.lmax + 1)
    wanted = sum((2 * n + 1) / (4 * np.pi) * eval_legendre(n, near) @ weights for n in degrees)
    np.testing.assert_allclose(globe["surfacecolor"], wanted, atol=1e-9)


def test_a_kernel_on_rotations_stands_at_axis_times_angle() -> None:
    from scipy.spatial.transform import Rotation

    layer = SO3Conv(1, 1, 4, 4)
    spec = plots.plot_kernel(layer, interactive=True).spec  # type: ignore[union-attr]
    found = np.stack([spec["data"][0][name] for name in "xyz"], -1)
    beta, alpha, gamma = layer.kernel_grid.unbind(1)
    wanted = Rotation.from_matrix(SO3.from_zyz(alpha, beta, gamma).numpy())
    off = (Rotation.from_rotvec(found).inv() * wanted).magnitude()
    assert off.max() < 1e-6


@pytest.mark.parametrize("nside", [1, 2, 8])
def test_corners_are_those_of_healpy(nside: int) -> None:
    healpy = pytest.importorskip("healpy")
    z, phi = pixel_corners(nside)
    wanted = healpy.boundaries(nside, np.arange(12 * nside**2))  # (P, 3, 4): north, west, ...
    flat = np.sqrt(1 - z**2)
    found = np.stack([flat * np.cos(phi), flat * np.sin(phi), z], 1)
    np.testing.assert_allclose(found, wanted, atol=1e-7)
    assert (np.ptp(phi, 1) < np.pi).all()


def test_fine_maps_are_drawn_by_means_and_holes_stay_holes() -> None:
    values = torch.ones(12 * 64**2)
    values[0] = UNSEEN
    spec = plots.plot_healpix(values, interactive=True).spec  # type: ignore[union-attr]
    assert len(spec["data"]) == 1  # one of four children alone is missing
    coarse = torch.ones(12 * 32**2)
    coarse[:2] = UNSEEN
    pixels, holes = plots.plot_healpix(coarse, interactive=True).spec["data"]  # type: ignore[union-attr]
    assert set(holes["i"] // 4) == {0, 1}
    assert len(pixels["i"]) == 2 * (12 * 32**2 - 2)


def test_pointing_at_a_layer_tells_its_cause() -> None:
    audit = report()
    (table, *_) = audit.plot(interactive=True).spec["data"]  # type: ignore[union-attr]
    said = table["customdata"][0][0][1].replace("<br>", " ").strip()
    assert said == audit.causes[0]
    assert table["customdata"][1][0][1] == ""


def test_equivariant_is_orange_and_plain_is_blue() -> None:
    spec = CASES["accuracy"].make(interactive=True).spec
    colors = {each["name"]: each["line"]["color"] for each in spec["data"]}
    assert colors == {"P4CNN": "#d55e00", "linear": "#0072b2"}


def test_eyes_are_linked() -> None:
    one, other = (plots.plot_harmonics(1, interactive=True) for _ in range(2))
    ipywidgets.link((one, "eye"), (other, "eye"))
    one.eye = [1.0, 2.0, 3.0]  # type: ignore[union-attr]
    assert other.eye == [1.0, 2.0, 3.0]  # type: ignore[union-attr]


def test_the_site_holds_plotly_once_for_all_figures_of_a_page() -> None:
    notebook, models = new_notebook(), {}
    for n in range(2):
        figure: Any = plots.plot_runs({"loss": {f"run {n}": [2, 1]}}, interactive=True)
        values, buffers = state_of(figure)
        models[f"model-{n}"] = {"state": values, "buffers": buffers}
        data = {VIEW: {"model_id": f"model-{n}"}, "text/plain": repr(figure), "image/png": "AAAA"}
        notebook.cells.append(new_code_cell(outputs=[new_output("execute_result", data)]))
    notebook.metadata["widgets"] = {STATE: {"state": models}}
    pages = list(alive(notebook).values())
    assert [page.count('id="equivlab-plotly"') for page in pages] == [1, 0]


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: plots.plot_harmonics(9), ValueError, "0 to 6; got 9"),
        (lambda: plots.plot_irreps("1x1o", noise(4)), ValueError, r"\(3,\) for 1x1o; got \(4,\)"),
        (lambda: plots.plot_kernel(LiftingConv2d), TypeError, "S2Conv or SO3Conv"),
        (lambda: plots.plot_healpix(noise(13)), ValueError, "12·nside² pixels; got 13"),
        (lambda: plots.plot_healpix(noise(2, 12)), ValueError, "one map"),
        (lambda: plots.plot_points(noise(4, 2)), ValueError, r"places \(N, 3\)"),
        (lambda: plots.plot_points(noise(4, 3), values=noise(3)), ValueError, r"values \(N,\)"),
        (lambda: plots.plot_points(noise(2, 3), names="H"), ValueError, "2 points; got 1"),
        (lambda: plots.plot_accuracy([0, 90], {"a": [1]}), ValueError, "an accuracy for each"),
        (lambda: plots.plot_runs({}), ValueError, "got none"),
    ],
)
def test_errors_say_what_was_wanted(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


LATE = """
import sys
sys.modules["plotly"] = None  # as if it were not installed
from equivlab import plots
assert not {"matplotlib", "anywidget", "ipywidgets"} & set(sys.modules)
plots.plot_runs({"loss": {"a": [1, 2]}})
try:
    plots.plot_runs({"loss": {"a": [1, 2]}}, interactive=True)
except ModuleNotFoundError as error:
    assert 'pip install "equivlab[plotly]"' in str(error), error
else:
    raise AssertionError("it drew without plotly")
"""


def test_plotly_is_asked_for_late_and_named_where_it_is_missing() -> None:
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
