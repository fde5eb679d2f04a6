"""OAuth 1.0a (RFC 5849): the family, and the kind `oauth1` for configuration alone.

Owns the three calls of a login: a request token before the browser is sent away, the access token,
the profile. The protocol has no `state`; ours travels in the query of the callback address, which is
named anew for each login. The request token and its secret are kept by the browser that began, sealed,
and the answer must name that token: otherwise an attacker's approval finishes his victim's login, the
session fixation of OAuth 1.0 before revision A. Tokens are used once and dropped; their secrets sign and
are never sent.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias

from options import types
from options.option import option, required
from options.secret import Secret
from providers import profile_paths, refusals, untrusted
from providers.addresses import web_address, with_query
from providers.base import (
    Callback,
    Http,
    HttpResponse,
    LoginBegun,
    LoginStart,
    Provider,
    ProviderBroken,
    ProviderProfile,
    SubjectScope,
)
from providers.kind import CLIENT_SECRET, ProviderKind, ProviderSettings, ProviderSite
from providers.oauth1_signing import METHODS, Credentials, authorization
from providers.oauth2 import get_json
from providers.token_endpoint import refusal

_OK: Final = 200
_NONCE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs our requests at one provider."""

    client: Credentials
    site: ProviderSite = field(repr=False)
    method: str = "HMAC-SHA1"

    def header(self, method: str, url: str, token: Credentials | None = None, **more: str) -> dict[str, str]:
        """Return the header of one request; its nonce and time are for this one only (RFC 5849 §3.3)."""
        given = {
            "oauth_nonce": self.site.random_bytes(_NONCE_BYTES).hex(),
            "oauth_timestamp": str(self.site.clock() // 1000),
            "oauth_signature_method": self.method,
            **more,
        }
        return {"Authorization": authorization(method, url, client=self.client, token=token, given=given)}


@dataclass(frozen=True, slots=True)
class OAuth1Endpoints:
    """Where an OAuth 1.0a provider is."""

    request_token: str
    authorize: str
    access_token: str
    profile: str
    forced: Mapping[str, str] = field(default_factory=dict)
    """Parameters that ask for a fresh login where the browser is sent."""


ReadJson: TypeAlias = Callable[[object], ProviderProfile]


@dataclass(frozen=True, slots=True)
class OAuth1Provider:
    """A provider of this family: its endpoints, our signer, and how a profile is read."""

    name: str
    label: str
    signer: Signer
    endpoints: OAuth1Endpoints
    read_profile: ReadJson

    async def begin(self, start: LoginStart, http: Http) -> LoginBegun:
        """Get a request token and send the browser to approve it. One POST. Raises ProviderBroken."""
        back = with_query(start.redirect_uri, {"state": start.state})
        said = await self._obtain("request token", self.endpoints.request_token, http, oauth_callback=back)
        # RFC 5849 §2.1: a server that does not say this is of 1.0 and sends no verifiers.
        if not untrusted.truth(said.get("oauth_callback_confirmed")):
            raise ProviderBroken("the provider does not confirm the callback address, so it speaks OAuth 1.0, not 1.0a")
        token = _credentials(said, "request token")
        asked = {"oauth_token": token.id, **(self.endpoints.forced if start.force_login else {})}
        return LoginBegun(with_query(self.endpoints.authorize, asked), {"token": token.id, "secret": token.secret})

    async def finish(self, callback: Callback, http: Http) -> ProviderProfile:
        """Exchange the verifier and read the profile: a POST and a GET. Raises ProviderDenied or ProviderBroken."""
        verifier = verifier_of(callback)
        asked = Credentials(callback.kept.get("token", ""), callback.kept.get("secret", ""))
        url = self.endpoints.access_token
        said = await self._obtain("access token", url, http, token=asked, oauth_verifier=verifier)
        token = _credentials(said, "access token")
        profile = self.endpoints.profile
        return self.read_profile(await get_json(http, profile, self.signer.header("GET", profile, token)))

    async def _obtain(
        self, what: str, url: str, http: Http, *, token: Credentials | None = None, **more: str
    ) -> Mapping[str, object]:
        answer = await http.fetch("POST", url, headers=self.signer.header("POST", url, token, **more))
        if answer.status != _OK:
            raise failure(what, answer)
        return untrusted.fields(answer.body, f"the {what}'s answer")


def verifier_of(callback: Callback) -> str:
    """Return the verifier the browser brought back (RFC 5849 §2.2).

    Raises:
        ProviderDenied: the person said no.
        ProviderBroken: the answer is of another login, or no answer at all.
    """
    params = callback.params
    if not untrusted.same(params.get("state", ""), callback.start.state):
        raise ProviderBroken("the answer belongs to another login (state)")
    said, no = params.get("oauth_problem") or params.get("error"), refusals.says_no(params)
    if said or no:
        raise refusal(said or "denied", "the provider's answer", no=no)
    if not untrusted.same(
        untrusted.token(params.get("oauth_token"), "the request token"), callback.kept.get("token", "")
    ):
        raise ProviderBroken("the answer is about another login's request token")
    return untrusted.token(params.get("oauth_verifier"), "the verifier")


def _credentials(said: Mapping[str, object], what: str) -> Credentials:
    return Credentials(
        untrusted.token(said.get("oauth_token"), f"the {what}"),
        untrusted.token(said.get("oauth_token_secret"), f"the {what}'s secret"),
    )


def failure(what: str, answer: HttpResponse) -> ProviderBroken:
    """Return what a refusal says: a word of OAuth Problem Reporting, or the number of Twitter's first error."""
    where = f"the address for the {what}, which answered {answer.status},"
    try:
        members = untrusted.fields(answer.body, "it")
    except ProviderBroken:
        members = {}
    problem, errors = members.get("oauth_problem"), members.get("errors")
    if isinstance(errors, list) and errors and isinstance(code := untrusted.find(errors[0], "code"), int):
        problem = str(code)
    return ProviderBroken(f"{where} says {untrusted.word(problem) if problem else 'nothing readable'}")


_OPTIONAL: Final = types.text(empty=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth1Options:
    """What an operator says of an OAuth 1.0a provider."""

    request_token_url: str = required(web_address, "Where a login begins: gives a request token.")
    authorize_url: str = required(web_address, "Where the browser is sent.")
    access_token_url: str = required(web_address, "Where the verifier is exchanged.")
    profile_url: str = required(web_address, "Answers a signed request with a JSON object.")
    consumer_key: str = required(types.text(), "The client this daemon is registered as.")
    consumer_secret: Secret = required(CLIENT_SECRET, "That client's secret; it signs and is never sent.")
    signature: str = option(types.word(*METHODS), "HMAC-SHA1", "How requests are signed.")
    subject: str = required(types.text(), profile_paths.SUBJECT)
    handle: str = option(_OPTIONAL, "", profile_paths.HANDLE)
    display_name: str = option(_OPTIONAL, "", profile_paths.DISPLAY_NAME)
    email: str = option(_OPTIONAL, "", profile_paths.EMAIL)
    email_verified: str = option(_OPTIONAL, "", profile_paths.EMAIL_VERIFIED)
    picture: str = option(_OPTIONAL, "", profile_paths.PICTURE)


def build(settings: ProviderSettings[OAuth1Options]) -> Provider:
    """Make a provider of the kind `oauth1`."""
    given = settings.options
    return OAuth1Provider(
        name=settings.name,
        label=settings.label,
        signer=Signer(Credentials(given.consumer_key, given.consumer_secret.text()), settings.site, given.signature),
        endpoints=OAuth1Endpoints(
            given.request_token_url, given.authorize_url, given.access_token_url, given.profile_url
        ),
        read_profile=partial(profile_paths.profile_at, profile_paths.paths_of(given)),
    )


KIND: Final = ProviderKind(
    name="oauth1",
    label="OAuth 1.0a",
    protocol=True,
    subject="whatever `subject` points to; choose what never changes hands",
    options=OAuth1Options,
    scope=lambda given: SubjectScope(given.profile_url, given.subject),
    build=build,
    open_to_all=lambda _: False,
)
