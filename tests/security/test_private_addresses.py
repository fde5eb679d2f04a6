"""Nobody makes the daemon call something inside (THREATS 46): every form an address can take."""

import asyncio
from collections.abc import Iterable, Sequence
from ipaddress import ip_network
from typing import Any, Final

import httpcore2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.outbound.allowed_addresses import AllowedAddresses, is_disguised
from identity.outbound.connections import AddressRefused, GuardedBackend
from identity.outbound.rules import OutboundRules
from providers.base import ProviderBroken
from tests.outbound.test_client import client, resolves_to
from tests.support.origin import Origin

pytestmark = pytest.mark.threat(46)

INSIDE: Final = (
    *("127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200", "0.0.0.0", "0.1.2.3"),  # noqa: S104
    *("192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "fe80::1", "fe80::1%1", "fec0::1", "fd00:ec2::254", "fc00::1", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0"),
    *("64:ff9b::169.254.169.254", "64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1"),
    *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2001::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1", "4000::1"),
)
OUTSIDE: Final = (
    *("8.8.8.8", "140.82.121.3", "172.32.0.1", "100.128.0.1", "11.0.0.1", "192.0.1.1"),
    *("2606:4700::1111", "2a00:1450:4001:80b::200e", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"),
)
DISGUISED: Final = (
    *("2130706433", "0x7f000001", "0x7F.1", "017700000001", "0177.0.0.1", "127.1", "127.0.1", "127.0.0.1."),
    *("0x7f.0x0.0x0.0x1", "00000177.1", "4294967295", "0", "0x", "1.2.3.4.5", "999.999.999.999", "example.0x7f"),
)


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_refused_whatever_it_is_called(address: str) -> None:
    """Otherwise a provider's name that resolves there makes us ask the metadata service for its keys."""
    with client(OutboundRules(), resolve=resolves_to(address)) as http:
        assert "private address" in http.failure("GET", "https://id.example/")


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_outside_is_called(address: str) -> None:
    """Otherwise the guard is safe and useless."""
    assert AllowedAddresses().permits("id.example", [address])


def test_one_address_inside_among_many_outside_is_enough() -> None:
    """Otherwise an attacker adds a public address and waits for his turn."""
    assert not AllowedAddresses().permits("id.example", [*OUTSIDE, "10.0.0.1"])
    assert not AllowedAddresses().permits("id.example", ["169.254.169.254", *OUTSIDE])


def test_a_name_without_an_address_is_not_called() -> None:
    """Otherwise an empty answer passes every check there is."""
    assert not AllowedAddresses().permits("id.example", [])


@pytest.mark.parametrize("host", DISGUISED)
def test_a_number_in_disguise_is_not_even_resolved(host: str) -> None:
    """Otherwise what our check reads as a name, the system reads as this machine."""

    async def never(_host: str, _port: int) -> Sequence[str]:
        raise AssertionError("it was resolved")

    with client(OutboundRules(), resolve=never) as http:
        assert "cannot be called" in http.failure("GET", f"https://{host}/")
    assert is_disguised(host)


@pytest.mark.parametrize("host", ["id.example", "127.0.0.1", "::1", "1.example", "a1", "0x7f.example", "1password.com"])
def test_ordinary_hosts_are_not_taken_for_numbers(host: str) -> None:
    """Otherwise a provider with a digit in its name cannot be used."""
    assert not is_disguised(host)


@given(st.ip_addresses())
def test_every_address_has_a_verdict(address: object) -> None:
    """Otherwise some address makes the check fail instead of refusing."""
    assert AllowedAddresses().permits("id.example", [str(address)]) in {True, False}


def test_listed_networks_are_called_and_their_neighbours_are_not() -> None:
    """Otherwise a provider inside cannot be used, or listing it opens everything."""
    allowed = AllowedAddresses(networks=(ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")))

    assert allowed.permits("id.example", ["10.1.2.3", "fd00:1::9", "::ffff:10.1.2.3"])
    assert not allowed.permits("id.example", ["10.2.0.1"])
    assert not allowed.permits("id.example", ["fd00:2::9"])


def test_a_listed_name_may_be_inside_but_not_at_the_metadata_service() -> None:
    """Otherwise whoever changes the name's address gets the machine's credentials."""
    allowed = AllowedAddresses(hosts=frozenset({"id.inside.example"}))

    assert allowed.permits("ID.inside.example.", ["10.0.0.1", "::1", "fd00::1"])
    assert not allowed.permits("id.inside.example", ["169.254.169.254"])
    assert not allowed.permits("id.inside.example", ["::ffff:169.254.169.254"])
    assert not allowed.permits("other.inside.example", ["10.0.0.1"])
    assert not allowed.permits("evil.id.inside.example", ["10.0.0.1"])


class _Recorder(httpcore2.AsyncNetworkBackend):
    """Connects to nothing, and remembers where to."""

    def __init__(self) -> None:
        self.to: list[str] = []

    async def connect_tcp(self, host: str, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:  # noqa: ANN401
        self.to.append(host)
        raise httpcore2.ConnectError("recorded")


def _two_answers(*answers: Iterable[str]) -> tuple[list[str], Any]:
    left = iter(answers)
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return tuple(next(left))

    return asked, resolve


def test_the_address_that_was_judged_is_the_one_connected_to() -> None:
    """Otherwise a name server that changes its mind between check and use leads inside (DNS rebinding)."""
    asked, resolve = _two_answers(["8.8.8.8"], ["169.254.169.254"])
    inner = _Recorder()
    guard = GuardedBackend(OutboundRules(), resolve, inner)

    with pytest.raises(httpcore2.ConnectError, match="recorded"):
        asyncio.run(guard.connect_tcp("id.example", 443, timeout=1))
    assert (asked, inner.to) == (["id.example"], ["8.8.8.8"])

    with pytest.raises(AddressRefused):
        asyncio.run(guard.connect_tcp("id.example", 443, timeout=1))
    assert inner.to == ["8.8.8.8"]


def test_a_name_that_moves_inside_is_refused_at_its_next_connection() -> None:
    """Otherwise a name that was judged once is trusted for ever."""
    asked, resolve = _two_answers(["127.0.0.1"], ["169.254.169.254"])
    rules = OutboundRules(allowed=AllowedAddresses(networks=(ip_network("127.0.0.0/8"),)))
    with Origin() as origin, client(rules, resolve=resolve) as http:
        assert http.get(origin.url(host="localhost")).status == 200
        assert http.get(origin.url(host="localhost")).status == 200
        with Origin() as elsewhere:
            assert "private address" in http.failure("GET", elsewhere.url(host="localhost"))
    assert asked == ["localhost", "localhost"]


def test_a_refused_address_is_not_tried_again() -> None:
    """Otherwise the second try is a second chance for a name server that answers differently."""
    asked, resolve = _two_answers(["10.0.0.1"], ["127.0.0.1"])
    with client(resolve=resolve) as http, pytest.raises(ProviderBroken):
        http.get("https://id.example/")
    assert asked == ["id.example"]


def test_no_more_than_a_few_addresses_are_tried() -> None:
    """Otherwise a name with a thousand addresses is a scan we make for its owner."""
    inner = _Recorder()
    guard = GuardedBackend(OutboundRules(), resolves_to(*(f"8.8.8.{n}" for n in range(99))), inner)

    with pytest.raises(httpcore2.ConnectError):
        asyncio.run(guard.connect_tcp("id.example", 443))

    assert len(inner.to) == 4
