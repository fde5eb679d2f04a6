"""One provider's trouble is nobody else's: connections, look-ups, limits, the circuit (threats row 59)."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import pytest

from identity.outbound import client
from identity.outbound.circuit import IN_VAIN, REST_MS, WORTH_A_WORD, Circuit
from identity.outbound.client import Called, OutboundClient
from identity.outbound.lookup import AT_ONCE
from identity.outbound.rules import OutboundRules
from providers.base import HttpResponse, ProviderBroken, ProviderSlow
from tests.outbound.test_client import LOOPBACK, NAME
from tests.support.certificates import Authority
from tests.support.clock import ManualClock
from tests.support.guards import Expectation
from tests.support.memcached import free_port
from tests.support.origin import Answer, ConnectProxy, Origin
from tests.support.waiting import let_others_run, until

pytestmark = pytest.mark.threat(59)

ExpectLog = Callable[..., Expectation]
CROWD: Final = 40
"""More than any pool that was shared ever had."""


class Lines:
    """The production client and its providers, on one loop."""

    def __init__(self, runner: asyncio.Runner, rules: OutboundRules, **more: Any) -> None:  # noqa: ANN401 - the client's
        self.clock = ManualClock()
        self.called: list[Called] = []
        self.circuits: list[tuple[str, bool]] = []
        self._runner = runner

        async def opened() -> OutboundClient:
            return OutboundClient(rules, on_call=self.called.append, on_circuit=self._told, clock=self.clock, **more)

        self.outbound: OutboundClient = runner.run(opened())

    def _told(self, name: str, circuit: Circuit) -> None:
        self.circuits.append((name, circuit.closed))

    def run(self, coroutine: Any) -> Any:  # noqa: ANN401 - whatever a test does on the loop
        """Run something on the loop."""
        return self._runner.run(coroutine)

    def in_vain(self, url: str) -> str:
        """Let a caller of `acme` give up after a moment; what is said."""
        patient = self.outbound.rules
        self.outbound.for_provider("acme")  # its connections keep the patience they are made with
        self.outbound.rules = replace(patient, total_ms=50)
        said = str(self.failure("acme", url, "POST"))
        self.outbound.rules = patient
        return said

    def fetch(self, provider: str, url: str, method: str = "GET", **more: Any) -> HttpResponse:  # noqa: ANN401
        """Make one call."""
        answer: HttpResponse = self.run(self.outbound.for_provider(provider).fetch(method, url, **more))
        return answer

    def failure(self, provider: str, url: str, method: str = "GET") -> ProviderBroken:
        """Make one call that must fail."""
        with pytest.raises(ProviderBroken) as failed:
            self.fetch(provider, url, method)
        return failed.value

    def beside_a_crowd(self, slow: str, healthy: str) -> int:
        """Let a crowd wait at one provider, call another; how many still wait when that one has answered."""

        async def both() -> int:
            http = self.outbound.for_provider("slow")
            waiting = [asyncio.create_task(http.fetch("GET", slow)) for _ in range(CROWD)]
            await let_others_run()
            assert (await self.outbound.for_provider("healthy").fetch("GET", healthy)).status == 200
            left = sum(not task.done() for task in waiting)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            return left

        left: int = self.run(both())
        return left


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """Give an event loop."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture
def lines(runner: asyncio.Runner) -> Iterator[Lines]:
    """Give a client as the daemon has it."""
    made = Lines(runner, OutboundRules(allowed=LOOPBACK))
    yield made
    made.run(made.outbound.aclose())


# --- nothing is shared ------------------------------------------------------------------------------


def test_a_crowd_waiting_at_one_provider_holds_up_nobody_elsewhere(lines: Lines) -> None:
    """Otherwise ten people at a provider that hangs make everybody else's login wait for its time-outs."""
    with Origin(lambda _: Answer(hang=True)) as slow, Origin() as healthy:
        assert lines.beside_a_crowd(slow.url(), healthy.url()) == CROWD


def test_a_crowd_behind_the_proxy_holds_up_nobody_elsewhere(runner: asyncio.Runner, authority: Authority) -> None:
    """Otherwise networks that need a proxy keep the fault."""
    trust = authority.client_context()
    with (
        Origin(lambda asked: Answer(hang=asked.target == "/slow"), authority.issue(NAME)) as origin,
        ConnectProxy(origin.port) as proxy,
    ):
        made = Lines(runner, OutboundRules(proxy=f"http://127.0.0.1:{proxy.port}"), trust=trust)
        assert made.beside_a_crowd(f"https://{NAME}/slow", f"https://{NAME}/") == CROWD
        made.run(made.outbound.aclose())


def test_names_that_cannot_be_resolved_hold_up_nobody_elsewhere(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise silent name servers of one provider use up the few threads that all look-ups share."""
    over, asked = threading.Event(), []

    def getaddrinfo(host: str, port: int, **_: object) -> list[Any]:
        asked.append(host)
        if host == "silent.example":
            over.wait(30)
            raise socket.gaierror("nobody answers")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with Origin() as healthy:
        left = lines.beside_a_crowd("https://silent.example/", healthy.url(host="localhost"))
        over.set()

    assert left == CROWD
    assert asked.count("silent.example") == AT_ONCE


# --- kept connections ----------------------------------------------------------------------------------


def test_a_code_never_meets_a_connection_that_is_being_closed(lines: Lines) -> None:
    """Otherwise a third of the exchanges after a pause is lost, and the code with them."""
    with Origin(closing=True) as origin:
        for _ in range(5):
            assert lines.fetch("acme", origin.url("/keys")).status == 200
            assert lines.fetch("acme", origin.url("/token"), "POST", body=b"code=1").status == 200

    assert sum(asked.method == "POST" for asked in origin.asked) == 5


def test_a_look_that_meets_a_closing_connection_goes_out_on_a_new_one(lines: Lines) -> None:
    """Otherwise its second try meets the next one of a whole pool that is being closed."""

    async def at_once(count: int) -> list[int]:
        http = lines.outbound.for_provider("acme")
        answers = await asyncio.gather(*(http.fetch("GET", origin.url()) for _ in range(count)))
        return [answer.status for answer in answers]

    with Origin() as origin:
        assert lines.run(at_once(4)) == [200] * 4
        origin.closing = True
        assert lines.run(at_once(4)) == [200] * 4


def test_looks_one_after_the_other_share_a_connection(lines: Lines) -> None:
    """Otherwise every call of a login pays for a handshake."""
    with Origin() as origin:
        for _ in range(3):
            lines.fetch("acme", origin.url())

    assert origin.connections == 1


def test_an_exchange_leaves_no_connection_behind(lines: Lines) -> None:
    """Otherwise a code goes out on one that somebody else's code has used."""
    with Origin() as origin:
        for _ in range(3):
            lines.fetch("acme", origin.url(), "POST", body=b"code=1")

    assert origin.connections == 3


# --- the limit -----------------------------------------------------------------------------------------


def test_more_calls_than_the_limit_wait_for_a_moment_and_are_told(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise people queue behind a slow provider without end, and nobody tells them which it is."""
    monkeypatch.setattr(client, "WAIT_MS", 20)
    made = Lines(runner, OutboundRules(allowed=LOOPBACK, calls=2))

    async def three() -> str:
        http = made.outbound.for_provider("slow")
        waiting = [asyncio.create_task(http.fetch("GET", origin.url())) for _ in range(2)]
        await let_others_run()
        with pytest.raises(ProviderSlow) as refused:
            await http.fetch("GET", origin.url())
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        return str(refused.value)

    with Origin(lambda _: Answer(hang=True)) as origin:
        assert "2 calls wait for it already" in made.run(three())
        assert len(origin.asked) <= 2
        assert [call.outcome for call in made.called].count("refused") == 1
        origin.answer = lambda _: Answer()
        assert made.fetch("slow", origin.url()).status == 200
        made.run(made.outbound.aclose())


def test_every_call_gives_its_place_back(lines: Lines) -> None:
    """Otherwise a provider can be used as often as the limit says, and then never again."""
    with Origin(lambda asked: Answer(reset=asked.target == "/reset", hang=asked.target == "/hang")) as origin:
        lines.outbound.rules = replace(lines.outbound.rules, calls=1)
        for path in ("/reset", "/hang", "/reset", "/hang"):
            lines.in_vain(origin.url(path))
        lines.failure("acme", "http://evil.example/")

        assert lines.fetch("acme", origin.url()).status == 200


# --- the circuit -----------------------------------------------------------------------------------------


def opened(lines: Lines, url: str, expect_log: ExpectLog) -> None:
    """Let a provider keep callers waiting until it is left alone."""
    with expect_log("identity.outbound", "provider-away: acme") as seen:
        for _ in range(IN_VAIN):
            lines.in_vain(url)
    assert len(seen.records) == 1


def test_a_provider_that_keeps_people_waiting_is_left_alone(lines: Lines, expect_log: ExpectLog) -> None:
    """Otherwise everybody who comes waits ten seconds for the same "no answer"."""
    with Origin(lambda _: Answer(hang=True)) as origin:
        opened(lines, origin.url("/token?canary=1"), expect_log)
        asked = len(origin.asked)
        refusal = lines.failure("acme", origin.url())

        assert isinstance(refusal, ProviderSlow)
        assert "no answer in time" in str(refusal)
        assert "canary" not in str(refusal)
        assert len(origin.asked) == asked
    assert lines.circuits == [("acme", False)]
    assert lines.called[-1].outcome == "refused"


def test_nobody_there_at_all_is_left_alone_too(lines: Lines, expect_log: ExpectLog) -> None:
    """Otherwise a provider behind a firewall that drops everything is waited for each time."""
    opened(lines, f"http://127.0.0.1:{free_port()}/", expect_log)

    assert isinstance(lines.failure("acme", f"http://127.0.0.1:{free_port()}/"), ProviderSlow)


def test_others_are_called_while_one_is_left_alone(lines: Lines, expect_log: ExpectLog) -> None:
    """Otherwise one provider's outage is everybody's."""
    with Origin(lambda asked: Answer(hang=asked.target == "/hang")) as origin:
        opened(lines, origin.url("/hang"), expect_log)

        assert lines.fetch("other", origin.url()).status == 200
        assert list(lines.outbound.troubles()) == ["acme"]


def test_one_trial_finds_out_that_a_provider_is_back(lines: Lines, expect_log: ExpectLog) -> None:
    """Otherwise it stays closed until the daemon is restarted."""
    with Origin(lambda _: Answer(hang=True)) as origin:
        opened(lines, origin.url(), expect_log)
        lines.clock.advance(REST_MS)
        assert "no answer in time" in lines.in_vain(origin.url())
        assert "not called at present" in lines.in_vain(origin.url())

        origin.answer = lambda _: Answer()
        lines.clock.advance(REST_MS)
        assert [lines.fetch("acme", origin.url()).status for _ in range(2)] == [200, 200]
    assert lines.circuits == [("acme", False), ("acme", True)]
    assert lines.outbound.troubles() == {}


def test_a_caller_who_goes_away_during_the_trial_does_not_end_all_trials(lines: Lines, expect_log: ExpectLog) -> None:
    """Otherwise a closed browser window closes a provider for ever."""

    async def leave(origin: Origin) -> None:
        before = len(origin.asked)
        trial = asyncio.create_task(lines.outbound.for_provider("acme").fetch("GET", origin.url()))
        await asyncio.to_thread(until, lambda: len(origin.asked) > before)
        trial.cancel()
        with suppress(asyncio.CancelledError):
            await trial

    with Origin(lambda _: Answer(hang=True)) as origin:
        opened(lines, origin.url(), expect_log)
        lines.clock.advance(REST_MS)
        lines.run(leave(origin))
        origin.answer = lambda _: Answer()

        assert lines.fetch("acme", origin.url()).status == 200


JUNK: Final = {
    "invalid_grant": Answer(400, body=b'{"error": "invalid_grant"}'),
    "invalid_client": Answer(401, body=b'{"error": "invalid_client"}'),
    "too many": Answer(429),
    "a fault of theirs": Answer(500),
    "a firewall that cuts off": Answer(reset=True),
    "a page": Answer(body=b"<html>"),
    "too much": Answer(headers=[("Content-Length", "99999999")]),
}


@pytest.mark.parametrize("case", JUNK)
def test_junk_codes_close_no_provider(lines: Lines, case: str) -> None:
    """Otherwise a stranger who brings twenty codes he made up closes a provider for everybody."""
    with Origin(lambda asked: JUNK[case] if asked.body else Answer()) as origin:
        for _ in range(4 * IN_VAIN):
            with suppress(ProviderBroken):
                lines.fetch("acme", origin.url(), "POST", body=b"code=junk")

        assert lines.fetch("acme", origin.url()).status == 200
    assert lines.circuits == []


def test_a_provider_that_answers_only_faults_is_reported_and_called(lines: Lines) -> None:
    """Otherwise the operator hears of it from the people."""
    with Origin(lambda _: Answer(503)) as origin:
        for _ in range(WORTH_A_WORD):
            assert lines.fetch("acme", origin.url()).status == 503

        assert "answered 503" in lines.outbound.troubles()["acme"]
        assert lines.circuits == []


def test_an_address_that_may_not_be_called_says_so_every_time(runner: asyncio.Runner) -> None:
    """Otherwise a mistake in the configuration looks like an outage over there."""
    made = Lines(runner, OutboundRules())
    for _ in range(4 * IN_VAIN):
        assert "private address" in str(made.failure("acme", "http://127.0.0.1:1/"))
    made.run(made.outbound.aclose())
