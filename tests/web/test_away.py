"""The page that proxies show while the daemon does not answer: made from the others, and in need of nothing."""

import re

from identity.web.pages.away import FILE, page


def test_the_file_is_the_page() -> None:
    """The words and the look of all pages change; this one must not stay behind."""
    assert FILE.read_bytes() == page(), "run `python -m identity.web.pages.away`"


def test_it_loads_nothing_and_needs_no_script() -> None:
    """What it would load is away as well, and a script would be one that no policy allows."""
    text = page().decode()

    assert not re.search(r"<script|<img|<iframe|<link(?! rel=\"icon\" href=\"data:)|\bsrc=|url\(|@import", text)
    assert not re.search(r'href="(?!data:)', text)
    assert '<meta http-equiv="refresh" content="10">' in text
    assert '<meta name="color-scheme" content="light dark">' in text
    assert "prefers-color-scheme" in text or "light-dark(" in text
