"""The two summaries a session keeps of where somebody logged in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.sessions.client_summary import AGENT_LENGTH, is_local, summarise_address, summarise_agent

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
AGENTS = [
    ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
    ("Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0", "Firefox on Android"),
    (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0.0.0 Safari/537.36", "Chrome on Windows"),
    (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
    (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/140.0.0.0 Safari/537.36", "Chrome on ChromeOS"),
    (f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/140.0.0.0 Safari/537.36", "Chrome on Linux"),
    (f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/140.0 Mobile Safari/537.36 OPR/90.0", "Opera on Android"),
    (
        f"Mozilla/5.0 (Linux; Android 14) {WEBKIT} SamsungBrowser/28.0 Chrome/130.0 Mobile Safari/537.36",
        "Samsung Internet on Android",
    ),
    (
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/18.5 Mobile/15E148 Safari/604.1"
        ),
        "Safari on iPhone",
    ),
    (
        (
            "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "CriOS/140.0 Mobile/15E148 Safari/604.1"
        ),
        "Chrome on iPad",
    ),
    (
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/18.5 Safari/605.1.15"
        ),
        "Safari on macOS",
    ),
    ("curl/8.5.0", "curl"),
    ("python-requests/2.32.0", "python-requests"),
    ("Mozilla/5.0 (X11; FreeBSD amd64)", "Unknown browser on FreeBSD"),
    ("Mozilla/5.0", "Unknown browser"),
    ("", "Unknown browser"),
    ("<script>alert(1)</script>", "Unknown browser"),
]

ADDRESSES = [
    ("203.0.113.77", "203.0.113.x"),
    ("127.0.0.1", "loopback"),
    ("::1", "loopback"),
    ("::ffff:203.0.113.77", "203.0.113.x"),
    ("2001:db8:12:3456::9", "2001:db8:12::x"),
    ("2001:db8::1", "2001:db8::x"),
    ("fe80::1%eth0", "fe80::x"),
    (" 198.51.100.4 ", "198.51.100.x"),
    ("", ""),
    ("unix:", ""),
    ("203.0.113.77, 10.0.0.1", ""),
]


@pytest.mark.parametrize(("ua", "summary"), AGENTS, ids=[summary + str(i) for i, (_, summary) in enumerate(AGENTS)])
def test_a_browser_is_called_what_its_owner_calls_it(ua: str, summary: str) -> None:
    """Somebody who reads the list of sessions could not tell his own browser from a stranger's."""
    assert summary == summarise_agent(ua)


@given(st.text(max_size=2_000))
def test_any_user_agent_gives_a_short_printable_summary(ua: str) -> None:
    """A hostile header could overfill the record of an account or reach a page as markup."""
    summary = summarise_agent(ua)

    assert len(summary) <= AGENT_LENGTH
    assert summary.isascii()
    assert not set(summary) & set("<>&\"'\r\n")


@pytest.mark.parametrize(("ip", "summary"), ADDRESSES)
def test_an_address_is_cut_to_its_network(ip: str, summary: str) -> None:
    """The record would keep full addresses, or the person would see digits that change every night."""
    assert summary == summarise_address(ip)


@given(st.ip_addresses())
def test_no_summary_gives_the_whole_address_back(ip: object) -> None:
    """Two people of one network could be told apart by what a session keeps."""
    summary = summarise_address(str(ip))

    assert summary == "loopback" or summary.endswith("x")
    assert len(summary) <= 17


@pytest.mark.parametrize(
    ("ip", "local"),
    [
        ("192.168.1.20", True),
        ("10.3.2.1", True),
        ("172.31.0.9", True),
        ("fd00:1:2::3", True),
        ("fe80::1", True),
        ("172.32.0.9", False),
        ("203.0.113.9", False),
        ("2001:db8::1", False),
        ("127.0.0.1", False),
        ("", False),
    ],
)
def test_a_house_network_is_told_from_a_public_one(ip: str, *, local: bool) -> None:
    """A person would look up 192.168.1.x somewhere in the world, or take a foreign network for home."""
    assert local == is_local(summarise_address(ip))
