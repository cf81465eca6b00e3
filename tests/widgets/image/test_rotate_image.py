"""RotateImage's Python side: what is computed, sent and said."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from traitlets import TraitError

from equivlab.data import sky_images
from equivlab.fields import RegularMaps, ScalarMaps
from equivlab.groups import P4, P4M, P6, PointGroup
from equivlab.models import P4CNN, smooth_network
from equivlab.nn import LiftingConv2d
from equivlab.widgets import RotateImage
from equivlab.widgets.image.atlas import make_atlas
from equivlab.widgets.image.poses import STEPS, baseline
from equivlab.widgets.page.images import as_images


@pytest.fixture(scope="module")
def sky() -> Tensor:
    return sky_images(2, size=32)


@pytest.fixture(scope="module")
def widget(sky: Tensor) -> RotateImage:
    return RotateImage(smooth_network(P4M), sky, compare=smooth_network(None))


def quarter(angle_deg: int) -> int:
    return angle_deg * STEPS // 360


@pytest.mark.parametrize("group", [P4, P4M], ids=str)
def test_frames_are_the_network_on_the_turned_picture(group: PointGroup, sky: Tensor) -> None:
    """At quarter turns and mirrors, where turning is exact, against a direct call."""
    model = smooth_network(group)
    atlas = make_atlas(model, sky, group, [1])
    inside = torch.hypot(*torch.meshgrid(*2 * [torch.arange(32.0) - 15.5], indexing="ij")) <= 16
    limit = max(
        float(make_maps(model, sky[n : n + 1] * inside, group, a).abs().max())
        for n in range(2)
        for a in range(0, 360, 5)
    )
    for n in range(2):
        for m in range(2 if group.has_mirror else 1):
            for r in range(4):
                picture = group.move(4 * m + r, sky[n : n + 1] * inside)
                maps = model(picture)[0, 1].detach()
                frame = atlas.pixels[n, m, quarter(90 * r), 0]
                assert frame.shape == maps.shape
                assert float((frame.float() - (128 + 127 * maps / limit)).abs().max()) < 1


def make_maps(model: nn.Module, picture: Tensor, group: PointGroup, angle_deg: int) -> Tensor:
    turned = ScalarMaps(group, 1).rotate(math.radians(angle_deg), picture)
    return model(turned)[:, 1].detach()


def test_errors_are_zero_at_quarter_turns_and_small_between(widget: RotateImage) -> None:
    errors = widget.atlas.errors
    assert errors.shape == (2, 2, STEPS)
    assert float(errors[:, :, :: quarter(90)].max()) < 2e-6
    assert 0.03 < float(errors[:, 0, quarter(45)].max()) < 0.3
    assert float(widget.compare_atlas.errors[:, 0, quarter(90)].min()) > 0.3
    assert widget.baseline.shape == errors.shape
    assert float(widget.baseline[:, :, :: quarter(90)].max()) < 1e-6


def test_error_follows_the_handle(widget: RotateImage) -> None:
    widget.angle_deg, widget.image, widget.mirror = 45.0, 1, True
    assert widget.error() == float(widget.atlas.errors[1, 1, quarter(45)])
    widget.angle_deg, widget.image, widget.mirror = 0.0, 0, False
    assert widget.error() == 0


def test_unturning_stabilises(sky: Tensor) -> None:
    """What the page does: mix the orientations back, and turn the picture back."""
    widget = RotateImage(smooth_network(P4M), sky, channels=[0])
    maps = widget.atlas.pixels[0, :, :, 0].double() - 128  # (M, T, G, h, h)
    unturn = torch.tensor(widget._spec["unturns"][0], dtype=torch.float64)
    unturn = unturn.view(2, STEPS, 8, 8)
    field = ScalarMaps(P4M, 8)
    for m in range(2):
        for r in range(4):
            step = quarter(90 * r)
            mixed = torch.einsum("gh,hij->gij", unturn[m, step], maps[m, step])
            back = field.act(P4M.inverse(4 * m + r), mixed[None])[0]
            assert float((back - maps[0, 0]).abs().max()) <= 1  # a level of 256


def test_what_is_sent_is_what_the_page_reads(widget: RotateImage) -> None:
    spec = widget._spec
    frames = spec["images"] * spec["mirrors"] * spec["steps"]
    assert len(widget._maps) == frames * 2 * 8 * spec["side"] ** 2
    assert len(widget._compare_maps) == frames * 2 * spec["compare"]["side"] ** 2
    assert len(widget._pictures) == 2 * spec["picture"] ** 2 * 3
    assert len(widget._colours) == 256 * 3
    assert spec["elements"][5] == "mirror, 90°"
    json.dumps(spec, allow_nan=False)


def test_a_blank_picture_has_no_infinite_error_in_json() -> None:
    blank = torch.zeros(1, 1, 16, 16)
    model = nn.Sequential(LiftingConv2d(P4, 1, 2, 3, bias=False))
    widget = RotateImage(model, blank)
    json.dumps(widget._spec, allow_nan=False)
    assert widget.error() == 0


def test_mime_bundle_and_repr(widget: RotateImage) -> None:
    data, _ = widget._repr_mimebundle_()
    assert data["text/plain"] == repr(widget)
    assert repr(widget) == "RotateImage(2 images, P4M, beside plain CNN, 72 angles, 5.3 MB)"
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert "application/vnd.jupyter.widget-view+json" in data


def test_layers_groups_and_devices(sky: Tensor) -> None:
    model = P4CNN()
    widget = RotateImage(model, sky, layer="features.0", channels=[3, 5])
    assert widget.atlas.field == RegularMaps(P4, 10)
    assert model.training
    plain = RotateImage(nn.Conv2d(1, 4, 3), sky)
    assert plain.atlas.field == ScalarMaps(P4, 4)
    assert RotateImage(smooth_network(P4).double(), sky, channels=[0]).error() == 0


def test_large_maps_are_averaged_down() -> None:
    atlas = make_atlas(nn.Conv2d(1, 1, 1), torch.rand(1, 1, 96, 96), P4, [0])
    assert atlas.pixels.shape == (1, 1, STEPS, 1, 1, 40, 40)


def test_baseline_is_that_of_the_pictures_alone(sky: Tensor) -> None:
    smooth = nn.functional.avg_pool2d(sky, 5, 1, 2)
    assert float(baseline(smooth, P4)[:, 0, 9].max()) < float(baseline(sky, P4)[:, 0, 9].max())


ACCEPTED = [
    (np.zeros((3, 16, 16)), (3, 1, 16, 16)),
    (np.zeros((16, 16), dtype=np.uint8), (1, 1, 16, 16)),
    (np.zeros((2, 16, 16, 3)), (2, 3, 16, 16)),
    (torch.zeros(2, 3, 16, 16), (2, 3, 16, 16)),
    ([np.zeros((16, 16)), torch.zeros(16, 16)], (2, 1, 16, 16)),
    ([torch.zeros(1, 16, 16)], (1, 1, 16, 16)),
    ([np.zeros((16, 16, 3), dtype=np.uint8)], (1, 3, 16, 16)),
]


@pytest.mark.parametrize(("given", "shape"), ACCEPTED)
def test_pictures_that_are_taken(given: object, shape: tuple[int, ...]) -> None:
    assert as_images(given).shape == shape


def test_bytes_become_fractions_and_pil_images_work() -> None:
    from PIL import Image

    image = Image.fromarray(np.full((16, 16), 255, dtype=np.uint8))
    assert float(as_images([image]).max()) == 1


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ([], ValueError, "got an empty list"),
        (torch.zeros(0, 1, 8, 8), ValueError, r"got none: \(0, 1, 8, 8\)"),
        (torch.zeros(1, 1, 8, 9), ValueError, r"Cut out a square"),
        ([torch.zeros(8, 8), torch.zeros(9, 9)], ValueError, "must have one size"),
        (torch.full((1, 8, 8), math.nan), ValueError, r"got NaN or infinity.*nan_to_num"),
        (torch.zeros(8), ValueError, r"takes square images .*got \(8,\)"),
        (["cat.png"], FileNotFoundError, r"cat\.png"),
        ([object()], TypeError, "got object"),
        (3.5, ValueError, r"got \(\)"),
    ],
)
def test_pictures_that_are_refused(given: object, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        as_images(given)


PHOTO = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16"])
def test_photos_of_all_kinds(mode: str, tmp_path: Path) -> None:
    """As PIL images and from a file; the middle square, from 0 to 1."""
    photo = Image.fromarray(PHOTO)
    photo = photo.convert("L" if mode == "I;16" else mode)
    photo = photo.convert("I").convert("I;16") if mode == "I;16" else photo
    path = tmp_path / ("photo.tif" if mode in ("CMYK", "I;16") else "photo.png")
    photo.save(path)
    colours = 1 if mode in ("L", "LA", "1", "I;16") else 3
    with pytest.warns(UserWarning, match="30×20 pixels was cut to its middle square"):
        x = as_images(photo)
    assert x.shape == (1, colours, 20, 20)
    assert 0 <= float(x.min()) < float(x.max()) <= 1
    for one in (str(path), path, [path]):
        with pytest.warns(UserWarning, match="middle square"):
            assert torch.equal(as_images(one), x)


def test_a_bare_photo_and_a_transparent_one() -> None:
    square = PHOTO[:, 5:25]
    wanted = torch.from_numpy(square).movedim(-1, 0)[None].float() / 255
    assert torch.equal(as_images(square), wanted)
    assert torch.equal(as_images(torch.from_numpy(square)), wanted)
    clear = np.concatenate([square, np.zeros((20, 20, 1), np.uint8)], axis=-1)
    assert float(as_images(clear).min()) == 1  # what is transparent is paper


def test_large_photos_are_averaged_down_with_a_note() -> None:
    for large in (np.zeros((1200, 1200, 3), np.uint8), torch.zeros(1, 1, 1200, 1200)):
        with pytest.warns(UserWarning, match="1200×1200 pixels were averaged down to 128×128"):
            assert as_images(large).shape[-2:] == (128, 128)
    halves = torch.cat([torch.zeros(2000, 1000), torch.ones(2000, 1000)], 1)
    with pytest.warns(UserWarning, match="averaged down"):
        x = as_images(halves)[0, 0]
    assert torch.equal(x[0], torch.cat([torch.zeros(64), torch.ones(64)]))


def test_a_photo_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"text\.png cannot be read as a picture"):
        as_images(tmp_path / "text.png")
    Image.new("1", (9000, 9000)).save(tmp_path / "large.png")
    with pytest.raises(ValueError, match=r"9000×9000 pixels is more than 60 million.*reduce"):
        as_images(tmp_path / "large.png")


def test_a_colour_photo_turns_grey_for_a_network_that_takes_grey() -> None:
    colour = PHOTO[:, 5:25]
    with pytest.warns(UserWarning, match="takes one channel, so colours became grey"):
        widget = RotateImage(smooth_network(P4), colour)
    assert widget.images.shape == (1, 1, 20, 20)
    grey = np.asarray(Image.fromarray(colour).convert("L")) / 255
    assert np.abs(widget.images[0, 0].numpy() - grey).max() < 0.005
    assert RotateImage(nn.Conv2d(3, 2, 3), torch.rand(1, 12, 12)).images.shape[1] == 3


def test_memory_is_asked_before_it_is_taken() -> None:
    wide = nn.Conv2d(1, 4000, 1)
    with pytest.raises(ValueError, match=r"72 frames of maps \(4000, 64, 64\) take 4\.7 GB"):
        RotateImage(wide, torch.zeros(1, 1, 64, 64))


def test_angles_beyond_a_turn(widget: RotateImage) -> None:
    for given, angle in ((-5, 355), (725, 5), (360, 0)):
        widget.angle_deg = given
        assert widget.angle_deg == angle
        assert widget.error() == float(widget.atlas.errors[0, 0, quarter(angle)])
    with pytest.raises(TraitError, match="an angle in degrees; got nan"):
        widget.angle_deg = math.nan
    widget.angle_deg = 0.0


def test_titles_and_colours_tell_equivariant_from_plain() -> None:
    image = torch.rand(1, 1, 12, 12)
    plain, equivariant = nn.Conv2d(1, 2, 3), LiftingConv2d(P4, 1, 2, 3)
    widget = RotateImage(plain, image, compare=equivariant)
    assert widget.titles[0] == "plain CNN"
    assert widget._spec["roles"] == [("plain", 0), ("equivariant", 0)]
    assert RotateImage(equivariant, image).titles[0] == "P4"


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        (P4CNN(), {}, r"shows square maps .*got \(1, 10\).*layer='...'"),
        (P4CNN(), {"layer": "features.99"}, r"no layer 'features.99'. It has: features.0,"),
        (smooth_network(P4), {"channels": [7]}, r"channels 0 to 1; got channels=\[7\]"),
        (smooth_network(P4), {"channels": []}, r"channels 0 to 1; got channels=\[\]"),
        (smooth_network(P4), {"group": P4M}, "4 group elements and P4M has 8"),
        (LiftingConv2d(P6, 1, 2, 3), {}, r"P6 acts on hexagons.*to_hexagons"),
        (smooth_network(P4), {"group": P6}, "P6 acts on hexagons.*to_hexagons"),
    ],
)
def test_what_cannot_be_shown(model: nn.Module, options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RotateImage(model, torch.rand(1, 1, 32, 32), **options)


def test_too_much_to_send(sky: Tensor) -> None:
    many = sky[:1].expand(12, -1, -1, -1)
    with pytest.raises(ValueError, match=r"make \d+ MB of frames.*Give fewer images"):
        RotateImage(smooth_network(P4M), many.repeat(3, 1, 1, 1))


def test_of_one_channel_that_one_is_shown(sky: Tensor) -> None:
    """And of a network beside another as many as it has."""
    one, three = LiftingConv2d(P4, 1, 1, 3, padding=1), LiftingConv2d(P4, 1, 3, 3, padding=1)

    def shown(model: nn.Module, other: nn.Module) -> tuple[int, int]:
        spec = RotateImage(model, sky, compare=other)._spec
        return len(spec["channels"]), spec["compare"]["channels"]

    assert shown(one, nn.Conv2d(1, 3, 3, padding=1)) == (1, 1)
    assert shown(three, nn.Conv2d(1, 1, 3, padding=1)) == (2, 1)
    assert shown(three, nn.Conv2d(1, 3, 3, padding=1)) == (2, 2)
    with pytest.raises(ValueError, match=r"channels 0 to 0; got channels=\[0, 1\]"):
        RotateImage(one, sky, channels=(0, 1))
