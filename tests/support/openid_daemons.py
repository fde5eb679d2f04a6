"""A daemon whose people log in at the real OpenID provider, and who a real browser is there."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page

from tests.support.certificates import Certificate
from tests.support.openid_provider import OpenIdProvider
from tests.support.running import Running

WAY: Final = "op"
Metadata = Callable[[str], Mapping[str, Any]]


def daemon_at(
    folder: Path,
    provider: OpenIdProvider,
    options: Mapping[str, str],
    *,
    tls: Certificate | None = None,
    metadata: Metadata = lambda _: {},
) -> Running:
    """Return a daemon, not started, that is a client of the provider's under the name `op`.

    Args:
        folder: its own.
        provider: running.
        options: further ones of its section.
        tls: what it serves https with; without it, plain http on `localhost`.
        metadata: further client metadata (RFC 7591), of the daemon's public address.
    """
    running = Running(folder, {}, demo=False, environ={"SSL_CERT_FILE": str(provider.ca_file)})
    served: dict[str, str] = {}
    if tls is not None:
        running.url = running.url.replace("http:", "https:")
        served = {"tls_certificate": str(tls.certificate), "tls_key": str(tls.key)}
    client = provider.register(f"{running.url}/login/{WAY}/callback", **metadata(running.url))
    known = {"kind": "oidc", "issuer": provider.issuer, "client_id": client.id}
    secret = {"client_secret": client.secret} if client.secret else {}
    running.write(
        {
            "server": {"trusted_proxies": "", **served},
            "outbound": {"allow_networks": "127.0.0.0/8"},
            f"provider:{WAY}": {**known, **secret, **options},
        }
    )
    return running


def log_in(page: Page, daemon: Running, name: str) -> bool:
    """Log in, and sign up at the first time; tell whether the provider asked who it is."""
    page.goto(f"{daemon.url}/login/{WAY}")
    asked = not page.url.startswith(daemon.url)
    if asked:
        page.get_by_label("Name").fill(name)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{daemon.url}/**")
    if urlsplit(page.url).path == "/welcome":
        page.get_by_label("Username").fill(name)
        page.get_by_role("button", name="Create account").click()
    page.wait_for_url(f"{daemon.url}/account")
    return asked


def who(daemon: Running, context: BrowserContext) -> str | None:
    """Return the name an application finds in this browser's cookies; None if it is logged out."""
    cookie = "; ".join(f"{each['name']}={each['value']}" for each in context.cookies(f"{daemon.url}/"))
    user = daemon.check(cookie)["user"]
    return None if user is None else str(user["name"])
