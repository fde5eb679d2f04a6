"""Addresses on applications' hosts: the one a browser asked for, and where a verdict sends it instead.

Owns the spelling of both, and of the flag that the follower of a bounce carries. Pure. Only
configured hosts ever stand in an address that is given out.

    verdict   leads to
    --------  ---------------------------------------------------------------------------------
    bounce    the same address, so that the browser sends its current cookies
    login     the login page, or on an application's own host the way to it, if a page was being
              loaded; otherwise nowhere
    forbidden the page that says so, on the same host, if a page was being loaded and its person is
              logged in but may not enter
    others    nowhere
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from identity.errors import BadInput
from identity.login import handover
from identity.sessions.check import NOT_ALLOWED, Check, Mode, Outcome, Verdict
from identity.types import Host

BOUNCED: Final = "identityd-bounced"
"""Query parameter of the follower of a bounce."""
ACK: Final = "/.identityd/ack"
REFUSED: Final = "/.identityd/refused"
_AS_SENT: Final = "!$&'()*+,;=:@/?-._~%[]|^{}"
_HOST: Final = re.compile(r"[a-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9a-f:.]{2,45}\](:[0-9]{1,5})?")
_DEFAULT_PORTS: Final = {"https": ":443", "http": ":80"}
SCHEMES: Final = frozenset(_DEFAULT_PORTS)


@dataclass(frozen=True, slots=True)
class Target:
    """What the browser asked for, at an application's host."""

    scheme: str
    host: Host
    uri: str
    """Path and query; begins with a slash."""

    @property
    def origin(self) -> str:
        """Scheme and host."""
        return f"{self.scheme}://{self.host}"

    @property
    def url(self) -> str:
        """The whole address, in ASCII and without a fragment, as a Location needs it."""
        return self.origin + ascii_uri(self.uri)


def ascii_uri(uri: str) -> str:
    """Percent-encode what may not stand in a header or would begin a fragment; leave the rest as sent.

    A header's bytes arrive as Latin-1 characters, whatever encoding they were in.
    """
    return quote(uri, safe=_AS_SENT, encoding="latin-1")


def with_flag(url: str, flag: str) -> str:
    """Return the address with the flag that says: this follows a bounce. One of an earlier bounce goes."""
    path, _, query = without_flag(url).partition("?")
    return f"{path}?{query}&{BOUNCED}={flag}" if query else f"{path}?{BOUNCED}={flag}"


def flag_of(uri: str) -> str:
    """Return what the address's flag says, if it has one; ours is the last."""
    pairs = (pair.partition("=") for pair in uri.partition("?")[2].split("&"))
    return next((value for name, _, value in reversed([*pairs]) if name == BOUNCED), "")


def without_flag(uri: str) -> str:
    """Return the address without the flag: for another try, which must be bounced anew."""
    if BOUNCED not in uri:
        return uri
    path, _, query = uri.partition("?")
    kept = "&".join(pair for pair in query.split("&") if pair.partition("=")[0] != BOUNCED)
    return f"{path}?{kept}" if kept else path


def named_host(host: str, scheme: str) -> Host:
    """Return a host as applications register it, without the default port. Raises BadInput if it is none."""
    if not _HOST.fullmatch(host):
        raise BadInput("host", public="The host is not a host name.")
    return Host(host.removesuffix(_DEFAULT_PORTS[scheme]))


def location(verdict: Verdict, check: Check, target: Target, *, public_url: str) -> str | None:
    """Return where the browser should go instead, if anywhere. Only configured hosts ever stand in it."""
    if check.mode in (Mode.WEBSOCKET, Mode.READ_ONLY):
        return None
    match verdict.outcome:
        case Outcome.BOUNCE:
            return with_flag(target.url, verdict.flag) if verdict.flag else target.url
        case Outcome.LOGIN if check.navigation:
            if check.mode is Mode.NO_MINT and verdict.reason == "stale":
                return f"{target.origin}{ACK}?{_query(then=without_flag(ascii_uri(target.uri)))}"
            return login_url(verdict, target, public_url=public_url)
        case Outcome.FORBIDDEN if verdict.reason == NOT_ALLOWED and check.navigation:
            return f"{target.origin}{REFUSED}?{_query(return_to=without_flag(ascii_uri(target.uri)))}"
        case _:
            return None


def login_url(verdict: Verdict, target: Target, *, public_url: str) -> str:
    """Return the address that leads to a login and back to the target, and may say why."""
    scheme, _, own = public_url.partition("://")
    if target.host != own:
        reason = "" if verdict.reason == "anonymous" else verdict.reason
        return f"{scheme}://{target.host}{handover.login_path(without_flag(ascii_uri(target.uri)), reason=reason)}"
    # `//host` alone would be another site's address.
    is_path = target.origin == public_url and not target.uri.startswith("//")
    back = ascii_uri(target.uri) if is_path else target.url
    said = {} if verdict.reason == "anonymous" else {"reason": verdict.reason}
    return f"{public_url}/login?{_query(return_to=without_flag(back), **said)}"


def _query(**values: str) -> str:
    return urlencode(values, quote_via=quote, safe="")
