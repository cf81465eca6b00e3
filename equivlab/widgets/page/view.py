"""What all widgets share: bytes for their pages, and what stands where no page can run."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anywidget
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from equivlab.widgets.page.html import whole_page
from equivlab.widgets.page.still import png_bytes, still_text

__all__ = ["LiveView", "as_bytes", "colour_table"]

POSES = ("angle_deg", "rotation", "frame")  # what `turn_to` changes


def as_bytes(values: Tensor) -> bytes:
    """The numbers of a tensor on the CPU, as a page reads them."""
    return values.contiguous().numpy().tobytes()


def colour_table() -> bytes:
    """256 colours from blue (negative) over white to red, safe for colour-blind eyes."""
    table = torch.tensor(colormaps["RdBu_r"](range(256)))[:, :3]
    return as_bytes((255 * table).round().to(torch.uint8))


class LiveView(anywidget.AnyWidget):
    """A widget that also shows its `repr` and a still picture, for previews and plain text.

    What it shows can be taken along: `to_png`, `to_gif`, `to_html`.
    """

    _made_layout: Any = None  # until it is made

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._made_layout = self.layout

    def close(self) -> None:
        """Let it go, and the layout that was made for it, which ipywidgets would keep for ever."""
        made = self._made_layout
        own = made is not None and made is self.layout  # and not one that other widgets share
        super().close()
        self.__dict__.pop("_repr_mimebundle_", None)  # ours again, for a still picture
        if own:
            made.close()

    @property
    def closed(self) -> bool:
        """Whether it has been let go: then it shows a still picture."""
        return self.comm is None

    def _uncopied(self, *_: Any) -> Any:
        raise TypeError(
            f"{self!r} lives in a page, so it cannot be copied or pickled. Show this one twice, or "
            f"make another: {type(self).__name__}(...)"
        )

    __copy__ = __deepcopy__ = __reduce_ex__ = _uncopied

    def figure(self) -> Figure:
        """What it shows now, drawn by matplotlib."""
        raise NotImplementedError

    def turn_to(self, part: float) -> None:
        """Turn what is shown to a part of a full turn, from 0 to 1."""
        raise ValueError(f"{type(self).__name__} does not turn: take one picture by to_png.")

    def telling_pose(self) -> dict[str, Any]:
        """Values of traits, turned so far that one picture tells whether the law holds."""
        return {}

    def still(self) -> str:
        """A PNG in base64 of what the widget shows now."""
        return still_text(self.figure())

    def preview(self) -> str:
        """The same for pages that run nothing; what nobody has turned yet is turned tellingly.

        At rest the error of any network is zero.
        """
        pose = self.telling_pose()
        if not pose or any(getattr(self, name) != self.trait_defaults(name) for name in pose):
            return self.still()
        with self._back_at(pose):
            for name, value in pose.items():
                setattr(self, name, value)
            return self.still()

    @contextmanager
    def _back_at(self, names: Iterable[str]) -> Iterator[None]:
        """Turn freely; afterwards these traits are as before. Pages see nothing of it."""
        before = {name: getattr(self, name) for name in names}
        with self.hold_sync():
            try:
                yield
            finally:
                for name, value in before.items():
                    setattr(self, name, value)

    def to_png(self, path: str | os.PathLike[str] | None = None, dpi: float = 200) -> bytes:
        """What it shows now as PNG, with title and numbers; written to `path`, if there is one."""
        return _written(png_bytes(self.figure(), dpi), path)

    def to_gif(
        self,
        path: str | os.PathLike[str] | None = None,
        frames: int = 24,
        *,
        seconds: float = 4.0,
        dpi: float = 100,
    ) -> bytes:
        """One full turn, or a whole recording, as an animated GIF; the same bytes each time.

        Args:
            path: where to write it, if anywhere.
            frames: pictures of the turn.
            seconds: how long a turn takes; it repeats for ever.
            dpi: dots an inch of each picture.

        Raises:
            ValueError: the widget does not turn, or fewer than two frames.
        """
        if frames < 2:
            raise ValueError(f"A turn has two frames at least; got frames={frames}.")
        pictures = []
        with self._back_at(filter(self.has_trait, POSES)):
            for frame in range(frames):
                self.turn_to(frame / frames)
                pictures.append(png_bytes(self.figure(), dpi))
        return _written(_animated(pictures, seconds), path)

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """A page of this widget alone that needs neither a kernel nor a network.

        The text between its comments ``<!-- begin -->`` and ``<!-- end -->`` may be put into any
        other page.
        """
        page = whole_page(self, repr(self))
        _written(page.encode(), path)
        return page

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        if self.closed:
            return {"text/plain": repr(self), "image/png": self.preview()}, {}
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        return {**data, "text/plain": repr(self), "image/png": self.preview()}, metadata


def _written(data: bytes, path: str | os.PathLike[str] | None) -> bytes:
    if path is not None:
        Path(path).write_bytes(data)
    return data


def _animated(pictures: Sequence[bytes], seconds: float) -> bytes:
    """PNGs as one GIF, in colours that all of them share."""
    first, *others = [Image.open(io.BytesIO(one)).convert("RGB") for one in pictures]
    palette = first.quantize(256, dither=Image.Dither.NONE)
    frames = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in others]
    stream = io.BytesIO()
    wait = round(1000 * seconds / len(pictures))
    options: dict[str, Any] = {"append_images": frames, "duration": wait, "loop": 0}
    palette.save(stream, format="GIF", save_all=True, **options)
    return stream.getvalue()
