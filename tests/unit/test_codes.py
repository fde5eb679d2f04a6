"""Start codes: when one may be redeemed, its bytes, and the paths it may lead to."""

import json
from dataclasses import replace
from uuid import UUID

import pytest

from identity.login.codes import CODE_MS, Destination, StartCode, challenge_of, is_challenge, start_flaw
from identity.login.flow import SKEW_MS, Flaw
from identity.login.handover import continue_path
from identity.login.packing import pack_start, unpack_sign_up, unpack_start
from identity.login.returning import LONGEST, safe_path
from identity.types import AccountId, ClientId, Host, SessionId
from tests.support.jars import NOW

SECRET = "r" * 43
WIKI = Host("wiki.example")
CODE = StartCode(
    Destination(ClientId("wiki"), WIKI, challenge_of(SECRET), "/page?x=1"),
    AccountId(UUID(int=7)),
    SessionId(b"S" * 16),
    NOW,
)


@pytest.mark.parametrize(
    ("changes", "flaw"),
    [
        ({}, None),
        ({"secrets": ("other", SECRET)}, None),
        ({"host": Host("shop.example")}, Flaw.OTHER_HOST),
        ({"client": ClientId("shop")}, Flaw.OTHER_APPLICATION),
        ({"secrets": ()}, Flaw.OTHER_BROWSER),
        ({"secrets": (challenge_of(SECRET),)}, Flaw.OTHER_BROWSER),
        ({"now": NOW + CODE_MS - 1}, None),
        ({"now": NOW + CODE_MS}, Flaw.EXPIRED),
        ({"now": NOW - SKEW_MS}, None),
        ({"now": NOW - SKEW_MS - 1}, Flaw.EXPIRED),
    ],
)
def test_a_code_serves_one_host_application_and_browser_for_a_minute(
    changes: dict[str, object], flaw: Flaw | None
) -> None:
    """Each row of the table: a code that served anybody else would open their session."""
    asked = {"client": ClientId("wiki"), "host": WIKI, "secrets": (SECRET,), "now": NOW} | changes

    assert start_flaw(CODE, **asked) is flaw  # type: ignore[arg-type]


def test_a_code_survives_packing() -> None:
    """A field that is lost on the way would lead to another page, or another person's session."""
    assert unpack_start(pack_start(CODE)) == CODE


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"more": 1}, "canonical"),
        ({"login": "xyz"}, "not a start record"),
        ({"created_at": "1"}, "not a start record"),
        ({"created_at": -1}, "not a time"),
        ({"account_id": 7}, "not a start record"),
    ],
)
def test_other_bytes_are_no_code(change: dict[str, object], why: str) -> None:
    """What another release or kind wrote must not be half understood."""
    whole = json.loads(pack_start(CODE))
    body = json.dumps(whole | {"record": whole["record"] | change}, sort_keys=True, separators=(",", ":")).encode()

    with pytest.raises(ValueError, match=why):
        unpack_start(body)


def test_a_code_is_no_sign_up() -> None:
    """A kind is beside its record."""
    with pytest.raises(ValueError, match="sign-up"):
        unpack_sign_up(pack_start(CODE))
    with pytest.raises(ValueError, match="not a start record"):
        unpack_start(pack_start(CODE).replace(b'"kind":"start"', b'"kind":"flow"'))


def test_a_challenge_is_that_of_pkce() -> None:
    """Applications compute it with the function they have; the value is RFC 7636's own example (appendix B)."""
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert is_challenge(challenge_of("x"))


@pytest.mark.parametrize("path", ["/", "/page", "/a/b?x=//y&z=%2e%2e", "/caf%C3%A9", "/a;b=1/c", "/x" * 900])
def test_a_path_of_the_application_is_kept(path: str) -> None:
    """A person wants to see the page they asked for."""
    assert safe_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "page",
        "//evil.example",
        "/\\evil.example",
        "/%2f/evil.example",
        "/a/../b",
        "/%252e%252e/b",
        "https://wiki.example/page",
        "/.identityd/login",
        "/.identityd",
        "/.IDENTITYD/login?return_to=/",
        "/%2eidentityd/login",
        "/caf\u00e9",
        "/" + "x" * LONGEST,
    ],
)
def test_any_other_becomes_the_front_page(path: str | None) -> None:
    """Another site, or a login that leads to a login."""
    assert safe_path(path) == "/"


def test_the_longest_way_still_fits_what_a_login_may_return_to() -> None:
    """Otherwise a person who logs in on the way is left on the account page."""
    for path in ("/" + "x" * 1_900, "/" + "%C3" * 500, "/?" + "&" * 1_000):
        assert len(continue_path(WIKI, "c" * 43, path, reason="too-many")) <= LONGEST
    assert replace(CODE).expires_at == NOW + CODE_MS
