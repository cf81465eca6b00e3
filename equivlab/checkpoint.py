"""Weights on disk: safetensors only, written whole or not at all, refused with a reason."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

__all__ = ["load", "read_tensors", "save", "write_tensors"]

PICKLES = (b"PK\x03\x04", b"\x80")  # torch.save, new and old


def save(model: nn.Module, path: str | os.PathLike[str]) -> Path:
    """Write the `state_dict` of `model` as a safetensors file.

    The file is written beside `path` and moved there when it is complete, so a kill or a full
    disk leaves what was there before.

    Returns:
        The path written.

    Raises:
        OSError: it could not be written; an older file is untouched.
    """
    state = {name: value.detach().contiguous() for name, value in model.state_dict().items()}
    return write_tensors(state, path, {"format": "equivlab", "model": type(model).__name__})


def load(model: nn.Module, path: str | os.PathLike[str]) -> nn.Module:
    """Read a file written by `save` into `model`, and return the model.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is cut short, no safetensors file, or of another model; the model is
            untouched.
    """
    found, _ = read_tensors(path)
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in found.items()}
    if wanted != given:
        raise ValueError(_other_model(Path(path), wanted, given))
    model.load_state_dict(found)
    return model


def write_tensors(
    tensors: Mapping[str, Tensor], path: str | os.PathLike[str], notes: Mapping[str, str]
) -> Path:
    """Write named tensors and notes as one safetensors file, whole or not at all."""
    path = Path(path)
    copies = {name: value.cpu().clone() for name, value in tensors.items()}  # none shares memory
    content = to_bytes(copies, metadata=dict(notes))
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise OSError(
            error.errno,
            f"Could not write {len(content):,} bytes to {path}: {error.strerror}. What was there "
            "before is untouched. Free some space, or give another path.",
        ) from error
    return path


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Named tensors and notes of a safetensors file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is a pickle, cut short, or no safetensors file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no weights file {path}. Write one: save(model, path)")
    try:
        with safe_open(path, framework="pt") as archive:
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
            return tensors, archive.metadata() or {}
    except (SafetensorError, ValueError, OSError) as error:
        raise ValueError(_not_ours(path)) from error


def _not_ours(path: Path) -> str:
    content = path.read_bytes()
    if content.startswith(PICKLES):
        return (
            f"{path} is a pickle (torch.save), which can run code when it is opened. Where you "
            "trust it: model.load_state_dict(torch.load(path, weights_only=True)), then "
            "save(model, path) once."
        )
    header = int.from_bytes(content[:8], "little")
    if len(content) < 9 or (content[8:9] == b"{" and header < 100_000_000):
        return (
            f"{path} is cut short: {len(content):,} bytes of a safetensors file. Copy or "
            "download it again."
        )
    return f"{path} is no safetensors file. Write weights with save(model, path)."


def _other_model(
    path: Path, wanted: dict[str, tuple[int, ...]], given: dict[str, tuple[int, ...]]
) -> str:
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
