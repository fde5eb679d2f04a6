"""What requests of registered applications have in common: who asks, and how they describe a browser's request.

Owns the answer to a wrong secret, and the limits on what is told of a browser. Each application sees
only its own hosts.
"""

import asyncio
import re
from typing import Final
from urllib.parse import urlsplit

from identity.applications.application import Application
from identity.applications.authentication import ClientUnknown
from identity.errors import IdentityError, TooOften
from identity.forward_auth import targets
from identity.forward_auth.targets import Target
from identity.sessions.client_summary import summarise_address, summarise_agent
from identity.types import ClientId
from identity.web.http.base import JsonHandler
from identity.web.http.json_fields import Fields
from identity.web.state.secret_guesses import FREE, HELD, UNKNOWN_CLIENT, WAIT_S

COOKIE_LINES: Final = 64
COOKIE_CHARS: Final = 65_536
URL_CHARS: Final = 16_384
_DROPPED: Final = re.compile(r"\A[\x00-\x20]|[\x00-\x1f\x7f]")
_GUESSED: Final = "Too many wrong secrets came from your network. A right one is answered at once."


class AppHandler(JsonHandler):
    """Answers registered applications: client id and secret by HTTP Basic."""

    app: Application

    async def prepare(self) -> None:
        """Find out who asks, before anything of the body is read."""
        self.require_own_host()
        shown = self.request.headers.get("Authorization", "")
        try:
            self.app = self.context.applications.authenticate(shown)
        except ClientUnknown:
            if shown:
                await self._slow(self.context.applications.claimed(shown) or UNKNOWN_CLIENT)
            raise
        super().prepare()

    async def _slow(self, client: ClientId) -> None:
        """Count a wrong secret, and answer later, and in other words, where there are many. Raises TooOften."""
        guesses, address = self.context.guesses, self.request.remote_ip or ""
        self.context.metrics.count("identityd_secrets_refused_total", app=client)
        if guesses.wrong(client, address) <= FREE:
            return
        if guesses.held < HELD:
            guesses.held += 1
            try:
                await asyncio.sleep(WAIT_S)
            finally:
                guesses.held -= 1
        raise TooOften("secrets-guessed", retry_after_s=guesses.retry_after_s(client, address), public=_GUESSED)

    def answer_error(self, error: IdentityError) -> None:
        """Say how to prove who asks (RFC 9110 section 11.6.1)."""
        if isinstance(error, ClientUnknown):
            self.set_header("WWW-Authenticate", 'Basic realm="identityd"')
        super().answer_error(error)


def network_of(fields: Fields) -> str:
    """Return the summary of the browser's network; empty if its address was not sent."""
    return summarise_address(fields.text("address", default=""))


def browser_of(fields: Fields) -> str:
    """Return the summary of the browser; empty if its User-Agent was not sent."""
    return summarise_agent(fields.text("agent")) if fields.has("agent") else ""


def target_of(fields: Fields) -> Target:
    """Read the address the browser asked for; its path and query are kept as they are."""
    # From here on text is bytes as Latin-1, as in a header.
    url = fields.text("url", limit=URL_CHARS).encode().decode("latin-1")
    if _DROPPED.search(url):  # `urlsplit` would drop them, and what is cut off below would be another path
        raise fields.wrong("url", "begins with a blank or holds a control character")
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or "@" in parts.netloc:
            raise fields.wrong("url", "must be an absolute http or https address")
        host = targets.named_host(parts.netloc.lower(), parts.scheme)
    except ValueError:
        raise fields.wrong("url", "is not an address") from None
    rest = url[len(parts.scheme) + 3 + len(parts.netloc) :].partition("#")[0]
    return Target(parts.scheme, host, rest if rest.startswith("/") else f"/{rest}")
