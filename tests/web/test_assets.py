"""The stylesheet as it is served."""

import pytest

from identity.web.pages import STYLESHEET
from tests.support.account_site import AccountSite


def test_the_stylesheet_is_kept_for_good_under_its_hash(account_site: AccountSite) -> None:
    """Every page view would load it again."""
    reply = account_site.site.public("GET", STYLESHEET.url)

    assert reply.status == 200
    assert reply.body == STYLESHEET.body
    assert reply.one("Content-Type") == "text/css; charset=utf-8"
    assert reply.one("Cache-Control") == "public, max-age=31536000, immutable"
    assert reply.one("X-Content-Type-Options") == "nosniff"


@pytest.mark.parametrize("query", ["", "?v=0123456789abcdef"])
def test_the_stylesheet_under_another_hash_is_asked_for_again(account_site: AccountSite, query: str) -> None:
    """During an upgrade a page of the new release would be stuck with the old look."""
    reply = account_site.site.public("GET", f"/.identityd/style.css{query}")

    assert reply.status == 200
    assert reply.one("Cache-Control") == "no-cache"


def test_the_stylesheet_answers_head(account_site: AccountSite) -> None:
    """A proxy that asks first would be refused."""
    reply = account_site.site.public("HEAD", STYLESHEET.url)

    assert (reply.status, reply.body) == (200, b"")
