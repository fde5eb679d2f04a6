"""Whose session is it? For reverse proxies (`/auth`), applications (`/session/…`) and browsers (ack).

Owns the ways in; what a request means and what a verdict looks like is `identity/forward_auth/`, and
every way of asking ends in the one checker (THREATS 35). Who may ask: `/auth` is for listed proxies,
`/session/…` for registered applications, and each sees only registered hosts, an application only
its own.
"""

import asyncio
import re
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import urlsplit

from identity.errors import IdentityError, StoreError, TooOften
from identity.forward_auth import answers, requests, targets
from identity.forward_auth.answers import Answer
from identity.forward_auth.requests import BrowserRequest
from identity.forward_auth.targets import Target
from identity.sessions.check import Check, Mode, Outcome, SetCookie, Verdict
from identity.sessions.client_summary import summarise_address, summarise_agent
from identity.types import ClientId
from identity.web import callers
from identity.web.base import Handler, JsonHandler, Listener, Route, is_local
from identity.web.context import RegisteredApp
from identity.web.fields import Fields
from identity.web.guesses import FREE, HELD, NOBODY, WAIT_S
from identity.web.lingering import Lingering
from identity.web.page import CSP, PageHandler, Side, error_page

DRAINED: Final = 1 << 30
"""Bytes of an upload that `/auth` reads before it answers; more is refused."""
DRAIN_TIMEOUT_S: Final = 900
COOKIE_LINES: Final = 64
COOKIE_CHARS: Final = 65_536
URL_CHARS: Final = 16_384
MANY: Final = 1_000
_DROPPED: Final = re.compile(r"\A[\x00-\x20]|[\x00-\x1f\x7f]")
_MODES: Final = {"browser": Mode.BROWSER, "websocket": Mode.WEBSOCKET, "read-only": Mode.READ_ONLY}
_REFUSED: Final = {Outcome.FORBIDDEN: HTTPStatus.FORBIDDEN, Outcome.RETRY: HTTPStatus.SERVICE_UNAVAILABLE}


class Auth(Handler):
    """Forward authentication: a proxy asks before it lets a request through.

    The session is judged when the headers have arrived; the body is read to its end before the
    answer, because a proxy that hands a refusal on would otherwise reset a running upload.
    """

    max_body = DRAINED
    _judging: "asyncio.Task[Answer] | None" = None

    @classmethod
    def allowed_methods(cls) -> tuple[str, ...]:
        """A proxy may ask with the browser's own method; `initialize` made every other one a GET."""
        return ("GET", "HEAD")

    def initialize(self) -> None:
        """Take any method, PROPFIND included: what is asked does not depend on it."""
        super().initialize()
        if self.request.method != "HEAD":
            self.request.method = "GET"

    def prepare(self) -> None:
        """Begin to judge before the body is there; for nobody but listed proxies is it read at all."""
        super().prepare()
        requests.require_listed(self.request.remote_ip or "", self.context.peers)
        cast("Lingering", self.request.connection).set_body_timeout(DRAIN_TIMEOUT_S)
        self._judging = asyncio.ensure_future(self._judge())
        # A browser that leaves during its upload leaves nobody to hear of an error.
        self._judging.add_done_callback(lambda task: task.cancelled() or task.exception())

    def require_own_host(self) -> None:
        """Let a listed proxy hand the browser's own Host on, whatever it is: what it says in its header counts."""
        told = self.request.headers.get_list("X-Forwarded-Host")
        if not (told and self.context.peers.trusts(self.request.remote_ip or "")):
            super().require_own_host()

    def keep_body(self, chunk: bytes) -> None:
        """Let the body pass; it is not ours."""

    async def get(self) -> None:
        """Answer what was judged."""
        if self._judging is None:
            raise IdentityError(detail="answered before it was judged")
        answer = await self._judging
        self.reason = answer.reason
        self.set_status(answer.status)
        if answer.may_be_stored:
            self.clear_header("Cache-Control")
        for name, value in answer.headers:
            if isinstance(value, SetCookie):
                self.put_cookie(value)
            else:
                self.put_header(name, value)
        if answer.refusal is None:
            self.finish()
        else:
            self.answer_error(answer.refusal)

    head = get

    def answer_error(self, error: IdentityError) -> None:
        """Show a person a page where the proxy hands it on as it is."""
        if not (self._to_browser and requests.loads_page(self.request.headers)):
            super().answer_error(error)
            return
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", CSP.format(forms="'none'"))
        self.finish(error_page(self.context, error, request_id=self.request_id))

    async def _judge(self) -> Answer:
        peer, peers = self.request.remote_ip or "", self.context.peers
        asked = requests.read(self.request.headers, peer=peer, peers=peers)
        app = self.context.app_of(asked.target.host)
        if app is None:
            return answers.answer(answers.UNKNOWN_HOST, to_browser=self._to_browser)
        check = requests.check_of(asked, app)
        verdict = await self.context.asker.ask(check)
        location = targets.location(verdict, check, asked.target, public_url=self.context.public_url)
        return answers.answer(verdict, location, to_browser=self._to_browser)

    @property
    def _to_browser(self) -> bool:
        return self.request.query_arguments.get("redirect") == [b"1"]


class AppHandler(JsonHandler):
    """Answers registered applications: client id and secret by HTTP Basic."""

    app: RegisteredApp

    async def prepare(self) -> None:
        """Find out who asks, before anything of the body is read."""
        self.require_own_host()
        shown = self.request.headers.get("Authorization", "")
        try:
            self.app = callers.identify(shown, self.context.apps)
        except callers.CallerUnknown:
            if shown:
                await self._slow(callers.named(shown, self.context.apps) or NOBODY)
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
        if isinstance(error, callers.CallerUnknown):
            self.set_header("WWW-Authenticate", 'Basic realm="identityd"')
        super().answer_error(error)


class CheckOne(AppHandler):
    """The whole decision for one request of a browser; the caller passes the cookies on."""

    max_body = 262_144

    async def post(self) -> None:
        """Answer one check."""
        fields = Fields(self.json_body(), known=_FIELDS)
        target = target_of(fields)
        if target.host not in self.app.hosts:
            self._send(answers.UNKNOWN_HOST, None)
            return
        check = requests.check_of(_browser_request(fields, target), self.app)
        verdict = await self.context.asker.ask(check)
        self._send(verdict, targets.location(verdict, check, target, public_url=self.context.public_url))

    def _send(self, verdict: Verdict, location: str | None) -> None:
        self.reason = verdict.reason
        if verdict.outcome is Outcome.RETRY:
            self.put_header("Retry-After", str(StoreError.retry_after_s))
        self.set_status(_REFUSED.get(verdict.outcome, HTTPStatus.OK))
        self.answer(answers.checked(verdict, location))


class CheckMany(AppHandler):
    """Up to 1,000 looks, in order, in one thread hop and one read; nothing is changed."""

    max_body = 16_777_216

    async def post(self) -> None:
        """Answer all of them."""
        asked = Fields(self.json_body(), known={"checks"}).items("checks", most=MANY)
        checks = [self._look(each, at) for at, each in enumerate(asked)]
        own = [check for check in checks if check.host in self.app.hosts]
        found = iter(await self.context.checks.run(self.context.checker.check_many, own))
        verdicts = [next(found) if check.host in self.app.hosts else answers.UNKNOWN_HOST for check in checks]
        for check, verdict in zip(checks, verdicts, strict=True):
            self.context.asker.note(check, verdict)
        self.answer({"answers": [answers.looked_at(verdict) for verdict in verdicts]})

    def _look(self, value: object, at: int) -> Check:
        fields = Fields(value, known={"cookie", "url"}, at=f"checks[{at}]")
        cookies = fields.lines("cookie", most=COOKIE_LINES, limit=COOKIE_CHARS)
        return Check(cookies=cookies, host=target_of(fields).host, mode=Mode.READ_ONLY, client=self.app.id)


class Ack(PageHandler):
    """Where a browser comes to fetch or rotate its token: by a preload, or sent by an application's proxy."""

    side = Side.ANY
    documents_only = False
    """A preload, a script and a frame may all come: it answers nothing that says who somebody is."""

    async def get(self) -> None:
        """Rotate; then go back to `then`, a path of this host, if there is one."""
        then = self.query("then", limit=URL_CHARS)
        if then is not None and not is_local(then):
            then = "/"
        verdict = await self.visitor()
        if then is None:
            self.set_status(HTTPStatus.NO_CONTENT)
        elif verdict.outcome is Outcome.OK:
            self.go(then)
        else:
            self.send_to_login(verdict, back=then)


_GUESSED: Final = "Too many wrong secrets came from your network. A right one is answered at once."
_FIELDS: Final = frozenset(
    {"cookie", "url", "method", "mode", "navigation", "prefetch", "background", "address", "agent"}
)


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


def _browser_request(fields: Fields, target: Target) -> BrowserRequest:
    mode = fields.choice("mode", _MODES, default="browser")
    return BrowserRequest(
        target=target,
        method=fields.text("method", limit=32) if fields.has("method") else "GET",
        cookies=fields.lines("cookie", most=COOKIE_LINES, limit=COOKIE_CHARS),
        mode=mode,
        # A caller that forgets it would get no login address and little rotation: it must say.
        navigation=fields.flag("navigation") if mode is Mode.BROWSER else False,
        prefetch=fields.has("prefetch") and fields.flag("prefetch"),
        active=not fields.flag("background") if fields.has("background") else None,
        address=summarise_address(fields.text("address")) if fields.has("address") else "",
        agent=summarise_agent(fields.text("agent")) if fields.has("agent") else "",
    )


ROUTES: Final = (
    Route("/auth", Auth, Listener.INTERNAL),
    Route("/session/check", CheckOne, Listener.INTERNAL),
    Route("/session/check-many", CheckMany, Listener.INTERNAL),
    Route(re.escape(targets.ACK), Ack, Listener.PUBLIC),
)
