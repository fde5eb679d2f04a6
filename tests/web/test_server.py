"""Sockets, time-outs, certificates, stops."""

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copyfile

import pytest
import uvloop

from identity.errors import ConfigError
from identity.web.http.base import JsonHandler, Listener, Route
from identity.web.process.listening import Listening
from identity.web.server import Certificates, Daemon, Ports, run
from tests.support.certificates import Authority
from tests.support.guards import Expectation
from tests.support.waiting import until
from tests.support.web import LOCAL, Site, ask, connection, raw

PAGE = b"GET /test/fast HTTP/1.1\r\nHost: login.example\r\n\r\n"


class Gate:
    """Holds requests until a test opens it."""

    entered = threading.Event()
    opened = threading.Event()


class Fast(JsonHandler):
    """Answers at once."""

    def get(self) -> None:
        """Answer."""
        self.answer({})


class Slow(JsonHandler):
    """Answers when the gate opens."""

    async def get(self) -> None:
        """Wait, then answer."""
        Gate.entered.set()
        await self.context.durable.run(Gate.opened.wait, 10)
        self.answer({"late": True})


ROUTES = (Route("/test/fast", Fast, Listener.PUBLIC), Route("/test/slow", Slow, Listener.PUBLIC))


@pytest.fixture(autouse=True)
def _closed_gate() -> Iterator[None]:
    Gate.entered.clear()
    Gate.opened.clear()
    yield
    Gate.opened.set()


class TestSlowClients:
    """What somebody who sends slowly, or nothing, can hold."""

    @pytest.mark.parametrize("listener", ["public", "internal"])
    @pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n"])
    def test_a_head_that_never_ends_is_cut_off(self, listener: str, sent: bytes) -> None:
        """Otherwise a few slow connections hold the daemon for ever (slowloris)."""
        with Site(listening={"idle_s": 0.2}) as site:
            port = site.ports.public if listener == "public" else site.ports.internal

            assert raw(port, sent) == b""

    def test_a_trickle_gains_no_time(self) -> None:
        """Otherwise one byte at a time keeps a connection for ever."""
        with Site(listening={"idle_s": 0.3}) as site, connection(site.ports.public) as sock:
            sock.settimeout(0.05)
            closed = False
            for byte in b"GET / HTTP/1.1\r\nHost: " + b"a" * 400:
                closed = _send_and_see(sock, bytes([byte]))
                if closed:
                    break

            assert closed

    def test_a_body_that_never_ends_is_cut_off(self) -> None:
        """Otherwise announcing a body and not sending it holds a connection."""
        with Site(listening={"body_s": 0.2}) as site:
            head = b"POST /logout HTTP/1.1\r\nHost: login.example\r\nContent-Length: 100\r\n\r\nhalf"

            assert raw(site.ports.public, head) == b""

    def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent(self) -> None:
        """Otherwise a gigabyte is read before anybody says no."""
        with Site() as site:
            head = b"POST /logout HTTP/1.1\r\nHost: login.example\r\nContent-Length: 1000000000\r\n\r\n"

            answer = raw(site.ports.public, head)

            assert answer.startswith(b"HTTP/1.1 413 ")
            assert b'"error": "too-large"' in answer


_HOLDER = """
import socket, sys
held = [socket.create_connection(("127.0.0.1", int(port))) for port in sys.argv[2:] for _ in range(int(sys.argv[1]))]
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_ten_thousand_idle_connections_leave_room() -> None:
    """Otherwise opening connections is enough to take the daemon down."""
    with Site(routes=ROUTES) as site:
        ports = [str(site.ports.public), str(site.ports.internal)]
        # Another process: its ends of the connections are open files as well.
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, "5000", *ports], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with holder:
            assert holder.stdout
            assert holder.stdout.readline() == b"held\n"

            statuses = (site.public("GET", "/test/fast").status, site.internal("GET", "/healthz").status)
            holder.kill()

        assert statuses == (200, 200)


def test_connections_beyond_the_limit_are_closed_at_once() -> None:
    """Otherwise the last open file goes to a stranger, and the stores get none."""
    with Site(routes=ROUTES) as site:
        for server, _ in site.daemon._listeners:
            server.most = 2
        with connection(site.ports.public), connection(site.ports.public):
            assert raw(site.ports.public, PAGE) == b""
            assert site.internal("GET", "/healthz").status == 200
        until(lambda: raw(site.ports.public, PAGE.replace(b"Host", b"Connection: close\r\nHost")) != b"")


def _send_and_see(sock: socket.socket, data: bytes) -> bool:
    try:
        sock.sendall(data)
        return sock.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


class TestStopping:
    """SIGTERM cuts nothing off."""

    def test_a_request_under_way_is_answered_and_its_connection_closed(self) -> None:
        """Otherwise every release shows somebody an error."""
        site = Site(routes=ROUTES)
        with site, connection(site.ports.public) as sock:
            sock.sendall(PAGE.replace(b"fast", b"slow"))
            assert Gate.entered.wait(10)
            site.call(site.daemon.stop)
            until(lambda: not _accepts(site.ports.public))
            Gate.opened.set()

            answer = _read_all(sock)

            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"Connection: close" in answer
            assert b'{"late":true}' in answer

    def test_no_new_connection_is_taken_while_stopping(self) -> None:
        """Otherwise a stop under load never ends."""
        site = Site(routes=ROUTES)
        with site, connection(site.ports.public) as sock:
            sock.sendall(PAGE.replace(b"fast", b"slow"))
            assert Gate.entered.wait(10)
            site.call(site.daemon.stop)

            until(lambda: not _accepts(site.ports.public) and not _accepts(site.ports.internal))
            Gate.opened.set()

    def test_readiness_ends_before_the_listeners(self) -> None:
        """Otherwise a load balancer sends requests to a daemon that is going."""
        site = Site(routes=ROUTES)
        with site, connection(site.ports.public) as slow, connection(site.ports.internal) as probe:
            slow.sendall(PAGE.replace(b"fast", b"slow"))
            assert Gate.entered.wait(10)
            site.call(site.daemon.stop)
            until(lambda: not _accepts(site.ports.public))
            probe.sendall(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")

            answer = probe.recv(65_536)
            Gate.opened.set()

            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b'"status":"stopping"' in answer

    def test_idle_connections_do_not_hold_a_stop_up(self) -> None:
        """Otherwise one open browser tab delays every release."""
        site = Site(routes=ROUTES)
        with site, connection(site.ports.public) as sock:
            sock.sendall(PAGE)
            assert sock.recv(65_536).startswith(b"HTTP/1.1 200 ")

            site.stop()

            assert _read_all(sock) == b""

    def test_a_request_that_never_ends_is_given_up(self, expect_log: Callable[..., Expectation]) -> None:
        """Otherwise a stuck provider keeps the old release alive."""
        expect_log("identity.web.server", "1 requests unanswered")
        site = Site(routes=ROUTES, drain_s=0.1)
        with site, connection(site.ports.public) as sock:
            sock.sendall(PAGE.replace(b"fast", b"slow"))
            assert Gate.entered.wait(10)
            site.call(site.daemon.stop)

            assert _read_all(sock) == b""
            Gate.opened.set()

    def test_a_client_that_leaves_is_not_waited_for(self) -> None:
        """Otherwise closed tabs hold a stop up to its limit."""
        site = Site(routes=ROUTES, drain_s=10)
        with site:
            with connection(site.ports.public) as sock:
                sock.sendall(PAGE.replace(b"fast", b"slow"))
                assert Gate.entered.wait(10)
            until(lambda: site.daemon.traffic.under_way == 0)
            Gate.opened.set()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((LOCAL, port), timeout=1).close()
    except OSError:
        return False
    return True


def _read_all(sock: socket.socket) -> bytes:
    received = b""
    try:
        while part := sock.recv(65_536):
            received += part
    except ConnectionResetError:
        pass
    return received


class TestCertificates:
    """TLS in the daemon itself."""

    def test_pages_are_served_over_tls(self, authority: Authority) -> None:
        """Otherwise a small installation needs a proxy for a certificate."""
        made = authority.issue()
        with Site(listening={"certificate": made.certificate, "key": made.key}) as site:
            reply = ask(site.ports.public, "GET", "/.identityd/ack", host=site.host, tls=authority.client_context())

            assert reply.status == 204

    def test_old_protocols_are_refused(self, authority: Authority) -> None:
        """Otherwise an attacker in between talks both sides down to a broken version."""
        made = authority.issue()
        with Site(listening={"certificate": made.certificate, "key": made.key}) as site:
            old = authority.client_context()
            old.minimum_version = ssl.TLSVersion.TLSv1_2
            version = _tls_version(site.ports.public, old)

            assert version == "TLSv1.3"
            assert site.daemon._certificates[0].context.minimum_version == ssl.TLSVersion.TLSv1_2

    def test_a_new_certificate_is_used_after_a_reload(self, authority: Authority, tmp_path: Path) -> None:
        """Otherwise a renewed certificate needs a restart, and is forgotten until it expires."""
        certificate, key = _place(authority, tmp_path)
        with Site(listening={"certificate": certificate, "key": key}) as site:
            before = _serial(site.ports.public, authority)
            _place(authority, tmp_path)
            site.daemon.certify(certificate, key)

            assert _serial(site.ports.public, authority) != before

    @pytest.mark.parametrize("broken", ["certificate", "key", "missing"])
    def test_an_unusable_one_leaves_the_old_one_in_use(self, authority: Authority, tmp_path: Path, broken: str) -> None:
        """Otherwise a half-written file takes the daemon down."""
        certificate, key = _place(authority, tmp_path)
        with Site(listening={"certificate": certificate, "key": key}) as site:
            before = _serial(site.ports.public, authority)
            _break(authority, certificate, key, broken)
            with pytest.raises(ConfigError, match="tls_certificate"):
                site.daemon.certify(certificate, key)

            assert _serial(site.ports.public, authority) == before

    def test_an_unusable_one_refuses_to_start(self, tmp_path: Path) -> None:
        """Otherwise the daemon starts and nobody can connect."""
        (tmp_path / "c.pem").write_text("nonsense")

        with pytest.raises(ConfigError, match=r"\[server\] tls_certificate"):
            Certificates(tmp_path / "c.pem", None)

    def test_connections_without_a_handshake_are_cut_off(self, authority: Authority) -> None:
        """Otherwise the slow ones hold the daemon one step earlier."""
        made = authority.issue()
        with Site(listening={"certificate": made.certificate, "key": made.key, "idle_s": 0.2}) as site:
            assert raw(site.ports.public) == b""


def _place(authority: Authority, folder: Path) -> tuple[Path, Path]:
    made = authority.issue()
    copyfile(made.certificate, folder / "c.pem")
    copyfile(made.key, folder / "k.pem")
    return folder / "c.pem", folder / "k.pem"


def _break(authority: Authority, certificate: Path, key: Path, how: str) -> None:
    if how == "certificate":
        certificate.write_text("-----BEGIN CERTIFICATE-----\nhalf")
    elif how == "key":
        copyfile(authority.issue().key, key)
    else:
        certificate.unlink()


def _serial(port: int, authority: Authority) -> str:
    with (
        socket.create_connection((LOCAL, port), timeout=10) as sock,
        authority.client_context().wrap_socket(sock, server_hostname="localhost") as tls,
    ):
        found = tls.getpeercert()
        assert found
        return str(found["serialNumber"])


def _tls_version(port: int, context: ssl.SSLContext) -> str | None:
    with (
        socket.create_connection((LOCAL, port), timeout=10) as sock,
        context.wrap_socket(sock, server_hostname="localhost") as tls,
    ):
        return tls.version()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_signals_reload_and_stop(ending: signal.Signals) -> None:
    """Otherwise a supervisor can neither renew a certificate nor stop the daemon without killing it."""
    heard: list[str] = []

    def reload(_: Callable[[], None]) -> None:
        heard.append("reload")
        os.kill(os.getpid(), ending)

    def ready(ports: Ports) -> None:
        heard.append("ready" if _accepts(ports.public) and _accepts(ports.internal) else "deaf")
        os.kill(os.getpid(), signal.SIGHUP)

    async def serve() -> None:
        context = Site().context
        anywhere = Listening(address=LOCAL, port=0)
        await run(Daemon(context, public=anywhere, internal=anywhere), ready=ready, reload=reload)
        context.checks.close()
        context.durable.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())

    assert heard == ["ready", "reload"]


def test_a_port_in_use_is_a_configuration_error() -> None:
    """Otherwise the second daemon on a machine dies with a traceback."""
    with Site() as site:
        taken = Listening(address=LOCAL, port=site.ports.public)
        second = Daemon(site.context, public=taken, internal=taken)

        with pytest.raises(ConfigError, match="cannot listen on"):
            second.start()
