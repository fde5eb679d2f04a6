"""GitHub, and GitHub Enterprise on an address of its own.

The subject is the numeric `id`. A login is never used for anything but a suggestion: it can be
changed, and the old one taken by another person. The address in `/user` is whatever the person shows
publicly; only `/user/emails` says which one is primary and verified.
https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from options import types
from options.option import option
from providers import untrusted
from providers.addresses import web_address
from providers.authorize_params import ADDED, AuthorizeParams, params_of
from providers.base import Http, Provider, ProviderBroken, ProviderProfile, SubjectScope
from providers.kind import ProviderKind, ProviderSettings
from providers.oauth2 import Answered, fetch_json
from providers.oauth2_service import OAuth2Service, ServiceOptions
from providers.token_endpoint import Grant

_VERSION: Final = {"X-GitHub-Api-Version": "2022-11-28"}
_WITHHELD: Final = frozenset({403, 404})
_EMAIL_SCOPES: Final = frozenset({"user", "user:email"})
_PARAMS: Final = params_of("allow_signup", "login", "prompt")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubOptions(ServiceOptions):
    """What an operator says of a GitHub."""

    scope: tuple[str, ...] = option(types.words, ("read:user", "user:email"), "What is asked for.")
    authorize_params: AuthorizeParams = option(_PARAMS, (), ADDED)
    url: str = option(web_address, "https://github.com", "Where GitHub is; another address for GitHub Enterprise.")


@dataclass(frozen=True, slots=True)
class GitHubProfile:
    """Reads a profile from GitHub's API."""

    api: str
    emails: bool
    """Whether the scope lets us read e-mail addresses; without it, one call less."""

    async def __call__(self, grant: Grant, http: Http) -> ProviderProfile:
        """Fetch and read it. One GET, or two. Raises ProviderBroken."""
        user = await fetch_json(http, f"{self.api}/user", grant.access_token, headers=_VERSION)
        if not isinstance(user, Mapping):
            raise ProviderBroken("the profile is not a JSON object")
        subject = untrusted.numeric_subject(user.get("id"))
        email = await self._email(grant, http) if self.emails else ""
        return ProviderProfile(
            subject=subject,
            email_verified=bool(email),
            handle=untrusted.shown(user.get("login")),
            name=untrusted.shown(user.get("name")),
            email=email,
            picture=untrusted.address(user.get("avatar_url")),
        )

    async def _email(self, grant: Grant, http: Http) -> str:
        try:
            listed = await fetch_json(http, f"{self.api}/user/emails", grant.access_token, headers=_VERSION)
        except Answered as refusal:
            # The person, or the app's settings, may keep addresses from us; the login goes on without one.
            # Being busy is said with the same 403, and an address is not lost for that.
            if refusal.status in _WITHHELD and not refusal.busy:
                return ""
            raise
        if listed is not None and not isinstance(listed, list):
            raise ProviderBroken("the e-mail addresses are not a list")
        return verified_email(listed)


def verified_email(listed: object) -> str:
    """Return the address that is primary and verified, or nothing."""
    entries = [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
    counting = (entry for entry in entries if entry.get("primary") is True and entry.get("verified") is True)
    return next(filter(None, (untrusted.email(entry.get("email")) for entry in counting)), "")


def api_of(url: str) -> str:
    """Return where the API of a GitHub is: on a host of its own in the cloud, beside the pages elsewhere."""
    host = urlsplit(url).hostname or ""
    if host == "github.com" or host.endswith(".ghe.com"):
        return f"https://api.{host}"
    return f"{url}/api/v3"


def build(settings: ProviderSettings[GitHubOptions]) -> Provider:
    """Make a GitHub provider."""
    given = settings.options
    url = given.url.rstrip("/")
    return OAuth2Service(
        authorize=f"{url}/login/oauth/authorize",
        token=f"{url}/login/oauth/access_token",
        read_profile=GitHubProfile(api_of(url), emails=not _EMAIL_SCOPES.isdisjoint(given.scope)),
    ).build(settings)


KIND: Final = ProviderKind(
    name="github",
    label="GitHub",
    subject="numeric `id`; never the login, which is renamed and then used by others",
    options=GitHubOptions,
    scope=lambda given: SubjectScope(given.url.rstrip("/"), "id"),
    build=build,
    console="https://github.com/settings/developers",
)
