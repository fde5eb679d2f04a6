"""examples/python/identityd_guard.py: what the application sees, and what the browser gets, through WSGI and ASGI."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from identityd_guard import FORM_BYTES

from tests.examples.answers import BOUNCE, COOKIES, LOGIN, OK, always, every_name, said
from tests.examples.asking import Gate
from tests.support.browser import CALL, PAGE
from tests.support.guards import Expectation
from tests.support.loading import ASKED
from tests.support.memcached import free_port
from tests.support.origin import Answer, Origin

HANDSHAKE = [("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket"), ("Connection", "Upgrade")]
WITH_COOKIES = said({**OK, "set_cookie": COOKIES})


@pytest.fixture(params=["wsgi", "asgi"])
def gate(request: pytest.FixtureRequest) -> Iterator[Gate]:
    """Give both kinds in turn; identityd says ok."""
    with Origin(always(said(OK))) as origin:
        gate = Gate(request.param, origin)
        yield gate
        gate.close()


@pytest.fixture
def asgi() -> Iterator[Gate]:
    """Give an ASGI application."""
    with Origin(always(said(OK))) as origin:
        gate = Gate("asgi", origin)
        yield gate
        gate.close()


def test_the_application_hears_who_it_is(gate: Gate) -> None:
    """What a guard is for."""
    reply = gate.ask()

    assert (reply.status, reply.body) == (200, b"page")
    assert gate.app.seen[0]["user"].name == "ada"
    assert reply.all("Set-Cookie") == ["own1=1", "own2=2"]
    assert reply.all("Cache-Control") == ["max-age=60"]


def test_remote_user_is_the_guards_word() -> None:
    """Frameworks log in whoever stands there."""
    with Origin(always(said(OK))) as origin:
        gate = Gate("wsgi", origin, environ={"REMOTE_USER": "root"})
        gate.build(optional=["/"])
        gate.ask()
        gate.origin.answer = always(said(LOGIN))
        gate.ask("/")
        gate.close()

    assert [seen["environ"].get("REMOTE_USER") for seen in gate.app.seen] == ["ada", None]


@pytest.mark.parametrize(("told", "background"), [("no", True), ("yes", False), ("perhaps", None), (None, None)])
def test_a_page_that_polls_says_so(gate: Gate, told: str | None, background: bool | None) -> None:  # noqa: FBT001
    """Otherwise a tab that was left open keeps its session alive for weeks."""
    gate.ask(headers=[*CALL, *([("X-User-Activity", told)] if told else [])])

    assert gate.asked().get("background") is background


def test_the_question_is_the_browsers_request(gate: Gate) -> None:
    """Otherwise another request is judged than the one that is let through."""
    gate.ask("/a%C3%A9b?x=1&y=%2F", [*PAGE, ("Cookie", "a=b"), ("User-Agent", "Firefox")], method="POST", body=b"x")

    asked = gate.asked()
    assert asked["url"] == "http://wiki.example/a%C3%A9b?x=1&y=%2F"
    assert (asked["cookie"], asked["method"], asked["navigation"]) == (["a=b"], "POST", True)
    assert (asked["address"], asked["agent"]) == ("192.0.2.7", "Firefox")


@pytest.mark.parametrize(("method", "headers", "page"), ASKED)
def test_a_page_load_is_told_from_a_call_as_identityd_does(
    gate: Gate, method: str, headers: dict[str, str], *, page: bool
) -> None:
    """Otherwise the scripts of an older browser get the login page for data."""
    gate.ask(headers=list(headers.items()), method=method)

    assert gate.asked()["navigation"] is page


@pytest.mark.threat(58)
def test_an_answer_that_says_nothing_of_caching_is_asked_for_again(gate: Gate) -> None:
    """Otherwise a browser shows it after the logout; what nobody is asked for is the application's own affair."""
    gate.app.own = [("Last-Modified", "Sat, 01 Jan 2011 00:00:00 GMT")]
    gate.build(unguarded=["/static/*"])

    assert gate.ask().all("Cache-Control") == ["no-cache, private"]
    assert gate.ask("/static/x").all("Cache-Control") == []


def test_four_cookies_stand_beside_the_applications_own(gate: Gate) -> None:
    """Otherwise tokens are lost; and a cache hands one person's token to the next."""
    gate.origin.answer = always(WITH_COOKIES)

    page, call = gate.ask(), gate.ask(headers=CALL)

    for reply in (page, call):
        assert reply.all("Set-Cookie") == ["own1=1", "own2=2", *COOKIES]
    assert page.all("Cache-Control") == ["no-cache, private"]
    assert call.all("Cache-Control") == ["no-store"]


@pytest.mark.parametrize(
    "name",
    [
        *("X-Identity-User", "x-identity-user", "X_Identity_User", "X.Identity.User", "X-Identity_Id", "X-Identity-Z"),
        *("X-Identity-Email", "Remote-User", "remote_groups", "X-Auth-Request-User", "X_Auth.Request-Email"),
        *("X-Forwarded-User", "x-forwarded_groups", "X.Forwarded.Preferred-Username"),
    ],
)
def test_what_a_client_says_about_who_it_is_never_arrives(gate: Gate, name: str) -> None:
    """Otherwise anybody is anybody to an application that also reads the headers of a proxy."""
    gate.ask(headers=[*PAGE, (name, "root")])

    assert "root" not in gate.app.seen[0]["headers"].values()


@pytest.mark.parametrize(
    "cookie",
    [
        "__Host-idd-abc=x; own=1; __Host-iddm=y; idd8887-z=1; idds8887-1=2; other=2",
        "own=1; " + "".join(f"{name}=x; " for name in every_name()) + "other=2",
        "own=1; other=2; __Host-iddf-1=x",
        "__Host-idd-abc=x ;own=1;\t__Host-idd-abd = y; other=2",
        "__Host-idd-abc=x,own=3; own=1; other=2",
    ],
)
def test_our_cookies_do_not_reach_the_application(gate: Gate, cookie: str) -> None:
    """Tokens in an application's log are logins."""
    gate.ask(headers=[*PAGE, ("Cookie", cookie)])

    assert gate.app.seen[0]["headers"]["cookie"] == "own=1; other=2"


@pytest.mark.parametrize("piece", [" ", ";", ",", "; ", "idd1-=;", "idd1m", "__Host-idd"])
def test_a_long_header_is_cleaned_in_time(gate: Gate, piece: str) -> None:
    """Otherwise one request of 64 KB keeps a worker busy for minutes."""
    gate.ask(headers=[*PAGE, ("Cookie", "__Host-idd-a=b;" + piece * (60_000 // len(piece)) + "; own=1")])

    assert gate.app.seen[0]["headers"]["cookie"].endswith("own=1")


def test_a_jar_with_nothing_but_ours_leaves_no_header(gate: Gate) -> None:
    """Some frameworks stumble over an empty one."""
    gate.ask(headers=[*PAGE, ("Cookie", "__Host-idd-abc=x")])

    assert "cookie" not in gate.app.seen[0]["headers"]


def test_an_application_keeps_its_own_cookies_whatever_they_are_called(gate: Gate) -> None:
    """A guard that takes too much logs people out of the application."""
    gate.ask(headers=[*PAGE, ("Cookie", "iddqd=1; idd=2; my__Host-idd-a=3, 4")])

    assert gate.app.seen[0]["headers"]["cookie"] == "iddqd=1; idd=2; my__Host-idd-a=3, 4"


@pytest.mark.parametrize(
    ("answer", "status", "place"),
    [
        (said({**BOUNCE, "set_cookie": COOKIES}), 307, BOUNCE["location"]),
        (
            said({**LOGIN, "location": "https://wiki.example/.identityd/login"}),
            303,
            "https://wiki.example/.identityd/login",
        ),
        (said(LOGIN), 401, None),
        (said({**LOGIN, "verdict": "forbidden", "reason": "unknown-host"}, 403), 403, None),
        (said({**LOGIN, "verdict": "retry", "reason": "store-down"}, 503, Retry_After="7"), 503, None),
        (said({"error": "host", "message": "…"}, 400), 400, None),
        (Answer(502, body=b"<h1>Bad gateway</h1>"), 503, None),
    ],
)
def test_each_refusal_reads_the_body_and_never_asks_the_application(
    gate: Gate, answer: Answer, status: int, place: str | None
) -> None:
    """A browser sends a form again only if the first sending was read to its end."""
    gate.origin.answer = always(answer)

    reply = gate.ask(method="POST", body=b"x" * 100_000)

    assert (reply.status, reply.one("Location"), gate.left) == (status, place, 0)
    assert reply.one("Cache-Control") == "no-store"
    assert len(reply.all("Set-Cookie")) == (4 if status == 307 else 0)
    assert (reply.one("Retry-After") is not None) == (status == 503)
    assert gate.app.seen == []


def test_a_get_is_led_to_the_login_with_302(gate: Gate) -> None:
    """As everywhere else."""
    gate.origin.answer = always(said({**LOGIN, "location": "https://wiki.example/.identityd/login"}))

    assert gate.ask().status == 302


def test_a_call_gets_json_and_a_person_words(gate: Gate) -> None:
    """A script cannot read a sentence, a person no JSON."""
    gate.origin.answer = always(said({**LOGIN, "verdict": "retry", "reason": "store-down"}, 503))

    assert gate.ask(headers=CALL).json()["error"] == "store-down"
    assert "You are still logged in" in gate.ask().body.decode()
    assert gate.ask(method="HEAD").body == b""


def test_a_wrong_secret_is_503(gate: Gate, expect_log: Callable[..., Expectation]) -> None:
    """A slip in a setting must not look like a logout."""
    gate.origin.answer = always(said({"error": "client", "message": "…"}, 401))

    with expect_log("identityd_client", "401 client"):
        assert gate.ask().status == 503


def test_optional_paths_are_open_to_nobody_in_particular(gate: Gate) -> None:
    """A public wiki shows who is there and asks nobody to log in; a cookie is still cleaned."""
    gate.build(optional=["/", "/docs/*"])
    gate.origin.answer = always(said({**LOGIN, "set_cookie": COOKIES[:1]}))

    for path in ("/", "/docs/a"):
        reply = gate.ask(path)
        assert (reply.status, gate.app.seen[-1]["user"]) == (200, None)
        assert COOKIES[0] in reply.all("Set-Cookie")
    for path in ("/other", "/docs", "/docs/../other", "/docs//a", "/docs/%2e%2e/other", "/docs/..;/other"):
        assert gate.ask(path).status == 401


def test_an_optional_path_still_bounces_waits_and_returns(gate: Gate) -> None:
    """Otherwise somebody who is logged in looks logged out there."""
    gate.build(optional=["/*"])
    due = said({**LOGIN, "reason": "return-due", "location": "https://wiki.example/.identityd/login"})
    retry = said({**LOGIN, "verdict": "retry"}, 503)

    for answer, status in ((said(BOUNCE), 307), (retry, 503), (due, 302)):
        gate.origin.answer = always(answer)
        assert gate.ask().status == status


def test_unguarded_paths_ask_nobody(gate: Gate) -> None:
    """A picture is not worth a question."""
    gate.build(unguarded=["/static/*"])

    assert gate.ask("/static/logo.png").status == 200
    assert gate.app.seen[0]["user"] is None
    assert gate.origin.asked == []


@pytest.mark.parametrize(
    ("proxies", "peer", "url", "address"),
    [
        ([], "127.0.0.1", "http://wiki.example/page", "127.0.0.1"),
        (["127.0.0.0/8"], "192.0.2.7", "http://wiki.example/page", "192.0.2.7"),
        (["127.0.0.0/8"], "127.0.0.1", "https://wiki.example/page", "198.51.100.9"),
        (["127.0.0.1", "198.51.100.9"], "127.0.0.1", "https://wiki.example/page", "203.0.113.5"),
        (["unix"], "", "https://wiki.example/page", "198.51.100.9"),
    ],
)
def test_only_listed_proxies_are_believed(gate: Gate, proxies: list[str], peer: str, url: str, address: str) -> None:
    """Otherwise anybody chooses the address that stands in the list of sessions."""
    gate.build(proxies=proxies)
    claims = [("X-Forwarded-For", "203.0.113.5, 198.51.100.9"), ("X-Forwarded-Proto", "https")]

    gate.ask(headers=[*PAGE, *claims, ("X-Forwarded-Host", "evil.example")], peer=peer)

    assert (gate.asked()["url"], gate.asked()["address"]) == (url, address)


def test_a_fixed_origin_needs_no_header(gate: Gate) -> None:
    """Behind a proxy that changes the host it is the simplest setting."""
    gate.build(origin="https://wiki.example/")

    gate.ask(headers=[*PAGE, ("X-Forwarded-Proto", "http")])

    assert gate.asked()["url"] == "https://wiki.example/page"


def test_our_addresses_are_led_to_the_public_listener(gate: Gate) -> None:
    """The way to a host of its own, and logging out there, are identityd's pages."""
    lines = (("Set-Cookie", COOKIES[0]), ("Set-Cookie", COOKIES[1]), ("Location", "/"), ("Server", "x"))
    with Origin(always(Answer(303, lines, b"gone"))) as public:
        gate.build(public=public.url(""))
        claims = [("X-Forwarded-For", "evil"), ("X-Identity-User", "root"), ("Connection", "x-gone"), ("X-Gone", "1")]
        headers = [*PAGE, *claims, ("Cookie", "__Host-idds-1=x"), ("Origin", "http://wiki.example")]
        reply = gate.ask("/.identityd/logout?a=%2F", headers, method="POST", body=b"scope=here")
        gate.close()

    [asked] = public.asked
    assert (asked.method, asked.target, asked.body) == ("POST", "/.identityd/logout?a=%2F", b"scope=here")
    assert (asked.headers["host"], asked.headers["x-forwarded-for"]) == ("wiki.example", "192.0.2.7")
    assert (asked.headers["cookie"], asked.headers["origin"]) == ("__Host-idds-1=x", "http://wiki.example")
    assert not {"x-identity-user", "x-gone"} & set(asked.headers)
    assert (reply.status, reply.body, reply.all("Set-Cookie")) == (303, b"gone", COOKIES[:2])
    assert (gate.app.seen, gate.origin.asked) == ([], [])


def test_our_addresses_never_reach_the_application(gate: Gate, expect_log: Callable[..., Expectation]) -> None:
    """An application that answers `/.identityd/` could show a login page of its own."""
    expect_log("identityd_client", "does not answer")
    assert gate.ask("/.identityd/login").status == 404
    gate.build(public=f"http://127.0.0.1:{free_port()}")
    assert gate.ask("/.identityd/login").status == 503
    reply = gate.ask("/.identityd/logout", method="POST", body=b"x" * (FORM_BYTES + 5_000))
    assert (reply.status, gate.left) == (413, 0)
    assert gate.app.seen == []


def test_nothing_of_a_client_ends_a_header_here(gate: Gate) -> None:
    """Some servers hand on a folded line with its line end."""
    with Origin(always(Answer(204, body=b""))) as public:
        gate.build(public=public.url(""))
        gate.ask("/.identityd/ack", [*PAGE, ("X-Folded", "a\r\n X-Forwarded-For: 1")])
        gate.close()

    assert "x-folded" not in public.asked[0].headers


@pytest.mark.parametrize("extension", [True, False])
@pytest.mark.parametrize(
    ("answer", "status"),
    [(said(LOGIN), 401), (said({**LOGIN, "verdict": "retry"}, 503), 503), (said({**OK, "user": None}), 503)],
)
def test_a_handshake_is_refused_without_cookies_or_redirects(
    asgi: Gate, answer: Answer, status: int, *, extension: bool
) -> None:
    """A browser gives up: a handshake follows no redirect."""
    asgi.origin.answer = always(answer)

    asyncio.run(asgi.call(handshake(extension=extension)))

    if extension:
        assert asgi.sent[0]["status"] == status
        assert {name for name, _ in asgi.sent[0]["headers"]} & {b"location", b"set-cookie"} == set()
    else:
        assert asgi.sent == [{"type": "websocket.close", "code": 1008}]
    assert asgi.app.seen == []


def handshake(*, extension: bool = True) -> dict[str, Any]:
    """Return the scope of a WebSocket."""
    headers = [(b"host", b"wiki.example"), (b"sec-websocket-version", b"13"), (b"cookie", b"__Host-idd-a=b; own=1")]
    extensions = {"websocket.http.response": {}} if extension else {}
    scope = {"type": "websocket", "scheme": "wss", "path": "/socket", "query_string": b"", "headers": headers}
    return {**scope, "client": ("192.0.2.7", 1), "extensions": extensions}


def test_a_handshake_is_let_through_with_its_user(asgi: Gate) -> None:
    """Otherwise applications with WebSockets cannot be guarded."""
    asyncio.run(asgi.call(handshake()))

    assert asgi.sent == [{"type": "websocket.accept"}]
    assert asgi.app.seen[0]["user"].name == "ada"
    assert asgi.app.seen[0]["headers"]["cookie"] == "own=1"
    asked = asgi.asked()
    assert (asked["mode"], asked["url"], "navigation" in asked) == ("websocket", "https://wiki.example/socket", False)


def test_a_lifespan_passes_untouched(asgi: Gate) -> None:
    """Otherwise the application never opens its database."""
    scope = {"type": "lifespan"}

    asyncio.run(asgi.call(scope))

    assert asgi.app.seen == [scope]


def test_a_handshake_through_wsgi_is_401_without_a_redirect() -> None:
    """Such servers cannot answer one; whoever tries must not be led to a login page."""
    with Origin(always(said({**LOGIN, "location": "https://x/"}))) as origin:
        gate = Gate("wsgi", origin)
        reply = gate.ask("/socket", HANDSHAKE)
        gate.close()

    assert (reply.status, reply.one("Location"), gate.asked()["mode"]) == (401, None, "websocket")
