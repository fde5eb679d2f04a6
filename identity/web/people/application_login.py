"""Sessions on the applications' own hosts: the way there through the login host.

Owns the translation between browsers and start codes; the rules are the service's. A proxy in
front of an application leads `/.identityd/` of its host to the public listener, with the host kept.

    application's host      login host         application's host
    ------------------      ----------         ------------------
    `/.identityd/login` →   `/continue`   →    `/.identityd/start`   →   the page that was asked for
    sets a cookie, keeps    its own live       redeems the code with
    a secret in it          session: a code    the cookie, deletes it

A browser that restores its tabs walks it in all of them at once, and each must arrive. So the tabs
share a secret where one is there; who had to log in on the way begins it anew afterwards, because
minutes or another tab may have taken the cookie; and a tab that comes with a good code but without the
secret, because another tab has used it up, goes on to its page if the browser shows what the code would open.

An application that keeps the secret and redeems over HTTP itself uses `/session/start` (programs/session_start.py).
"""

import re
from dataclasses import replace
from typing import Final

from identity.applications.application import Application
from identity.errors import BadInput, Forbidden, NotAllowed
from identity.login import handover
from identity.login.carrying import LONGEST
from identity.login.codes import CODE_MS, START_MS, Destination, challenge_of, is_challenge
from identity.login.flow import SECRET_BYTES, spelt
from identity.login.returning import CONTINUE, safe_path
from identity.sessions.check import Outcome, Verdict
from identity.sessions.record import Ended
from identity.types import Host
from identity.web.http import entry_refused, parameters
from identity.web.http.base import Listener, Route
from identity.web.http.page import Side
from identity.web.http.parameters import ADDRESS_CHARS
from identity.web.people import binding_cookies
from identity.web.people.login import DOUBTFUL, REASONS, LoginHandler

CHALLENGE_CHARS: Final = 64


class Crossing(LoginHandler):
    """What the steps of the way share."""

    def app(self, host: Host) -> Application:
        """Return the application of a host logins may lead to. Raises Forbidden for any other."""
        app = self.context.applications.of_host(host)
        if app is None or self.context.origin_of(host) is None:
            raise Forbidden("no-return", public="Logins do not lead to this host.")
        return app


class Enter(Crossing):
    """On the application's host: remember this browser, and send it to the login host."""

    side = Side.APPLICATION

    async def get(self) -> None:
        """Set the cookie that the code will need."""
        if self.answer_prefetch():
            return
        self.app(self.host)
        path, why = safe_path(self.query("return_to", limit=ADDRESS_CHARS)), _known(self.query("reason"))
        challenge = challenge_of(self._secret())
        there = handover.continue_path(self.host, challenge, path, reason=why, anew=handover.ANEW)
        self.go_out(f"{self.context.public_url}{there}")

    def _secret(self) -> str:
        """Return the secret that this tab's code will need, and keep it in the browser for as long again."""
        names, lines, now = self.context.names, self.cookie_lines(), self.context.clock()
        secret = binding_cookies.shared_start(lines, names=names, now=now, lasts_ms=START_MS)
        secret = secret or spelt(self.context.random(SECRET_BYTES))
        # Who waited longer than a code is good for begins anew. What is younger may be another tab's.
        for cookie in binding_cookies.expired_starts(lines, secret, names=names, now=now, lasts_ms=CODE_MS):
            self.put_cookie(cookie)
        self.put_cookie(binding_cookies.made(names.start(secret), secret, now=now, lasts_ms=START_MS, names=names))
        return secret


class Continue(Crossing):
    """On the login host: let its own session, and nothing else, go on to an application."""

    async def get(self) -> None:
        """Make a code, or send the browser to log in first."""
        if self.answer_prefetch():
            return
        wanted = self._wanted()
        verdict = await self.visitor(entering=wanted.client)
        if verdict.outcome is Outcome.FORBIDDEN:
            entry_refused.answer(self, verdict, host=wanted.host, path=wanted.path)  # no code is made
            return
        session, account_id = verdict.session, verdict.account_id
        if session is None or account_id is None or session.doubtful:
            why = _why(verdict, _known(self.query("reason")))
            challenge, anew = ("", handover.ANEW) if self._may_begin_anew else (wanted.challenge, "")
            back = handover.continue_path(wanted.host, challenge, wanted.path, anew=anew)
            self.send_to_login(replace(verdict, reason=why), back=back)
        origin = self.context.origin_of(wanted.host) or ""
        if not wanted.challenge:
            self.go_out(f"{origin}{handover.login_path(wanted.path)}")
            return
        code = self.context.starts.issue(wanted, account_id=account_id, login=session.id)
        self.go_out(handover.start_url(origin, code, wanted.path))

    @property
    def _may_begin_anew(self) -> bool:
        """Tell whether our `login` is on the application's host; not every application has it there."""
        return self.query("anew") == handover.ANEW

    def _wanted(self) -> Destination:
        """Read where to; the challenge is empty after a login, when the way begins anew."""
        arguments = self.request.query_arguments
        host = Host(parameters.required(arguments, "host", limit=ADDRESS_CHARS))
        read = parameters.one if self._may_begin_anew else parameters.required
        challenge = read(arguments, "start", limit=CHALLENGE_CHARS) or ""
        if not (is_challenge(challenge) or (self._may_begin_anew and not challenge)):
            raise BadInput("start-challenge", public="The application's host sent this browser on without its proof.")
        path = safe_path(self.query("path", limit=ADDRESS_CHARS))
        return Destination(self.app(host).id, host, challenge, path)


class RedeemStartCode(Crossing):
    """Back on the application's host: give the browser its session there."""

    side = Side.APPLICATION

    async def get(self) -> None:
        """Redeem the code; it is used up even if this is the wrong browser."""
        if self.answer_prefetch():
            return
        self.again = handover.login_path(safe_path(self.query("path", limit=ADDRESS_CHARS)))
        app = self.app(self.host)
        code = parameters.required(self.request.query_arguments, "code", limit=LONGEST)
        secrets = self._secrets()
        redeem, visit = self.context.starts.redeem, self.visit()
        try:
            begun = await self.context.checks.run(lambda: redeem(code, client=app.id, secrets=secrets, visit=visit))
        except NotAllowed:
            self.go(self.again)  # which ends at the page that says so
            return
        if begun.opened.set_cookies:
            self.context.metrics.count("identityd_sessions_opened_total")
        for used in secrets:
            if challenge_of(used) == begun.destination.challenge:
                self.put_cookie(binding_cookies.removed(self.context.names.start(used), names=self.context.names))
        for cookie in begun.opened.set_cookies:
            self.put_cookie(cookie)
        self.go(begun.destination.path)

    def _secrets(self) -> list[str]:
        """Return the secrets this browser holds: one for each tab on its way."""
        named = binding_cookies.starts(self.cookie_lines(), names=self.context.names)
        return [secret for secret in map(self.binding, named) if secret]


def _known(reason: str | None) -> str:
    """Return a reason the login page has words for; an address can carry anything."""
    return reason if reason is not None and reason in REASONS else ""


def _why(verdict: Verdict, there: str) -> str:
    """Return what the login page says: neutral where a copy may have been used, since the reader may hold it."""
    if verdict.session is not None:
        return there if there == Ended.REUSE.code else DOUBTFUL
    return there if there and verdict.reason == "anonymous" else verdict.reason


ROUTES: Final = (
    Route(re.escape(handover.LOGIN), Enter, Listener.PUBLIC),
    Route(re.escape(CONTINUE), Continue, Listener.PUBLIC),
    Route(re.escape(handover.START), RedeemStartCode, Listener.PUBLIC),
)
