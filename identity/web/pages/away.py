"""The page that a proxy shows while the daemon does not answer: one file, in the look and words of all pages.

Run as `python -m identity.web.pages.away` to write examples/away.html anew. Invariant: the file loads nothing and
needs no script, because nothing of ours answers while it is shown.
"""

from pathlib import Path
from typing import Final

from identity.web.pages.rendering import Pages

FILE: Final = Path(__file__).parents[3] / "examples" / "away.html"


def page() -> bytes:
    """Return the page."""
    return Pages(clock=lambda: 0).away()


if __name__ == "__main__":
    FILE.write_bytes(page())
