"""An invitation: its link, and the page that says what it is good for.

Owns the way from the link to the providers. Invariants: opening the link, by whatever program, uses nothing up; its
secret is in the address of one request, which is answered with a redirect, and neither in our log nor in the address
of the page that a person sees, reloads and shows to others.

    GET                       | answer
    --------------------------+-------------------------------------------------------------------
    /invitation?i=SECRET      | 303 to the page, with a sealed cookie; 403 where it is worth nothing
    /invitation               | the page, for a browser that opened a link in the last hour
"""

from functools import partial
from typing import Final

from identity.accounts.invitation import PARAMETER
from identity.accounts.linking import Refuse
from identity.login.admission import SignUpMode
from identity.login.flow import FOLLOWED_MS
from identity.login.pacing import Counted
from identity.login.results import LoginDenied
from identity.login.returning import FALLBACK
from identity.web.http.base import Listener, Route
from identity.web.people import binding_cookies
from identity.web.people.login import INVITATION, LoginHandler


class Invitation(LoginHandler):
    """The link, and its page."""

    async def get(self) -> None:
        """Answer either."""
        if self.answer_prefetch():
            return
        secret = self.query(PARAMETER)
        if secret is None:
            await self._show()
        else:
            await self._follow(secret)

    async def _follow(self, secret: str) -> None:
        await self.keep_pace(Counted.LINK, "")
        context, names = self.context, self.context.names
        carried = await context.durable.run(context.login.invited.follow, secret)
        if isinstance(carried, Refuse):
            self.refuse(LoginDenied(carried.reason))
        self.put_cookie(
            binding_cookies.made(names.invitation, carried, now=context.clock(), lasts_ms=FOLLOWED_MS, names=names)
        )
        self.go(INVITATION)

    async def _show(self) -> None:
        context = self.context
        key = context.login.invited.key(self.binding(context.names.invitation))
        found = await context.durable.run(partial(context.login.invited.look, key))
        if isinstance(found, Refuse):
            self.refuse(LoginDenied(found.reason))
        self.invited = True
        verdict = await self.glance()
        self.show(
            "invitation",
            ways=self.ways(FALLBACK),
            ends_at=found.ends_at,
            grouped=bool(found.groups),
            signs_up=context.login.rules.admission.mode is not SignUpMode.CLOSED,
            username=verdict.username or "",
        )


ROUTES: Final = (Route(INVITATION, Invitation, Listener.PUBLIC),)
