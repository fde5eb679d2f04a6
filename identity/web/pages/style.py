"""The stylesheet as it is served: its bytes, and an address that changes when they do."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

PATH: Final = "/.identityd/style.css"


@dataclass(frozen=True, slots=True)
class Stylesheet:
    """One CSS file. `version` is a hash of its content, so that it may be cached for ever."""

    body: bytes
    version: str

    @property
    def url(self) -> str:
        """Return the address pages link to."""
        return f"{PATH}?v={self.version}"


def _read() -> Stylesheet:
    body = Path(__file__).with_name("style.css").read_bytes()
    return Stylesheet(body, sha256(body).hexdigest()[:16])


STYLESHEET: Final = _read()
