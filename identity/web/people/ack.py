"""Where a browser comes to fetch or rotate its token: by a preload, or sent by an application's proxy."""

import re
from http import HTTPStatus
from typing import Final

from identity.forward_auth import targets
from identity.sessions.check import Outcome
from identity.web.http.base import Listener, Route, is_local
from identity.web.http.page import PageHandler, Side
from identity.web.http.parameters import ADDRESS_CHARS


class Ack(PageHandler):
    """Rotates the session of whatever browser asks; answers nothing that says whose it is."""

    side = Side.ANY
    documents_only = False
    """A preload, a script and a frame may all come: no answer here says who the person is."""

    async def get(self) -> None:
        """Rotate; then go back to `then`, a path of this host, if there is one.

        For an application with `mint = no` a visit counts as the page load it stands for, because tokens are made
        nowhere else: by a chance, a copy would live until it comes true.
        """
        then = self.query("then", limit=ADDRESS_CHARS)
        if then is not None and not is_local(then):
            then = "/"
        app = self.context.applications.of_host(self.host)
        verdict = await self.visitor(for_page=app is not None and not app.mint)
        if then is None:
            self.set_status(HTTPStatus.NO_CONTENT)
        elif verdict.outcome is Outcome.OK:
            self.go(then)
        else:
            self.send_to_login(verdict, back=then)


ROUTES: Final = (Route(re.escape(targets.ACK), Ack, Listener.PUBLIC),)
