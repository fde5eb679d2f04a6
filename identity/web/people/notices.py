"""What the person must know after a login: a session of theirs was used in two places.

Owns the page between a login and where it leads, and its answer. What is told stands in the session
record until a button was pressed, so the page can be loaded again, closed, and comes back at the
next login. It is shown to, and answered by, logins that were proven since then only: an older session
may be the thief's, a copy of another session of the same person.

    button             what it does
    -----------------  ------------------------------------------------------------------
    it was me          the notices that were shown are answered; nothing ends
    log out elsewhere  the same, and every other login of the account ends, in one write
"""

import re
from typing import Final

from identity.errors import BadInput
from identity.types import Millis
from identity.web.http.base import Listener, Route
from identity.web.http.parameters import ADDRESS_CHARS
from identity.web.people.login import NOTICES, LoginHandler

MINE: Final = "mine"
ELSEWHERE: Final = "elsewhere"
_SEEN: Final = re.compile(r"[0-9]{1,15}(,[0-9]{1,15}){0,7}")


class Notices(LoginHandler):
    """The notices that the person has not answered yet."""

    async def get(self) -> None:
        """Show them; go on where there are none."""
        who = await self.signed_in()
        return_to = self.context.login.safe_return(self.query("return_to", limit=ADDRESS_CHARS))
        told = await self.context.checks.run(self.context.sessions.notices, who.account_id, who.session.id)
        if not told:
            self.onward(return_to)
            return
        self.show(
            "notices",
            csrf=self.csrf_token(who.session.id),
            notices=told,
            seen=",".join(str(notice.at) for notice in told),
            onward=return_to,
        )

    async def post(self) -> None:
        """Take the answer, and go where the login led. Sent twice, it answers nothing more."""
        who = await self.signed_in()
        answer, seen = self.field("answer") or "", _times(self.field("seen") or "")
        return_to = self.context.login.safe_return(self.field("return_to", limit=ADDRESS_CHARS))
        if answer not in (MINE, ELSEWHERE):
            raise BadInput("field-value", public="The form does not say what to do.")
        take, alone = self.context.sessions.answer_notices, answer == ELSEWHERE
        await self.context.checks.run(lambda: take(who.account_id, who.session.id, seen, alone=alone))
        self.note("notice", who.account_id, answer=answer)
        self.onward(return_to)


def _times(text: str) -> frozenset[Millis]:
    """Return which notices the page showed; one that came since is not answered by it."""
    if not _SEEN.fullmatch(text):
        raise BadInput("field-value", public="The form does not say what it answers.")
    return frozenset(map(int, text.split(",")))


ROUTES: Final = (Route(NOTICES, Notices, Listener.PUBLIC),)
