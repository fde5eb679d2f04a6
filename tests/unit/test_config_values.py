"""Origins, hosts, nodes and networks: what is read, and what each refusal tells the operator."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.config import values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://login.example.com", "https://login.example.com"),
        ("https://Login.Example.COM/", "https://login.example.com"),
        ("https://login.example.com:443", "https://login.example.com"),
        ("https://login.example.com:8443", "https://login.example.com:8443"),
        ("http://127.0.0.1:8887", "http://127.0.0.1:8887"),
        ("http://[::1]:8887", "http://[::1]:8887"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
    ],
)
def test_an_origin_is_spelt_as_browsers_spell_it(text: str, expected: str) -> None:
    """Another spelling would never equal what a browser sends, and every comparison would fail."""
    assert str(values.read_origin(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "login.example.com",
        "ftp://login.example.com",
        "https://",
        "https://login.example.com/path",
        "https://login.example.com?",
        "https://login.example.com/?a=b",
        "https://login.example.com#x",
        "https://user:hidden@login.example.com",
        "https://login.example.com:0",
        "https://login.example.com:99999",
        "https://login..example.com",
        "https://-login.example.com",
        "https://login example.com",
        "https://bücher.example",
        "https://[::1",
        "https://" + "a." * 127 + "example",
    ],
)
def test_an_address_that_is_no_origin_is_refused_without_quoting_it(text: str) -> None:
    """A wrong public_url breaks every login; the sentence says what to write and repeats no password."""
    with pytest.raises(ValueError, match=r"^(is|must|has) ") as refused:
        values.read_origin(text)
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.255.0.1", "::1"])
def test_names_that_mean_only_this_machine_are_loopback(name: str) -> None:
    """The demonstration and development would not start without them."""
    assert values.is_loopback(name)


@pytest.mark.parametrize(
    "name",
    ["0.0.0.0", "::", "localhost.example.com", "127.1", "127.0.0.1.example.com", "10.0.0.1"],  # noqa: S104 - only read
)
def test_names_that_may_mean_another_machine_are_not_loopback(name: str) -> None:
    """Plain http would be allowed on an address others can reach, and cookies would travel in the clear."""
    assert not values.is_loopback(name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one=127.0.0.1:11211", values.MemcachedAddress("one", "127.0.0.1", 11211)),
        ("b-2=Cache.example.com:1", values.MemcachedAddress("b-2", "cache.example.com", 1)),
        ("six=[::1]:11211", values.MemcachedAddress("six", "::1", 11211)),
    ],
)
def test_a_node_is_a_name_and_an_address(text: str, expected: values.MemcachedAddress) -> None:
    """The name places records; read wrongly, every session would be looked for on another server."""
    assert values.read_node(text) == expected
    assert values.read_node(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1:11211", "=a:1", "One=a:1", "one=a", "one=a:0", "one=a:65536", "one=:1", "one=::1:11211", "one=a:1:2"],
)
def test_a_node_without_name_or_port_is_refused(text: str) -> None:
    """A guessed name or port would put the sessions of some people where no daemon looks for them."""
    with pytest.raises(ValueError, match=r"write|has|is not"):
        values.read_node(text)


@pytest.mark.parametrize(
    ("text", "host"), [("Wiki.example.com", "wiki.example.com"), ("a:8443", "a:8443"), ("a:443", "a")]
)
def test_a_host_is_spelt_as_browsers_send_it(text: str, host: str) -> None:
    """An application would be refused every question about its own host."""
    assert values.read_host(text) == host


def test_a_host_with_scheme_or_path_is_refused_with_an_example() -> None:
    """Operators paste addresses; stored as they are they would match no request."""
    with pytest.raises(ValueError, match=r"write the name alone, like wiki\.example\.com"):
        values.read_host("https://wiki.example.com/")


@pytest.mark.parametrize(
    "text", ["10.0.0.5", "10.0.0.0/8", "192.168.0.0/24", "fd00::/8", "fc00::/7", "::1", "::ffff:10.0.0.0/104"]
)
def test_networks_of_proxies_are_accepted(text: str) -> None:
    """A proxy that cannot be listed leaves every audit row with the proxy's address."""
    assert values.read_proxy_network(text)


def test_a_network_with_bits_after_its_prefix_says_what_was_meant() -> None:
    """Silently widened, 10.0.0.1/8 would trust a whole network where one machine was meant."""
    with pytest.raises(ValueError, match=r"write 10\.0\.0\.0/8$"):
        values.read_network("10.0.0.1/8")


@given(st.text(max_size=60))
def test_no_text_makes_a_reader_fail_in_another_way_than_by_a_sentence(text: str) -> None:
    """A traceback instead of a sentence leaves the operator alone with it."""
    for read in (
        values.read_origin,
        values.read_host,
        values.read_node,
        values.read_proxy_network,
        values.read_hostname,
    ):
        with suppress(ValueError):
            read(text)


@given(st.ip_addresses(), st.integers(1, 65535))
def test_every_address_and_port_can_be_written_and_read_back(address: object, port: int) -> None:
    """An IPv6 address with its colons must not be mistaken for a host and a port."""
    assert values.read_host_port(values.join_host(str(address), port)) == (str(address), port)
