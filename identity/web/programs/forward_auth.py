"""Forward authentication: whose session is it, asked by a reverse proxy before it lets a request through (`/auth`).

Owns the body that comes with it. What the proxy's headers mean and what a verdict looks like is
`identity/forward_auth/`. Only listed proxies may ask, and they see only registered hosts.
"""

import asyncio
from typing import Final, cast

from identity.errors import IdentityError, NotAllowed
from identity.forward_auth import answers, requests, targets
from identity.forward_auth.answers import Answer
from identity.sessions.check import SetCookie
from identity.web.http import entry_refused
from identity.web.http.base import Handler, Listener, Route
from identity.web.http.lingering import Lingering
from identity.web.http.page import CSP, error_page

DRAINED: Final = 1 << 30
"""Bytes of an upload that `/auth` reads before it answers; more is refused."""
DRAIN_TIMEOUT_S: Final = 900


class Auth(Handler):
    """Forward authentication: a proxy asks before it lets a request through.

    The session is judged when the headers have arrived; the body is read to its end before the
    answer, because a proxy that hands a refusal on would otherwise reset a running upload.
    """

    max_body = DRAINED
    _judging: "asyncio.Task[Answer] | None" = None
    _answer: Answer | None = None

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
        """Begin to judge before the body is there; only a listed proxy's body is read at all."""
        super().prepare()
        requests.require_listed(self.request.remote_ip or "", self.context.peers)
        cast("Lingering", self.request.connection).set_body_timeout(DRAIN_TIMEOUT_S)
        self._judging = asyncio.ensure_future(self._judge())
        # When the browser left during its upload nothing awaits this task: asyncio would log its error as unseen.
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
        answer = self._answer = await self._judging
        self.reason = answer.reason
        self.set_status(answer.status)
        if answer.may_be_stored:
            self.clear_header("Cache-Control")
        for name, value in answer.headers:
            if isinstance(value, SetCookie):
                self.put_cookie(value)
            else:
                self.put_header(name, value, octets=True)
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
        self.finish(self._refused() if isinstance(error, NotAllowed) else self._page(error))

    def _page(self, error: IdentityError) -> bytes:
        return error_page(self.context, error, request_id=self.request_id)

    def _refused(self) -> bytes:
        asked = requests.read(self.request.headers, peer=self.request.remote_ip or "", peers=self.context.peers)
        return entry_refused.page(
            self.context,
            username=self._answer.username if self._answer else "",
            host=asked.target.host,
            path=targets.without_flag(targets.ascii_uri(asked.target.uri)),
            request_id=self.request_id,
        )

    async def _judge(self) -> Answer:
        peer, peers = self.request.remote_ip or "", self.context.peers
        asked = requests.read(self.request.headers, peer=peer, peers=peers)
        app = self.context.applications.of_host(asked.target.host)
        if app is None:
            return answers.answer(answers.UNKNOWN_HOST, app=None, to_browser=self._to_browser)
        check = requests.check_of(asked, app)
        verdict = await self.context.asker.ask(check)
        location = targets.location(verdict, check, asked.target, public_url=self.context.public_url)
        return answers.answer(verdict, location, app=app, to_browser=self._to_browser)

    @property
    def _to_browser(self) -> bool:
        return self.request.query_arguments.get("redirect") == [b"1"]


ROUTES: Final = (Route("/auth", Auth, Listener.INTERNAL),)
