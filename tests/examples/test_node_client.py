"""examples/node/identityd.mjs in front of an application that says what reached it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.answers import ADA, BOUNCE, COOKIES, HOSTILE, LOGIN, OK, always, every_name, said
from tests.examples.conftest import COMMANDS, Process
from tests.support.browser import CALL, PAGE, Browser, Reply
from tests.support.loading import ASKED
from tests.support.loopback import Loopback
from tests.support.origin import Answer, Origin

pytestmark = pytest.mark.node
WITH_COOKIES = said({**OK, "set_cookie": COOKIES})


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    """Give what stands for identityd's internal listener."""
    with Origin(always(said(OK))) as running:
        yield running


@pytest.fixture(scope="module")
def echo(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of the application."""
    log = tmp_path_factory.mktemp("echo") / "log"
    with Process(COMMANDS["echo"], {"IDENTITYD": origin.url("")}, Path(log)) as process:
        yield f"http://wiki.localhost:{process.port}"


def ask(echo: str, *headers: tuple[str, str], method: str = "GET", body: bytes | None = None) -> Reply:
    """Load a page."""
    return Browser(Loopback()).load(method, f"{echo}/page?x=%C3%A9", (*PAGE, *headers), body)


def test_the_application_hears_who_it_is_and_nothing_else(origin: Origin, echo: str) -> None:
    """Otherwise anybody is anybody, and tokens stand in the application's log."""
    origin.answer = always(said(OK))
    claims = [("X-Identity-User", "root"), ("x_identity_user", "root"), ("X.Identity.Id", "root")]
    claims += [("Remote-User", "root"), ("x_auth_request.user", "root"), ("X-Forwarded_Groups", "root")]
    jar = ("Cookie", "own=1; " + "".join(f"{name}=x; " for name in every_name()) + "other=2; iddqd=3")

    told = ask(echo, *claims, jar).json()

    assert told["user"] == ADA
    assert told["headers"]["cookie"] == "own=1; other=2; iddqd=3"
    assert [name for name in told["headers"] if "identity" in name.lower()] == []
    assert "root" not in told["raw"]
    assert [text for text in told["raw"] if re.search("__Host-idd|idd[a-z]?8887", text)] == []


@pytest.mark.parametrize("how", ["an object", "a flat list", "set one by one"])
def test_four_cookies_stand_beside_the_applications_own(origin: Origin, echo: str, how: str) -> None:
    """Otherwise tokens are lost; and a cache hands one person's token to the next."""
    origin.answer = always(WITH_COOKIES)
    told = {"a flat list": [("X-Flat", "1")], "set one by one": [("X-Implicit", "1")]}.get(how, [])

    page = ask(echo, *told)
    call = Browser(Loopback()).load("GET", f"{echo}/", (*CALL, *told))

    assert page.all("Set-Cookie") == call.all("Set-Cookie") == ["own1=1", *COOKIES]
    assert page.all("Cache-Control") == ["no-cache, private"]
    assert call.all("Cache-Control") == ["no-store"]
    assert page.one("Content-Type") == "application/json"


@pytest.mark.parametrize(("method", "headers", "page"), ASKED)
def test_a_page_load_is_told_from_a_call_as_identityd_does(
    origin: Origin, echo: str, method: str, headers: dict[str, str], *, page: bool
) -> None:
    """Otherwise the scripts of an older browser get the login page for data."""
    origin.answer = always(said(OK))

    Browser(Loopback()).load(method, f"{echo}/", tuple(headers.items()))

    assert json.loads(origin.asked[-1].body)["navigation"] is page


@pytest.mark.threat(58)
@pytest.mark.parametrize("how", ["", "X-Flat", "X-Implicit"])
def test_an_answer_that_says_nothing_of_caching_is_asked_for_again(origin: Origin, echo: str, how: str) -> None:
    """Otherwise a browser shows it after the logout."""
    origin.answer = always(said(OK))
    told = [("X-Unsaid", "1"), *([(how, "1")] if how else [])]

    assert ask(echo, *told).all("Cache-Control") == ["no-cache, private"]


def test_without_a_token_the_applications_own_line_stays(origin: Origin, echo: str) -> None:
    """Otherwise every picture is loaded anew."""
    origin.answer = always(said(OK))

    assert ask(echo).all("Cache-Control") == ["max-age=60"]


@pytest.mark.parametrize(
    ("answer", "status", "place"),
    [
        (said({**BOUNCE, "set_cookie": COOKIES}), 307, BOUNCE["location"]),
        (said({**LOGIN, "location": "https://x/"}), 303, "https://x/"),
        (said(LOGIN), 401, None),
        (said({**LOGIN, "verdict": "forbidden"}, 403), 403, None),
        (said({**LOGIN, "verdict": "retry"}, 503, Retry_After="7"), 503, None),
        (said({"error": "host", "message": "…"}, 400), 400, None),
    ],
)
def test_each_refusal_reads_the_body_first(
    origin: Origin, echo: str, answer: Answer, status: int, place: str | None
) -> None:
    """A browser sends a form again only if the first sending was read to its end."""
    origin.answer = always(answer)

    reply = ask(echo, method="POST", body=b"x" * (1 << 20))

    assert (reply.status, reply.one("Location")) == (status, place)
    assert reply.one("Cache-Control") == "no-store"
    assert len(reply.all("Set-Cookie")) == (4 if status == 307 else 0)
    assert reply.one("Retry-After") == ("7" if status == 503 else None)


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE)
def test_whatever_is_no_verdict_is_503(origin: Origin, echo: str, answer: Answer) -> None:
    """Otherwise something in identityd's place lets people in, logs them out, or writes headers."""
    origin.answer = always(answer)

    reply = ask(echo)

    assert (reply.status, reply.all("Set-Cookie"), reply.one("Location")) == (503, [], None)


def test_our_addresses_never_reach_the_application(origin: Origin, echo: str) -> None:
    """An application that answers `/.identityd/` could show a login page of its own."""
    origin.answer = always(said(OK))

    assert Browser(Loopback()).load("GET", f"{echo}/.identityd/login").status == 404
