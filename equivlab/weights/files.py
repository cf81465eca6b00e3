"""Weights on disk: safetensors only, written whole or not at all, refused with a reason."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

__all__ = [
    "bare_names",
    "check_shapes",
    "load",
    "read_header",
    "read_tensors",
    "remove_drafts",
    "save",
    "shapes_of",
    "write_tensors",
]

PICKLES = (b"PK\x03\x04", b"\x80")  # torch.save, new and old

Shapes = dict[str, tuple[int, ...]]


def save(model: nn.Module, path: str | os.PathLike[str]) -> Path:
    """Write the `state_dict` of `model` as a safetensors file.

    The file is written beside `path` and moved there when it is complete, so a kill or a full
    disk leaves what was there before. Where `path` is a link, what it points to is replaced. A
    compiled or parallel model is saved under the names of the model inside.

    Returns:
        The path written.

    Raises:
        OSError: it could not be written; an older file is untouched.
        ValueError: a model on the meta device, which has no numbers.
    """
    return write_tensors(
        model.state_dict(), path, {"format": "equivlab", "model": _inner_name(model)}
    )


def load(model: nn.Module, path: str | os.PathLike[str]) -> nn.Module:
    """Read a file written by `save` into `model`, and return the model.

    The names that `torch.compile` (``_orig_mod.``) and parallel training (``module.``) put in
    front are looked through, in the file and in the model.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is cut short, no safetensors file, or of another model, or the model is on
            the meta device; the model is untouched.
    """
    given, _ = read_header(path)
    own = model.state_dict()
    check_shapes(path, shapes_of(own), given)
    if any(value.is_meta for value in own.values()):
        raise ValueError(
            f"The model is on the meta device, where it cannot take the numbers of {path}. Build "
            "it on a real one."
        )
    found, _ = read_tensors(path)
    values = {bare: found[name] for name, bare in bare_names(found).items()}
    model.load_state_dict({name: values[bare] for name, bare in bare_names(own).items()})
    return model


def bare_names(names: Iterable[str]) -> dict[str, str]:
    """Each name without what `torch.compile` and parallel training put in front of it.

    >>> bare_names(["module._orig_mod.fc.weight", "module._orig_mod.fc.bias"])
    {'module._orig_mod.fc.weight': 'fc.weight', 'module._orig_mod.fc.bias': 'fc.bias'}
    """
    bare = {name: re.sub(r"(^|\.)_orig_mod\.", r"\1", name) for name in names}
    while bare and all(name.startswith("module.") for name in bare.values()):
        bare = {name: short.removeprefix("module.") for name, short in bare.items()}
    return bare


def shapes_of(tensors: Mapping[str, Tensor]) -> Shapes:
    """The shape of each tensor."""
    return {name: tuple(value.shape) for name, value in tensors.items()}


def check_shapes(path: str | os.PathLike[str], wanted: Shapes, given: Shapes) -> None:
    """Raise `ValueError` unless a file has the tensors that a model wants, by their bare names."""
    wanted = {bare: wanted[name] for name, bare in bare_names(wanted).items()}
    given = {bare: given[name] for name, bare in bare_names(given).items()}
    if wanted != given:
        raise ValueError(_other_model(Path(path), wanted, given))


def write_tensors(
    tensors: Mapping[str, Tensor], path: str | os.PathLike[str], notes: Mapping[str, str]
) -> Path:
    """Write named tensors and notes as one safetensors file, whole or not at all."""
    path = Path(path)
    if any(value.is_meta for value in tensors.values()):
        raise ValueError(f"Tensors on the meta device have no numbers to write to {path}.")
    bare = bare_names(tensors)
    copies = {  # none shares memory
        bare[name]: value.detach().cpu().contiguous().clone() for name, value in tensors.items()
    }
    content = to_bytes(copies, metadata=dict(notes))
    target = Path(os.path.realpath(path))
    temporary = target.parent / f"{_draft_of(target)}{secrets.token_hex(8)}.part"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # What umask leaves of these permissions, as `open` does it.
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise OSError(
            error.errno,
            f"Could not write {len(content):,} bytes to {path}: {error.strerror}. What was there "
            "before is untouched. Free some space, or give another path.",
        ) from error
    return path


def remove_drafts(path: str | os.PathLike[str]) -> None:
    """Remove what a kill left while `path` was written; nobody else may be writing it."""
    target = Path(os.path.realpath(path))
    for draft in target.parent.glob(f"{glob.escape(_draft_of(target))}*.part"):
        draft.unlink(missing_ok=True)


def _draft_of(target: Path) -> str:
    """How the names of files begin that will take the place of `target`."""
    return f".{target.name[:100]}-"  # of 255 letters at most


def read_header(path: str | os.PathLike[str]) -> tuple[Shapes, dict[str, str]]:
    """Shapes and notes of a safetensors file; its numbers stay on the disk.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is a pickle, cut short, or no safetensors file.
    """
    with _opened(path) as archive:
        shapes = {name: tuple(archive.get_slice(name).get_shape()) for name in archive.keys()}  # noqa: SIM118
        return shapes, archive.metadata() or {}


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Named tensors and notes of a safetensors file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is a pickle, cut short, or no safetensors file.
    """
    with _opened(path) as archive:
        tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
        return tensors, archive.metadata() or {}


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no weights file {path}. Write one: save(model, path)")
    try:
        with safe_open(path, framework="pt") as archive:
            yield archive
    except (SafetensorError, ValueError, OSError) as error:
        raise ValueError(_not_ours(path)) from error


def _not_ours(path: Path) -> str:
    with path.open("rb") as stream:
        start = stream.read(9)
    if start.startswith(PICKLES):
        return (
            f"{path} is a pickle (torch.save), which can run code when it is opened. Where you "
            "trust it: model.load_state_dict(torch.load(path, weights_only=True)), then "
            "save(model, path) once."
        )
    header = int.from_bytes(start[:8], "little")
    if len(start) < 9 or (start[8:9] == b"{" and header < 100_000_000):
        return (
            f"{path} is cut short: {path.stat().st_size:,} bytes of a safetensors file. Copy or "
            "download it again."
        )
    return f"{path} is no safetensors file. Write weights with save(model, path)."


def _inner_name(model: nn.Module) -> str:
    """The class of the model inside a compiled or parallel one."""
    while isinstance(
        inner := getattr(model, "_orig_mod", getattr(model, "module", None)), nn.Module
    ):
        model = inner
    return type(model).__name__


def _other_model(path: Path, wanted: Shapes, given: Shapes) -> str:
    missing = [name for name in wanted if name not in given]
    extra = [name for name in given if name not in wanted]
    other = [
        f"{name} {given[name]} instead of {wanted[name]}"
        for name in wanted
        if name in given and given[name] != wanted[name]
    ]
    parts = [
        f"{word} {', '.join(names[:3])}{' …' if len(names) > 3 else ''}"
        for word, names in (("lacks", missing), ("also has", extra), ("has", other))
        if names
    ]
    return (
        f"{path} holds the weights of another model: it {'; '.join(parts)}. Build the model with "
        "the group, widths and kernel sizes that it was saved with; it is untouched."
    )
