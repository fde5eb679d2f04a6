"""Addresses that verdicts lead to, and the one rule for what is an address of our own."""

import pytest

from identity.sessions.check import Check, Mode, Outcome, Verdict
from identity.types import Host
from identity.web.base import is_local
from identity.web.verdicts import Target, ascii_uri, flag_of, is_navigation, location, with_flag
from tests.support.loading import LOADS

TARGET = Target("https", Host("login.example"), "/a?b=c")
PUBLIC = "https://login.example"
PAGE = Check(cookies=(), host=Host("login.example"), navigation=True)


@pytest.mark.parametrize(
    ("address", "flagged"),
    [
        ("/a", "/a?identityd-bounced=1"),
        ("/a?", "/a?identityd-bounced=1"),
        ("/a?b=c", "/a?b=c&identityd-bounced=1"),
        ("/a?b=identityd-bounced", "/a?b=identityd-bounced&identityd-bounced=1"),
        ("/a?identityd-bounced=0", "/a?identityd-bounced=1"),
        ("/a?b=c&identityd-bounced=0&d=e", "/a?b=c&d=e&identityd-bounced=1"),
        ("/a?identityd-bounced=2&b=c&identityd-bounced=", "/a?b=c&identityd-bounced=1"),
    ],
)
def test_the_flag_is_added_once(address: str, flagged: str) -> None:
    """Otherwise the address grows with each bounce, until a server refuses it."""
    assert with_flag(address, "1") == flagged
    assert flag_of(flagged) == "1"


@pytest.mark.parametrize(
    ("sent", "escaped"),
    [
        ("/a%20b?c=%C3%A9&d=+[x]{y}|~", "/a%20b?c=%C3%A9&d=+[x]{y}|~"),
        ("/\xc3\xa9", "/%C3%A9"),
        ('/"<>\\#', "/%22%3C%3E%5C%23"),
        ("/a b", "/a%20b"),
        ("/\r\n\t", "/%0D%0A%09"),
    ],
)
def test_an_address_is_kept_but_for_what_no_header_may_hold(sent: str, escaped: str) -> None:
    """Otherwise the page after the login is another one than was asked for, or the header breaks."""
    assert ascii_uri(sent) == escaped


@pytest.mark.parametrize("mode", [Mode.WEBSOCKET, Mode.READ_ONLY])
@pytest.mark.parametrize("outcome", [Outcome.LOGIN, Outcome.BOUNCE])
def test_who_cannot_follow_a_redirect_is_given_none(mode: Mode, outcome: Outcome) -> None:
    """Otherwise a handshake is redirected, which fails without a word."""
    check = Check(cookies=(), host=Host("login.example"), navigation=True, mode=mode)

    assert location(Verdict(outcome, "stale"), check, TARGET, public_url=PUBLIC) is None


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.RETRY, Outcome.FORBIDDEN])
def test_other_verdicts_lead_nowhere(outcome: Outcome) -> None:
    """Otherwise an outage sends people to the login page."""
    assert location(Verdict(outcome, "x"), PAGE, TARGET, public_url=PUBLIC) is None


def test_a_bounce_without_a_flag_is_the_address_as_it_was() -> None:
    """Otherwise an address changes where nothing asks for it."""
    verdict = Verdict(Outcome.BOUNCE, "too-many-cookies")

    assert location(verdict, PAGE, TARGET, public_url=PUBLIC) == "https://login.example/a?b=c"


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("/", True),
        ("/a?b=//c", True),
        ("", False),
        ("a", False),
        ("//a", False),
        ("/\\a", False),
        ("/a\\b", False),
        ("/a\n", False),
        ("/é", False),
        ("https://login.example/", False),
    ],
)
def test_a_local_address_is_a_path_in_every_browser(address: str, *, local: bool) -> None:
    """Otherwise what one parser calls a path is a host to another."""
    assert is_local(address) is local


@pytest.mark.parametrize(("method", "headers", "page"), LOADS)
def test_only_a_page_load_is_led_to_a_login(method: str, headers: dict[str, str], *, page: bool) -> None:
    """A script would take the login page for data; a person would see a bare 401."""
    assert is_navigation(method, headers) is page
