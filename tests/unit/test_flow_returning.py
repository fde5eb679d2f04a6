"""Where a login may lead: our own paths and registered applications, nothing else."""

import re
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from identity.login.returning import FALLBACK, LONGEST, safe_return

OURS = "https://login.example.com"
APPS = frozenset({"https://wiki.example.com", "https://shop.example.com:8443", "http://[::1]:9000"})
ALLOWED = APPS | {OURS}

REFUSED = [
    "",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\\/evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "/\n/evil.example",
    "/\r\n/evil.example",
    "/%09/evil.example",
    "/%0a/evil.example",
    "/%0d%0aSet-Cookie:a=b",
    "/%00/evil.example",
    "/%5cevil.example",
    "/%5Cevil.example",
    "/%255cevil.example",
    "/%2fevil.example",
    "/%2Fevil.example",
    "/%252fevil.example",
    "/%25252fevil.example",
    "/%2525252fevil.example",
    "/%252525252fevil.example",
    "/%2525252541",
    "/.//evil.example",
    "/..//evil.example",
    "/x/..//evil.example",
    "/x/../../evil.example",
    "/%2e%2e//evil.example",
    "/%2e/evil.example",
    "/%252e%252e/evil.example",
    "/..;/evil.example",
    "/x/..;/..;//evil.example",
    "/..%3b/evil.example",
    "/;/evil.example",
    "/;x=1//evil.example",
    "/%20/evil.example",
    "/%20..%20/evil.example",
    "/%c0%afevil.example",
    "/%ff",
    "/%ef%bc%8fevil.example",
    "/%ef%bc%bcevil.example",
    "/a/%ef%bc%8e%ef%bc%8e/b",
    "/%c2%85x",
    "/ä",
    "/\uff0fevil.example",
    "/ evil.example",
    " /account",
    "/account ",
    "/a<b",
    '/a"b',
    "account",
    "evil.example",
    ".evil.example",
    "@evil.example",
    "?next=/",
    "#/account",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "https:\\\\evil.example",
    "https://evil.example",
    "https://evil.example/",
    "http://login.example.com/",
    "HTTPS://LOGIN.EXAMPLE.COM/",
    "https://login.example.com.evil.example/",
    "https://login.example.com:443/",
    "https://login.example.com:8080/",
    "https://login.example.com.",
    "https://login.example.com@evil.example/",
    "https://login.example.com:pass@evil.example/",
    "https://user@login.example.com/",
    "https://login.example.com%2eevil.example/",
    "https://login.example.com\\.evil.example/",
    "https://login.example.com;evil.example/",
    "https://login.example.com//evil.example",
    "https://login.example.com/\\evil.example",
    "https://login.example.com/%2fevil.example",
    "https://wiki.example.com//evil.example",
    "https://wiki.example.com/x/..;/",
    "https://wiki.example.com.evil.example/",
    "https://wiki.example.com.evil.example",
    "https://xwiki.example.com/",
    "https://shop.example.com/",
    "https://shop.example.com:84430/",
    "https://shop.example.com:8443@evil.example/",
    "http://[::1]/",
    "http://[::1]:9000.evil.example/",
    "http://[::ffff:127.0.0.1]:9000/",
    "http://[::1%25eth0]:9000/",
    "http://[evil.example]/",
    "http://[::1]:9000@evil.example/",
    "http://0:9000/",
    "//[::1]:9000/",
    "javascript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "mailto:a@example.com",
    "/login",
    "/login?return_to=/login",
    "/login/google",
    "/LOGIN/google",
    "/%6cogin",
    "/login;x/google",
    "/logout",
    "/welcome?s=1",
    "https://login.example.com/login/google",
    "/" + "a" * LONGEST,
]

ACCEPTED = [
    ("/", "/"),
    ("/account", "/account"),
    ("/account/sessions?a=1&b=2#top", "/account/sessions?a=1&b=2#top"),
    ("/wiki/%C3%9Cbersicht", "/wiki/%C3%9Cbersicht"),
    ("/feature%2Fone", "/feature%2Fone"),
    ("/100%25", "/100%25"),
    ("/a//b", "/a//b"),
    ("/a;b=1/c", "/a;b=1/c"),
    ("/search?q=https://evil.example//..", "/search?q=https://evil.example//.."),
    ("/.identityd/ack?then=/x", "/.identityd/ack?then=/x"),
    ("/.well-known/change-password", "/.well-known/change-password"),
    ("/logins", "/logins"),
    ("https://login.example.com", "/"),
    ("https://login.example.com/", "/"),
    ("https://login.example.com?x=1", "/?x=1"),
    ("https://login.example.com/account?x=1", "/account?x=1"),
    ("https://wiki.example.com", "https://wiki.example.com/"),
    ("https://wiki.example.com#top", "https://wiki.example.com/#top"),
    ("https://wiki.example.com/Main_Page?x=1#y", "https://wiki.example.com/Main_Page?x=1#y"),
    ("https://wiki.example.com/login", "https://wiki.example.com/login"),
    ("https://shop.example.com:8443/cart", "https://shop.example.com:8443/cart"),
    ("http://[::1]:9000/x", "http://[::1]:9000/x"),
]

PIECES = [*r"/\:@.?#;%[]", "%2f", "%5c", "%25", "%09", "..", "\t", "https:", "evil.example", "x", *sorted(ALLOWED)]
RAW = st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=9).map("".join)


def as_browsers_read(location: str) -> str:
    """Return the origin a browser would go to (WHATWG URL, the parts that matter for redirects)."""
    text = re.sub(r"[\t\n\r]", "", location.strip("".join(map(chr, range(33)))))
    head, mark, tail = text.partition("?")
    head = re.sub(r"^(https?):/*", r"\1://", head.replace("\\", "/"), flags=re.IGNORECASE)
    head = re.sub(r"^/{2,}", "//", head)
    parts = urlsplit(urljoin(f"{OURS}/here", head + mark + tail))
    return f"{parts.scheme}://{parts.netloc}"


@pytest.mark.threat(33)
@pytest.mark.parametrize("raw", REFUSED)
def test_an_address_that_may_lead_away_is_refused(raw: str) -> None:
    """Otherwise a link to this login would end at an attacker's copy of it, the person being signed in."""
    assert safe_return(raw, APPS, public_url=OURS) == FALLBACK


@pytest.mark.parametrize(("raw", "result"), ACCEPTED)
def test_an_address_of_ours_or_of_an_application_is_kept(raw: str, result: str) -> None:
    """Otherwise people would land on the account page, not where they were going."""
    assert safe_return(raw, APPS, public_url=OURS) == result


def test_no_address_at_all_leads_to_the_account() -> None:
    """Otherwise a plain visit to the login page would end nowhere."""
    assert safe_return(None, APPS, public_url=OURS) == FALLBACK


def test_without_applications_only_our_own_paths_are_kept() -> None:
    """Otherwise a daemon without applications would redirect anywhere, or nowhere."""
    assert safe_return("https://wiki.example.com/", (), public_url=OURS) == FALLBACK
    assert safe_return("/account", (), public_url=OURS) == "/account"


@pytest.mark.threat(33)
@given(RAW)
@example("https://wiki.example.com\t.evil.example/")
@example("/\\\tevil.example")
def test_no_address_whatever_leads_a_browser_elsewhere(raw: str) -> None:
    """Otherwise some spelling not listed above would be an open redirect."""
    result = safe_return(raw, APPS, public_url=OURS)

    assert as_browsers_read(result) in ALLOWED
    assert result.isascii()
    assert result.isprintable()


@pytest.mark.parametrize(
    "raw",
    [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "/\t/evil.example",
        " //evil.example",
        "https:evil.example",
        "https:/evil.example",
        "https:\\\\evil.example",
    ],
)
def test_the_yardstick_sees_where_attacks_lead(raw: str) -> None:
    """Otherwise the property above could be true of a function that refuses nothing."""
    assert as_browsers_read(raw) == "https://evil.example"


@given(RAW)
def test_a_safe_address_stays_as_it_is(raw: str) -> None:
    """Otherwise an address that is kept in a record and checked again would change under way."""
    once = safe_return(raw, APPS, public_url=OURS)

    assert safe_return(once, APPS, public_url=OURS) == once
