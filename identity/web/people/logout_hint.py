"""The cookie with which a browser logs out at its provider: the ID token of its login, sealed.

Owns its spelling and its size. A provider that is shown the ID token (`id_token_hint`) knows whose logout it
is, and many then ask no more. So the cookie is for requests of our own pages alone (`SameSite=Strict`): a link
on another site must not log a person out there. It comes with one address, and with no other request.
"""

from typing import Final

from identity.login.carrying import LONGEST
from identity.login.results import Finished, NeedsUsername
from identity.sessions.check import SetCookie
from identity.types import DAY, SECOND
from identity.web.state.context import CookieNames

KEPT_S: Final = 30 * DAY // SECOND
"""Of a login that outlives the browser; the provider asks those who log out later."""


def made(provider: str, text: str, *, persistent: bool, names: CookieNames) -> SetCookie:
    """Return what keeps the text in this browser, or removes an older login's if it is empty."""
    if not text:
        return removed(provider, names=names)
    return _cookie(provider, text, KEPT_S if persistent else None, names)


def removed(provider: str, *, names: CookieNames) -> SetCookie:
    """Return what deletes it."""
    return _cookie(provider, "", 0, names)


def room_beside(outcome: Finished) -> int:
    """Return how many characters it may have in the answer that ends a login like this.

    A sign-up is carried in the same head, and what a proxy takes of both is what it takes of one.
    """
    return LONGEST - len(outcome.binding) if isinstance(outcome, NeedsUsername) else LONGEST


def _cookie(provider: str, text: str, age_s: int | None, names: CookieNames) -> SetCookie:
    path = f"/login/{provider}/logout"
    return SetCookie(names.logout_hint, text, age_s, names.secure, own_site=True, path=path)
