"""Whose session is it? Asked by registered applications: one request of a browser, or a thousand looks.

Owns the fields of the questions; what a request means and what a verdict looks like is
`identity/forward_auth/`, and every way of asking ends in the one checker (THREATS 35).
"""

from http import HTTPStatus
from typing import Final

from identity.errors import StoreError
from identity.forward_auth import answers, requests, targets
from identity.forward_auth.requests import BrowserRequest
from identity.forward_auth.targets import Target
from identity.sessions.check import Check, Mode, Outcome, Verdict
from identity.web.http.base import Listener, Route
from identity.web.http.json_fields import Fields
from identity.web.programs.application import COOKIE_CHARS, COOKIE_LINES, AppHandler, browser_of, network_of, target_of

MANY: Final = 1_000
_MODES: Final = {"browser": Mode.BROWSER, "websocket": Mode.WEBSOCKET, "read-only": Mode.READ_ONLY}
REFUSED: Final = {Outcome.FORBIDDEN: HTTPStatus.FORBIDDEN, Outcome.RETRY: HTTPStatus.SERVICE_UNAVAILABLE}
FIELDS: Final = frozenset(
    {"cookie", "url", "method", "mode", "navigation", "prefetch", "background", "address", "agent"}
)


class CheckOne(AppHandler):
    """The whole decision for one request of a browser; the caller passes the cookies on."""

    max_body = 262_144

    async def post(self) -> None:
        """Answer one check."""
        fields = Fields(self.json_body(), known=FIELDS)
        target = target_of(fields)
        if target.host not in self.app.hosts:
            self._send(answers.UNKNOWN_HOST, None)
            return
        check = requests.check_of(browser_request(fields, target), self.app)
        verdict = await self.context.asker.ask(check)
        self._send(verdict, targets.location(verdict, check, target, public_url=self.context.public_url))

    def _send(self, verdict: Verdict, location: str | None) -> None:
        self.reason = verdict.reason
        if verdict.outcome is Outcome.RETRY:
            self.put_header("Retry-After", str(StoreError.retry_after_s))
        self.set_status(REFUSED.get(verdict.outcome, HTTPStatus.OK))
        self.answer(answers.checked(verdict, self.app, location))


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
        self.answer({"answers": [answers.looked_at(verdict, self.app) for verdict in verdicts]})

    def _look(self, value: object, at: int) -> Check:
        fields = Fields(value, known={"cookie", "url"}, at=f"checks[{at}]")
        cookies = fields.lines("cookie", most=COOKIE_LINES, limit=COOKIE_CHARS)
        return Check(cookies=cookies, host=target_of(fields).host, mode=Mode.READ_ONLY, client=self.app.id)


def browser_request(fields: Fields, target: Target, *, mode: str = "browser") -> BrowserRequest:
    """Read what is told of a browser's request; `mode` is how the answer travels unless it is said."""
    chosen = fields.choice("mode", _MODES, default=mode)
    return BrowserRequest(
        target=target,
        method=fields.text("method", limit=32, default="GET"),
        cookies=fields.lines("cookie", most=COOKIE_LINES, limit=COOKIE_CHARS),
        mode=chosen,
        # A caller that forgets it would get no login address and little rotation: it must say.
        navigation=fields.flag("navigation") if chosen is Mode.BROWSER else False,
        prefetch=fields.has("prefetch") and fields.flag("prefetch"),
        active=not fields.flag("background") if fields.has("background") else None,
        address=network_of(fields),
        agent=browser_of(fields),
    )


ROUTES: Final = (
    Route("/session/check", CheckOne, Listener.INTERNAL),
    Route("/session/check-many", CheckMany, Listener.INTERNAL),
)
