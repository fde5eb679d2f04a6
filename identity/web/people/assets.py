"""The one file pages load: the stylesheet."""

from typing import Final

from identity.web.http.base import Handler, Listener, Route
from identity.web.pages import STYLESHEET

_YEAR: Final = "public, max-age=31536000, immutable"


class Style(Handler):
    """Serves the stylesheet; pages link to it with the hash of its content, so that copy may be kept."""

    async def get(self) -> None:
        """Send it. Under another hash (an older page, a newer daemon) the answer must be asked for again."""
        is_current = self.query("v") == STYLESHEET.version
        self.set_header("Content-Type", "text/css; charset=utf-8")
        self.set_header("Cache-Control", _YEAR if is_current else "no-cache")
        await self.finish(STYLESHEET.body)

    async def head(self) -> None:
        """Answer like GET; tornado leaves the body out."""
        await self.get()


ROUTES: Final = (Route(r"/\.identityd/style\.css", Style, Listener.PUBLIC),)
