"""The rules of a login's steps: which browser may go on, where, and until when."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.accounts.cases import LoginPurpose
from identity.login.flow import (
    FLOW_MS,
    SIGN_UP_MS,
    SKEW_MS,
    Flaw,
    Flow,
    ProvenPerson,
    SignUpRecord,
    callback_flaw,
    record_name,
    sign_up_flaw,
    spelt,
)
from identity.types import IdentityKey, Millis
from providers.base import Profile
from tests.support.clock import NOON

FLOW = Flow(
    provider="github",
    purpose=LoginPurpose.SIGN_IN,
    state="the-state",
    nonce="the-nonce",
    verifier="the-verifier",
    return_to="/account",
    created_at=NOON,
)
SIGN_UP = SignUpRecord(
    reference="the-reference",
    person=ProvenPerson(
        identity=IdentityKey("github:1"),
        provider="github",
        auth_at=NOON,
        handle="ann",
        said=Profile(name="Ann", email="ann@example.com", email_verified=False),
    ),
    claim=UUID(int=1),
    return_to="/account",
    created_at=NOON,
)


def callback(*, state: str = "the-state", provider: str = "github", after_ms: Millis = 0) -> Flaw | None:
    """Judge a callback that differs from the right one only in what is given."""
    return callback_flaw(FLOW, state=state, provider=provider, now=NOON + after_ms)


def form(*, reference: str = "the-reference", after_ms: Millis = 0) -> Flaw | None:
    """Judge a username form that differs from the right one only in what is given."""
    return sign_up_flaw(SIGN_UP, reference=reference, now=NOON + after_ms)


def test_the_right_callback_may_finish_its_flow() -> None:
    """Otherwise nobody could log in at all."""
    assert callback() is None


@pytest.mark.threat(8)
@pytest.mark.parametrize("state", ["", "the-stat", "the-state ", "the-statf", "ünïcode"])
def test_a_callback_with_another_state_is_refused(state: str) -> None:
    """Otherwise an attacker's code would be accepted in the victim's login."""
    assert callback(state=state) is Flaw.OTHER_NAME


@pytest.mark.threat(7)
def test_a_callback_at_another_provider_is_refused() -> None:
    """Otherwise a hostile provider could answer a login that was begun at an honest one."""
    assert callback(provider="google") is Flaw.OTHER_PROVIDER


@pytest.mark.parametrize(
    ("after_ms", "flaw"),
    [
        (FLOW_MS - 1, None),
        (FLOW_MS, Flaw.EXPIRED),
        (-SKEW_MS, None),
        (-SKEW_MS - 1, Flaw.EXPIRED),
    ],
    ids=["last moment", "ten minutes", "another daemon's clock", "from the future"],
)
def test_a_flow_lasts_ten_minutes(after_ms: Millis, flaw: Flaw | None) -> None:
    """Otherwise a login somebody abandoned at a shared computer could be finished hours later."""
    assert callback(after_ms=after_ms) is flaw


def test_the_right_form_may_finish_its_sign_up() -> None:
    """Otherwise nobody could choose a username."""
    assert form() is None


@pytest.mark.threat(45)
@pytest.mark.parametrize("reference", ["", "the-state", "the-referencf"])
def test_a_form_for_another_sign_up_is_refused(reference: str) -> None:
    """Otherwise a record could be finished under a name it was not kept for."""
    assert form(reference=reference) is Flaw.OTHER_NAME


@pytest.mark.parametrize(
    ("after_ms", "flaw"), [(SIGN_UP_MS - 1, None), (SIGN_UP_MS, Flaw.EXPIRED)], ids=["last moment", "quarter hour"]
)
def test_a_sign_up_lasts_a_quarter_of_an_hour(after_ms: Millis, flaw: Flaw | None) -> None:
    """Otherwise a proof of identity would stay open on a shared computer."""
    assert form(after_ms=after_ms) is flaw


def test_records_know_when_they_end() -> None:
    """Otherwise the store would drop them early, or keep proofs of identity too long."""
    assert FLOW.expires_at == NOON + 600_000
    assert SIGN_UP.expires_at == NOON + 900_000


def test_a_record_shows_no_secret_when_printed() -> None:
    """Otherwise a traceback in a log would hold what finishes somebody's login."""
    texts = repr(FLOW) + repr(replace(FLOW, kept={"token": "kept"}, answer={"code": "brought"})) + repr(SIGN_UP)

    for secret in ("the-state", "the-nonce", "the-verifier", "the-reference", "kept'", "brought", "ann@example.com"):
        assert secret not in texts


@given(st.text())
def test_a_record_is_not_kept_under_its_secret(secret: str) -> None:
    """Otherwise who may list a cache's keys could take over logins in progress."""
    name = record_name(secret.encode(errors="replace").decode())

    assert len(name) == 32
    assert name.isascii()
    assert name != secret


def test_two_secrets_have_two_names() -> None:
    """Otherwise two logins would share one record."""
    assert record_name("a") != record_name("b")


@given(st.binary(min_size=32, max_size=32))
def test_random_bytes_are_spelt_for_addresses_cookies_and_pkce(raw: bytes) -> None:
    """Otherwise a provider would refuse the verifier (RFC 7636: 43 to 128 unreserved characters)."""
    text = spelt(raw)

    assert len(text) == 43
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
