"""Slack, by "Sign in with Slack".

The subject is `sub` together with the claim `https://slack.com/team_id`: a member's id is one of the
workspace, and who belongs to two workspaces is two members.
https://docs.slack.dev/authentication/sign-in-with-slack/
https://docs.slack.dev/reference/methods/openid.connect.token
"""

from dataclasses import dataclass, replace
from typing import Final

from options import types
from options.option import option
from providers import untrusted
from providers.base import Provider, ProviderBroken, ProviderDenied, ProviderProfile, SubjectScope
from providers.facts import OF_CLAIMS, TENANT
from providers.kind import ProviderKind, ProviderSettings
from providers.openid import OidcClientOptions, OidcService
from providers.openid_claims import Claims, profile_of

_ISSUER: Final = "https://slack.com"
_TEAM: Final = f"{_ISSUER}/team_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackOptions(OidcClientOptions):
    """What an operator says of Slack."""

    teams: tuple[str, ...] = option(
        types.words, (), "Ids of the workspaces whose members may log in; left out, members of any may."
    )


@dataclass(frozen=True, slots=True)
class SlackProfile:
    """Reads a profile of a member of one of these workspaces."""

    teams: frozenset[str]

    def __call__(self, claims: Claims, more: Claims) -> ProviderProfile:
        """Raises ProviderDenied for a member of another workspace, ProviderBroken if none is named."""
        team = claims.get(_TEAM)
        if untrusted.word(team) != team:
            raise ProviderBroken("the ID token names no workspace (team_id)")
        if self.teams and team not in self.teams:
            raise ProviderDenied("the workspace is not among the teams")
        return replace(profile_of(claims, more), tenant=team)


def build(settings: ProviderSettings[SlackOptions]) -> Provider:
    """Make a Slack provider. Raises BadOptions."""
    teams = settings.options.teams
    service = OidcService(
        issuer=_ISSUER,
        client_auth="post",
        authorize_params={"team": teams[0]} if len(teams) == 1 else {},
        proves_fresh_login=False,
        read_profile=SlackProfile(frozenset(teams)),
    )
    return service.build(settings)


KIND: Final = ProviderKind(
    name="slack",
    label="Slack",
    subject="`sub` and the workspace, `https://slack.com/team_id`",
    options=SlackOptions,
    scope=lambda _: SubjectScope(_ISSUER, "sub"),
    build=build,
    facts=(*OF_CLAIMS, TENANT),
    open_to_all=lambda given: not given.teams,
)
