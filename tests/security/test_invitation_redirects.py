"""Row 33 again: an invitation's link, which an operator sends with words of their own."""

import re
from html import unescape
from secrets import token_urlsafe
from urllib.parse import quote
from uuid import uuid4

import pytest

from identity.accounts.invitation import link_of
from identity.accounts.inviting import Invite
from identity.accounts.results import By
from identity.types import DAY
from tests.support.evil import EVIL, lands_at_home
from tests.support.logins import LoginSite, location

pytestmark = pytest.mark.threat(33)


@pytest.mark.parametrize("evil", EVIL)
def test_an_invitation_leads_to_its_own_page_only(logins: LoginSite, evil: str) -> None:
    """Otherwise a link that an operator sent with a word of their own ends at another site's login."""
    browser, secret, asked = logins.browser(), token_urlsafe(32), quote(evil)
    logins.accounts.invite(Invite(uuid4(), secret, By("operator:ann", why="a test"), DAY, "Bob", ()))

    opened = browser.get(f"{link_of('', secret)}&return_to={asked}&reason={asked}")
    page = browser.get(f"/invitation?return_to={asked}&reason={asked}")

    assert (opened.status, location(opened), page.status) == (303, "/invitation", 200)
    for link in re.findall(r'(?:href|action)="([^"]*)"', page.body.decode()):
        assert link.startswith("data:image/") or lands_at_home(unescape(link)), link
