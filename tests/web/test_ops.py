"""`/healthz`, `/readyz`, `/metrics`."""

from identity.web.context import Probe
from tests.support.web import Site

FINE = (Probe("memcached:one", clock_ahead_ms=-200), Probe("accounts"))
DOWN = (Probe("memcached:one", "does not answer"), Probe("accounts"), Probe("provider:corp", "discovery failed"))


def test_alive_asks_nobody() -> None:
    """Otherwise an outage of a store makes a supervisor kill every daemon."""

    def probes() -> tuple[Probe, ...]:
        raise AssertionError("asked")

    with Site(probes=probes) as site:
        assert (site.internal("GET", "/healthz").status, site.internal("GET", "/healthz/").status) == (200, 200)
        assert site.internal("HEAD", "/healthz").status == 200


def test_ready_when_everything_answers() -> None:
    """Otherwise a load balancer leaves a good daemon out."""
    with Site(probes=lambda: FINE) as site:
        reply = site.internal("GET", "/readyz")

        assert (reply.status, reply.json()["status"], reply.json()["missing"]) == (200, "ready", [])
        assert reply.json()["parts"][0] == {
            "name": "memcached:one",
            "problem": None,
            "warning": None,
            "clock_ahead_s": -0.2,
            "clock_warning": False,
        }


def test_not_ready_names_what_is_missing() -> None:
    """Otherwise an operator searches all servers for the one that is down."""
    with Site(probes=lambda: DOWN) as site:
        reply = site.internal("GET", "/readyz")

        assert reply.status == 503
        assert reply.json()["missing"] == ["memcached:one", "provider:corp"]
        assert reply.json()["parts"][0]["problem"] == "does not answer"
        assert reply.one("Cache-Control") == "no-store"


def test_a_clock_that_is_off_is_reported_and_harmless() -> None:
    """Otherwise sessions end early and nobody knows why; or a wrong clock takes the service down."""
    with Site(probes=lambda: (Probe("memcached:one", clock_ahead_ms=-5_000),)) as site:
        reply = site.internal("GET", "/readyz")

        assert (reply.status, reply.json()["parts"][0]["clock_warning"]) == (200, True)


def test_numbers_count_answers_by_listener_and_status() -> None:
    """Otherwise nobody sees that errors rise."""
    with Site() as site:
        site.public("GET", "/nothing")
        reply = site.internal("GET", "/metrics")

        assert reply.one("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
        assert b'identityd_requests_total{listener="public",status="404"} 1' in reply.body
        assert b'identityd_request_seconds_count{listener="public"} 1' in reply.body
