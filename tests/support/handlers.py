"""Pages of no use but to tests: what handlers may do, each once."""

import re
from typing import Final

from identity.errors import FlowInvalid, ProviderTrouble, StoreUnavailable
from identity.sessions.check import SetCookie
from identity.web.http.base import Listener, Route
from identity.web.http.page import PageHandler
from tests.support.browser import Jar, Reply
from tests.support.web import Site

FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
OWN: Final = {"Origin": "https://login.example", "Sec-Fetch-Site": "same-origin"}
DONE: Final[list[str]] = []
"""What was carried out, by username."""


class Mine(PageHandler):
    """A page and a form that need a session."""

    async def get(self) -> None:
        """Show whose it is."""
        me = await self.signed_in()
        self.show("logout", csrf=self.csrf_token(me.session.id), username=me.username)

    async def post(self) -> None:
        """Do something."""
        me = await self.signed_in()
        DONE.append(me.username)
        self.note("something", me.account_id, what="done")
        self.go("/test/mine")


class Open(PageHandler):
    """A page for anybody."""

    async def get(self) -> None:
        """Show that it is there, and say who looks."""
        verdict = await self.visitor()
        self.set_header("X-Test", f"{verdict.outcome.value} {verdict.username or ''}".strip())
        self.show("login", ways=())


class Glance(PageHandler):
    """A page that only looks."""

    async def get(self) -> None:
        """Say who looks."""
        verdict = await self.glance()
        self.set_header("X-Test", verdict.outcome.value)
        self.show("login", ways=())


class Careless(PageHandler):
    """A form that forgot to prove where it comes from."""

    async def post(self) -> None:
        """Do something unproven."""
        self.go("/test/open")


class Bound(PageHandler):
    """A form before there is a session, bound to a cookie."""

    async def get(self) -> None:
        """Hand out the binding."""
        self.put_cookie(SetCookie(self.context.names.sign_up("12345678"), "binding", 600))
        self.show("logout", csrf=self.csrf_token(b"binding"), username="ada")

    async def post(self) -> None:
        """Check it, and go where the form says."""
        self.check_form((self.own_cookie(self.context.names.sign_up("12345678")) or "").encode())
        target = self.field("to")
        if target:
            self.go_out(target)
        else:
            self.go("/test/open")


class Failing(PageHandler):
    """Raises whatever is asked for."""

    async def get(self, what: str) -> None:
        """Raise it."""
        raise {
            "store": StoreUnavailable(detail="node one"),
            "flow": FlowInvalid(detail="state of another browser"),
            "provider": ProviderTrouble(detail="token endpoint said 500"),
            "bug": RuntimeError("a canary that nobody outside may see"),
        }[what]


class Injected(PageHandler):
    """Tries to put what a person sent into headers."""

    async def get(self) -> None:
        """Put it."""
        value = self.query("value") or ""
        where = self.query("where")
        if where == "cookie":
            self.put_cookie(SetCookie("name", value, None))
        elif where == "location":
            self.go(f"/{value}")
            return
        else:
            self.put_header("X-Test", value)
        self.finish()


ROUTES: Final = (
    Route("/test/mine", Mine, Listener.PUBLIC),
    Route("/test/open", Open, Listener.PUBLIC),
    Route("/test/glance", Glance, Listener.PUBLIC),
    Route("/test/careless", Careless, Listener.PUBLIC),
    Route("/test/bound", Bound, Listener.PUBLIC),
    Route("/test/failing/([a-z]+)", Failing, Listener.PUBLIC),
    Route("/test/injected", Injected, Listener.PUBLIC),
)


def token_of(reply: Reply) -> str:
    """Return the form token of a page."""
    found = re.search(rb'name="csrf" value="([^"]+)"', reply.body)
    assert found
    return found[1].decode()


def get(site: Site, path: str, jar: Jar, **headers: str) -> Reply:
    """Load a page with a browser's cookies."""
    return site.public("GET", path, headers={**jar.header, **headers})


def post(site: Site, path: str, jar: Jar, body: str, **headers: str) -> Reply:
    """Send a form as our own page would; a header given as an empty text is left out."""
    given = {**FORM, **OWN, **jar.header, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return site.public("POST", path, headers={k: v for k, v in given.items() if v}, body=body.encode())
