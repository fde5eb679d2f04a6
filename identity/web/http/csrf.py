"""Form tokens: proof that a form was sent by our own page in this browser.

Pure but for the key ring it is given. A token is a keyed hash of what binds the page to its
browser: the session id on pages with a session, the binding cookie's value before there is one;
never a token id, which changes under an open page. Beside it every form is checked against
`Origin` and `Sec-Fetch-Site`, which need no state and stop a cross-site form even where a token
leaked.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Final

from identity.keyring import KeyRing, Purpose
from identity.types import Millis

FIELD: Final = "csrf"
_TOKEN_CHARS: Final = 23
_SAME_SITE: Final = frozenset({"same-origin", "none"})


def token(ring: KeyRing, binding: bytes, *, now: Millis) -> str:
    """Return the token to put into a page's forms."""
    number = ring.signing_number(now)
    return _encode(bytes([number]) + ring.mac(number, Purpose.CSRF, binding))


def proves(ring: KeyRing, binding: bytes, shown: str) -> bool:
    """Tell whether the token was made for this binding; in constant time."""
    number = _key_number(shown)
    if not binding or not ring.knows(number):
        return False
    expected = _encode(bytes([number]) + ring.mac(number, Purpose.CSRF, binding))
    return hmac.compare_digest(expected.encode(), shown.encode())


def from_own_site(headers: Mapping[str, str], *, origins: frozenset[str]) -> bool:
    """Tell whether a request comes from our own pages, as far as the browser says.

    `Sec-Fetch-Site` decides where it is sent; a browser without it sends `Origin` with a form.
    Neither is there for programs, which hold no person's cookies; their form token decides.
    """
    site = headers.get("Sec-Fetch-Site")
    if site is not None and site not in _SAME_SITE:
        return False
    origin = headers.get("Origin")
    return origin is None or origin in origins


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _key_number(shown: str) -> int:
    if len(shown) != _TOKEN_CHARS:
        return 0
    try:
        return base64.b64decode(shown.encode("ascii") + b"=", altchars=b"-_", validate=True)[0]
    except (UnicodeEncodeError, binascii.Error):
        return 0
