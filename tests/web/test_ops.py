"""`/healthz`, `/readyz`, `/metrics`."""

import asyncio
import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from identity import __version__, app, config, probing
from identity.clock import LATEST
from identity.metrics import Metrics
from identity.outbound.allowed_addresses import AllowedAddresses
from identity.outbound.circuit import WORTH_A_WORD, CallEnd, Circuit
from identity.outbound.client import OutboundClient
from identity.outbound.rules import OutboundRules
from identity.types import Millis
from identity.web.state.context import Probe
from tests.support.clock import NOON
from tests.support.guards import Expectation
from tests.support.origin import Answer, Origin
from tests.support.web import Site, forwarded

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


def test_what_runs_is_said_by_readiness_and_metrics() -> None:
    """After an upgrade of ten machines nobody sees which one still serves the old version."""
    with Site() as site:
        assert site.internal("GET", "/readyz").json()["version"] == __version__
        said = f'identityd_build_info{{python="{platform.python_version()}",version="{__version__}"}} 1.0'
        assert said in site.internal("GET", "/metrics").body.decode().splitlines()


def test_what_is_full_is_named_and_stays_in_service() -> None:
    """Otherwise all would look well while nobody can log in; taken out of service, nobody could even go on."""
    full = (Probe("sessions (one)", warning="is full", full=True), Probe("sessions (two)"))
    with Site(probes=lambda: full) as site:
        reply = site.internal("GET", "/readyz")

        assert (reply.status, reply.json()["status"], reply.json()["full"]) == (200, "ready", ["sessions (one)"])
        assert reply.json()["parts"][0]["warning"] == "is full"


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
        assert b'identityd_requests_total{listener="public",status="404"} 1.0' in reply.body
        assert b'identityd_request_seconds_count{listener="public"} 1' in reply.body


CONFIGURED = """
[provider:corp]
kind = github
client_id = x
client_secret = 0123456789
[provider:off]
kind = github
enabled = no
client_id = x
client_secret = 0123456789
[provider:other]
kind = github
client_id = x
client_secret = 0123456789
"""


@pytest.mark.threat(59)
def test_a_provider_in_trouble_is_a_warning_and_the_daemon_is_ready() -> None:
    """Otherwise nobody hears of it, or one provider's outage takes all daemons out of service."""

    async def troubled() -> list[Probe]:
        client = OutboundClient(OutboundRules(allowed=AllowedAddresses(hosts=frozenset({"localhost"}))))
        for _ in range(WORTH_A_WORD):
            await client.for_provider("corp").fetch("GET", origin.url(host="localhost"))
        probes = list(probing.providers(config.parse(CONFIGURED, base=Path()), client))
        await client.aclose()
        return probes

    with Origin(lambda _: Answer(503)) as origin:
        probes = asyncio.run(troubled())

    assert [(probe.name, probe.problem) for probe in probes] == [("provider (corp)", ""), ("provider (other)", "")]
    assert "answered 503" in probes[0].warning
    assert probes[1].warning == ""
    with Site(probes=lambda: probes) as site:
        reply = site.internal("GET", "/readyz")
        assert (reply.status, reply.json()["missing"]) == (200, [])
        assert "answered 503" in reply.json()["parts"][0]["warning"]


@pytest.mark.threat(59)
def test_a_provider_that_is_left_alone_is_in_the_numbers() -> None:
    """Otherwise no alarm can be built on it."""
    metrics, circuit = Metrics(), Circuit()
    for _ in range(5):
        circuit = circuit.ended(CallEnd.IN_VAIN, 0, trial=False)

    app._up(metrics, "corp", circuit)
    app._up(metrics, "other", Circuit())

    assert b'identityd_provider_up{provider="corp"} 0.0' in metrics.render()
    assert b'identityd_provider_up{provider="other"} 1.0' in metrics.render()


@pytest.mark.parametrize("jump", [-NOON, LATEST - NOON])
def test_a_clock_that_jumps_while_serving_is_503_and_ends_nothing(
    jump: Millis, expect_log: Callable[..., Expectation]
) -> None:
    """Otherwise a broken time server is 500 for everybody, or ends every session."""
    expect_log("identity.web", "clock-wrong")
    with Site(trusted=("127.0.0.1",)) as site:
        jar = site.log_in()
        site.clock.advance(jump)
        wrong = [
            site.auth(jar=jar),
            site.check(jar),
            site.public("GET", "/.identityd/ack", headers=jar.header),
            site.internal("GET", "/auth", headers=forwarded(host=site.host)),
        ]
        ready, alive = site.internal("GET", "/readyz"), site.internal("GET", "/healthz")
        numbers = site.internal("GET", "/metrics")
        site.clock.advance(-jump)

        assert {reply.status for reply in wrong} == {503}
        assert not any(reply.cookies for reply in wrong)
        assert (ready.status, ready.json()["missing"]) == (503, ["clock"])
        assert (alive.status, numbers.status) == (200, 200)
        assert site.auth(jar=jar).status == 200
