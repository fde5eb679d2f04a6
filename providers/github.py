"""GitHub, and GitHub Enterprise on an address of its own.

The subject is the numeric `id`. A login is never used for anything but a suggestion: it can be
changed, and the old one taken by another person. The address in `/user` is whatever the person shows
publicly; only `/user/emails` says which one is primary and verified.
https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from options import types
from options.option import option
from providers import untrusted
from providers.addresses import web_address
from providers.authorize_params import ADDED, AuthorizeParams, params_of
from providers.base import Http, Provider, ProviderBroken, ProviderProfile, SubjectScope
from providers.facts import EMAIL_DOMAIN
from providers.kind import ProviderKind, ProviderSettings
from providers.oauth2 import Answered, fetch_json
from providers.oauth2_service import OAuth2Service, ServiceOptions
from providers.token_endpoint import Grant

_VERSION: Final = {"X-GitHub-Api-Version": "2022-11-28"}
_WITHHELD: Final = frozenset({403, 404})
_A_PAGE: Final = 100
_PAGES: Final = 5
"""Pages that are read; a person in more organisations or teams is not found in the rest."""
_MEMBER_FACTS: Final = frozenset({"org", "team"})
_MEMBER_SCOPE: Final = "read:org"
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
    facts: frozenset[str] = frozenset()
    """What rules ask about: `org`, `team`; a call more for each hundred of a person's."""

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
            facts=(*await self._listed("org", "orgs", grant, http), *await self._listed("team", "teams", grant, http)),
        )

    async def _listed(self, fact: str, place: str, grant: Grant, http: Http) -> list[tuple[str, str]]:
        """Return the person's organisations or teams, if they are asked about. Raises ProviderBroken.

        GitHub keeps those of an organisation that restricts applications to itself; then nothing follows from them.
        """
        found: list[tuple[str, str]] = []
        for page in range(1, _PAGES + 1) if fact in self.facts else ():
            url = f"{self.api}/user/{place}?per_page={_A_PAGE}&page={page}"
            try:
                listed = await fetch_json(http, url, grant.access_token, headers=_VERSION)
            except Answered as refusal:
                if refusal.status in _WITHHELD and not refusal.busy:
                    break
                raise
            if not isinstance(listed, list):
                raise ProviderBroken(f"the {place} are not a list")
            found += [(fact, name) for each in listed if isinstance(each, Mapping) and (name := _name_of(each))]
            if len(listed) < _A_PAGE:
                break
        return found

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


def _name_of(entry: Mapping[str, object]) -> str:
    """Return how rules name an organisation, `acme`, or a team, `acme/ops`."""
    owner = entry.get("organization")
    names = (owner.get("login"), entry.get("slug")) if isinstance(owner, Mapping) else (entry.get("login"),)
    return "/".join(map(str, names)) if all(isinstance(name, str) and name for name in names) else ""


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
    url, facts = given.url.rstrip("/"), settings.facts & _MEMBER_FACTS
    if facts:
        given = replace(given, scope=tuple(dict.fromkeys((*given.scope, _MEMBER_SCOPE))))
    return OAuth2Service(
        authorize=f"{url}/login/oauth/authorize",
        token=f"{url}/login/oauth/access_token",
        read_profile=GitHubProfile(api_of(url), emails=not _EMAIL_SCOPES.isdisjoint(given.scope), facts=facts),
    ).build(replace(settings, options=given))


KIND: Final = ProviderKind(
    name="github",
    label="GitHub",
    subject="numeric `id`; never the login, which is renamed and then used by others",
    options=GitHubOptions,
    scope=lambda given: SubjectScope(given.url.rstrip("/"), "id"),
    build=build,
    facts=(EMAIL_DOMAIN, "org", "team"),
    open_to_all=lambda given: given.url.rstrip("/") == "https://github.com",
    console="https://github.com/settings/developers",
)
