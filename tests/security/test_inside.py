"""Row 52: a page that makes its own name lead to this machine reads nothing of the internal listener."""

from collections.abc import Iterator

import pytest

from identity.types import Host
from identity.web.http.base import Listener
from identity.web.routes import ROUTES
from identity.web.state import internal_hosts
from tests.support.web import LOCAL, Site, basic, forwarded

pytestmark = pytest.mark.threat(52)

REBOUND = [
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1.evil.example:{port}",
    "localhost.evil.example",
    "localhost.",
]
PATHS = [route.path for route in ROUTES if route.listener is Listener.INTERNAL]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Give a daemon with a listed name."""
    changes = {"internal_hosts": frozenset({LOCAL, "identityd.internal", "metrics:9100"})}
    with Site(trusted=(LOCAL,), changes=changes) as running:
        yield running


@pytest.mark.parametrize(
    "host", [*REBOUND, "192.0.2.7:{port}", "2130706433:{port}", "0x7f.1:{port}", "login.example:1"]
)
@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
def test_an_unknown_name_gets_nothing(site: Site, path: str, host: str) -> None:
    """Otherwise any web page reads numbers and health, and tries secrets, through an operator's browser."""
    proven = {**basic(), **forwarded(host=site.host)}
    proven = basic() if path == "/auth" else proven
    for method, headers in (("GET", {}), ("GET", proven), ("POST", proven), ("OPTIONS", {})):
        reply = site.internal(method, path, host=host.format(port=site.ports.internal), headers=headers)

        assert (reply.status, reply.json()["error"]) == (421, "unknown-host")
        assert "internal_hosts" in reply.json()["message"]


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost:{port}",
        "localhost:9999",
        "127.0.0.1:{port}",
        "127.8.8.8",
        "[::1]:{port}",
        "[::ffff:127.0.0.1]",
        "identityd.internal",
        "Identityd.Internal:{port}",
        "metrics:9100",
        "login.example",
        "login.example:443",
    ],
)
def test_a_name_that_no_page_can_have_is_answered(site: Site, host: str) -> None:
    """Otherwise tunnels, monitoring and proxies that hand the browser's Host on are locked out."""
    assert site.internal("GET", "/healthz", host=host.format(port=site.ports.internal)).status == 200


def test_a_listed_port_is_the_only_one(site: Site) -> None:
    """Otherwise a name that was listed with its port counts more than was meant."""
    assert site.internal("GET", "/healthz", host="metrics:9101").status == 421


@pytest.mark.parametrize(
    ("host", "arrived_at", "answered"),
    [
        ("10.0.0.5:8888", "10.0.0.5", True),
        ("10.0.0.5:8888", "::ffff:10.0.0.5", True),
        ("10.0.0.5:8888", "10.0.0.6", False),
        ("[fd00::5]:8888", "fd00::5", True),
        ("[fe80::5]", "fe80::5%eth0", True),
        ("[fd00::5]", "fd00::6", False),
        ("10.0.0.5", "", False),
        ("", "10.0.0.5", False),
    ],
)
def test_the_address_that_was_asked_is_a_name(host: str, arrived_at: str, *, answered: bool) -> None:
    """Otherwise Prometheus, which asks by address, has to be configured twice."""
    assert internal_hosts.answers(Host(host), arrived_at=arrived_at, listed=(), registered=()) is answered


def test_a_listed_proxy_hands_the_browsers_host_on(site: Site) -> None:
    """Otherwise nginx, which shows the browser's Host, makes a 503 of "this host is not registered"."""
    unregistered = site.internal("GET", "/auth", host="evil.example", headers=forwarded(host="evil.example"))

    assert (unregistered.status, unregistered.one("X-Identity-Verdict")) == (403, "forbidden")


def test_nobody_else_is_heard_about_hosts() -> None:
    """Otherwise a page adds the header itself, and its name is overlooked."""
    with Site() as site:
        reply = site.internal("GET", "/auth", host="evil.example", headers=forwarded(host="login.example"))

    assert reply.status == 421
