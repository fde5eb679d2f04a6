"""Discovery documents (OpenID Connect Discovery 1.0 §4): where a provider's endpoints are.

Pure but for the fetch. A document counts only if it names the configured issuer exactly and keeps
its endpoints on https and on the issuer's host or one the operator lists: a poisoned document must
not be able to send codes and the client secret elsewhere (CVE-2026-104056). What fails the check is
never remembered.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from providers.addresses import BadAddress, check_url, host_and_port
from providers.base import Http, ProviderBroken
from providers.jwks import ALGORITHMS
from providers.untrusted import given, json_object, word

_WELL_KNOWN: Final = "/.well-known/openid-configuration"
_AUTHORIZE: Final = "authorization_endpoint"
_ENDPOINTS: Final = (_AUTHORIZE, "token_endpoint", "jwks_uri")
_END_SESSION: Final = "end_session_endpoint"
_REGISTRATION: Final = "registration_endpoint"
_FOR_BROWSERS: Final = (_AUTHORIZE, _END_SESSION)
_REVOCATION: Final = "revocation_endpoint"
_USERINFO: Final = "userinfo_endpoint"
_EXTRAS: Final = (_USERINFO, _END_SESSION, _REVOCATION, _REGISTRATION)
_OK: Final = 200
_DEFAULT_ALGORITHMS: Final = ["RS256"]
_DEFAULT_AUTH: Final = ["client_secret_basic"]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What we need of a discovery document, checked."""

    issuer: str
    authorize_url: str
    token_url: str
    jwks_url: str
    userinfo_url: str
    """Empty if it is not used."""
    algorithms: tuple[str, ...]
    """Offered by the provider and known to us."""
    client_auth: str
    """`basic` or `post`."""
    names_issuer: bool
    """Whether every answer to the browser carries `iss` (RFC 9207)."""
    end_session_url: str = ""
    """Where a browser logs out there; empty if it is not used, or the provider has none."""
    revocation_url: str = ""
    """Where tokens are taken back (RFC 7009); empty if it is not used, or the provider has none."""
    registration_url: str = ""
    """Where clients register themselves (RFC 7591); empty if it is not used, or the provider has none."""
    offline_access: bool = False
    """Whether the scope of that name may be asked for; yes where the provider does not say (it need not)."""


async def fetch_metadata(
    http: Http,
    issuer: str,
    hosts: Collection[str],
    *,
    url: str = "",
    internal_url: str = "",
    userinfo: bool | Literal["if named", "if usable"] = False,
    **used: bool,
) -> Metadata:
    """Fetch an issuer's document and check it. One GET, to `url` if it is elsewhere. Raises ProviderBroken.

    `userinfo` and `used` say which endpoints are, as for `read_metadata`.
    """
    answer = await http.fetch("GET", url or issuer.rstrip("/") + _WELL_KNOWN, headers={"Accept": "application/json"})
    if answer.status != _OK:
        raise ProviderBroken(f"discovery answered {answer.status}")
    return read_metadata(answer.body, issuer, hosts, internal_url=internal_url, userinfo=userinfo, **used)


def read_metadata(
    body: bytes,
    issuer: str,
    hosts: Collection[str],
    *,
    userinfo: bool | Literal["if named", "if usable"] = False,
    logout: bool = False,
    revocation: bool = False,
    registration: bool = False,
    internal_url: str = "",
) -> Metadata:
    """Check a document. Raises ProviderBroken with everything that is wrong with its endpoints.

    Args:
        body: the document.
        issuer: the configured one.
        hosts: those allowed besides the issuer's own.
        userinfo: whether it is used, or only `if named`, or `if usable`: one that cannot be is then as good as none.
        logout: whether browsers are sent to log out there; a document without an address for it is in order.
        revocation: whether tokens are taken back there; the same.
        registration: whether a client is registered there; the same.
        internal_url: where the provider is for us; what browsers are sent to may not be there.
    """
    document = json_object(body, "the discovery document")
    named = document.get("issuer")
    if named != issuer:
        raise ProviderBroken(f"the discovery document names another issuer than the configured one: {word(named)}")
    wanted = zip(_EXTRAS, (userinfo == "if named", logout, revocation, registration), strict=True)
    used = (*_ENDPOINTS, _USERINFO) if userinfo is True else _ENDPOINTS
    used = (*used, *(name for name, is_wanted in wanted if is_wanted and given(document.get(name))))
    allowed = {host_and_port(urlsplit(issuer)), *hosts}
    urls = _endpoints(document, used, issuer, allowed, internal_url)
    if userinfo == "if usable":
        with suppress(ProviderBroken):
            urls |= _endpoints(document, (_USERINFO,), issuer, allowed, internal_url)
    algorithms = _offered(document, "id_token_signing_alg_values_supported", _DEFAULT_ALGORITHMS)
    return Metadata(
        issuer=issuer,
        authorize_url=urls[_AUTHORIZE],
        token_url=urls["token_endpoint"],
        jwks_url=urls["jwks_uri"],
        userinfo_url=urls.get(_USERINFO, ""),
        algorithms=tuple(name for name in ALGORITHMS if name in algorithms),
        client_auth=_client_auth(document),
        names_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        end_session_url=urls.get(_END_SESSION, ""),
        revocation_url=urls.get(_REVOCATION, ""),
        registration_url=urls.get(_REGISTRATION, ""),
        offline_access="offline_access" in _offered(document, "scopes_supported", ["offline_access"]),
    )


def read_transmitter(body: bytes, issuers: Sequence[str], hosts: Collection[str]) -> str:
    """Return where the keys are, by the document of one who sends security events (OpenID SSF 1.0 §7.1).

    Args:
        body: the document.
        issuers: the spellings of the provider's issuer, the first an address.
        hosts: those allowed besides that one's own.

    Raises ProviderBroken.
    """
    document = json_object(body, "the configuration of the security events")
    named = document.get("issuer")
    if named not in issuers:
        raise ProviderBroken(f"the configuration of the security events names another issuer: {word(named)}")
    allowed = {host_and_port(urlsplit(issuers[0])), *hosts}
    return _endpoints(document, ("jwks_uri",), issuers[0], allowed, "")["jwks_uri"]


def _endpoints(
    document: Mapping[str, object], names: Iterable[str], issuer: str, allowed: Collection[str], internal_url: str
) -> dict[str, str]:
    """Return the addresses of these endpoints. Raises ProviderBroken that names every fault and every host."""
    plain = "http:" in (issuer[:5], internal_url[:5])
    inside = host_and_port(urlsplit(internal_url))
    faults, elsewhere, urls = [], [], {}
    for name in names:
        try:
            urls[name], host = _endpoint(document, name, plain=plain)
        except BadAddress as fault:
            faults.append(f"{name} {fault}")
            continue
        if host not in allowed and not (host and host == inside and name not in _FOR_BROWSERS):
            faults.append(f"{name} is on {host}")
            elsewhere.append(host)
    if faults:
        hosts = " ".join(dict.fromkeys(elsewhere))
        remedy = f"; if they belong to the provider, set endpoint_hosts = {hosts}" if hosts else ""
        raise ProviderBroken(f"the discovery document cannot be used: {', '.join(faults)}{remedy}")
    return urls


def _endpoint(document: Mapping[str, object], name: str, *, plain: bool) -> tuple[str, str]:
    """Return an endpoint's address and host. Raises Refused."""
    url = document.get(name)
    if not given(url):
        raise BadAddress("is missing")
    if not isinstance(url, str):
        raise BadAddress("is not text")
    parts = check_url(url)
    if parts.scheme == "http" and not plain:
        raise BadAddress("is not https although the issuer is")
    return url, host_and_port(parts)


def _offered(document: Mapping[str, object], name: str, default: list[str]) -> list[object]:
    """Return the words of a list, or the default where it has none."""
    value = document.get(name)
    words: list[object] = [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
    return words or [*default]


def _client_auth(document: Mapping[str, object]) -> str:
    offered = _offered(document, "token_endpoint_auth_methods_supported", _DEFAULT_AUTH)
    return "post" if "client_secret_post" in offered and "client_secret_basic" not in offered else "basic"
