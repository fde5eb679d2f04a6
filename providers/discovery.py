"""Discovery documents (OpenID Connect Discovery 1.0 §4): where a provider's endpoints are.

Pure but for the fetch. A document counts only if it names the configured issuer exactly and keeps
its endpoints on https and on the issuer's host or one the operator lists: a poisoned document must
not be able to send codes and the client secret elsewhere (CVE-2026-104056). What fails the check is
never remembered.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from providers.addresses import Refused, check_url, host_and_port
from providers.base import Http, ProviderBroken
from providers.jwks import ALGORITHMS
from providers.untrusted import json_object

_WELL_KNOWN: Final = "/.well-known/openid-configuration"
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
    """Empty if the provider has none."""
    algorithms: tuple[str, ...]
    """Offered by the provider and known to us."""
    client_auth: str
    """`basic` or `post`."""
    names_issuer: bool
    """Whether every answer to the browser carries `iss` (RFC 9207)."""


async def fetch_metadata(http: Http, issuer: str, hosts: Collection[str]) -> Metadata:
    """Fetch an issuer's document and check it. One GET. Raises ProviderBroken."""
    answer = await http.fetch("GET", issuer.rstrip("/") + _WELL_KNOWN, headers={"Accept": "application/json"})
    if answer.status != _OK:
        raise ProviderBroken(f"discovery answered {answer.status}")
    return read_metadata(answer.body, issuer, hosts)


def read_metadata(body: bytes, issuer: str, hosts: Collection[str]) -> Metadata:
    """Check a document. `hosts` are allowed besides the issuer's own. Raises ProviderBroken."""
    document = json_object(body, "the discovery document")
    if document.get("issuer") != issuer:
        raise ProviderBroken("the discovery document names another issuer than the configured one")
    allowed = {host_and_port(urlsplit(issuer)), *hosts}
    plain = urlsplit(issuer).scheme == "http"
    algorithms = _offered(document, "id_token_signing_alg_values_supported", _DEFAULT_ALGORITHMS)
    return Metadata(
        issuer=issuer,
        authorize_url=_endpoint(document, "authorization_endpoint", allowed, plain=plain),
        token_url=_endpoint(document, "token_endpoint", allowed, plain=plain),
        jwks_url=_endpoint(document, "jwks_uri", allowed, plain=plain),
        userinfo_url=_endpoint(document, "userinfo_endpoint", allowed, plain=plain)
        if "userinfo_endpoint" in document
        else "",
        algorithms=tuple(name for name in ALGORITHMS if name in algorithms),
        client_auth=_client_auth(document),
        names_issuer=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _endpoint(document: Mapping[str, object], name: str, allowed: Collection[str], *, plain: bool) -> str:
    url = document.get(name)
    if not isinstance(url, str):
        raise ProviderBroken(f"the discovery document has no {name}")
    try:
        parts = check_url(url)
    except Refused as fault:
        raise ProviderBroken(f"the discovery document's {name} {fault}") from None
    if parts.scheme == "http" and not plain:
        raise ProviderBroken(f"the discovery document's {name} is not https although the issuer is")
    host = host_and_port(parts)
    if host not in allowed:
        raise ProviderBroken(f"the discovery document's {name} is on {host}; list it in endpoint_hosts if it belongs")
    return url


def _offered(document: Mapping[str, object], name: str, default: list[str]) -> list[object]:
    value = document.get(name)
    return value if isinstance(value, list) else [*default]


def _client_auth(document: Mapping[str, object]) -> str:
    offered = _offered(document, "token_endpoint_auth_methods_supported", _DEFAULT_AUTH)
    return "post" if "client_secret_post" in offered and "client_secret_basic" not in offered else "basic"
