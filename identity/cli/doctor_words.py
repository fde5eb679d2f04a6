"""What the answers mean that `doctor` gets through an application's proxy, in plain words.

Owns the judgement of each answer and its sentence. Makes no request.

    visit                                  | in order
    ---------------------------------------+--------------------------------------------------------
    /.identityd/ack                        | 204 by identityd
    /readyz, of the internal listener      | not identityd
    no session                             | the way to the login, or 401
    no session, X-Identity-User of our own | the same
    a session whose token is due, 3 stray  | let through; four Set-Cookie lines of ours (a token and
    names beside it                        | three deletions), each a line of its own; no-store
    the same, X-Identity-User of our own   | what we made up is not in the page
    a session whose token is not due yet   | from no shared cache (Age), and for none: the application's own
                                           | Cache-Control or Expires with `private` or Vary: Cookie;
                                           | `no-cache` where it has none
    a token that is not of the line        | 307 to the same address, with the marker
    the same beside one of an unknown key  | 503 with Retry-After, no cookie of ours
    a Cookie header of 6 KB                | let through
"""

import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

from identity.cli.doctor_visits import PageAnswer
from identity.cli.findings import Finding, ok, problem, warning
from identity.config import Config

ACK: Final = "/.identityd/ack"
READY: Final = "/readyz"
FEW: Final = 3
MANY: Final = 50
_OURS: Final = 4
_NAME_CHARS: Final = 11
_VALUE_CHARS: Final = 100
_CLOCKS_APART_S: Final = 5
_KEPT_S: Final = 600
_MAX_AGE: Final = re.compile("max-age=[0-9]{1,9}")
_IDENTITY_HEADERS: Final = (
    "X-Identity-User",
    "X_Identity_User",
    "X-Identity-Id",
    "X-Identity-Session",
    "X-Identity-Token",
    "X-Identity-Email",
    "Remote-User",
    "Remote_User",
    "Remote-Email",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Forwarded-User",
    "X-Forwarded-Email",
)
"""What a client must never be believed."""
_SPELT: Final = ("identityd doctor", "identityd%20doctor")
"""The test account's name, as a page and as a header spell it."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_TOO_LONG: Final = frozenset({400, 413, 414, 431, 494, 500, 502})

UNREACHED: Final = warning(
    "nothing else was tried through the proxy; where the address leads elsewhere yet, say where it is to lead with "
    "--resolve HOST:ADDRESS"
)

NO_SESSION: Final = warning(
    "the sessions are in the daemon's memory, where no test session can be opened: whether cookies, bounces, 503 and "
    "long headers pass was not tried; it is with [sessions] store = memcached"
)


def cookie(*pairs: tuple[str, str]) -> list[tuple[str, str]]:
    """Return a Cookie header."""
    return [("Cookie", "; ".join(f"{name}={value}" for name, value in pairs))]


def pretended(proof: str) -> list[tuple[str, str]]:
    """Return identity headers that a client made up."""
    return [(name, proof) for name in _IDENTITY_HEADERS]


def junk(prefix: str, count: int) -> list[tuple[str, str]]:
    """Return cookies under names of ours that no daemon made; each as long as a token's."""
    return [(f"{prefix}{at:0{_NAME_CHARS}d}", "x" * _VALUE_CHARS) for at in range(count)]


def is_in(answer: PageAnswer) -> bool:
    """Tell whether a visit with a session was let through to the application."""
    return answer.status not in (0, 401, 403, 503) and not _leads_to_login(answer)


def of_daemon(readiness: Mapping[str, Any] | str) -> Iterator[Finding]:
    """Judge what the daemon says of itself."""
    if isinstance(readiness, str):
        yield warning(f"{readiness}; what it would say of its stores and of proxies is missing here")
        return
    for part in readiness["parts"]:
        if part.get("problem"):
            yield problem(f"{part['name']}: {part['problem']}")
        elif part.get("clock_warning"):
            yield warning(f"{part['name']}: its clock is {part['clock_ahead_s']} s ahead; run a time service")
        elif part.get("warning"):
            yield warning(f"{part['name']}: {part['warning']}")
        else:
            yield ok(part["name"])


def of_registration(host: str, config: Config) -> Finding:
    """Judge whether the host is an application's."""
    for app in config.apps:
        if host in app.hosts and host == config.server.public_url.host:
            return warning(
                f"{host} is the login's own host: scripts of [app:{app.id}] share its origin; give the application a "
                "host of its own (docs/configuration.md)"
            )
        if host in app.hosts:
            return ok(f"{host} is registered: [app:{app.id}]")
    return problem(
        f"{host} is registered to no application, so identityd answers 403 for it; add it to `hosts` of its [app:…]"
    )


def of_minting(host: str, config: Config) -> Finding | None:
    """Say that an application gets no cookies by its configuration, if that is so."""
    for app in config.apps:
        if host in app.hosts and not app.mint:
            return warning(
                f"[app:{app.id}] has mint = no: its proxy need not pass cookies and bounces on, and that was not "
                f"tried; its pages must visit {ACK} for sessions to rotate"
            )
    return None


def of_ack(answer: PageAnswer) -> Iterator[Finding]:
    """Judge whether /.identityd/ leads to the public listener."""
    if answer.trouble:
        yield problem(f"the proxy cannot be reached: {answer.trouble}")
        return
    if answer.status == 204 and answer.first("x-request-id"):  # noqa: PLR2004 - nothing to show
        yield ok(f"{ACK} leads to identityd")
    else:
        yield problem(
            f"{ACK} answers {answer.status}, not by identityd: send /.identityd/ of this host to the public listener, "
            "unguarded; browsers get and renew their sessions there"
        )
    if abs(answer.clock_ahead_s) > _CLOCKS_APART_S:
        yield warning(
            f"the answering machine's clock is {answer.clock_ahead_s:.0f} s ahead of this one; run a time service"
        )


def of_internal(answer: PageAnswer) -> Iterator[Finding]:
    """Judge whether the internal listener can be reached from outside."""
    if answer.trouble:
        yield warning(f"whether the internal listener can be reached through the proxy is not known: {answer.trouble}")
        return
    answered = '"parts"' in answer.body and '"missing"' in answer.body
    # It refuses the name that this proxy gave it, and would answer under one that a client can choose.
    refused = answer.status == HTTPStatus.MISDIRECTED_REQUEST and "internal_hosts" in answer.body
    if answered or refused:
        yield problem(
            f"{READY} of identityd is reached through the proxy: the internal listener is open to everybody, who can "
            "ask it whose session a cookie is; let no route lead there"
        )
    else:
        yield ok("the internal listener is not reached through the proxy")


def of_stranger(answer: PageAnswer) -> Iterator[Finding]:
    """Judge a visit without a session."""
    if answer.status == 401 or _leads_to_login(answer):  # noqa: PLR2004 - not logged in
        yield ok("without a session the address leads to the login")
        return
    match answer.status:
        case 0:
            said = f"gets no answer: {answer.trouble}"
        case 403:
            said = "is 403: is the host registered ([app:…] hosts), and the proxy in [server] trusted_proxies?"
        case 500:
            said = (
                "is 500: nginx makes this of any refusal of auth_request but 401 and 403; ask /auth without "
                "?redirect=1, and look whether X-Forwarded-Method, -Uri, -Host and -Proto are sent"
            )
        case 502 | 503 | 504:
            said = f"is {answer.status}: the proxy does not reach identityd's internal listener, or a store is away"
        case status:
            said = f"is let through ({status}): this address is not guarded; is it the right one?"
    yield problem(f"without a session the address {said}")


def of_claimed_user(answer: PageAnswer) -> Iterator[Finding]:
    """Judge a visit without a session that claims a user's name."""
    if answer.status not in (0, 401, 403, *_REDIRECTS) and answer.status < 400:  # noqa: PLR2004 - let through
        yield problem(
            "a client that sends X-Identity-User itself is let through without a session, as any user it names"
        )


def of_member(answer: PageAnswer) -> Iterator[Finding]:
    """Judge a visit with a session."""
    if not is_in(answer):
        yield problem(
            f"with a session the address still answers {answer.status}{_to(answer)}: the Cookie header, or the host "
            "(X-Forwarded-Host), does not reach identityd as the browser sends it"
        )
        return
    yield ok("with a session the address lets through")


def of_cookies(answer: PageAnswer, prefix: str) -> Iterator[Finding]:
    """Judge a visit with a session whose token is due to be renewed, and three stray names."""
    yield _of_lines(answer, prefix)
    if not any("no-store" in line for line in answer.all("cache-control")):
        yield warning(
            "an answer that carries a token has no `Cache-Control: no-store`: a cache could hand it to others"
        )


def _of_lines(answer: PageAnswer, prefix: str) -> Finding:
    lines = [line for line in answer.all("set-cookie") if prefix in line]
    names = sum(line.count(prefix) for line in lines)
    if len(lines) == _OURS:
        return ok("all four cookies of a verdict reach the browser")
    if names > len(lines):
        return problem(
            f"several cookies of a verdict arrive merged in one Set-Cookie line ({names} in {len(lines)}), of which a "
            "browser keeps the first: hand on X-Identity-Cookie-1 to -4, each as a line of its own"
        )
    if not lines:
        return problem(
            "no cookie of a verdict reaches the browser: sessions do not rotate here and a copy is never noticed; hand "
            "on X-Identity-Cookie-1 to -4 as Set-Cookie on every answer (an nginx location with an add_header of its "
            "own forgets all inherited ones)"
        )
    return problem(
        f"only {len(lines)} of four cookies of a verdict reach the browser: hand on X-Identity-Cookie-1 to -4"
    )


def of_cache(answer: PageAnswer) -> Iterator[Finding]:
    """Judge whether a guarded answer without a token may be kept, and so shown after the logout."""
    if not is_in(answer):
        return
    if answer.first("age").isdecimal() and int(answer.first("age")) > 0:
        yield problem(
            f"a guarded answer comes out of a shared cache (Age: {answer.first('age')}), which hands it to persons it "
            "was not made for; let no cache keep what is guarded, best with `Cache-Control: no-store`"
        )
        return
    names, kept_s = _kept(answer)
    if names & {"no-store", "no-cache"} or kept_s == 0:
        yield ok("after a logout the browser asks for the address again")
    elif names & {"public", "s-maxage"}:
        yield problem(
            "the application says of a guarded answer that it is public: shared caches hand it to anybody, and the "
            "browser shows it after the logout; let the application say `private`, best with `no-cache`"
        )
    elif kept_s is None:
        yield problem(
            "a guarded answer does not say how long it may be kept: the browser shows it after the logout without "
            "asking; add `Cache-Control: no-cache, private` where the application has no such line (the examples do)"
        )
    elif "private" not in names and not _varies(answer):
        yield problem(
            f"a guarded answer may be kept for {kept_s} s by every cache on its way, and handed to other persons: let "
            "the application say `private` too, or `no-store`"
        )
    elif kept_s > _KEPT_S:
        yield warning(
            f"the application lets browsers keep a guarded answer for {kept_s} s: for so long it is shown after a "
            "logout, too; `no-cache` keeps it fast where it has an ETag"
        )
    else:
        yield ok(f"the application itself says how long a browser may keep its answer: {kept_s} s, also over a logout")


def _kept(answer: PageAnswer) -> tuple[set[str], int | None]:
    """Return the words of Cache-Control, and for how many seconds a cache may keep the answer; None if nothing says."""
    said = {part.strip().lower() for line in answer.all("cache-control") for part in line.split(",")}
    kept_s = max((int(part[8:]) for part in said if _MAX_AGE.fullmatch(part)), default=None)
    if kept_s is None and answer.all("expires"):
        kept_s = max(0, _lasts_s(answer))
    return {part.partition("=")[0] for part in said}, kept_s


def _lasts_s(answer: PageAnswer) -> int:
    """Return how long after its Date an answer expires; a date that is none is in the past (RFC 9111, 5.3)."""
    try:
        begin, end = (parsedate_to_datetime(answer.first(name)) for name in ("date", "expires"))
    except ValueError:
        return 0
    return int((end - begin).total_seconds())


def _varies(answer: PageAnswer) -> bool:
    """Tell whether a cache keeps the answer for the same cookies only, which no other person has."""
    names = {part.strip().lower() for line in answer.all("vary") for part in line.split(",")}
    return bool(names & {"cookie", "*"})


def of_spoof(answer: PageAnswer, proof: str) -> Iterator[Finding]:
    """Judge a visit with a session and headers that a client made up."""
    if proof in answer.body:
        yield problem(
            "an X-Identity-… header that a client made up reaches the application: a person who is logged in can pass "
            "for any other; remove every spelling (also X_Identity_User) before the verdict's own are set"
        )
    elif any(name in answer.body for name in _SPELT):
        yield ok("the application hears who it is from identityd, and nothing a client made up")
    else:
        yield warning(
            "whether a client's own X-Identity-User reaches the application cannot be seen: the page does not show who "
            "is there; give --url of one that does"
        )


def of_bounce(answer: PageAnswer, prefix: str) -> Iterator[Finding]:
    """Judge a visit whose token is not of the session's line."""
    marked = any(line.startswith(prefix.removesuffix("-") + "m=") for line in answer.all("set-cookie"))
    if answer.status == 307 and marked:  # noqa: PLR2004 - the same again
        yield ok("a bounce reaches the browser: 307 with its marker")
    elif answer.status == 307:  # noqa: PLR2004
        yield problem("a bounce loses its Set-Cookie: hand the cookies of a verdict on with refusals, too")
    else:
        yield problem(
            f"a bounce becomes {answer.status}{_to(answer)}: answer 307 to X-Identity-Location where "
            "X-Identity-Verdict is bounce, or people whose tokens just rotated are sent to the login"
        )


def of_outage(answer: PageAnswer) -> Iterator[Finding]:
    """Judge a visit to which a daemon can only say "try again"."""
    if answer.status != 503:  # noqa: PLR2004 - try again
        yield problem(
            f"a 503 of identityd becomes {answer.status}{_to(answer)}: hand it on as 503, or an outage of a store logs "
            "people out or lets strangers in"
        )
    elif not answer.first("retry-after"):
        yield warning("a 503 of identityd loses its Retry-After: browsers and programs do not know when to ask again")
    else:
        yield ok("a 503 of identityd stays one, with Retry-After")


def of_long_header(answer: PageAnswer) -> Iterator[Finding]:
    """Judge a visit with as many cookies as a busy page may leave in a jar for a moment."""
    if is_in(answer) and answer.status not in _TOO_LONG:
        yield ok("a Cookie header of 6 KB passes")
    else:
        yield problem(
            f"a Cookie header of 6 KB is answered {answer.status or answer.trouble}: a busy page leaves that many "
            "names for a moment; let the proxy take request headers of 32 KB"
        )


def _leads_to_login(answer: PageAnswer) -> bool:
    location = answer.first("location").partition("?")[0]
    return answer.status in _REDIRECTS and (location.endswith(("/login", "/.identityd/login")) or "/login/" in location)


def _to(answer: PageAnswer) -> str:
    location = answer.first("location").partition("?")[0]
    return f" to {location}" if location else ""
