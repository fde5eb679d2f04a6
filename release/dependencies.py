"""What the wheel of identityd asks for: the locked libraries, those that were tested and no others.

hatchling runs this file by itself, so it imports nothing of ours.
"""

import re
from pathlib import Path
from typing import Any, Final

from hatchling.metadata.plugin.interface import MetadataHookInterface

_PINNED: Final = re.compile(r"^([A-Za-z0-9._-]+==\S+)(?: ; ([^\\\n]+?))? \\$", re.MULTILINE)


def pinned(lock: str) -> list[str]:
    """Return the requirements of a lock, with their markers and without their hashes."""
    return [f"{name}; {marker}" if marker else name for name, marker in _PINNED.findall(lock)]


class Dependencies(MetadataHookInterface):  # type: ignore[misc]  # hatchling is not in the daemon's environment
    """Puts them into the metadata."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the dependencies."""
        metadata["dependencies"] = pinned((Path(self.root) / "requirements" / "run.txt").read_text())
