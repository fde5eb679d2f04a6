"""Discovery documents and key sets: what is believed, how often they are fetched, what survives an outage."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final, TypeAlias
from unittest.mock import Mock

import pytest
from joserfc.errors import BadSignatureError
from joserfc.jws import CompactSignature, extract_compact

from providers import jwks
from providers.base import ProviderBroken
from providers.discovery import read_metadata
from providers.jwks import ALGORITHMS, fits, read_keys, verifies
from providers.remembered import FRESH_MS, PAUSE_MS, RENEW_PAUSE_MS, USABLE_MS
from tests.providers.test_oidc import DISCOVERY, options
from tests.support.bench import Bench, bench
from tests.support.faults import Fault
from tests.support.guards import Expectation
from tests.support.signing import ecdsa_key, eddsa_key, rsa_key
from tests.support.waiting import let_others_run

Expect: TypeAlias = Callable[..., Expectation]


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return an OpenID provider and all around it."""
    with bench() as made:
        made.build("oidc", options(made))
        yield made


def rotate(on: Bench, kid: str) -> None:
    """Let the provider publish and use another key."""
    on.upstream.keys = [ecdsa_key(kid)]
    on.upstream.signer = ecdsa_key(kid)


DOCUMENTS: Final[dict[str, dict[str, Any]]] = {
    "another issuer": {"issuer": "https://evil.example"},
    "the issuer with a slash": {"issuer": "{url}/"},
    "no issuer": {"issuer": None},
    "a token endpoint elsewhere": {"token_endpoint": "https://evil.example/token"},
    "keys elsewhere": {"jwks_uri": "https://evil.example/jwks"},
    "a page elsewhere": {"authorization_endpoint": "https://evil.example/"},
    "another port": {"token_endpoint": "http://127.0.0.1:1/token"},
    "an open line": {"token_endpoint": "http://evil.example/token"},
    "a file": {"jwks_uri": "file:///etc/passwd"},
    "a script": {"authorization_endpoint": "javascript:alert(1)"},
    "a password in an address": {"token_endpoint": "http://a:b@127.0.0.1/token"},
    "a fragment": {"authorization_endpoint": "{url}/authorize#"},
    "a backslash": {"authorization_endpoint": "{url}\\@evil.example/"},
    "a line end": {"authorization_endpoint": "{url}/a\r\nSet-Cookie: a=b"},
    "no token endpoint": {"token_endpoint": None},
    "a list of endpoints": {"jwks_uri": ["{url}/jwks"]},
    "a port that is none": {"jwks_uri": "http://127.0.0.1:99999/jwks"},
    "an endless address": {"jwks_uri": "{url}/" + "a" * 3000},
}


@pytest.mark.threat(2)
@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_poisoned_document_is_refused_and_not_remembered(on: Bench, case: str) -> None:
    """Otherwise whoever gets one wrong document in sends codes and the client secret where he likes."""
    said = {
        name: value.replace("{url}", on.upstream.url) if isinstance(value, str) else value
        for name, value in DOCUMENTS[case].items()
    }
    on.upstream.edit_discovery = lambda document: document.update(said)
    with pytest.raises(ProviderBroken):
        on.begin()

    on.upstream.edit_discovery = lambda _: None
    on.clock.advance(PAUSE_MS)

    assert on.log_in().subject


def test_hosts_the_operator_lists_may_hold_endpoints(on: Bench) -> None:
    """Otherwise providers that are spread over hosts cannot be used."""
    elsewhere = f"http://localhost:{on.upstream.port}"
    on.upstream.edit_discovery = lambda document: document.update(jwks_uri=f"{elsewhere}/jwks")
    on.build("oidc", options(on, endpoint_hosts=f"Unused.example localhost:{on.upstream.port}"))

    assert on.log_in().subject


def test_an_https_issuer_has_no_endpoint_on_an_open_line() -> None:
    """Otherwise a document downgrades what the operator configured."""
    document = b"""{"issuer": "https://id.example", "authorization_endpoint": "http://localhost/a",
        "token_endpoint": "https://id.example/t", "jwks_uri": "https://id.example/k"}"""

    with pytest.raises(ProviderBroken, match="not https"):
        read_metadata(document, "https://id.example", ["localhost"])


@pytest.mark.threat(43)
def test_a_broken_provider_is_off_and_others_are_not(on: Bench) -> None:
    """Otherwise one provider's fault is everybody's, or nobody is asked who they are any more."""
    other = on.made("oidc", options(on), name="other")
    on.upstream.faults = {DISCOVERY: Fault.MALFORMED}
    with pytest.raises(ProviderBroken):
        on.begin()
    on.upstream.faults = {}

    login = on.begin(provider=other)

    assert on.finish(login, on.come_back(login), provider=other).subject
    with pytest.raises(ProviderBroken):
        on.begin()


# --- keys --------------------------------------------------------------------------------------------


def test_a_key_that_was_rotated_in_is_found_with_one_look(on: Bench) -> None:
    """Otherwise nobody can log in after a provider changed its keys, until something is restarted."""
    on.log_in()
    rotate(on, "ec-2")
    on.upstream.seen.clear()

    assert on.log_in().subject
    assert on.upstream.calls["/jwks"] == 1


def test_unknown_keys_do_not_make_us_ask_again_and_again(on: Bench) -> None:
    """Otherwise a provider that is confused is flooded by us on top of it."""
    on.log_in()
    on.upstream.signer = ecdsa_key("nowhere")
    on.upstream.seen.clear()

    for _ in range(5):
        with pytest.raises(ProviderBroken):
            on.log_in()

    assert on.upstream.calls["/jwks"] == 1


def test_a_failed_look_for_keys_counts_as_one(on: Bench, expect_log: Expect) -> None:
    """Otherwise the pause between looks is skipped exactly when the provider is down."""
    on.log_in()
    rotate(on, "ec-2")
    on.upstream.faults = {"/jwks": Fault.SERVER_ERROR}
    on.upstream.seen.clear()

    with expect_log("providers.remembered", "could not be fetched again"):
        for _ in range(5):
            with pytest.raises(ProviderBroken):
                on.log_in()

    assert on.upstream.calls["/jwks"] == 1


def test_keys_are_looked_for_again_after_the_pause(on: Bench) -> None:
    """Otherwise the first rotation after a false alarm locks everybody out."""
    on.log_in()
    on.upstream.signer = ecdsa_key("ec-2")
    with pytest.raises(ProviderBroken):
        on.log_in()
    rotate(on, "ec-2")

    on.clock.advance(RENEW_PAUSE_MS)

    assert on.log_in().subject


def test_a_crowd_with_an_unknown_key_makes_one_look(on: Bench) -> None:
    """Otherwise a rotation at a busy hour is a burst of fetches."""
    on.log_in()
    rotate(on, "ec-2")
    logins = [on.begin() for _ in range(20)]
    callbacks = [on.callback(login, on.come_back(login)) for login in logins]
    on.upstream.seen.clear()

    async def all_at_once() -> list[str]:
        profiles = await asyncio.gather(*(on.provider.finish(callback, on.http) for callback in callbacks))
        return [profile.subject for profile in profiles]

    assert len(on.run(all_at_once())) == 20
    assert on.upstream.calls["/jwks"] == 1


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_a_token_without_a_key_id_finds_its_key_among_several(on: Bench, alg: str) -> None:
    """Otherwise providers that name no key cannot be used as soon as they have two."""
    keys = {"RS256": rsa_key("rsa-1"), "ES256": ecdsa_key("ec-1")}
    on.upstream.keys = [rsa_key("rsa-0"), ecdsa_key("ec-0"), *keys.values()]
    on.upstream.signer = keys[alg]
    on.upstream.edit_header = lambda header: header.pop("kid")

    assert on.log_in().subject


def test_a_token_without_a_key_id_finds_a_rotated_key(on: Bench) -> None:
    """Otherwise providers that name no key lock everybody out when they change it."""
    on.upstream.edit_header = lambda header: header.pop("kid")
    on.log_in()
    rotate(on, "ec-2")

    assert on.log_in().subject


UNUSABLE: Final[dict[str, dict[str, Any]]] = {
    "for encryption": rsa_key("k").jwk(use="enc"),
    "for other operations": rsa_key("k").jwk(key_ops=["sign"]),
    "operations that are no list": rsa_key("k").jwk(key_ops="verify"),
    "for another algorithm": rsa_key("k").jwk(alg="RSA-OAEP"),
    "for HMAC": rsa_key("k").jwk(alg="HS256"),
    "a shared secret": {"kty": "oct", "k": "AAAA", "kid": "k"},
    "of 1,024 bits": rsa_key("k", size=1024).jwk(),
    "with leading zeros to look large": {
        **rsa_key("k", size=1024).jwk(),
        "n": "A" * 172 + rsa_key("k", size=1024).jwk()["n"],
    },
    "of 20,000 bits": {"kty": "RSA", "n": "z" * 3400, "e": "AQAB"},
    "with a huge exponent": rsa_key("k").jwk(e=rsa_key("k").jwk()["n"]),
    "an even exponent": rsa_key("k").jwk(e="Ag"),
    "on a curve nobody knows": ecdsa_key("k").jwk(crv="P-257"),
    "on Bitcoin's curve": ecdsa_key("k").jwk(crv="secp256k1"),
    "off its curve": ecdsa_key("k").jwk(x=ecdsa_key("k").jwk()["y"]),
    "a point that is no text": ecdsa_key("k").jwk(x=7),
    "without a point": {"kty": "EC", "crv": "P-256"},
    "for key agreement": eddsa_key("k").jwk(crv="X25519"),
    "not base64url": rsa_key("k").jwk(n="+" * 400),
    "of no type": {"kid": "k"},
    "of a type that is no text": {"kty": ["RSA"]},
    "on a curve that is no text": {"kty": "EC", "crv": 7},
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_key_that_cannot_verify_is_skipped_and_the_others_are_not(case: str) -> None:
    """Otherwise a new kind of key in a set locks everybody out, or a weak one lets somebody in."""
    good = eddsa_key("good").jwk()
    keys = read_keys(json.dumps({"keys": [None, UNUSABLE[case], good]}).encode())

    assert [key.kid for key in keys] == ["good"]


@pytest.mark.parametrize(
    "body", [b'{"keys": []}', b"{}", b'{"keys": {}}', b'{"keys": [1]}', b"[]", b'{"keys": [' + b"1," * 200 + b"1]}"]
)
def test_a_set_without_a_usable_key_is_refused(body: bytes) -> None:
    """Otherwise a provider that publishes nothing is trusted with everything."""
    with pytest.raises(ProviderBroken):
        read_keys(body)


def signed(algorithm: str) -> CompactSignature:
    """Return a token that the key `k` signed."""
    return extract_compact(replace(rsa_key("k"), alg=algorithm).sign({"alg": algorithm, "kid": "k"}, {}).encode())


def test_a_key_says_nothing_about_other_algorithms() -> None:
    """Otherwise an RSA key verifies what it was not made for."""
    (key,) = read_keys(json.dumps({"keys": [rsa_key("k").jwk(alg="RS256")]}).encode())

    assert [name for name in (*ALGORITHMS, "HS256", "none") if fits(key, name)] == ["RS256"]
    assert verifies(key, signed("RS256"))
    assert not verifies(key, signed("PS256"))


@pytest.mark.parametrize("error", [ValueError("cannot"), BadSignatureError()])
def test_a_library_that_fails_over_a_signature_has_not_verified_it(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Otherwise a key that a library chokes on is a 500; no key is known that does, so the library is replaced."""
    (key,) = read_keys(json.dumps({"keys": [rsa_key("k").jwk()]}).encode())
    monkeypatch.setattr(jwks.SIGNATURES.algorithms["RS256"], "verify", Mock(side_effect=error))

    assert verifies(key, signed("RS256")) is False


# --- how long they are kept ---------------------------------------------------------------------------


def test_old_documents_are_fetched_again_without_anybody_waiting(on: Bench) -> None:
    """Otherwise an hourly login is slow, or a change there is never noticed."""
    on.log_in()
    on.clock.advance(FRESH_MS + 1)
    on.upstream.seen.clear()

    on.log_in()
    on.run(landed())

    assert on.upstream.calls[DISCOVERY] == 1
    assert on.upstream.calls["/jwks"] == 1


async def landed() -> None:
    """Wait until the fetches in the background have ended."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


def test_a_failed_refresh_leaves_what_is_there(on: Bench, expect_log: Expect) -> None:
    """Otherwise an outage of a document nobody needs now stops every login."""
    on.log_in()
    on.clock.advance(FRESH_MS + 1)
    on.upstream.faults = {DISCOVERY: Fault.RESET, "/jwks": Fault.HTML}

    with expect_log("providers.remembered", "could not be fetched again") as seen:
        assert on.log_in().subject
        on.run(landed())
        assert on.log_in().subject
        on.run(landed())

    assert len(seen.records) == 2


def test_documents_of_yesterday_are_not_used(on: Bench) -> None:
    """Otherwise a key that a provider withdrew because it was stolen works for ever."""
    on.log_in()
    on.clock.advance(USABLE_MS + 1)
    on.upstream.faults = {DISCOVERY: Fault.SERVER_ERROR}

    with pytest.raises(ProviderBroken):
        on.begin()


def test_a_clock_that_was_set_back_makes_documents_old(on: Bench) -> None:
    """Otherwise they are kept for as long as the clock was wrong."""
    on.log_in()
    on.upstream.seen.clear()

    on.clock.advance(-FRESH_MS)
    on.log_in()

    assert on.upstream.calls[DISCOVERY] == 1


def test_a_provider_that_is_down_is_not_asked_by_every_visitor(on: Bench) -> None:
    """Otherwise an outage there ties up our connections here."""
    on.upstream.faults = {DISCOVERY: Fault.SERVER_ERROR}
    for _ in range(5):
        with pytest.raises(ProviderBroken):
            on.begin()

    assert on.upstream.calls[DISCOVERY] == 1


def test_a_visitor_who_leaves_takes_nothing_from_the_others(on: Bench) -> None:
    """Otherwise one closed browser window fails everybody who waited for the same document."""
    start = on.start()

    async def two() -> str:
        impatient = asyncio.create_task(on.provider.begin(start, on.http))
        patient = asyncio.create_task(on.provider.begin(start, on.http))
        await let_others_run()
        impatient.cancel()
        return (await patient).location

    assert on.run(two()).startswith(on.upstream.url)
    assert on.upstream.calls[DISCOVERY] == 1
