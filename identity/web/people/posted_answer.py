"""The way back from a provider that has the browser post its answer (`response_mode=form_post`).

Owns the two steps that such an answer takes. The POST comes from the provider's site, so the browser
shows no cookie of ours but the one that this login made for it (`SameSite=None`), and who is logged in
here cannot be seen. So it decides nothing: it puts the answer, sealed, into the cookie of its login and
sends the browser to `/finish`, a page load of this site like any other, and there everything happens.

    POST /login/<provider>/callback   the cookie opens, the state is its own  →  303, the same cookie with
                                                                                 the answer, `SameSite=Lax`
    GET  /login/<provider>/finish     as an answer that came in the address
"""

import contextlib
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from identity.errors import BadInput
from identity.login.flow import TOLD_MS
from identity.login.returning import FALLBACK
from identity.web.http import parameters
from identity.web.http.base import Listener, Route
from identity.web.people import binding_cookies
from identity.web.people.login import ANSWER_CHARS, DENIED, PROVIDER, chooser_path
from identity.web.people.login_answer import ProviderAnswer

CARRIED: Final = ("code", "error", "error_reason", "iss")
"""Parameters of an answer that are carried on; of the others only `user` is read, which has a cookie of its own."""
TOLD_CHARS: Final = 1_024


class AnyAnswer(ProviderAnswer):
    """The callback: an answer in the address, or a form from the provider's page."""

    cross_site_post = True
    max_body = 32_768

    async def post(self, name: str) -> None:
        """Carry the answer on to a page load of our own."""
        provider = self.provider(name)
        self.offer(provider, FALLBACK)
        self.field("state", limit=ANSWER_CHARS)  # raises for what is no form
        params = parameters.Sent(self.form, limit=ANSWER_CHARS)
        state = self.state(name, params)
        if state is None:
            self.go(chooser_path(DENIED, FALLBACK))
            return
        answer = {each: said for each in CARRIED if (said := params.get(each))}
        if not answer:
            raise BadInput("parameter-missing", public="The parameter “code” is missing.")
        cookie = self.context.names.flow(state)
        binding, flow = self.context.login.carry(state, name, self.binding(cookie), answer)
        self._keep_told(name, params)
        # Lax from here on: a form of another site, posted again, brings no login.
        self.bind(cookie, binding, lasts_ms=flow.expires_at - self.context.clock())
        self.go(f"/login/{name}/finish?state={quote(state, safe='')}")

    def _keep_told(self, name: str, params: Mapping[str, str]) -> None:
        """Keep what is said only once before anything can fail; what cannot be read or kept fails nothing."""
        names, login, user = self.context.names, self.context.login, ""
        with contextlib.suppress(BadInput):
            user = params.get("user") or ""
        if 0 < len(user) <= TOLD_CHARS and (text := login.keep_told(name, user)):
            self.put_cookie(
                binding_cookies.made(names.told_once, text, now=self.context.clock(), lasts_ms=TOLD_MS, names=names)
            )


class PostedAnswer(ProviderAnswer):
    """Where an answer is looked at that came by a POST."""

    async def get(self, name: str) -> None:
        """Finish the login whose cookie holds the answer."""
        provider = self.provider(name)
        if self.answer_prefetch():
            return
        self.offer(provider, FALLBACK)
        state = parameters.required(self.request.query_arguments, "state", limit=ANSWER_CHARS)
        await self.conclude(provider, state)


ROUTES: Final = (
    Route(f"{PROVIDER}/callback", AnyAnswer, Listener.PUBLIC),
    Route(f"{PROVIDER}/finish", PostedAnswer, Listener.PUBLIC),
)
