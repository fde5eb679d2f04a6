"""Signatures of OAuth 1.0a: the published examples, and a server that was written from the RFC alone."""

from dataclasses import dataclass
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.oauth1_signing import METHODS, Credentials, authorization, base_string
from tests.support.clock import ManualClock
from tests.support.oauth1 import (
    CONSUMER_KEY,
    CONSUMER_SECRET,
    REQUEST_TOKEN,
    OAuth1Server,
    Problem,
    base_text,
    parameters_of,
    signed,
)

URL: Final = f"http://127.0.0.1:8080{REQUEST_TOKEN}"
CLIENT: Final = Credentials(CONSUMER_KEY, CONSUMER_SECRET)
CALLBACK: Final = "http://127.0.0.1:8887/login/x/callback?state=a%20b%2Fc"


@dataclass(frozen=True, slots=True)
class Published:
    """An example that somebody else signed."""

    url: str
    client: Credentials
    token: Credentials | None
    given: dict[str, str]
    signature: str
    method: str = "POST"

    @property
    def told(self) -> dict[str, str]:
        """The `oauth_…` parameters that we choose."""
        return {"oauth_signature_method": "HMAC-SHA1", **self.given}


_STATUS: Final = "include_entities=true&status=Hello%20Ladies%20%2b%20Gentlemen%2c%20a%20signed%20OAuth%20request%21"
_X: Final = Credentials("xvz1evFS4wEEPTGEFPHBog", "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw")
_X_TOKEN: Final = Credentials(
    "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb", "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE"
)
_X_GIVEN: Final = {"oauth_nonce": "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg", "oauth_timestamp": "1318622958"}
# A parameter of the body is signed as one of the address is (RFC 5849 §3.4.1.3), and stands there here.
PUBLISHED: Final = {
    "creating a signature": Published(
        f"https://api.x.com/1.1/statuses/update.json?{_STATUS}", _X, _X_TOKEN, _X_GIVEN, "Ls93hJiZbQ3akF3HF3x1Bz8/zU4="
    ),
    "creating a signature, before the new name": Published(
        f"https://api.twitter.com/1.1/statuses/update.json?{_STATUS}",
        _X,
        _X_TOKEN,
        _X_GIVEN,
        "hCtSmYh+iHYCEqBWrE7C7hYmtUk=",
    ),
    "authorizing a request": Published(
        f"https://api.twitter.com/1/statuses/update.json?{_STATUS}",
        _X,
        _X_TOKEN,
        _X_GIVEN,
        "tnnArxj06cWHq44gCs1OSKk/jLY=",
    ),
    "sign in": Published(
        "https://api.twitter.com/oauth/request_token",
        Credentials("cChZNFj6T5R0TigYB9yd1w", "L8qq9PZyRg6ieKGEKhZolGC0vJWLw8iEJ88DRdyOg"),
        None,
        {
            "oauth_callback": "http://localhost/sign-in-with-twitter/",
            "oauth_nonce": "ea9ec8429b68d6b77cd5600adbbb0456",
            "oauth_timestamp": "1318467427",
        },
        "F1Li3tvehgcraF8DMJ7OyxO4w9Y=",
    ),
}
"""The pages of Twitter's documentation, each with the signature it shows."""


@pytest.mark.parametrize("page", PUBLISHED)
def test_what_we_send_is_signed_as_published(page: str) -> None:
    """Otherwise Twitter refuses every request."""
    each = PUBLISHED[page]

    header = authorization(each.method, each.url, client=each.client, token=each.token, given=each.told)

    assert dict(parameters_of(header))["oauth_signature"] == each.signature


@pytest.mark.parametrize("page", PUBLISHED)
def test_what_our_server_verifies_is_signed_as_published(page: str) -> None:
    """Otherwise the server agrees with our client and with nobody else, and proves nothing."""
    each = PUBLISHED[page]
    named = {"oauth_token": each.token.id} if each.token else {}
    told = {"oauth_consumer_key": each.client.id, "oauth_version": "1.0", **named, **each.told}

    base = base_text(each.method, each.url, [*told.items()])

    assert signed(base, "HMAC-SHA1", each.client.secret, each.token.secret if each.token else "") == each.signature


def test_the_example_of_the_rfc_gives_its_base_string() -> None:
    """Otherwise repeated, empty and encoded parameters of an address are signed wrongly (RFC 5849 §3.4.1.1)."""
    told = {
        "oauth_consumer_key": "9djdj82h48djs9d2",
        "oauth_token": "kkk9d7dh3k39sjv7",
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": "137131201",
        "oauth_nonce": "7d8f3e4a",
    }
    url = "http://EXAMPLE.com:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b&c2&a3=2+q"
    expected = (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D"
        "%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1"
        "%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )

    assert base_string("post", url, told) == expected
    assert base_text("post", url, [*told.items()]) == expected


@given(
    st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=12), max_size=4),
    st.text(max_size=20),
    st.text(max_size=20),
    st.sampled_from(sorted(METHODS)),
)
def test_two_who_read_the_rfc_sign_alike(more: dict[str, str], secret: str, own: str, method: str) -> None:
    """Otherwise some character in a token, a callback or a secret makes a login fail for one provider only."""
    told = {**{f"oauth_{name}": value for name, value in more.items()}, "oauth_signature_method": method}
    client, token = Credentials("a%2Fb +", secret), Credentials("t%", own)
    url = "https://api.example:8443/a%20b/c;d?x=1&y=a+b&y=%C3%A4&z"
    everything = [("oauth_consumer_key", client.id), ("oauth_token", token.id), ("oauth_version", "1.0"), *told.items()]

    header = authorization("GET", url, client=client, token=token, given=told)

    base = base_text("GET", url, [*dict(everything).items()])
    assert dict(parameters_of(header))["oauth_signature"] == signed(base, method, secret, own)


# --- the server, which must refuse what is not genuine ------------------------------------------------------


def header(given: dict[str, str] | None = None, *, url: str = URL, client: Credentials = CLIENT, **more: str) -> str:
    """Return a genuine request for a request token, but for what is given."""
    told = {
        "oauth_nonce": "n-1",
        "oauth_timestamp": str(ManualClock()() // 1000),
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_callback": CALLBACK,
        **(given or {}),
        **more,
    }
    return authorization("POST", url, client=client, token=None, given=told)


@pytest.fixture
def server() -> OAuth1Server:
    return OAuth1Server(ManualClock())


def refusal(server: OAuth1Server, shown: str, *, url: str = URL) -> object:
    """Return the word with which a request is refused; None if it is not."""
    status, said = server.post(url, shown)
    return said.get("oauth_problem") if status != 200 else None


def test_a_genuine_request_passes_once(server: OAuth1Server) -> None:
    """Otherwise a recorded request is sent again (RFC 5849 §3.3)."""
    shown = header()

    assert refusal(server, shown) is None
    assert refusal(server, shown) == "nonce_used"


@pytest.mark.parametrize("changed", ["oauth_callback", "oauth_nonce", "oauth_timestamp", "oauth_version"])
def test_a_parameter_that_was_changed_is_refused(server: OAuth1Server, changed: str) -> None:
    """Otherwise who is on the way sends answers to an address of his own."""
    told = dict(parameters_of(header()))
    shown = header()
    value = told[changed]
    other = {"oauth_version": "1.0a"}.get(changed, value[:-1] + "9")
    tampered = shown.replace(
        f'{changed}="{_encoded(value)}"',
        f'{changed}="{_encoded(other)}"',
    )

    assert tampered != shown
    assert refusal(server, tampered) in {"signature_invalid", "parameter_rejected"}


def test_an_address_or_method_that_was_changed_is_refused(server: OAuth1Server) -> None:
    """Otherwise a signature for one request serves for any other."""
    assert refusal(server, header(), url=f"{URL}?x=1") == "signature_invalid"
    with pytest.raises(Problem, match="signature_invalid"):
        server.verified("GET", URL, header(), None)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"oauth_timestamp": "1"}, "timestamp_refused"),
        ({"oauth_timestamp": "soon"}, "timestamp_refused"),
        ({"oauth_nonce": ""}, "nonce_used"),
        ({"oauth_signature_method": "HMAC-SHA256"}, "signature_method_rejected"),
        ({"oauth_callback": "oob"}, "parameter_absent"),
        ({"oauth_consumer_key": "another"}, "consumer_key_unknown"),
        ({"oauth_version": "2.0"}, "parameter_rejected"),
        ({"oauth_token": "x"}, "token_rejected"),
    ],
)
def test_a_request_that_is_not_as_it_must_be_is_refused(server: OAuth1Server, given: dict[str, str], word: str) -> None:
    """Otherwise the tests of the providers prove less than they say."""
    assert refusal(server, header(given)) == word


def test_another_clients_secret_is_refused(server: OAuth1Server) -> None:
    """Otherwise anybody may ask in our name."""
    assert refusal(server, header(client=Credentials(CONSUMER_KEY, "another"))) == "signature_invalid"


def test_another_tokens_secret_is_refused(server: OAuth1Server) -> None:
    """Otherwise one token is enough to use all."""
    known = {"mine": "my secret", "theirs": "their secret"}
    told = {"oauth_nonce": "n", "oauth_timestamp": str(server.clock() // 1000), "oauth_signature_method": "HMAC-SHA1"}

    def shown(secret: str) -> str:
        return authorization("GET", URL, client=CLIENT, token=Credentials("mine", secret), given=told)

    with pytest.raises(Problem, match="signature_invalid"):
        server.verified("GET", URL, shown("their secret"), known)
    assert server.verified("GET", URL, shown("my secret"), known)["oauth_token"] == "mine"


@pytest.mark.parametrize(
    "shown", ["", "Bearer x", "OAuth ", "OAuth oauth_nonce", 'OAuth oauth_nonce="a", oauth_nonce="b"']
)
def test_a_header_that_says_nothing_is_refused(server: OAuth1Server, shown: str) -> None:
    """Otherwise who signs nothing is somebody."""
    assert refusal(server, shown) == "parameter_rejected"


def _encoded(text: str) -> str:
    return "".join(each if each.isalnum() or each in "-._~" else f"%{ord(each):02X}" for each in text)
