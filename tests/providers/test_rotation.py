"""Keys and metadata that change while people log in: who gets in, and how often we ask."""

from collections.abc import Iterator
from typing import Final

import pytest

from providers.base import ProviderBroken
from providers.remembered import RENEW_PAUSE_MS
from tests.providers.test_discovery import Expect, landed, rotate
from tests.providers.test_oidc import DISCOVERY, options
from tests.support.bench import Bench, bench
from tests.support.signing import SigningKey, ecdsa_key
from tests.support.upstream import Fault

FORGER: Final = SigningKey("ec-1", "ES256", ecdsa_key("forger").private)
"""Signs under the name of the provider's own key."""


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return an OpenID provider whose document and keys are at hand, and all around it."""
    with bench() as made:
        made.build("oidc", options(made))
        made.log_in()
        made.upstream.seen.clear()
        yield made


def asked(on: Bench) -> dict[str, int]:
    """Return how often each document was fetched."""
    return {path: times for path, times in on.upstream.calls.items() if path != "/token"}


def move_keys(on: Bench, *, old_stays: bool) -> None:
    """Let the provider publish its keys, new ones, at another address."""
    on.upstream.places["/keys-2"] = "jwks"
    on.upstream.edit_discovery = lambda document: document.update(jwks_uri=f"{on.upstream.url}/keys-2")
    if old_stays:
        frozen = {"keys": [key.jwk() for key in on.upstream.keys]}
        on.upstream.edits = {"/jwks": lambda _: frozen}
    else:
        del on.upstream.places["/jwks"]
    rotate(on, "ec-2")


# --- keys --------------------------------------------------------------------------------------------


def test_a_new_key_under_an_old_name_is_found_with_one_look(on: Bench) -> None:
    """Otherwise nobody can log in for an hour at a provider that calls all its keys "1"."""
    on.upstream.keys = [FORGER]
    on.upstream.signer = FORGER

    assert on.log_in().subject
    assert asked(on) == {"/jwks": 1}


@pytest.mark.threat(43)
def test_a_forgery_under_a_known_name_makes_us_look_once_in_a_while(on: Bench) -> None:
    """Otherwise whoever can send us tokens makes us fetch as often as he likes."""
    on.upstream.signer = FORGER

    for _ in range(2):
        on.upstream.seen.clear()
        for _ in range(8):
            with pytest.raises(ProviderBroken, match="no key"):
                on.log_in()
        assert asked(on) == {"/jwks": 1, DISCOVERY: 1}
        on.clock.advance(RENEW_PAUSE_MS)


def test_a_key_that_disappears_and_returns_is_a_key_again(on: Bench) -> None:
    """Otherwise a provider that takes a rotation back is locked out until a restart."""
    rotate(on, "ec-2")
    assert on.log_in().subject
    rotate(on, "ec-1")

    with pytest.raises(ProviderBroken, match="no key"):
        on.log_in()
    on.clock.advance(RENEW_PAUSE_MS)
    on.upstream.seen.clear()

    assert on.log_in().subject
    assert asked(on) == {"/jwks": 1}


def test_a_key_that_was_withdrawn_signs_nothing_after_the_look(on: Bench) -> None:
    """Otherwise a stolen key works for a day after it was withdrawn and a new one was seen."""
    old = on.upstream.signer
    rotate(on, "ec-2")
    on.log_in()
    on.upstream.signer = old

    with pytest.raises(ProviderBroken, match="no key"):
        on.log_in()


# --- where the keys are -----------------------------------------------------------------------------------


def test_keys_that_moved_are_found_where_they_are_now(on: Bench, expect_log: Expect) -> None:
    """Otherwise people wait for an hour, until the document is read again anyway."""
    move_keys(on, old_stays=False)

    with expect_log("providers.remembered", "could not be fetched again"):
        assert on.log_in().subject
    assert asked(on) == {"/jwks": 1, DISCOVERY: 1, "/keys-2": 1}


def test_keys_that_moved_and_left_the_old_ones_behind_are_found_too(on: Bench) -> None:
    """Otherwise a provider must break the old address to be believed."""
    move_keys(on, old_stays=True)

    assert on.log_in().subject
    assert asked(on) == {"/jwks": 1, DISCOVERY: 1, "/keys-2": 1}


def test_a_key_does_not_outlive_a_move(on: Bench) -> None:
    """Otherwise a provider cannot get rid of a key by moving away from it."""
    old = on.upstream.signer
    move_keys(on, old_stays=True)
    on.log_in()
    on.upstream.signer = old

    with pytest.raises(ProviderBroken, match="no key"):
        on.log_in()


def test_keys_that_are_gone_and_not_moved_are_named(on: Bench, expect_log: Expect) -> None:
    """Otherwise the operator reads of a forgery where an address answers 404."""
    del on.upstream.places["/jwks"]
    rotate(on, "ec-2")

    with (
        expect_log("providers.remembered", "could not be fetched again"),
        pytest.raises(ProviderBroken, match="key set's address answered 404"),
    ):
        on.log_in()


@pytest.mark.threat(2)
@pytest.mark.parametrize("lie", [{"issuer": "https://evil.example"}, {"jwks_uri": "https://evil.example/keys"}])
def test_a_move_to_somebody_else_is_none(on: Bench, expect_log: Expect, lie: dict[str, str]) -> None:
    """Otherwise a poisoned document is believed because the keys were gone for a moment."""
    del on.upstream.places["/jwks"]
    on.upstream.edit_discovery = lambda document: document.update(lie)
    rotate(on, "ec-2")

    with expect_log("providers.remembered", "could not be fetched again"), pytest.raises(ProviderBroken):
        on.log_in()


# --- other metadata -----------------------------------------------------------------------------------------


def test_an_algorithm_that_is_offered_since_is_found_with_one_look(on: Bench) -> None:
    """Otherwise a provider that begins to sign with stronger keys locks everybody out for an hour."""
    key = ecdsa_key("ec-384", alg="ES384")
    on.upstream.keys.append(key)
    on.upstream.signer = key
    offered = ["ES256", "ES384"]
    on.upstream.edit_discovery = lambda document: document.update(id_token_signing_alg_values_supported=offered)

    assert on.log_in().subject
    assert asked(on) == {DISCOVERY: 1, "/jwks": 1}


def test_an_algorithm_that_is_not_offered_makes_us_look_once_in_a_while(on: Bench) -> None:
    """Otherwise every token of a confused provider is a fetch."""
    on.upstream.signer = ecdsa_key("ec-384", alg="ES384")

    for _ in range(8):
        with pytest.raises(ProviderBroken, match="ES384 is not one of those agreed on"):
            on.log_in()

    assert asked(on) == {DISCOVERY: 1}


def test_a_token_endpoint_that_moved_costs_one_login(on: Bench) -> None:
    """Otherwise nobody can log in until the document is read again; a code is never sent twice."""
    on.upstream.faults = {"/token": Fault.SERVER_ERROR}
    on.upstream.edit_discovery = lambda document: document.update(token_endpoint=f"{on.upstream.url}/token-2")
    with pytest.raises(ProviderBroken):
        on.log_in()

    login = on.begin()
    on.run(landed())

    assert on.finish(login, on.come_back(login)).subject
    assert asked(on) == {DISCOVERY: 1, "/token-2": 1}


def test_made_up_codes_make_us_look_once_in_a_while(on: Bench) -> None:
    """Otherwise a stranger's callbacks are fetches of ours."""
    for _ in range(8):
        login = on.begin()
        with pytest.raises(ProviderBroken):
            on.finish(login, {**on.come_back(login), "code": "made-up"})

    assert asked(on) == {DISCOVERY: 1}
