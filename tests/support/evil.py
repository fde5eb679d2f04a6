"""The corpus of addresses that look like one of ours and are not (THREATS 33), and how a browser reads them."""

from typing import Final
from urllib.parse import parse_qs, urljoin, urlsplit

from tests.support.browser import Reply

EVIL: Final = (
    "//evil.example",
    "///evil.example",
    "////evil.example/",
    "/\\evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/%09/evil.example",
    "/%5cevil.example",
    "/%2f/evil.example",
    "/%2fevil.example",
    "/%252f%252fevil.example",
    "/..//evil.example",
    "/.//evil.example",
    "/x/..;//evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https://evil.example",
    "https:///evil.example",
    "http://evil.example",
    "HTTPS://evil.example",
    "https://login.example@evil.example",
    "https://login.example:443@evil.example",
    "https://login.example.evil.example",
    "https://login.example%2eevil.example",
    "https://login.example%00.evil.example",
    "https://login.example\\@evil.example",
    "https://[::1]/",
    "https://[::ffff:198.51.100.1]/",
    "//login.example@evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    ".evil.example",
    "@evil.example",
    "%2f%2fevil.example",
    "/\u2028/evil.example",
    "\uff0f\uff0fevil.example",
    "https://login。example/",
    "x" * 5_000,
)
OWN: Final = "https://login.example"


def lands_at_home(location: str, *, home: str = OWN) -> bool:
    """Resolve as a browser does (WHATWG URL): tabs and line ends out, backslashes are slashes."""
    seen = location.strip(" \t\r\n").translate({9: None, 10: None, 13: None}).replace("\\", "/")
    if seen.startswith("///"):
        return False
    target = urlsplit(urljoin(f"{home}/page", seen))
    return f"{target.scheme}://{target.netloc}" == home


def assert_home(reply: Reply) -> None:
    for address in (*reply.all("Location"), *reply.all("X-Identity-Location")):
        assert lands_at_home(address), address
        for nested in ("return_to", "then"):
            for inner in parse_qs(urlsplit(address).query).get(nested, []):
                assert lands_at_home(inner), address
