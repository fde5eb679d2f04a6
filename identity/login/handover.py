"""The addresses of the way from an application's host to the login host and back.

Pure. The way is `login` (there) → `continue` (here) → `start` (there); what travels in the
addresses is worth nothing without the cookie that `login` set. A way that has to wait until the person
has logged in goes back to `login` afterwards: by then its cookie may be gone, used up by another tab or too old.
"""

from typing import Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from identity.login.returning import CONTINUE, FRONT_PAGE, LONGEST, safe_path
from identity.types import Host

LOGIN: Final = "/.identityd/login"
START: Final = "/.identityd/start"
LOGOUT: Final = "/.identityd/logout"
ANEW: Final = "yes"
_PLAIN: Final = "/:?=,;@!$'()*~"
"""Left as they are in what a login page gets as an address within an address, so that it stays short."""


def login_path(return_to: str, *, reason: str = "") -> str:
    """Return where an application's host sends a browser that needs a session there; only to a path of it."""
    path = safe_path(return_to)
    return _with(LOGIN, plain="", return_to="" if path == FRONT_PAGE else path, reason=reason)


def continue_path(host: Host, challenge: str, path: str, *, reason: str = "", anew: str = "") -> str:
    """Return where the login host takes them on; a path that is too long becomes the front page.

    `anew` is `ANEW` where the application's host has our `login`; then the challenge may be left out.
    """
    place = _with(CONTINUE, host=host, start=challenge, path=path, reason=reason, anew=anew)
    return place if len(place) <= LONGEST else continue_path(host, challenge, FRONT_PAGE, reason=reason, anew=anew)


def start_url(origin: str, code: str, path: str = FRONT_PAGE) -> str:
    """Return where the code is redeemed; the path is for whom the code does not serve, to begin again."""
    return f"{origin}{_with(START, code=code, path='' if path == FRONT_PAGE else path)}"


def led_to(return_to: str) -> Host | None:
    """Return the host an address of ours leads on to, if it is the login host's part of this way."""
    parts = urlsplit(return_to)
    if parts.netloc or parts.path != CONTINUE:
        return None
    return Host(parse_qs(parts.query).get("host", [""])[0])


def _with(place: str, *, plain: str = _PLAIN, **values: str) -> str:
    told = {name: value for name, value in values.items() if value}
    return f"{place}?{urlencode(told, quote_via=quote, safe=plain)}" if told else place
