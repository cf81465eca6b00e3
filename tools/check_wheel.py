"""Try an installed equivlab from outside its checkout: its surface, and what it says of extras.

    cd /somewhere/else && python /path/to/tools/check_wheel.py /path/to/README.md
    ... --without-extras    as if no package of an extra were installed

Every public module and name is loaded, or its error says which extra brings what it needs; the
examples of the façades and the README run, and the files beside the code (weights, pages, the
course) are there. It uses the standard library and equivlab only, so it runs where no test tool is.
"""

from __future__ import annotations

import argparse
import doctest
import importlib
import io
import json
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

# What the extras bring, by the names that are imported.
OF_EXTRAS = {
    "data": ["astropy", "lenstronomy", "skimage", "sklearn", "trimesh"],
    "sphere": ["ducc0", "healpy"],
    "train": ["jsonargparse", "lightning", "tensorboard", "torchmetrics"],
    "lab": ["jupyterlab", "nbconvert"],
}
EXAMPLES = [
    "groups", "so3", "fields", "sphere", "nn.planar.conv", "nn.sphere.conv", "nn.space.conv",
]  # fmt: skip
STL = "solid t\nfacet normal 0 0 1\nouter loop\n{}endloop\nendfacet\nendsolid t\n"
VERTICES = "vertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\n"


class Hiding:
    """A finder of modules that finds nothing of some packages, as where they are not installed."""

    def __init__(self, finder: Any, packages: Sequence[str]) -> None:
        self.finder, self.packages = finder, packages

    def find_spec(self, name: str, *where: Any) -> Any:
        if name.partition(".")[0] in self.packages:
            return None
        return self.finder.find_spec(name, *where)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.finder, name)


def reach(what: str, call: Callable[[], Any]) -> str | None:
    """Call; None, or the remedy that the error names. Any other error goes on."""
    try:
        call()
    except ModuleNotFoundError as error:
        found = re.search(r'pip install "equivlab\[(\w+)\]"', str(error))
        if found is None:
            raise
        print(f"{what}: {error}")
        return found[1]
    return None


def surface(package: Path) -> dict[str, str | None]:
    """Every module of the installed package, and every public name, with the extra it lacks."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = ("equivlab", *path.relative_to(package).with_suffix("").parts)
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = reach(name, lambda name=name: importlib.import_module(name))
        for each in getattr(sys.modules.get(name), "__all__", []):
            dotted = f"{name}.{each}"
            found[dotted] = reach(dotted, lambda name=name, each=each: pull(name, each))
    return found


def pull(module: str, name: str) -> Any:
    return getattr(sys.modules[module], name)


def late_calls(folder: Path) -> dict[str, Callable[[], Any]]:
    """Calls whose packages are loaded when they are made."""
    import numpy as np

    from equivlab.data import digit_images, lens_recipe, read_image, sky_images
    from equivlab.data.lenses.images import render_with_lenstronomy
    from equivlab.data.lenses.scenes import draw_scene
    from equivlab.data.shapes.reading import read_shape

    recipe = lens_recipe("I")
    return {
        "digit_images": digit_images,
        "sky_images": lambda: sky_images(1),
        "read_image of FITS": lambda: read_image(fits(folder / "image.fits")),
        "read_shape of STL": lambda: read_shape(stl(folder / "shape.stl")),
        "render_with_lenstronomy": lambda: render_with_lenstronomy(
            recipe, draw_scene(recipe, 0, np.random.default_rng(0))
        ),
    }


def fits(path: Path) -> Path:
    """A FITS file of 2×2 zeros."""
    cards = {"SIMPLE": "T", "BITPIX": 16, "NAXIS": 2, "NAXIS1": 2, "NAXIS2": 2}
    header = "".join(f"{key:8}= {value:>20}".ljust(80) for key, value in cards.items())
    path.write_bytes((header + "END").ljust(2880).encode() + bytes(2880))
    return path


def stl(path: Path) -> Path:
    path.write_text(STL.format(VERTICES))
    return path


def works_without_extras() -> None:
    """What needs none: a HEALPix transform, a simulated lens, shipped weights, a widget's page."""
    import torch

    from equivlab.data import lens_recipe, simulate
    from equivlab.sphere import healpix_sht
    from equivlab.weights import load_pretrained, pretrained_names
    from equivlab.widgets import RotateSphere

    assert healpix_sht(torch.ones(1, 1, 48), 4).isfinite().all()
    simulate(lens_recipe("I"), [0])
    load_pretrained(pretrained_names()[0])
    assert "export default" in str(RotateSphere._esm)


def course_is_copied(folder: Path) -> None:
    """The course comes with the package: its code is Python, its links lead somewhere, and a
    notebook that a learner changed is kept.
    """
    from equivlab.course.copying import copy_course

    notebooks = [Path(name) for name in copy_course(folder).written if name.endswith(".ipynb")]
    assert len(notebooks) > 7, notebooks
    for name in notebooks:
        for cell in json.loads((folder / name).read_text(encoding="utf-8"))["cells"]:
            text = "".join(cell["source"])
            if cell["cell_type"] == "code":
                compile(re.sub(r"^%.*$", "", text, flags=re.MULTILINE), str(name), "exec")
            for target in re.findall(r"\]\(((?!\w+:)[^)#\s]+\.\w+)", text):
                if cell["cell_type"] == "markdown":
                    assert (folder / name.parent / target).exists(), f"{name}: {target}"
    (folder / notebooks[0]).write_text("mine")
    assert list(copy_course(folder).kept) == [notebooks[0].as_posix()]
    assert (folder / notebooks[0]).read_text() == "mine"


def run_examples(readme: Path) -> None:
    """The doctests of the façades, and the README's ten lines."""
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    for room in EXAMPLES:
        module = importlib.import_module(f"equivlab.{room}")
        done = doctest.testmod(module, optionflags=flags)
        assert done.attempted, f"{room} has no example"
        assert not done.failed, f"{done.failed} examples of {room} failed"
    (example,) = re.findall(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    said = io.StringIO()
    with redirect_stdout(said):
        exec(compile(example, str(readme), "exec"), {})
    assert 0 <= float(said.getvalue()) <= 2e-6


def main(readme: Path, without_extras: bool) -> None:
    if without_extras:
        hidden = [name for names in OF_EXTRAS.values() for name in names]
        sys.meta_path[:] = [Hiding(finder, hidden) for finder in sys.meta_path]
    import equivlab

    package = Path(equivlab.__file__).parent
    checkout = Path(__file__).resolve().parents[1]
    assert checkout not in package.parents, f"this is the checkout's equivlab: {package}"
    lacking = surface(package)
    with tempfile.TemporaryDirectory() as folder:
        for what, call in late_calls(Path(folder)).items():
            lacking[what] = reach(what, call)
        course_is_copied(Path(folder) / "course")
    works_without_extras()
    run_examples(readme)
    print(json.dumps({"package": str(package), "lacking": lacking}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("readme", type=Path)
    parser.add_argument("--without-extras", action="store_true")
    arguments = parser.parse_args()
    main(arguments.readme, arguments.without_extras)
