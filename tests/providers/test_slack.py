"""Slack: the kit, and workspaces."""

from typing import ClassVar, Final

import pytest

from providers.base import ProviderBroken, ProviderDenied
from tests.contracts import oidc_preset
from tests.support.bench import Bench

TEAM: Final = "https://slack.com/team_id"


class TestSlack(oidc_preset.OidcPreset):
    """Slack as it publishes itself."""

    KIND = "slack"
    DOCUMENT: ClassVar = {
        "issuer": "https://slack.com",
        "authorization_endpoint": "https://slack.com/openid/connect/authorize",
        "token_endpoint": "https://slack.com/api/openid.connect.token",
        "userinfo_endpoint": "https://slack.com/api/openid.connect.userInfo",
        "jwks_uri": "https://slack.com/openid/connect/keys",
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
    }

    def prepare(self, made: Bench) -> None:
        """Let the person be of a workspace, and answer as the Web API does."""
        super().prepare(made)
        made.upstream.person[TEAM] = "T0RR"
        made.upstream.edit_grant = lambda grant: grant.update(ok=True)

    @pytest.mark.threat(17)
    def test_a_member_is_one_of_a_workspace(self, on: Bench) -> None:
        """Otherwise two members with one id in two workspaces are one person."""
        assert on.log_in().tenant == "T0RR"

    @pytest.mark.parametrize("team", [None, "", 7, ["T0RR"], "a b", "T" * 100])
    def test_a_token_without_a_workspace_is_refused(self, on: Bench, team: object) -> None:
        """Otherwise a member of none is whoever has that id in any."""
        on.upstream.person[TEAM] = team

        with pytest.raises(ProviderBroken, match="names no workspace"):
            on.log_in()

    def test_members_of_other_workspaces_are_refused(self, on: Bench) -> None:
        """Otherwise everybody who can make a workspace is let in."""
        on.build("slack", {**self.options(on), "teams": "T0RR"})
        assert "team=T0RR" in on.begin().begun.location
        assert on.log_in().subject

        on.upstream.person[TEAM] = "T0EVIL"
        with pytest.raises(ProviderDenied, match="teams"):
            on.log_in()

    def test_a_failure_that_says_200_is_one(self, on: Bench) -> None:
        """Otherwise what Slack refuses with status 200 is read as a login."""
        on.upstream.edit_grant = lambda grant: (grant.clear(), grant.update(ok=False, error="invalid_code"))

        with pytest.raises(ProviderBroken, match="invalid_code"):
            on.log_in()
