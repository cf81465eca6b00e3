"""RotateSphere in headless Chromium: with a kernel behind it, without one, and exported."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from equivlab.data import globe_signals
from equivlab.nn import HealpixToSphere, S2Conv
from equivlab.so3 import SO3
from equivlab.widgets import RotateSphere
from tests.widgets.chromium import IN_BROWSER, exported_page
from tests.widgets.live_page import live

pytestmark = IN_BROWSER
CANVAS = ".equivlab-sphere canvas[tabindex]"
SOURCE = """
import torch
from equivlab.data import globe_signals
from equivlab.nn import S2Conv
from equivlab.widgets import RotateSphere
torch.manual_seed(0)
RotateSphere(S2Conv(1, 2, 8, 6), globe_signals(bandwidth=8), channels=(0, 1))
"""


@pytest.fixture(scope="module")
def widget() -> RotateSphere:
    """HEALPix in, two channels on SO(3) out."""
    torch.manual_seed(0)
    model = nn.Sequential(HealpixToSphere(1, 32, 8), S2Conv(1, 3, 8, 6))
    return RotateSphere(model, globe_signals(nside=32), channels=(0, 2))


@pytest.fixture(scope="module")
def address(widget: RotateSphere) -> Iterator[str]:
    with live(widget) as url:
        yield url


@pytest.fixture(scope="module")
def unrecorded(widget: RotateSphere) -> Iterator[str]:
    """The same with no poses for pages without a kernel."""
    with live(RotateSphere(widget.engine.model, globe_signals(nside=32), turns=0)) as url:
        yield url


class Open:
    """The page in a browser, and what a reader can do with it."""

    def __init__(self, page: object, complaints: list[str]) -> None:
        self.page, self.complaints = page, complaints
        self.canvas = page.locator(CANVAS)

    def paint(self) -> None:
        """Wait until what has happened so far is painted."""
        self.page.evaluate(
            "() => new Promise(go => requestAnimationFrame(() => requestAnimationFrame(go)))"
        )

    def data(self, name: str) -> str:
        self.paint()
        return self.canvas.get_attribute(f"data-{name}")

    @property
    def words(self) -> str:
        """What stands below the spheres."""
        self.data("painted")
        return " | ".join(self.page.locator(".equivlab-sphere .line span").all_inner_texts())

    def settle(self) -> None:
        """Wait for the features of the pose on show, also of one that is not painted yet."""
        self.paint()
        self.page.wait_for_selector(f"{CANVAS}[data-settled=true]")
        self.data("painted")

    def spheres(self) -> list[np.ndarray]:
        """The three discs, as they look."""
        self.page.evaluate("() => document.activeElement.blur()")
        places = json.loads(self.data("places"))
        picture = Image.open(io.BytesIO(self.canvas.screenshot())).convert("RGB")
        pixels, side = np.asarray(picture) / 255, int(places["disc"])
        cut = []
        for place in places["places"]:
            x, y = round(place["x"]), round(place["y"])
            cut.append(pixels[y : y + side, x : x + side])
        return cut

    def press(self, *keys: str) -> None:
        self.canvas.focus()
        for key in keys:
            self.page.keyboard.press(key)

    def drag(self, right: int, down: int, steps: int = 8) -> None:
        """From the middle of the globe."""
        places, box = json.loads(self.data("places")), self.canvas.bounding_box()
        x = box["x"] + places["places"][0]["x"] + places["disc"] / 2
        y = box["y"] + places["places"][0]["y"] + places["disc"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        for n in range(1, steps + 1):
            self.page.mouse.move(x + right * n / steps, y + down * n / steps)
        self.page.mouse.up()


@pytest.fixture
def opened(browser: object) -> Iterator[Callable[..., Open]]:
    pages = []

    def open_page(url: str, width: int = 1000, which: int = 1, **options: object) -> Open:
        page = browser.new_page(viewport={"width": width, "height": 700}, **options)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))

        def listen(said: object) -> None:
            # Software WebGL warns when a picture is read back; screenshots and PNG do that.
            if said.type in ("error", "warning") and "ReadPixels" not in said.text:
                complaints.append(said.text)

        page.on("console", listen)
        page.on(
            "request",
            lambda asked: (
                None
                if asked.url.startswith((url.split("light")[0], "blob:", "data:"))
                else complaints.append(asked.url[:100])
            ),
        )
        page.goto(url)
        page.wait_for_selector(f"{CANVAS}[data-painted]")
        page.wait_for_function(f"() => document.querySelectorAll('{CANVAS}').length === {which}")
        pages.append(page)
        return Open(page, complaints)

    yield open_page
    for page in pages:
        page.close()


def rotation_of(view: Open) -> torch.Tensor:
    values = view.page.evaluate("() => model.get('rotation')")
    return torch.tensor(values, dtype=torch.float64).view(3, 3)


def test_the_point_under_the_hand_stays_there(opened: Callable[..., Open], address: str) -> None:
    """What stood in the middle of the globe stands where the hand has gone."""
    view = opened(address)
    disc = json.loads(view.data("places"))["disc"]
    view.drag(90, -40)
    g = SO3.check(rotation_of(view))
    wanted = torch.tensor([0.0, 180 / disc, 80 / disc], dtype=torch.float64)
    wanted[0] = (1 - wanted.square().sum()).sqrt()
    assert torch.allclose(g[:, 0], wanted, atol=0.02)  # g takes (1, 0, 0), the middle, there
    view.settle()
    assert view.complaints == []


def test_spheres_are_sharp_again_when_the_hand_has_let_go(
    opened: Callable[..., Open], address: str
) -> None:
    """Drawn by software, as here, they have fewer pixels while they are held, in the same place."""
    view = opened(address)
    sizes = """() => [...document.querySelectorAll(".glass")].map(({ width, height, style }) =>
      [width, height, parseFloat(style.width), parseFloat(style.height)])"""
    before = np.array(view.page.evaluate(sizes))
    places, box = json.loads(view.data("places")), view.canvas.bounding_box()
    x = box["x"] + places["places"][0]["x"] + places["disc"] / 2
    y = box["y"] + places["places"][0]["y"] + places["disc"] / 2
    view.page.mouse.move(x, y)
    view.page.mouse.down()
    view.page.mouse.move(x + 40, y)
    view.paint()
    held = np.array(view.page.evaluate(sizes))
    assert np.allclose(held[:, :2], before[:, :2] / 2, atol=1)
    assert np.allclose(held[:, 2:], before[:, 2:], atol=2)
    coarse = view.spheres()
    view.page.mouse.up()
    view.settle()
    assert np.array_equal(np.array(view.page.evaluate(sizes)), before)
    for one, other in zip(view.spheres(), coarse, strict=True):
        assert np.abs(one - other).mean() < 0.03
    assert view.complaints == []


def test_the_kernel_answers_the_pose_on_show(
    opened: Callable[..., Open], address: str, widget: RotateSphere
) -> None:
    view = opened(address)
    at_rest = view.spheres()
    view.drag(70, 50)
    view.settle()
    now = view.spheres()
    error = float(view.data("error"))
    assert 0 < error < 1e-4
    assert error == pytest.approx(widget.engine.turn(0, rotation_of(view)).error, rel=0.5)
    moved = [float(np.abs(a - b).mean()) for a, b in zip(now, at_rest, strict=True)]
    assert moved[0] > 0.03
    assert moved[1] > 0.03
    assert moved[2] < 0.004  # turned back, they stand still
    assert view.complaints == []


def test_the_globe_shows_the_turned_signal(
    opened: Callable[..., Open], address: str, widget: RotateSphere
) -> None:
    """The page's geometry against the kernel's: a turned picture of the same levels."""
    from matplotlib import colormaps

    from equivlab.projection import view_sphere

    view = opened(address)
    view.page.get_by_label("Signal", exact=True).select_option("3")
    view.press("ArrowRight", "ArrowRight", "Shift+ArrowUp", "ArrowDown", ",", ",")
    view.settle()
    shown = view.spheres()[0]
    levels = torch.frombuffer(bytearray(widget._globes), dtype=torch.uint8)
    levels = levels.view(4, 1, *widget._spec["globe"])[3:].float()
    facing = SO3.from_zyz(0.0, torch.pi / 2, 0.0)
    wanted = view_sphere(levels, shown.shape[0], rotation=rotation_of(view).mT @ facing)[0, 0]
    coloured = colormaps["cividis"](wanted.div(254).numpy())[..., :3]
    inside = slice(shown.shape[0] // 6, -shown.shape[0] // 6)

    def alike(picture: np.ndarray) -> float:
        pair = shown[inside, inside].ravel(), picture[inside, inside].ravel()
        return float(np.corrcoef(*pair)[0, 1])

    assert alike(coloured) > 0.95  # shading and two lines on the globe are not in the other
    assert alike(coloured[:, ::-1]) < 0.9
    assert alike(coloured[::-1]) < 0.9


def test_nothing_queues_up(opened: Callable[..., Open], address: str) -> None:
    """With a slow kernel: one question at a time, whatever the hand does, and the last is asked.

    Before the page knows that it is slow, up to three may have set out.
    """
    view = opened(address)
    view.page.evaluate("() => { window.slow = 400; }")
    began = time.perf_counter()
    view.drag(100, 60, steps=40)
    view.settle()
    asked, took = view.page.evaluate("() => asked"), time.perf_counter() - began
    assert 1 <= asked <= took / 0.4 + 3
    assert view.data("asked") == view.data("answered") == str(asked)


def test_keys_and_choices(opened: Callable[..., Open], address: str) -> None:
    view = opened(address)
    view.press("r")
    view.settle()
    at_rest = view.spheres()
    view.press("ArrowRight")
    assert float(view.data("angle")) == pytest.approx(5, abs=1e-3)
    view.press("Shift+ArrowLeft", "ArrowLeft")
    assert float(view.data("angle")) == pytest.approx(45, abs=1e-3)
    view.press("r", "ArrowUp", "ArrowUp", "ArrowDown", ".", ".")
    assert float(view.data("angle")) == pytest.approx(11.18, abs=0.05)
    view.press("Home")
    view.settle()
    assert np.abs(view.spheres()[1] - at_rest[1]).max() < 0.02
    for label, value in (("γ", "3"), ("Channel", "1"), ("Signal", "2")):
        before = view.spheres()
        view.page.get_by_label(label, exact=True).select_option(value)
        view.settle()
        assert np.abs(view.spheres()[1] - before[1]).max() > 0.1
    view.press("g")
    view.settle()
    assert view.page.get_by_label("γ", exact=True).input_value() == "4"
    with view.page.expect_download() as download:
        view.page.get_by_role("button", name="PNG").click()
    saved = np.asarray(Image.open(download.value.path()).convert("RGB"))
    assert saved.std() > 20
    assert view.complaints == []


@pytest.mark.parametrize("how", ["deaf", "gone"])
def test_without_a_kernel_the_globe_turns_and_says_so(
    opened: Callable[..., Open], unrecorded: str, how: str
) -> None:
    view = opened(unrecorded)
    view.drag(30, 0)
    view.settle()
    assert view.words.startswith("relative error: 0 (exact)")
    view.page.evaluate(f"() => {{ window.{how} = true; }}")
    before = view.spheres()
    view.drag(80, 0)
    view.page.wait_for_selector(f"{CANVAS}[data-silent=true]")
    assert view.words.startswith("relative error: –")
    assert view.words.endswith("no kernel answers: the features stand still")
    after = view.spheres()
    assert np.abs(after[0] - before[0]).mean() > 0.03
    assert np.abs(after[1] - before[1]).max() == 0


def test_a_kernel_that_comes_back_is_heard(opened: Callable[..., Open], address: str) -> None:
    view = opened(address)
    view.page.evaluate("() => { window.gone = true; }")
    view.press("ArrowRight")
    view.page.wait_for_selector(f"{CANVAS}[data-silent=true]")
    view.page.evaluate("() => { window.gone = false; }")
    view.press("ArrowRight")
    view.page.wait_for_selector(f"{CANVAS}[data-silent=false]")
    view.settle()
    assert view.words.startswith("relative error: 0 (exact)")


def test_a_late_answer_says_which_pose_its_number_belongs_to(
    opened: Callable[..., Open], address: str
) -> None:
    view = opened(address)
    view.page.evaluate(
        """() => {
          const line = document.querySelector(".equivlab-sphere .line .error");
          const note = () => { window.said.push(line.textContent); };
          window.said = [];
          new MutationObserver(note).observe(line, { childList: true, characterData: true });
          window.slow = 200;
        }"""
    )
    view.press("ArrowRight", "Shift+ArrowRight")
    view.settle()
    assert "relative error at 5°: 0 (exact)" in view.page.evaluate("() => said")
    assert "turned by 50°" in view.words
    assert view.words.startswith("relative error: 0 (exact)")


def test_two_views_keep_their_answers_apart(
    opened: Callable[..., Open], address: str, widget: RotateSphere
) -> None:
    """Both ask at once, and the slower kernel answers each what it asked."""
    view = opened(address + "light?2", which=2)
    view.page.evaluate("() => { window.held = new Promise((go) => { window.release = go; }); }")
    for n, key in enumerate(("ArrowRight", "Shift+ArrowUp")):
        view.page.locator(CANVAS).nth(n).focus()
        view.page.keyboard.press(key)
    view.page.wait_for_function("() => open_questions === 2")
    view.paint()
    view.page.evaluate("() => release()")
    view.page.wait_for_function(
        "(all) => [...document.querySelectorAll(all)].every((c) => c.dataset.settled === 'true')",
        arg=CANVAS,
    )
    angles = [view.page.locator(CANVAS).nth(n).get_attribute("data-angle") for n in (0, 1)]
    assert [float(angle) for angle in angles] == pytest.approx([5, 45], abs=1e-3)
    lines = view.page.locator(".equivlab-sphere .line .error").all_inner_texts()
    assert lines == ["relative error: 0 (exact)"] * 2


def test_narrow_and_closed(opened: Callable[..., Open], address: str) -> None:
    view = opened(address, width=400)
    places = json.loads(view.data("places"))
    assert places["places"][1]["y"] > places["places"][0]["y"]
    assert max(p["x"] + places["disc"] for p in places["places"]) < 400
    painted = view.data("painted")
    view.page.evaluate("() => { shut(); model.set('signal', 1); }")
    assert view.data("painted") == painted


def test_an_exported_page_works_offline(opened: Callable[..., Open], tmp_path: Path) -> None:
    path = exported_page([nbformat.v4.new_code_cell(SOURCE)], tmp_path)
    view = opened(path.as_uri(), offline=True)
    before = view.spheres()
    view.press("ArrowRight")
    view.page.wait_for_selector(f"{CANVAS}[data-silent=true]")
    assert view.words.endswith("no kernel answers: the globe turns in recorded steps")
    view.press("r", "ArrowRight")
    assert float(view.data("angle")) == pytest.approx(30, abs=1e-3)
    after = view.spheres()
    assert np.abs(after[0] - before[0]).mean() > 0.03
    assert np.abs(after[1] - before[1]).mean() > 0.03
    assert np.abs(after[2] - before[2]).mean() < 0.004  # turned back, they stand still
    assert view.words.startswith("relative error: 0 (exact)")  # of that pose
    view.drag(60, 0)
    angle = float(view.data("angle"))
    assert angle == pytest.approx(30 * round(angle / 30), abs=1e-3)
    view.press("PageDown")  # the other channel, at the same pose
    assert view.words.startswith("relative error: 0 (exact)")
    assert view.complaints == []
