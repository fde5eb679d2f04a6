"""Requests that load a page and requests that do not, for everything that must tell them apart alike."""

from typing import Final

FIREFOX: Final = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
LOADS: Final[tuple[tuple[str, dict[str, str], bool], ...]] = (
    ("GET", {}, True),
    ("HEAD", {}, True),
    ("GET", {"Sec-Fetch-Mode": "navigate"}, True),
    ("POST", {"Sec-Fetch-Mode": "navigate", "Accept": "*/*"}, True),
    ("GET", {"Sec-Fetch-Mode": "navigate", "Sec-WebSocket-Version": "13"}, False),
    ("GET", {"Sec-Fetch-Mode": "cors", "Accept": FIREFOX}, False),
    ("GET", {"Sec-Fetch-Mode": ""}, False),
    ("GET", {"Sec-WebSocket-Version": "13"}, False),
    ("GET", {"Accept": FIREFOX}, True),
    ("GET", {"Accept": "TEXT/HTML"}, True),
    ("GET", {"Accept": "application/xhtml+xml"}, True),
    ("GET", {"Accept": "image/png , text/html ; q=0.5"}, True),
    ("GET", {"Accept": FIREFOX, "Sec-Fetch-Dest": "document"}, True),
    ("GET", {"Accept": FIREFOX, "Sec-Fetch-Dest": "iframe"}, True),
    ("GET", {"Accept": FIREFOX, "Sec-Fetch-Dest": "empty"}, False),
    ("GET", {"Sec-Fetch-Dest": "image"}, False),
    ("POST", {"Accept": FIREFOX}, False),
    ("POST", {}, False),
    *((method, {}, False) for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "get", "")),
    ("GET", {"Accept": FIREFOX, "X-Requested-With": "XMLHttpRequest"}, False),
    ("GET", {"X-Requested-With": "xmlhttprequest"}, False),
    ("GET", {"X-Requested-With": "fetch"}, False),
    ("GET", {"Accept": FIREFOX, "X-Requested-With": "org.example.browser"}, True),
    ("GET", {"Accept": "*/*"}, False),
    ("GET", {"Accept": "application/json, text/plain, */*"}, False),
    ("GET", {"Accept": "image/webp,image/avif,*/*;q=0.5"}, False),
    ("GET", {"Accept": "text/css,*/*;q=0.1"}, False),
    ("GET", {"Accept": "text/*"}, False),
    ("GET", {"Accept": "text/htmlx"}, False),
    ("GET", {"Accept": "text/html;q=0, application/json"}, False),
    ("GET", {"Accept": "text/html; q=0.000"}, False),
    ("GET", {"Accept": "text/event-stream"}, False),
    ("GET", {"Accept": "text/event-stream, text/html"}, False),
    ("GET", {"Accept": " "}, True),
)
"""Method, headers, and whether a page is being loaded."""
_COMMON: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ASKED: Final = tuple(each for each in LOADS if each[0] in _COMMON and "Sec-WebSocket-Version" not in each[1])
"""Those that a server hands on as they are, handshakes aside."""
