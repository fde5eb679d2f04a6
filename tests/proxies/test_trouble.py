"""Outages, restarts and overfull jars behind each proxy: an outage is never a logout."""

import http.client
import os
import re
import signal
import threading
from collections import Counter
from typing import Final

import pytest

from tests.proxies.matrix import expected
from tests.support.browser import CALL, PAGE, Browser, Jar, Reply
from tests.support.guarded_application import APPLICATION, GuardedApplication
from tests.support.proxies import AWAY
from tests.support.waiting import until

pytestmark = pytest.mark.memcached

ECHO: Final = f"{APPLICATION}/echo"
HANDSHAKE: Final = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
)
KINDS: Final = (PAGE, CALL, HANDSHAKE)
OPENED: Final = (*PAGE, ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"))
"""What a browser says when a person opens a page: Chromium's and Firefox's begin so."""
SCRIPT: Final = (*CALL, ("Accept", "*/*"))
IN_A_BROWSER: Final = 180
"""Names a browser keeps for one site."""
TRIES: Final = 10


def assert_an_outage(reply: Reply, status: int = 503) -> None:
    """Hold the answer to what an outage says: ask again, and nothing else."""
    assert (reply.status, reply.one("Retry-After")) == (status, "5")
    assert reply.all("Set-Cookie") == []
    assert reply.one("Cache-Control") == "no-store"


class TestOutages:
    """identityd or its store is away."""

    def test_a_store_that_is_down_is_503(self, guarded: GuardedApplication) -> None:
        """Otherwise a memcached that restarts logs everybody out."""
        member, asked = guarded.member(), guarded.behind.asked
        guarded.node.kill()
        try:
            for kind in KINDS:
                assert_an_outage(member.load("GET", ECHO, kind))
        finally:
            guarded.node.start()
        assert guarded.behind.asked == asked
        # The node came back empty: its sessions are lost, and only now that is said.
        until(lambda: member.load("GET", ECHO, PAGE).status == 302)

    def test_identityd_that_is_down_is_503(self, guarded: GuardedApplication) -> None:
        """Otherwise every upgrade of identityd is an error page or an open door."""
        member, asked = guarded.member(), guarded.behind.asked
        guarded.daemon.kill()
        try:
            for kind in KINDS:
                assert_an_outage(member.load("GET", ECHO, kind))
        finally:
            guarded.daemon.start()
        assert guarded.behind.asked == asked
        until(lambda: member.load("GET", ECHO, CALL).status == 200)

    def test_identityd_that_hangs_is_503(self, guarded: GuardedApplication) -> None:
        """Otherwise one stuck process takes every application with it."""
        member, asked = guarded.member(), guarded.behind.asked
        os.kill(guarded.daemon.pid, signal.SIGSTOP)
        try:
            assert_an_outage(member.load("GET", ECHO, PAGE), int(expected("down", guarded.name)[-3:]))
        finally:
            os.kill(guarded.daemon.pid, signal.SIGCONT)
        assert guarded.behind.asked == asked
        until(lambda: member.load("GET", ECHO, CALL).status == 200)

    def test_a_stop_and_a_crash_under_load_log_nobody_out(self, guarded: GuardedApplication) -> None:
        """Otherwise an upgrade at noon is noticed by everybody who works."""
        members = [guarded.member() for _ in range(4)]
        statuses: Counter[int] = Counter()
        touched: list[Reply] = []
        over = threading.Event()

        def work(member: Browser) -> None:
            while not over.is_set():
                reply = member.load("GET", ECHO)
                statuses[reply.status] += 1
                if reply.status != 200 and reply.all("Set-Cookie"):
                    touched.append(reply)

        threads = [threading.Thread(target=work, args=(member,)) for member in members]
        for thread in threads:
            thread.start()
        try:
            until(lambda: statuses[200] > 30)
            guarded.daemon.stop()
            guarded.daemon.start()
            passed = statuses[200]
            until(lambda: statuses[200] > passed + 20)
            guarded.daemon.kill()
            guarded.daemon.start()
            passed = statuses[200]
            until(lambda: statuses[200] > passed + 20)
        finally:
            over.set()
            for thread in threads:
                thread.join()

        assert set(statuses) - ({502} if "502" in expected("load", guarded.name) else set()) == {200, 503}
        assert touched == []
        assert [member.load("GET", ECHO).status for member in members] == [200] * len(members)
        assert not re.search("audit: (reuse|stale-copy|crash-rollback)", guarded.daemon.log())


def assert_a_page(reply: Reply) -> None:
    """Hold an outage to the page that people can read; as ever, it is no verdict."""
    assert_an_outage(reply)
    assert reply.one("Location") is None
    assert reply.body == AWAY.read_bytes()
    assert (reply.one("Content-Type") or "").startswith("text/html")


class TestWhatPeopleSee:
    """While identityd is away a browser that opens a page gets one that says so and tries again by itself."""

    def test_a_person_sees_what_happened_while_identityd_is_down(self, guarded: GuardedApplication) -> None:
        """Otherwise people read the two words of a proxy, and do not know whether they lost anything."""
        member, asked = guarded.member(), guarded.behind.asked
        wiki, _ = guarded.enter_wiki(member, "/echo")
        asked = guarded.behind.asked
        guarded.daemon.kill()
        try:
            for browser, method, path in ((member, "GET", ECHO), (member, "POST", ECHO), (wiki, "GET", "/echo")):
                assert_a_page(browser.load(method, path, OPENED))
            head = member.load("HEAD", ECHO, OPENED)
            assert (head.status, head.body) == (503, b"")
            for path in ("/login", "/account"):
                assert_closed(member.load("GET", path, OPENED), guarded.name)
            assert_closed(wiki.load("GET", "/.identityd/begin", OPENED), guarded.name)
        finally:
            guarded.daemon.start()
        assert guarded.behind.asked == asked
        until(lambda: member.load("GET", ECHO, OPENED).status == 200)

    def test_what_is_no_page_gets_none(self, guarded: GuardedApplication) -> None:
        """Otherwise a script reads a page where it expects JSON, and an image is one."""
        member = guarded.member()
        guarded.daemon.kill()
        try:
            for path in (ECHO, "/.identityd/ack"):
                reply = member.load("GET", path, SCRIPT)
                assert reply.status in {502, 503}
                assert b"tries again" not in reply.body
        finally:
            guarded.daemon.start()
        until(lambda: member.load("GET", ECHO, CALL).status == 200)

    def test_a_person_sees_it_while_identityd_hangs(self, guarded: GuardedApplication) -> None:
        """A stuck process is an outage as any other."""
        member, asked = guarded.member(), guarded.behind.asked
        os.kill(guarded.daemon.pid, signal.SIGSTOP)
        try:
            reply = member.load("GET", ECHO, OPENED)
        finally:
            os.kill(guarded.daemon.pid, signal.SIGCONT)
        if expected("down", guarded.name) == "503":  # else the first answer is the proxy's own
            assert_a_page(reply)
        assert guarded.behind.asked == asked
        until(lambda: member.load("GET", ECHO, CALL).status == 200)


def assert_closed(reply: Reply, name: str) -> None:
    """Hold the login's own pages to the same, where nothing was asked before."""
    if expected("away", name) == "yes":
        assert_a_page(reply)
    else:
        assert reply.status in {502, 503}


class TestFullJars:
    """A browser shows more names than it should."""

    def test_a_jar_of_eighty_names_recovers_by_itself(self, guarded: GuardedApplication) -> None:
        """Otherwise a mobile network with forty parallel calls locks a person out for good."""
        young = guarded.member()
        until(lambda: young.copy().load("GET", ECHO).ours)
        # Answers to parallel requests that all showed the same token, each with a token of its own.
        member = young.copy()
        while len(member.tokens) <= 80:
            late = young.copy()
            late.load("GET", ECHO)
            member.jar |= late.jar
        assert len(member.jar.line) > 10_000

        loads = 0
        while len(member.tokens) > 8:
            reply = member.load("GET", ECHO)
            loads += 1
            assert reply.status == 200
            assert loads < 40
        assert member.load("GET", ECHO).status == 200

    def test_the_logins_own_pages_empty_it_faster(self, guarded: GuardedApplication) -> None:
        """Otherwise it takes sixty answers to get rid of all that a browser keeps."""
        member = guarded.member()
        member.jar |= {f"__Host-idd-{n:011}": "x" * 100 for n in range(IN_A_BROWSER - 1)}

        for _ in range(6):
            assert member.load("GET", "/.identityd/ack").status == 204

        assert len(member.tokens) < 30

    def test_a_header_beyond_the_limit_is_refused(self, guarded: GuardedApplication) -> None:
        """Otherwise it looks like an outage to whoever searches for the reason."""
        stranger = guarded.stranger()
        stranger.jar = Jar.of({f"own{n}": "x" * 1_000 for n in range(100)})

        assert str(_answered(stranger).status) == expected("too-long", guarded.name)[:3]

    @pytest.mark.parametrize("headers", KINDS[:2], ids=["page", "call"])
    def test_as_many_names_as_a_browser_keeps_are_let_through(
        self, guarded: GuardedApplication, headers: tuple[tuple[str, str], ...]
    ) -> None:
        """Otherwise the requests that would clean the jar are the ones that are refused."""
        member = guarded.member()
        member.jar |= {f"__Host-idd-{n:011}": "x" * 100 for n in range(IN_A_BROWSER - 1)}
        assert len(member.jar.line) > 22_000

        reply = member.load("GET", ECHO, headers)

        assert reply.status == 200
        assert len(reply.ours) == 3


def _answered(stranger: Browser) -> Reply:
    """Ask until an answer comes through: who refuses before it has read all may cut its own answer off."""
    for _ in range(TRIES):
        try:
            return stranger.load("GET", ECHO)
        except (OSError, http.client.HTTPException):
            continue
    raise AssertionError(f"no answer in {TRIES} tries")
