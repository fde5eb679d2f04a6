"""The token endpoint of OAuth 2 (RFC 6749 §3.2): who we are there, what we ask, and what it answers.

Owns the POSTs that exchange a code and a refresh token, and the one that takes tokens back (RFC 7009). Each
is sent once: a code works once, and so does a refresh token where it rotates. Nothing of an answer enters
an error but one harmless word.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote_plus, urlencode

from authlib.common.urls import add_params_to_qs
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_token_request

from providers import refusals, untrusted
from providers.base import GrantRefused, Http, HttpResponse, LoginStart, ProviderBroken, ProviderDenied, UpstreamGrant

_OK: Final = 200
_CREATED: Final = 201
_MULTIPLE_CHOICES: Final = 300
_FORM: Final = "application/x-www-form-urlencoded"
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def _assert(
    client: ClientAuth, _method: str, url: str, headers: dict[str, str], body: str
) -> tuple[str, dict[str, str], str]:
    """Put an assertion in the place of a secret (RFC 7523 §2.2), as the library's own methods do theirs."""
    shown = [("client_id", client.client_id), ("client_assertion_type", _ASSERTION)]
    return url, headers, add_params_to_qs(body, [*shown, ("client_assertion", client.client_secret)])


_METHODS: Final[Mapping[str, object]] = {
    "basic": "client_secret_basic",
    "post": "client_secret_post",
    "private_key_jwt": _assert,
}


@dataclass(frozen=True, slots=True)
class Client:
    """Who we are at a provider."""

    id: str
    secret: str | Callable[[str], str] = field(repr=False)
    """Or what makes it for each exchange, told the token endpoint."""

    def secret_at(self, url: str) -> str:
        """Return what proves at this token endpoint that we are it."""
        return self.secret if isinstance(self.secret, str) else self.secret(url)


@dataclass(frozen=True, slots=True)
class Grant:
    """What the token endpoint answered."""

    access_token: str = field(repr=False)
    id_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    lifetime_s: int | None = None
    scope: str = ""

    def kept(self, asked: str = "") -> UpstreamGrant:
        """Return its tokens to be kept. A scope left out is the one that was asked for (RFC 6749 §5.1)."""
        return UpstreamGrant(self.access_token, self.refresh_token, self.lifetime_s, self.scope or asked)


def refusal(error: object, where: str, *, no: bool = False) -> ProviderDenied | ProviderBroken:
    """Return the exception for an `error` an upstream sent; only a harmless word of it is kept.

    `no` says that it is known already to be a denial, whatever the word.
    """
    said = error
    if isinstance(error, Mapping):
        # Facebook's are objects ({"message": …, "type": "OAuthException", "code": 190}), and Google's of some APIs.
        said = next(filter(None, map(error.get, ("type", "status"))), None)
    word = untrusted.word(said)
    text = f"{where} says {word}"
    return ProviderDenied(text) if no or refusals.is_no(said) else ProviderBroken(text, said=word)


async def exchange(
    http: Http,
    url: str,
    client: Client,
    code: str,
    *,
    start: LoginStart,
    method: str,
    pkce: bool = True,
    added: Mapping[str, str] | None = None,
) -> Grant:
    """Exchange a code at the token endpoint: one POST, never repeated.

    Args:
        http: the outbound client.
        url: the token endpoint.
        client: who we are.
        code: what `code_of` returned.
        start: the login it belongs to.
        method: how the secret is shown, `basic` or `post`.
        pkce: whether a challenge was sent.
        added: further parameters of this service's own.

    Raises:
        ProviderDenied: the provider refused the person here.
        ProviderBroken: anything else but a grant.
    """
    body = prepare_token_request(
        "authorization_code",
        redirect_uri=start.redirect_uri,
        code=code,
        code_verifier=start.verifier if pkce else None,
        **(added or {}),
    )
    answer = await _post(http, url, client, body, method=method)
    return read_grant(answer.status, answer.body)


def _show_client(client: Client, method: str, url: str) -> ClientAuth:
    # RFC 6749 §2.3.1 form-encodes both before Basic; the library leaves that to its caller.
    basic, secret = method == "basic", client.secret_at(url)
    return ClientAuth(
        quote_plus(client.id) if basic else client.id, quote_plus(secret) if basic else secret, _METHODS[method]
    )


def read_grant(status: int, body: bytes) -> Grant:
    """Read the token endpoint's answer. Raises ProviderDenied or ProviderBroken."""
    if status not in {_OK, _CREATED}:
        raise _failure(body, f"the token endpoint, which answered {status},")
    members = untrusted.fields(body, "the token answer")
    # Some answer 200 with an error inside; others put an empty one beside a good token.
    if error := members.get("error"):
        raise refusal(error, "the token endpoint")
    kind = members.get("token_type")
    if untrusted.given(kind) and not (isinstance(kind, str) and kind.lower() == "bearer"):
        raise ProviderBroken(f"the access token is of type {untrusted.word(kind)}, and only Bearer is known")
    id_token = members.get("id_token")
    return Grant(
        access_token=untrusted.token(members.get("access_token"), "the access token"),
        id_token=id_token if isinstance(id_token, str) else "",
        refresh_token=untrusted.optional_token(members.get("refresh_token")),
        lifetime_s=untrusted.lifetime(members.get("expires_in")),
        scope=untrusted.scope(members.get("scope")),
    )


def _failure(body: bytes, where: str) -> ProviderDenied | ProviderBroken:
    try:
        error = untrusted.fields(body, "the token answer").get("error")
    except ProviderBroken:
        error = None
    return refusal(error, where) if error else ProviderBroken(f"{where} says nothing readable")


_REFUSED: Final = frozenset({"invalid_grant", "bad_refresh_token", "invalid_refresh_token", "expired_token"})
"""What token endpoints say of a refresh token that is not good any more; GitHub's is the second."""
_GONE: Final = frozenset({"invalid_token", *_REFUSED})
"""What some say where RFC 7009 §2.2 has 200: the token to be taken back is not good any more."""


async def renew(http: Http, url: str, client: Client, refresh_token: str, *, method: str) -> Grant:
    """Exchange a refresh token (RFC 6749 §6): one POST, never repeated.

    Raises:
        GrantRefused: the refresh token is not good any more.
        ProviderBroken: anything else but a grant.
    """
    body = prepare_token_request("refresh_token", refresh_token=refresh_token)
    answer = await _post(http, url, client, body, method=method)
    try:
        return read_grant(answer.status, answer.body)
    except ProviderDenied as denial:
        raise GrantRefused(str(denial)) from None
    except ProviderBroken as fault:
        if fault.said in _REFUSED:
            raise GrantRefused(str(fault), said=fault.said) from None
        raise


async def take_back(http: Http, url: str, client: Client, tokens: Iterable[str], *, method: str) -> bool:
    """Revoke tokens (RFC 7009 §2.1), one POST each; False if there is no address for it. Raises ProviderBroken."""
    for token in tokens if url else ():
        answer = await _post(http, url, client, urlencode({"token": token}), method=method)
        if not _OK <= answer.status < _MULTIPLE_CHOICES:
            fault = _failure(answer.body, f"the revocation endpoint, which answered {answer.status},")
            if not (isinstance(fault, ProviderBroken) and fault.said in _GONE):
                raise ProviderBroken(str(fault))
    return bool(url)


async def _post(http: Http, url: str, client: Client, body: str, *, method: str) -> HttpResponse:
    headers = {"Accept": "application/json", "Content-Type": _FORM}
    target, headers, body = _show_client(client, method, url).prepare("POST", url, headers, body)
    return await http.fetch("POST", target, headers=headers, body=body.encode())
