"""SeeThrough: the sky turns exactly, its curves are right, the numbers are the classifiers'."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch

from equivlab.data.lenses import CLASSES, draw_scene, lens_recipe, render
from equivlab.data.lenses.images import deflection, render_with_lenstronomy
from equivlab.weights import load_classifier
from equivlab.widgets import SeeThrough
from equivlab.widgets.lens.answers import STEPS
from equivlab.widgets.lens.sky import LIMITS, Pose, Sky, area_ratio, lines_of


@pytest.fixture(scope="module")
def sky() -> Sky:
    return Sky(lens_recipe("I", pixels=32))


@pytest.fixture(scope="module")
def widget() -> SeeThrough:
    return SeeThrough("I", compare="lenses-i-plain")


def posed(sky: Sky, **changes: Any) -> Pose:
    return replace(sky.rest(), **changes)


ELABORATE = {"lens_x": 0.3, "lens_y": -0.2, "ellipticity": 0.3, "shear_deg": 70.0, "amount": 1.7,
             "clump_mass": 9.6, "clump_x": -0.7, "clump_y": 1.1}  # fmt: skip


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("noise", [False, True])
def test_a_quarter_turn_of_the_sky_turns_its_picture(sky: Sky, kind: str, noise: bool) -> None:
    pose = posed(sky, kind=kind, noise=noise, **ELABORATE)
    upright = sky.picture(pose)
    for quarter in range(1, 4):
        turned = sky.picture(replace(pose, angle_deg=90.0 * quarter))
        wanted = torch.rot90(torch.from_numpy(upright[:, ::-1].copy()), quarter, (-2, -1))
        np.testing.assert_allclose(turned[:, ::-1], wanted, rtol=0, atol=1e-9 * upright.max())


def test_it_is_the_simulators_picture(sky: Sky) -> None:
    """At the numbers of a drawn scene, `render` and lenstronomy make the same picture."""
    drawn = draw_scene(sky.recipe, 1, np.random.default_rng(3))
    size, axis = math.hypot(*drawn.lens_e), math.atan2(drawn.lens_e[1], drawn.lens_e[0]) / 2
    gamma, direction = math.hypot(*drawn.shear), math.atan2(drawn.shear[1], drawn.shear[0]) / 2
    pose = Pose(
        source_x=drawn.source_at[0], source_y=drawn.source_at[1], theta_e=drawn.theta_e,
        ellipticity=size, axis_deg=math.degrees(axis), shear=gamma,
        shear_deg=math.degrees(direction), kind="cdm", draw=3, noise=False,
    )  # fmt: skip
    picture = sky.picture(pose)
    np.testing.assert_allclose(picture, render(sky.recipe, drawn), rtol=1e-9)
    pytest.importorskip("lenstronomy")
    wanted = render_with_lenstronomy(sky.recipe, drawn)
    np.testing.assert_allclose(picture, wanted, rtol=0, atol=1e-3 * wanted.max())


def test_who_moves_all_moves_the_picture(sky: Sky) -> None:
    """Deflector, source and one more mass moved by four pixels: the same light four pixels on."""
    by = 4 * sky.recipe.camera.pixel_scale
    before = posed(sky, noise=False, clump_mass=9.5)
    after = replace(before, lens_x=by, source_x=before.source_x + by, clump_x=before.clump_x + by)
    here, there = sky.picture(before), sky.picture(after)
    inside = slice(8, -8)
    scale = here.max()
    np.testing.assert_allclose(there[..., 12:-4], here[..., inside], rtol=0, atol=1e-4 * scale)


def test_noise_has_the_variance_of_the_camera(sky: Sky) -> None:
    rms = sky.recipe.camera.background_rms
    scaled = []
    for n in range(200):
        clean = posed(sky, noise=False, draw=n)
        flux = sky.picture(clean)
        exposure = sky.scene(clean)[0].exposure
        deviation = np.sqrt(np.maximum(flux, 0) / exposure + rms**2)
        scaled.append((sky.picture(replace(clean, noise=True)) - flux) / deviation)
    assert np.std(scaled) == pytest.approx(1, rel=0.02)
    assert abs(np.mean(scaled)) < 0.01


def test_the_area_of_images_is_that_of_the_deflection(sky: Sky) -> None:
    """Against differences of the deflection itself."""
    scene, _ = sky.scene(posed(sky, kind="cdm", clump_mass=9.5, ellipticity=0.3))
    x, y = np.random.default_rng(0).uniform(-2, 2, (2, 200))
    step = 1e-5

    def alpha(u: Any, v: Any) -> Any:
        return np.stack(deflection(scene, u, v))

    by_x = (alpha(x + step, y) - alpha(x - step, y)) / (2 * step)
    by_y = (alpha(x, y + step) - alpha(x, y - step)) / (2 * step)
    wanted = (1 - by_x[0]) * (1 - by_y[1]) - by_x[1] * by_y[0]
    np.testing.assert_allclose(area_ratio(scene, x, y), wanted, rtol=1e-5, atol=1e-6)


def test_curves_of_a_round_lens(sky: Sky) -> None:
    """The critical curve is the Einstein ring, its caustic a point; both move with the lens."""
    pose = posed(sky, ellipticity=0.0, shear=0.0, theta_e=1.2, lens_x=0.4, lens_y=-0.3)
    critical, caustics = sky.curves(pose)
    assert len(critical) == 1
    np.testing.assert_allclose(np.hypot(*(critical[0] - [0.4, -0.3]).T), 1.2, atol=2e-3)
    np.testing.assert_allclose(caustics[0], [[0.4, -0.3]] * len(caustics[0]), atol=3e-3)
    assert sky.magnification(pose) > 3
    pairs = np.frombuffer(lines_of(critical), "<f4").reshape(-1, 2)
    assert np.isnan(pairs[-1]).all()
    np.testing.assert_allclose(pairs[:-1], critical[0], rtol=1e-6)
    assert lines_of([]) == b""


def test_a_faint_lens_magnifies_nothing(sky: Sky) -> None:
    nothing = posed(sky, theta_e=0.5, shear=0.0, source_x=1.5, source_y=1.5)
    assert sky.magnification(nothing) == pytest.approx(1.25, abs=0.25)


def test_answers_are_the_classifiers(widget: SeeThrough) -> None:
    """Those of the shipped network for the picture; equal at quarter turns if it is equivariant."""
    widget.kind, widget.draw = "axion", 2
    flux = torch.from_numpy(widget.image()[None]).float()
    for name, chances in widget.probabilities().items():
        with torch.no_grad():
            wanted = load_classifier(name)(flux)[0].tolist()
        assert list(chances.values()) == pytest.approx(wanted, abs=1e-6)
    content, _ = widget.answer(asdict(widget.pose) | {"around": True})
    equivariant, plain = (np.array(one) for one in content["around"])
    assert equivariant.shape == (STEPS, 3)
    quarters = slice(None, None, STEPS // 4)
    assert np.ptp(equivariant[quarters], 0).max() < 1e-4
    assert np.ptp(plain[quarters], 0).max() > 1e-2
    np.testing.assert_allclose(equivariant[0], content["said"][0], atol=1e-5)
    widget.kind, widget.draw = "no_sub", 0


def test_what_is_recorded_is_what_the_kernel_answers(widget: SeeThrough) -> None:
    spec = widget._spec
    json.dumps(spec, allow_nan=False)
    levels = np.frombuffer(widget._recorded, np.uint8).reshape(3, STEPS, 64, 64)
    lines = np.frombuffer(widget._recorded_lines, "<f4")
    kind, step = 1, 5
    pose = Pose.of(spec["rest"] | {"kind": CLASSES[kind], "angle_deg": 360 * step / STEPS})
    content, buffers = widget.answer(asdict(pose))
    assert levels[kind, step].tobytes() == buffers[0]
    before, (critical, caustics) = sum(spec["lines"][:2]), spec["lines"][2:4]
    assert lines[before : before + critical].tobytes() == buffers[1]
    assert lines[before + critical :][:caustics].tobytes() == buffers[2]
    said = [one[step] for one in spec["recorded"][kind]["around"]]
    for mine, theirs in zip(said, content["said"], strict=True):
        assert mine == pytest.approx(theirs, abs=1e-5)  # alone and in a batch
    assert spec["recorded"][kind]["gain"] == pytest.approx(content["gain"], rel=0.05)


def test_a_picture_unlike_the_training_is_told(widget: SeeThrough) -> None:
    rest = asdict(widget.pose)
    assert widget.answer(rest)[0]["remark"] == ""
    clean = widget.answer(rest | {"noise": False})[0]["remark"]
    assert clean.startswith("lenses-i-p4m: ")


def test_poses_keep_to_their_limits(sky: Sky) -> None:
    rest = asdict(sky.rest())
    found = Pose.of(rest | {"source_x": 9, "ellipticity": -1, "angle_deg": -30, "axis_deg": 200})
    assert (found.source_x, found.ellipticity) == (LIMITS["source_x"][1], 0.0)
    assert (found.angle_deg, found.axis_deg) == (330.0, 20.0)
    with pytest.raises(ValueError, match=r"shear is a number from 0 to 0\.2; got nan"):
        Pose.of(rest | {"shear": math.nan})
    with pytest.raises(ValueError, match="kind is one of no_sub, cdm, axion; got 'wimp'"):
        Pose.of(rest | {"kind": "wimp"})


def test_what_goes_wrong_is_told_to_the_page(widget: SeeThrough) -> None:
    command: Any = widget.ask
    content, _ = command(asdict(widget.pose) | {"kind": "wimp"}, [])
    assert content["problem"].startswith("ValueError: kind is one of")


def test_lenses_without_a_classifier(widget: SeeThrough) -> None:
    with_light = SeeThrough("IV")
    assert repr(with_light) == "SeeThrough(Model IV-style, 64×64 pixels, no classifier)"
    assert with_light.probabilities() == {}
    assert with_light.answer(asdict(with_light.pose))[0]["said"] == []
    assert SeeThrough("I", False).jury.classifiers == {}
    own = load_classifier("lenses-i-plain")
    assert list(SeeThrough("I", own).probabilities()) == ["classifier"]


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ((3,), TypeError, "a LensRecipe or the name of a family.*got int"),
        (("I", "nobody"), FileNotFoundError, "nobody"),
        (("I", 3), TypeError, "a Classifier, or the name or path.*got int"),
        (("IV", "lenses-i-p4m"), ValueError, "takes 1 channels; Model IV-style has 3"),
    ],
)
def test_bad_input(arguments: tuple[Any, ...], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        SeeThrough(*arguments)
