"""What a browser says about who asks: a person opening a page, or a script, a frame, an image.

Pure. Browsers write the `Sec-` headers themselves and let no script touch them (W3C Fetch Metadata),
so they tell our own pages apart from an application's scripts on the same host, which share the
origin, the cookies and every other right with us. What is not sent proves nothing: browsers before
2023 and programs send none of it.

    a page is refused where the request says        | who says so
    ------------------------------------------------+-----------------------------------------------
    `Sec-Fetch-Dest` other than `document`          | `fetch`, `iframe`, `img`, `object`, a worker, a
                                                    | service worker that hands a page load on
    `Sec-Fetch-Mode` other than `navigate`          | the same, in browsers without the former
    `Service-Worker-Navigation-Preload`             | a page load whose answer a service worker reads
"""

import re
from collections.abc import Mapping
from typing import Final

VARY: Final = "Sec-Fetch-Dest, Sec-Fetch-Mode, Service-Worker-Navigation-Preload"
"""On every page: otherwise `fetch` with `only-if-cached` reads, unasked, the copy a person's visit left."""
_PRELOAD: Final = "Service-Worker-Navigation-Preload"
_CHROMIUM: Final = re.compile(r'"Chromium";v="([0-9]{1,4})"')
_KNOWS_NOOPENER: Final = 140
"""Chromium's since 131; a browser that does not know the word would not isolate the page at all."""


def is_page_load(headers: Mapping[str, str]) -> bool:
    """Tell whether the answer becomes a page of its own that no script reads, as far as the browser says."""
    return (
        headers.get("Sec-Fetch-Dest", "document") == "document"
        and headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
        and _PRELOAD not in headers
    )


def opener_policy(headers: Mapping[str, str]) -> str:
    """Return the `Cross-Origin-Opener-Policy` that keeps our pages from the window that opened them.

    With `same-origin` a page of our own host still reads ours if it says `same-origin` too, which an
    application can. `noopener-allow-popups` parts them whatever the other says.
    """
    found = _CHROMIUM.search(headers.get("Sec-CH-UA", ""))
    return "noopener-allow-popups" if found and int(found[1]) >= _KNOWS_NOOPENER else "same-origin"
