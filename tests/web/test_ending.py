"""A daemon that ends: what has begun is answered, and with a successor what is open too."""

import pytest

from identity.web import server
from identity.web.state.traffic import Takeover
from tests.support.certificates import Authority
from tests.support.waiting import until
from tests.support.web import Site, connection

READY = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"


class TestStopping:
    """SIGTERM, and no successor."""

    def test_a_request_that_has_arrived_in_part_is_answered(self) -> None:
        """Otherwise who sends over a slow line sees a broken connection at every restart."""
        with Site() as site, connection(site.ports.internal) as sock:
            sock.sendall(READY[:20])
            until(site.daemon._busy)
            site.call(site.daemon.stop)
            until(lambda: site.daemon.traffic.draining)
            sock.sendall(READY[20:])

            answer = sock.recv(65_536)

            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nConnection: close\r\n" in answer
            assert b'"status":"stopping"' in answer

    def test_a_connection_within_its_handshake_is_answered(self, authority: Authority) -> None:
        """Otherwise a browser that was let in sees a broken connection."""
        made = authority.issue()
        with (
            Site(listening={"certificate": made.certificate, "key": made.key}) as site,
            connection(site.ports.internal) as sock,
        ):
            until(site.daemon._busy)
            site.call(site.daemon.stop)
            until(lambda: site.daemon.traffic.draining)
            with authority.client_context().wrap_socket(sock, server_hostname="localhost") as tls:
                tls.sendall(READY)

                assert tls.recv(65_536).startswith(b"HTTP/1.1 503 ")

    @pytest.mark.parametrize("part", [b"", READY[:20]])
    def test_what_comes_no_further_is_given_up(self, part: bytes) -> None:
        """Otherwise a client that sends half a request keeps the old release alive."""
        with Site(drain_s=0.2) as site, connection(site.ports.internal) as sock:
            sock.sendall(part)
            site.stop()

            assert sock.recv(1) == b""


class TestRetiring:
    """A successor serves."""

    def test_a_kept_connection_is_not_told_that_the_service_stops(self) -> None:
        """Otherwise a load balancer takes the machine out while a successor serves on it."""
        with Site() as site, connection(site.ports.internal) as kept:
            kept.sendall(READY)
            assert kept.recv(65_536).startswith(b"HTTP/1.1 200 ")
            _retire(site)

            kept.sendall(READY)
            answer = kept.recv(65_536)

            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"\r\nConnection: close\r\n" in answer
            assert kept.recv(1) == b""

    def test_an_idle_connection_is_closed_after_a_bounded_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Otherwise a client that keeps a connection for ever keeps the old release alive."""
        monkeypatch.setattr(server, "RETIRE_S", 0.2)
        with Site() as site, connection(site.ports.internal) as kept:
            kept.sendall(READY)
            kept.recv(65_536)
            _retire(site)

            assert kept.recv(1) == b""


def _retire(site: Site) -> None:
    """Do what follows when a successor has said that it serves."""
    site.daemon.traffic.takeover = Takeover.DONE
    site.call(site.daemon.retire)
    until(lambda: site.daemon.traffic.draining)
