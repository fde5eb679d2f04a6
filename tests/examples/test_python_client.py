"""examples/python/identityd_client.py: an answer becomes a verdict, and whatever is none becomes "retry"."""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from identityd_client import Client, Listener, Refused, Unreachable, User, Verdict, begin

from identity.login.codes import challenge_of
from tests.examples.answers import ADA, BOUNCE, COOKIES, HOSTILE, LOGIN, OK, always, said
from tests.support.guards import Expectation
from tests.support.memcached import free_port
from tests.support.origin import Answer, Origin

URL = "https://wiki.example/page?x=1"
USER = User(**ADA)


@pytest.fixture
def origin() -> Iterator[Origin]:
    """Give what stands for identityd's internal listener."""
    with Origin(always(said(OK))) as running:
        yield running


_MADE: list[Client] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _MADE:
        _MADE.pop().close()


def client_of(origin: Origin, *, timeout_s: float = 5.0) -> Client:
    """Return a client that asks there."""
    _MADE.append(Client(origin.url(""), "wiki", "geheim", timeout_s=timeout_s))
    return _MADE[-1]


def test_a_question_is_sent_as_documented(origin: Origin) -> None:
    """Otherwise identityd refuses it, or judges another request."""
    client_of(origin).check(URL, ["a=b", "c=d"], navigation=True, method="POST", address="192.0.2.1")

    [asked] = origin.asked
    assert (asked.method, asked.target) == ("POST", "/session/check")
    assert asked.headers["authorization"] == "Basic d2lraTpnZWhlaW0="
    fields = {"url": URL, "cookie": ["a=b", "c=d"], "navigation": True, "method": "POST", "address": "192.0.2.1"}
    assert json.loads(asked.body) == fields


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (said({**OK, "set_cookie": COOKIES}), Verdict("ok", "current", USER, tuple(COOKIES))),
        (said({**LOGIN, "location": "https://x/"}), Verdict("login", "anonymous", location="https://x/")),
        (said(LOGIN), Verdict("login", "anonymous")),
        (said(BOUNCE), Verdict("bounce", "stale", location=BOUNCE["location"])),
        (said({**LOGIN, "verdict": "forbidden"}, 403), Verdict("forbidden", "anonymous")),
        (said({**LOGIN, "verdict": "retry"}, 503, Retry_After="9"), Verdict("retry", "anonymous", after_s=9)),
        (said({"error": "overloaded", "message": "…"}, 503, Retry_After="5"), Verdict("retry", "overloaded")),
    ],
)
def test_each_answer_becomes_its_verdict(origin: Origin, answer: Answer, verdict: Verdict) -> None:
    """Otherwise an application does the wrong thing with it."""
    origin.answer = always(answer)

    assert client_of(origin).check(URL, navigation=True) == verdict


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE)
def test_whatever_is_no_verdict_is_retry(
    origin: Origin, answer: Answer, expect_log: Callable[..., Expectation]
) -> None:
    """Otherwise something in identityd's place lets people in, logs them out, or writes headers."""
    expect_log("identityd_client", "does not answer", required=False)
    origin.answer = always(answer)

    verdict = client_of(origin, timeout_s=0.5).check(URL, navigation=True)

    assert (verdict.kind, verdict.set_cookie, verdict.location, verdict.user) == ("retry", (), None, None)
    assert len(origin.asked) == 1


def test_nothing_that_listens_is_retry(expect_log: Callable[..., Expectation]) -> None:
    """Otherwise a daemon that is restarted is a page full of a traceback; its operator finds it in the log."""
    expect_log("identityd_client", "does not answer at 127.0.0.1 port [0-9]+: ConnectionRefusedError")
    client = Client(f"http://127.0.0.1:{free_port()}", "wiki", "geheim")

    assert client.check(URL, navigation=True) == Verdict("retry", "unreachable")
    assert client.check_many([(URL, []), (URL, [])]) == [Verdict("retry", "unreachable")] * 2
    assert client.start(URL, "secret") == Verdict("retry", "unreachable")


def test_a_wrong_secret_is_loud_and_no_login(origin: Origin, expect_log: Callable[..., Expectation]) -> None:
    """An operator must hear of it; a person who is told to log in would come back for ever."""
    origin.answer = always(said({"error": "client", "message": "…"}, 401))

    with expect_log("identityd_client", "401 client"):
        assert client_of(origin).check(URL, navigation=True).kind == "retry"


def test_a_question_that_cannot_be_read_is_the_callers_to_answer(origin: Origin) -> None:
    """A browser that sends a broken host must get 400; "try again" would never end."""
    origin.answer = always(said({"error": "host", "message": "…"}, 400))

    with pytest.raises(Refused, match="host"):
        client_of(origin).check("https://a b/", navigation=True)


def test_nothing_secret_is_in_a_repr(origin: Origin) -> None:
    """Applications log what they cannot explain."""
    origin.answer = always(said({**OK, "set_cookie": ["__Host-idd-x=token; Path=/"]}))
    client = client_of(origin)

    assert "token" not in repr(client.check(URL, navigation=True))
    assert "geheim" not in repr(vars(client)["_listener"]) + repr(client)


def test_one_connection_is_used_again_and_again(origin: Origin) -> None:
    """A connection for each request would double the time of every page."""
    client = client_of(origin)
    made: list[object] = []
    connect = client._listener._connect
    client._listener._connect = lambda: made.append(1) or connect()  # type: ignore[method-assign,func-returns-value]

    for _ in range(5):
        assert client.check(URL, navigation=True).kind == "ok"

    assert len(made) == 1


def test_a_connection_the_other_side_closed_is_not_used() -> None:
    """Otherwise the first request after every restart of identityd fails."""
    with Origin(always(said(OK))) as first:
        port = first.port
        client = client_of(first)
        assert client.check(URL, navigation=True).kind == "ok"
        [(kept, _, _)] = client._listener._idle
        kept.shutdown(socket.SHUT_RDWR)

        assert client.check(URL, navigation=True).kind == "ok"
        assert first.port == port


def test_a_fork_makes_connections_of_its_own(origin: Origin) -> None:
    """Otherwise two workers read each other's verdicts, and people see each other's pages."""
    client = client_of(origin)
    client.check(URL, navigation=True)
    [(sock, since, _)] = client._listener._idle
    client._listener._idle = [(sock, since, os.getpid() + 1)]

    assert client._listener._take() is None


def test_threads_share_a_client(origin: Origin) -> None:
    """Otherwise a threaded server hands one person's answer to another."""
    origin.answer = lambda asked: said({**OK, "reason": json.loads(asked.body)["url"]})
    client = client_of(origin)
    wrong: list[str] = []

    def ask(number: int) -> None:
        for at in range(20):
            url = f"https://wiki.example/{number}/{at}"
            if client.check(url, navigation=True).reason != url:
                wrong.append(url)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_many_are_looked_at_in_order(origin: Origin) -> None:
    """Otherwise a gateway connects one person's socket to another's account."""
    answers = [
        {"active": True, "reason": "current", "user": ADA},
        {"active": False, "reason": "idle", "user": None},
        {"active": None, "reason": "retry"},
    ]
    origin.answer = always(said({"answers": answers}))

    found = client_of(origin).check_many([(URL, ["a=b"])] * 3)

    assert found == [Verdict("ok", "current", USER), Verdict("login", "idle"), Verdict("retry", "retry")]


@pytest.mark.parametrize(
    "answers",
    [[], [{}], [7], "x", [{"active": 1, "reason": "current", "user": ADA}], [{"active": True, "reason": "current"}]],
)
def test_a_wrong_list_is_retry_for_all(origin: Origin, answers: object) -> None:
    """Otherwise answers slip by one, or nobody becomes somebody."""
    origin.answer = always(said({"answers": answers}))

    assert client_of(origin).check_many([(URL, [])]) == [Verdict("retry", "answer")]


def test_a_code_is_redeemed_with_the_secret_that_begun_the_way(origin: Origin) -> None:
    """Otherwise a code works in another browser."""
    place, secret = begin("https://login.example", "wiki.example", "/page")
    origin.answer = always(said({"set_cookie": COOKIES[:1], "location": "/page"}))

    started = client_of(origin).start("https://wiki.example/.identityd/start?code=c", secret, ["a=b"])

    assert place.startswith(
        f"https://login.example/continue?host=wiki.example&start={challenge_of(secret)}&path=%2Fpage"
    )
    assert started == Verdict("started", "start", None, tuple(COOKIES[:1]), "/page")
    assert json.loads(origin.asked[0].body)["secret"] == secret


@pytest.mark.parametrize("place", ["https://evil.example/", "//evil.example", "/\\evil.example", "", None])
def test_a_code_leads_to_a_path_only(origin: Origin, place: str | None) -> None:
    """Otherwise the application sends people to another site."""
    origin.answer = always(said({"set_cookie": [], "location": place}))

    assert client_of(origin).start(URL, "secret").kind == "retry"


def test_a_code_that_is_void_begins_again(origin: Origin) -> None:
    """Codes live for a minute, and people leave their computers."""
    origin.answer = always(said({"error": "start-invalid", "message": "…"}, 400))

    assert client_of(origin).start(URL, "secret") == Verdict("login", "start-invalid")


def test_a_listener_is_an_address(expect_log: Callable[..., Expectation]) -> None:
    """A typing mistake in a setting should be found when the application starts."""
    expect_log("identityd_client", "does not answer")
    with pytest.raises(ValueError, match="http://host:port"):
        Listener("127.0.0.1:8888", 1.0)
    with pytest.raises(Unreachable):
        Listener(f"http://127.0.0.1:{free_port()}", 1.0).ask("GET", "/", [])
