"""Where a proxy leads a person whose session counts and who may not enter the application behind it."""

import re
from typing import Final

from identity.forward_auth import targets
from identity.login.returning import safe_path
from identity.sessions.check import Outcome
from identity.web.http import entry_refused
from identity.web.http.base import Listener, Route
from identity.web.http.page import PageHandler, Side
from identity.web.http.parameters import ADDRESS_CHARS


class EntryRefused(PageHandler):
    """Says who is logged in and that they may not enter; leads on where that is not so any more."""

    side = Side.ANY

    async def get(self) -> None:
        """Ask again: groups may have changed since, and the page may be reloaded."""
        path = safe_path(self.query("return_to", limit=ADDRESS_CHARS))
        app = self.context.applications.of_host(self.host)
        verdict = await self.visitor(entering=app.id if app else "")
        match verdict.outcome:
            case Outcome.OK:
                self.go(path)
            case Outcome.FORBIDDEN:
                entry_refused.answer(self, verdict, host=self.host, path=path)
            case _:
                self.send_to_login(verdict, back=path)


ROUTES: Final = (Route(re.escape(targets.REFUSED), EntryRefused, Listener.PUBLIC),)
"""The page is on the application's own host, because only there its session can be told."""
