"""The page for a person who is logged in and may not enter an application.

Owns what it offers: the page again, and another account. There is no redirect to the login here: who is logged
in would be led straight back, for ever.
"""

from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode

from identity.errors import NotAllowed
from identity.login import handover
from identity.login.returning import safe_path
from identity.sessions.check import Verdict
from identity.types import Host
from identity.web.http.page import PageHandler
from identity.web.state.context import Context

ANOTHER: Final = "another"
"""Parameter of the login page with which it is shown to a person who is logged in."""


def answer(handler: PageHandler, verdict: Verdict, *, host: Host, path: str) -> None:
    """Answer 403 with it; the session's cookies are set already."""
    told = {"username": verdict.username or "", "request_id": handler.request_id}
    handler.set_status(HTTPStatus.FORBIDDEN)
    handler.set_header("Content-Type", "text/html; charset=utf-8")
    handler.finish(page(handler.context, host=host, path=path, **told))


def page(context: Context, *, username: str, host: Host, path: str, request_id: str) -> bytes:
    """Render it for the page `path` of an application's host."""
    path = safe_path(path)
    elsewhere = host != context.public_host
    back = handover.continue_path(host, "", path, anew=handover.ANEW) if elsewhere else path
    asked = urlencode({ANOTHER: "yes", "return_to": back}, quote_via=quote, safe="")
    return context.pages.render(
        "refused",
        username=username,
        application=context.applications.called(host),
        again=f"{context.origin_of(host) or ''}{path}",
        another=f"{context.public_url}/login?{asked}",
        request_id=request_id,
        code=NotAllowed.default_code,
        home=f"{context.public_url}/",
    )
