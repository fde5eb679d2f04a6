"""What identityd answers, and what something else in its place might: for every client in examples/."""

import json
from collections.abc import Callable
from typing import Any, Final

from identity.sessions.cookie import Names
from identity.types import TokenId
from identity.web.state.context import CookieNames
from tests.support.origin import Answer, Asked

ADA: dict[str, Any] = {"id": "7d1c", "name": "ada", "session": "s" * 22, "auth_time": 1_800_000_000}
ADA |= {"idle_ends_at": 1_800_003_600, "absolute_ends_at": 1_802_592_000}
COOKIES: Final = [f"__Host-idd-new{number}=x; Path=/; Secure; HttpOnly; SameSite=Lax" for number in range(4)]
OK: Final = {"verdict": "ok", "reason": "current", "user": ADA, "set_cookie": [], "location": None}
LOGIN: Final = {"verdict": "login", "reason": "anonymous", "user": None, "set_cookie": [], "location": None}
BOUNCE: Final = {
    **LOGIN,
    "verdict": "bounce",
    "reason": "stale",
    "location": "https://wiki.example/?identityd-bounced=1",
}


def said(answer: object, status: int = 200, **headers: str) -> Answer:
    """Return an answer of identityd."""
    lines = [("Content-Type", "application/json"), *((k.replace("_", "-"), v) for k, v in headers.items())]
    return Answer(status, lines, json.dumps(answer).encode())


def always(answer: Answer) -> Callable[[Asked], Answer]:
    """Return what answers so whatever is asked."""
    return lambda _: answer


def changed(**changes: Any) -> Answer:  # noqa: ANN401 - anything that JSON holds
    """Return a pass in which something is not as documented."""
    return said({**OK, **changes})


HOSTILE: Final = {
    "oversized": Answer(body=json.dumps(OK).encode() + b" " * (2 << 20)),
    "slow": Answer(headers=[("Connection", "close")], body=b"{", dribble=True),
    "reset": Answer(reset=True),
    "no JSON": Answer(body=b"<html>ok</html>"),
    "another JSON": Answer(body=b'["ok"]'),
    "deep JSON": Answer(body=b"[" * 200_000),
    "empty": Answer(body=b""),
    "cut off": Answer(headers=[("Content-Length", "9999"), ("Connection", "close")], body=json.dumps(OK).encode()[:40]),
    "another status": said(OK, 500),
    "a refusal that says ok": said(OK, 403),
    "an unknown verdict": changed(verdict="sure"),
    "a verdict that is none": changed(verdict=["ok"]),
    "no reason": changed(reason=None),
    "nobody": changed(user=None),
    "a user without an id": changed(user={**ADA, "id": None}),
    "a time that is none": changed(user={**ADA, "auth_time": "now"}),
    "a name with a line end": changed(user={**ADA, "name": "ada\nX-Admin: 1"}),
    "five cookies": changed(set_cookie=[*COOKIES, COOKIES[0]]),
    "a cookie with a line end": changed(set_cookie=["a=b\r\nX-Admin: 1"]),
    "a cookie that is none": changed(set_cookie=[7]),
    "cookies that are text": changed(set_cookie="a=b"),
    "a location with a line end": said({**LOGIN, "location": "https://x/\r\nX: 1"}),
    "a bounce to nowhere": said({**BOUNCE, "location": None}),
    "a bounce to a script": said({**BOUNCE, "location": "javascript:alert(1)"}),
    "a login at a script": said({**LOGIN, "location": "javascript:alert(1)"}),
    "another secret": said({"error": "client", "message": "…"}, 401),
    "a page of a proxy": Answer(502, [("Content-Type", "text/html")], b"<h1>Bad gateway</h1>"),
}


def every_name() -> list[str]:
    """Return a name of each kind of cookie that identityd sets, on https and on plain http."""
    found = []
    for secure in (True, False):
        session, login = Names(secure=secure, port=8887), CookieNames(secure=secure, port=8887)
        found += [session.of(TokenId(b"12345678")), session.marker, login.last_provider]
        found += [login.flow("state123"), login.sign_up("refer123"), login.start("secret12")]
    return found
