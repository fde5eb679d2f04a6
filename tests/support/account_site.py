"""A daemon with accounts, and browsers that live in it, for tests of the account's pages."""

import re
import secrets
from collections.abc import Collection, Mapping
from html import unescape
from typing import Any
from uuid import UUID, uuid4

from identity.accounts.store import AccountRow, AccountStatus, LinkedIdentity
from identity.stores.cache import CacheKey, Got, Missing
from identity.types import DAY, AccountId, IdentityKey, Username
from providers.demo import DemoOptions, DemoProvider
from providers.kind import ProviderSettings, ProviderSite
from tests.support.browser import Browser, Jar, Reply
from tests.support.web import Site

OTHER = AccountId(UUID(int=8))


class AccountSite:
    """A daemon with accounts, whose stores can be taken away and given back."""

    def __init__(self, **given: Any) -> None:  # noqa: ANN401, fields of `Site`
        self.site = Site(**given)
        self.site.providers["demo"] = DemoProvider(_settings(self.site))
        self.store = self.site.store
        self.accounts = self.site.accounts
        self._read = self.site.cache.get_many

    def move_in(self, account_id: AccountId, username: str) -> Browser:
        """Make an account and log in to it."""
        key = IdentityKey(f"demo:{username}")
        self.store.accounts.insert(
            AccountRow(
                key=account_id,
                username=Username(username),
                status=AccountStatus.ACTIVE,
                epoch=1,
                version=1,
                op=uuid4(),
                created_at=self.site.clock(),
                identities={key: LinkedIdentity(self.site.clock() - 64 * DAY, f"{username}@demo.example")},
            )
        )
        browser = self.browser()
        browser.jar = self.site.log_in(username=username, account_id=account_id)
        return browser

    def take_sessions_away(self) -> None:
        """Make the session store answer like a dead node."""
        self.site.break_the_store()

    def give_sessions_back(self) -> None:
        """End the outage."""
        self.site.cache.get_many = self._read  # type: ignore[method-assign]

    def lose_sessions_after(self, reads: int) -> None:
        """Take the session store away after so many more reads: in the middle of a request."""
        left = iter(range(reads))

        def read(keys: Collection[CacheKey]) -> Mapping[CacheKey, Got]:
            return self._read(keys) if next(left, None) is not None else dict.fromkeys(keys, Missing.UNREACHABLE)

        self.site.cache.get_many = read  # type: ignore[method-assign]

    def browser(self) -> Browser:
        """Return a browser without any cookie."""
        return Browser(self.site.carry, self.site.public_url)

    def form(self, browser: Browser, action: str, *, page: str = "/account") -> dict[str, str]:
        """Return the fields of the first form on a page with that action."""
        text = browser.get(page).body.decode()
        form = re.search(rf'<form[^>]*action="{action}".*?</form>', text, re.DOTALL)
        assert form, f"{page} has no form for {action}"
        found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form[0])
        return {name: unescape(value) for name, value in found}

    def is_in(self, jar: Jar) -> bool:
        """Tell whether the browser is logged in, without changing anything."""
        return self.reason(jar) in {"current", "advance", "straggler"}

    def reason(self, jar: Jar) -> str:
        """Return the reason of the verdict on the browser."""
        return str(self.site.check(jar, mode="read-only").json()["reason"])


def _settings(site: Site) -> ProviderSettings[DemoOptions]:
    told = ProviderSite(site.public_url, site.clock, secrets.token_bytes)
    return ProviderSettings("demo", "Demo", told, DemoOptions())


def text(reply: Reply) -> str:
    """Return what the page says, without markup and with single spaces."""
    return " ".join(unescape(re.sub(r"(?s:<script>.*?</script>)|<[^>]*>", " ", reply.body.decode())).split())
