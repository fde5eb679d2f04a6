"""An access token of a provider's, for an application that works there for its signed-in person.

Owns the request and its answers. Whose session it is every way of asking has the one checker say (THREATS 35);
which tokens there are is `identity.upstream_tokens`'s, and refreshing them `web/state/refreshing.py`'s.
"""

from http import HTTPStatus
from typing import Final

from identity.errors import Forbidden, IdentityError, NotFound, ProviderTrouble, StoreError
from identity.forward_auth import answers, requests, targets
from identity.login.rules import provider_unknown
from identity.sessions.check import Outcome, Verdict
from identity.types import SECOND
from identity.upstream_tokens.results import HandedOut, LoginDue, NotLinked, TokenQuestion
from identity.upstream_tokens.service import REST_MS
from identity.web.http.base import Listener, Route
from identity.web.http.json_fields import Fields
from identity.web.http.refusals import ProviderLoginNeeded
from identity.web.programs.application import AppHandler, target_of
from identity.web.programs.checks import FIELDS, REFUSED, browser_request


class ProviderTokens(AppHandler):
    """Hands out an access token that is good for a while."""

    max_body = 262_144

    async def post(self, provider: str) -> None:
        """Answer one request."""
        context = self.context
        if provider not in self.app.tokens_of:
            raise Forbidden("tokens-not-allowed", public="This application may not fetch tokens of this provider.")
        if provider not in context.providers:
            raise provider_unknown()
        if not context.tokens.keeps(provider):
            raise NotFound("tokens-not-kept", public="No tokens of this provider are kept.")
        fields = Fields(self.json_body(), known=FIELDS)
        target = target_of(fields)
        if target.host not in self.app.hosts:
            self._refuse(answers.UNKNOWN_HOST, None)
            return
        # Beside the check of the same request, or later: that one rotates, this one need not.
        check = requests.check_of(browser_request(fields, target, mode="read-only"), self.app)
        verdict = await context.asker.ask(check)
        if verdict.outcome is not Outcome.OK or verdict.session is None or verdict.account_id is None:
            self._refuse(verdict, targets.location(verdict, check, target, public_url=context.public_url))
            return
        found = await context.tokens.fetch(TokenQuestion(verdict.account_id, provider, verdict.session.identity))
        self._answer(found, provider, verdict)

    def _answer(self, found: HandedOut | NotLinked | LoginDue, provider: str, verdict: Verdict) -> None:
        match found:
            case HandedOut():
                self.answer(
                    {
                        "access_token": found.access_token,
                        "token_type": "Bearer",
                        "expires_in": found.expires_in_s,
                        "scope": found.scope,
                        "set_cookie": [str(cookie) for cookie in verdict.set_cookies],
                    }
                )
            case NotLinked():
                raise NotFound("not-linked", public="This person has no login with this provider.")
            case LoginDue():
                raise ProviderLoginNeeded(f"{self.context.public_url}/login/{provider}")

    def _refuse(self, verdict: Verdict, location: str | None) -> None:
        """Say that no session counts: the answer of a check, and as an error what it says to a person."""
        self.reason = verdict.reason
        error = answers.refusal(verdict)
        self.set_status(REFUSED.get(verdict.outcome, HTTPStatus.UNAUTHORIZED))
        if verdict.outcome is Outcome.RETRY:
            self.put_header("Retry-After", str(StoreError.retry_after_s))
        said = {"error": error.code, "message": error.public, "request_id": self.request_id}
        self.answer({**said, **answers.checked(verdict, self.app, location)})

    def answer_error(self, error: IdentityError) -> None:
        """Say when it is worth asking again, and where a person logs in again."""
        if isinstance(error, ProviderTrouble):
            self.put_header("Retry-After", str(REST_MS // SECOND))
        if isinstance(error, ProviderLoginNeeded):
            self.answer(
                {
                    "error": error.code,
                    "message": error.public,
                    "request_id": self.request_id,
                    "location": error.location,
                }
            )
            return
        super().answer_error(error)


ROUTES: Final = (Route("/tokens/([a-z0-9-]{1,32})", ProviderTokens, Listener.INTERNAL),)
