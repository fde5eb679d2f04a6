"""Whatever is sent, the answer is never a 500: hypothesis over cookies, headers, bodies and addresses.

The daemon is real, with logins. A 500 also fails the test through the log, which then has an
ERROR that nobody expected.
"""

import json
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import quote, quote_from_bytes

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.browser import Reply
from tests.support.guards import Expectation
from tests.support.logins import LoginSite, Visitor, form_of
from tests.support.web import LOCAL, basic, forwarded, raw

EXAMPLES: Final = settings(max_examples=60)
WORDS: Final = st.sampled_from(
    ["", "\0", "\r", "\n", "a", "=", ";", ",", '"', "%", "%00", "%ff", "é", "\u2028", "\ud800", "../", "//", "A" * 300]
)
TEXT: Final = st.lists(WORDS | st.text(max_size=8), max_size=6).map("".join)
LINE: Final = st.binary(max_size=200).map(lambda b: bytes(c for c in b if c not in b"\r\n\0"))
NAMES: Final = st.sampled_from(
    ["code", "state", "error", "error_description", "iss", "s", "username", "csrf", "session", "return_to", "then", "x"]
)


@pytest.fixture(scope="module")
def site() -> Iterator[LoginSite]:
    """Give a daemon people can log in to, and one who did."""
    with LoginSite(trusted=(LOCAL,)) as running:
        yield running


@pytest.fixture(scope="module")
def ada(site: LoginSite) -> Visitor:
    """Give the browser of somebody who is logged in."""
    browser = site.browser()
    browser.sign_up("ada")
    return browser


@pytest.fixture(autouse=True)
def _a_provider_may_fail(expect_log: Callable[..., Expectation]) -> None:
    """Permit what is logged when a provider does not know a code: that is its trouble, and a 502."""
    expect_log("identity.web", "callback: provider$", required=False)


def _send(port: int, method: str, path: bytes, headers: dict[str, bytes], body: bytes = b"") -> int:
    lines = [f"{method} ".encode() + path + b" HTTP/1.1", b"Connection: close", f"Content-Length: {len(body)}".encode()]
    lines += [name.encode() + b": " + value for name, value in headers.items()]
    answer = raw(port, b"\r\n".join(lines) + b"\r\n\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 ")
    return int(answer[9:12])


def _cookies(browser: Visitor) -> dict[str, bytes]:
    return {"Cookie": browser.jar.header["Cookie"].encode()}


HOST: Final = {"Host": b"login.example"}


@EXAMPLES
@given(line=LINE, cut=st.integers(0, 250), at=st.integers(0, 250))
def test_any_cookie_header_is_answered(site: LoginSite, ada: Visitor, line: bytes, cut: int, at: int) -> None:
    """Otherwise a broken cookie locks its browser out of every page."""
    own = _cookies(ada)["Cookie"]
    mutated = own[:at] + line + own[at + cut :]
    proxied = {name: value.encode() for name, value in forwarded(host="login.example").items()}
    for shown in (line, mutated, own + b"; " + line):
        assert _send(site.ports.public, "GET", b"/account", {**HOST, "Cookie": shown}) < 500
        assert _send(site.ports.internal, "GET", b"/auth", {**HOST, **proxied, "Cookie": shown}) < 500


HEADERS: Final = st.sampled_from(
    [
        "X-Forwarded-Method",
        "X-Forwarded-Uri",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-For",
        "X-Request-Id",
        "Authorization",
        "Origin",
        "Referer",
        "User-Agent",
        "Accept",
        "Content-Type",
        "Content-Encoding",
        "Expect",
        "If-None-Match",
        "If-Modified-Since",
        "Range",
        "Sec-Fetch-Mode",
        "Sec-Fetch-Site",
        "Sec-Fetch-Dest",
        "Sec-Purpose",
        "Sec-WebSocket-Version",
        "Upgrade",
        "TE",
        "Host",
    ]
)
METHODS: Final = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "get", "x-1"])
ADDRESSES: Final = ("/", "/login", "/login/github", "/login/github/callback", "/welcome", "/account", "/logout")


@EXAMPLES
@given(headers=st.dictionaries(HEADERS, LINE | TEXT.map(lambda t: quote(t, errors="replace").encode())), method=METHODS)
@example(headers={"Host": b"["}, method="GET")
@example(headers={"X-Forwarded-Uri": b'/\xff\xfe?\\#"'}, method="GET")
@example(headers={"X-Forwarded-Host": b"[::1]:99999"}, method="GET")
def test_any_header_is_answered(site: LoginSite, ada: Visitor, headers: dict[str, bytes], method: str) -> None:
    """Otherwise an odd proxy, browser or scanner fills the log with our errors."""
    proxied = {name: value.encode() for name, value in forwarded(host="login.example").items()}
    for path in (b"/auth", b"/auth?redirect=1", b"/session/check", b"/readyz"):
        given_headers = {**HOST, **proxied, **_cookies(ada), **headers}
        assert _send(site.ports.internal, method, path, given_headers) < 500
    for address in ADDRESSES:
        assert _send(site.ports.public, method, address.encode(), {**HOST, **_cookies(ada), **headers}) < 500


JSON: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXT
    | st.sampled_from(["https://login.example/", "browser"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
FIELDS: Final = st.sampled_from(
    ["cookie", "url", "method", "mode", "navigation", "prefetch", "background", "address", "agent", "checks", "x"]
)


def _ask(site: LoginSite, path: str, body: bytes) -> Reply:
    headers = {"Content-Type": "application/json", **basic()}
    return site.internal("POST", path, headers=headers, body=body)


@EXAMPLES
@given(fields=st.dictionaries(FIELDS, JSON), url=TEXT, navigation=st.booleans())
def test_any_json_is_answered(site: LoginSite, fields: dict[str, object], url: str, navigation: bool) -> None:  # noqa: FBT001, hypothesis names it
    """Otherwise an application's mistake looks like ours, and nobody finds it."""
    likely = {"url": f"https://login.example/{url}", "navigation": navigation, **fields}
    for body in (fields, likely, {"checks": [fields, likely]}, {"checks": fields}):
        for path in ("/session/check", "/session/check-many"):
            reply = _ask(site, path, json.dumps(body).encode())

            assert reply.status < 500
            assert isinstance(reply.json(), dict)


@EXAMPLES
@given(body=st.binary(max_size=100))
@example(body=b'"\xed\xa0\x80"')
@example(body=b'{"a":' * 20_000)
def test_any_bytes_for_json_are_answered(site: LoginSite, body: bytes) -> None:
    """Otherwise a client with the wrong encoding gets a 500."""
    for path in ("/session/check", "/session/check-many"):
        assert _ask(site, path, body).status == 400


@EXAMPLES
@given(params=st.lists(st.tuples(NAMES, st.binary(max_size=40) | TEXT.map(lambda t: t.encode(errors="replace")))))
def test_any_callback_is_answered(site: LoginSite, params: list[tuple[str, bytes]]) -> None:
    """Otherwise a provider's odd answer, or a stranger's, is an error of ours."""
    browser = site.browser()
    state = browser.begin()
    query = "&".join(f"{name}={quote_from_bytes(value)}" for name, value in params)
    headers = {**HOST, **_cookies(browser)}
    for asked in (query, f"state={state}&{query}"):
        path = f"/login/github/callback?{asked}".encode()
        # A provider that does not know the code is 502: its fault, not ours.
        assert _send(site.ports.public, "GET", path, headers) in {*range(200, 500), 502}


FORMS: Final = ("/welcome", "/logout", "/account/sessions/end", "/account/sessions/end-all")


@EXAMPLES
@given(params=st.lists(st.tuples(NAMES, st.binary(max_size=40))), rest=st.binary(max_size=40), honest=st.booleans())
def test_any_form_is_answered(
    site: LoginSite,
    params: list[tuple[str, bytes]],
    rest: bytes,
    honest: bool,  # noqa: FBT001, hypothesis names it
) -> None:
    """Otherwise a browser extension that fills forms oddly shows people an error page."""
    browser = site.browser()
    browser.log_in("ada")
    token = form_of(browser.get("/logout"))["csrf"] if honest else "x"
    body = "&".join([f"csrf={token}", *(f"{name}={quote_from_bytes(value)}" for name, value in params)]).encode()
    headers = {
        **HOST,
        **_cookies(browser),
        "Content-Type": b"application/x-www-form-urlencoded",
        "Origin": b"https://login.example",
    }
    for path in FORMS:
        assert _send(site.ports.public, "POST", path.encode(), headers, body + rest) < 500


@EXAMPLES
@given(path=st.binary(max_size=60).map(lambda b: bytes(c for c in b if c > 0x20)), query=LINE)
@example(path=b"login/", query=b'\\"\xff')
@example(path=b"login/github/callback//", query=b"\xff#")
@example(path=b"account/", query=b"")
def test_any_address_is_answered(site: LoginSite, path: bytes, query: bytes) -> None:
    """Otherwise a scanner's address is our error."""
    asked = b"/" + path + b"?" + query.replace(b" ", b"")
    for port in (site.ports.public, site.ports.internal):
        assert _send(port, "GET", asked, HOST) < 500
