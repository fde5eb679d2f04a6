"""The files pages load: the stylesheet, and the operator's logo."""

import re
from typing import Final

from identity.errors import NotFound
from identity.web.http.base import Handler, Listener, Route
from identity.web.pages.branding import LOGO
from identity.web.pages.style import PATH

_YEAR: Final = "public, max-age=31536000, immutable"


class Asset(Handler):
    """What pages link to with the hash of its content, so that copy may be kept."""

    async def send(self, body: bytes, media_type: str, version: str) -> None:
        """Send it. Under another hash (an older page, a newer daemon) the answer must be asked for again."""
        self.set_header("Content-Type", media_type)
        self.set_header("Cache-Control", _YEAR if self.query("v") == version else "no-cache")
        await self.finish(body)


class Style(Asset):
    """Serves the stylesheet."""

    async def get(self) -> None:
        """Send it."""
        sheet = self.context.pages.site.stylesheet
        await self.send(sheet.body, "text/css; charset=utf-8", sheet.version)

    async def head(self) -> None:
        """Answer like GET; tornado leaves the body out."""
        await self.get()


class Picture(Asset):
    """Serves the logo, if there is one."""

    async def get(self) -> None:
        """Send it. Raises NotFound."""
        logo = self.context.pages.site.logo
        if logo is None:
            raise NotFound
        await self.send(logo.body, logo.media_type, logo.version)

    async def head(self) -> None:
        """Answer like GET, as above."""
        await self.get()


ROUTES: Final = (Route(re.escape(PATH), Style, Listener.PUBLIC), Route(re.escape(LOGO), Picture, Listener.PUBLIC))
