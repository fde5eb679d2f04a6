"""The page for a person who is logged in and may not enter an application.

Owns what it offers: the page again, and another account. There is no redirect to the login here: who is logged
in would be led straight back, for ever.
"""

from typing import Final
from urllib.parse import quote, urlencode

from identity.errors import NotAllowed
from identity.login import handover
from identity.login.returning import safe_path
from identity.types import Host
from identity.web.state.context import Context

ANOTHER: Final = "another"
"""Parameter of the login page with which it is shown to a person who is logged in."""


def page(context: Context, *, username: str, host: Host, path: str, request_id: str) -> bytes:
    """Render it for the page `path` of an application's host."""
    path = safe_path(path)
    elsewhere = host != context.public_host
    back = handover.continue_path(host, "", path, anew=handover.ANEW) if elsewhere else path
    asked = urlencode({ANOTHER: "yes", "return_to": back}, quote_via=quote, safe="")
    return context.pages.render(
        "refused",
        username=username,
        application=host,
        again=f"{context.origin_of(host) or ''}{path}",
        another=f"{context.public_url}/login?{asked}",
        request_id=request_id,
        code=NotAllowed.default_code,
        home=f"{context.public_url}/",
    )
