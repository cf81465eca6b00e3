"""README.md as PyPI shows it: what links into the repository says where that is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

# The text or picture in front, and what is not an address and no place on the page itself.
LINK = re.compile(r"(?P<picture>!?)(?P<text>\[[^\]\[]*\])\((?![a-z]+:|#)(?P<target>[^)\s]+)\)")


def absolute(readme: str, repository: str, version: str) -> str:
    """The same text with the addresses of pictures and files at the tag of this version."""

    def at_tag(link: re.Match[str]) -> str:
        kind = "raw" if link["picture"] else "blob"
        address = f"{repository}/{kind}/v{version}/{link['target']}"
        return f"{link['picture']}{link['text']}({address})"

    return LINK.sub(at_tag, readme)


class ReadmeHook(MetadataHookInterface):
    """What hatchling calls for the metadata that ``pyproject.toml`` calls dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the page."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        page = absolute(text, metadata["urls"]["Source"], metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": page}
