"""Sound files of every kind that is read, small, to be damaged."""

from __future__ import annotations

import bz2
import gzip
import io
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from equivlab.data.sets.writer import write_shards

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 255, (12, 9), dtype=np.uint8)
CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 2) for z in (0, 3)], float)


def npy_files() -> dict[str, bytes]:
    arrays = {
        "plain": IMAGE.astype(np.float32),
        "channels": RNG.normal(size=(3, 8, 8)),
        "big": IMAGE.astype(">f4"),
        "fortran": np.asfortranarray(IMAGE.astype(np.int16)),
        "pickled": np.array([IMAGE, 1e-23], object),
        "fields": np.zeros((4, 4), [("a", "f4"), ("b", "i2")]),
        "complex": np.ones((4, 4), complex),
    }
    return {f"{name}.npy": _saved(array) for name, array in arrays.items()}


def _saved(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def archives() -> dict[str, bytes]:
    found = {}
    for name, save in (("stored", np.savez), ("packed", np.savez_compressed)):
        stream = io.BytesIO()
        save(
            stream, x=IMAGE, y=np.arange(12.0), voxels=np.ones((6, 6, 6)), stamps=np.ones((2, 5, 5))
        )
        found[f"{name}.npz"] = stream.getvalue()
    return found


def pictures() -> dict[str, bytes]:
    from PIL import Image

    found = {}
    colors = np.stack([IMAGE, IMAGE[::-1], 255 - IMAGE], -1)
    for name, array, options in (
        ("grey.png", IMAGE, {}),
        ("colors.png", colors, {}),
        ("deep.png", IMAGE.astype(np.uint16) * 257, {}),
        ("a.jpg", colors, {}),
        ("a.tif", IMAGE, {}),
        ("packed.tif", colors, {"compression": "tiff_lzw"}),
        ("deflate.tif", colors, {"compression": "tiff_adobe_deflate"}),
        ("a.bmp", colors, {}),
    ):
        stream = io.BytesIO()
        kind = {"jpg": "JPEG", "tif": "TIFF"}.get(name[-3:], name[-3:].upper())
        Image.fromarray(array).save(stream, kind, **options)
        found[name] = stream.getvalue()
    return found


def fits_files() -> dict[str, bytes]:
    from astropy.io import fits

    def written(*units: object) -> bytes:
        stream = io.BytesIO()
        fits.HDUList(list(units)).writeto(stream)
        return stream.getvalue()

    plain = written(fits.PrimaryHDU(IMAGE.astype(np.float32)))
    scaled = fits.PrimaryHDU(IMAGE.astype(np.uint16))
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.arange(5.0))])
    extension = fits.ImageHDU(IMAGE.astype(np.int32))
    whole = np.arange(40 * 30, dtype=np.int32).reshape(40, 30)
    found = {
        "plain.fits": plain,
        "scaled.fts": written(scaled),
        "units.fit": written(fits.PrimaryHDU(), table, extension),
        "radio.fits": written(fits.PrimaryHDU(IMAGE[None, None].astype(np.float32))),
        "a.fits.gz": gzip.compress(plain),
        "a.fits.bz2": bz2.compress(plain),
    }
    for kind in ("RICE_1", "GZIP_1", "PLIO_1", "HCOMPRESS_1"):
        tiles = fits.CompImageHDU(whole, compression_type=kind, tile_shape=(10, 30))
        found[f"{kind}.fits.fz"] = written(fits.PrimaryHDU(), tiles)
    return found


def meshes() -> dict[str, bytes]:
    import trimesh

    box = trimesh.Trimesh(CORNERS, trimesh.convex.convex_hull(CORNERS).faces, process=False)
    found: dict[str, bytes] = {}
    kinds = (("off", {}), ("obj", {}), ("stl", {}), ("ply", {}), ("ply", {"encoding": "ascii"}))
    for kind, options in kinds:
        made = box.export(file_type=kind, **options)
        content = made if isinstance(made, bytes) else made.encode()
        found["".join((*options.values(), f"box.{kind}"))] = content
    found["ascii.stl"] = box.export(file_type="stl_ascii").encode()
    cloud = trimesh.PointCloud(CORNERS).export(file_type="ply")
    found["cloud.ply"] = cloud if isinstance(cloud, bytes) else cloud.encode()
    for name, arrays in (
        ("mesh.npz", {"vertices": np.asarray(box.vertices), "faces": np.asarray(box.faces)}),
        ("cloud.npz", {"points": CORNERS}),
        ("grid.npz", {"voxels": np.pad(np.ones((3, 3, 3)), 2)}),
    ):
        stream = io.BytesIO()
        np.savez(stream, **arrays)
        found[name] = stream.getvalue()
    return found


def _made(numbers: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    images = np.array(numbers, np.float32)[:, None, None, None] + np.zeros((1, 1, 4, 4), np.float32)
    return images, np.array(numbers) % 3


def shards(folder: Path) -> dict[str, bytes]:
    """The files of a set of ten images."""
    shutil.rmtree(folder, ignore_errors=True)
    names = ("no", "cdm", "axion")
    write_shards(folder, _made, 10, {"seed": 0}, classes=names, shard_size=4, progress=False)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
