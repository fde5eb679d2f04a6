"""A session on an application's own host, where the application redeems the start code over HTTP itself.

Owns the fields of the request; the way there is `people/application_login.py`, the rules are the service's.
"""

import re
from typing import Final
from urllib.parse import parse_qs

from identity.errors import Forbidden
from identity.login.carrying import LONGEST
from identity.login.results import Visit
from identity.sessions.check import Check
from identity.web.http.base import Listener, Route
from identity.web.http.json_fields import Fields
from identity.web.programs.application import COOKIE_CHARS, COOKIE_LINES, AppHandler, browser_of, network_of, target_of

SECRET_CHARS: Final = 256
FIELDS: Final = frozenset({"url", "secret", "cookie", "address", "agent"})


class SessionStart(AppHandler):
    """Redeems the code with the secret that the application kept, as with PKCE (RFC 7636)."""

    max_body = 262_144

    async def post(self) -> None:
        """Answer the cookies to set and where to go."""
        fields = Fields(self.json_body(), known=FIELDS)
        target = target_of(fields)
        if target.host not in self.app.hosts or self.context.origin_of(target.host) is None:
            raise Forbidden("unknown-host", public="This host is not one of the application's that logins lead to.")
        codes = parse_qs(target.uri.partition("?")[2]).get("code", [])
        if len(codes) != 1 or not re.fullmatch(f"[A-Za-z0-9_-]{{1,{LONGEST}}}", codes[0]):
            raise fields.wrong("url", "must carry exactly one code")
        secret = fields.text("secret", limit=SECRET_CHARS)
        jar = Check(
            cookies=fields.lines("cookie", most=COOKIE_LINES, limit=COOKIE_CHARS),
            host=target.host,
            address=network_of(fields),
            agent=browser_of(fields),
            client=self.app.id,
        )
        visit = Visit(jar, fields.text("address", default=""), self.request_id)
        redeem, client = self.context.starts.redeem, self.app.id
        begun = await self.context.checks.run(lambda: redeem(codes[0], client=client, secrets=(secret,), visit=visit))
        cookies = [str(cookie) for cookie in begun.opened.set_cookies]
        self.answer({"set_cookie": cookies, "location": begun.destination.path})


ROUTES: Final = (Route("/session/start", SessionStart, Listener.INTERNAL),)
