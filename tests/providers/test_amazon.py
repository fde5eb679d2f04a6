"""Login with Amazon: the kit, and its own traps."""

from typing import ClassVar

import pytest

from tests.contracts import oauth2_service
from tests.support.bench import Bench


class TestAmazon(oauth2_service.ServiceContract):
    """Amazon's profile."""

    KIND = "amazon"
    SCOPE = ("https://www.amazon.com", "user_id")
    CALLS = ("/api.amazon.com/auth/o2/token", "/api.amazon.com/user/profile")
    PROFILE: ClassVar = {"user_id": "amzn1.account.K2LI23KL2LK2", "name": "Ada", "email": "ada@example.org"}
    ID = "user_id"
    SUBJECT_OF: ClassVar = oauth2_service.TEXT
    VERIFIED_OF: ClassVar = oauth2_service.UNVERIFIED

    def test_tokens_with_a_bar_are_tokens(self, on: Bench) -> None:
        """Otherwise no customer can log in: Amazon's tokens begin with `Atza|`."""
        issued = on.upstream.issue_token("Atza|")
        on.upstream.edit_grant = lambda grant: grant.update(access_token=issued)

        assert on.log_in().subject == "amzn1.account.K2LI23KL2LK2"

    def test_the_id_alone_is_enough(self, on: Bench) -> None:
        """Otherwise the scope `profile:user_id`, which asks for no personal data, cannot be used."""
        on.upstream.answers[self.CALLS[-1]] = {"user_id": "amzn1.account.A"}

        profile = on.log_in()

        assert (profile.subject, profile.name, profile.email) == ("amzn1.account.A", "", "")

    @pytest.mark.parametrize(
        ("region", "login", "api"),
        [
            ("na", "www.amazon.com", "api.amazon.com"),
            ("eu", "eu.account.amazon.com", "api.amazon.co.uk"),
            ("fe", "apac.account.amazon.com", "api.amazon.co.jp"),
        ],
    )
    def test_each_region_has_hosts_of_its_own(self, on: Bench, region: str, login: str, api: str) -> None:
        """Otherwise customers of amazon.co.jp are asked for a password that www.amazon.com does not know."""
        on.build("amazon", {**self.options(on), "region": region})
        on.upstream.answers[f"/{api}/user/profile"] = {"user_id": f"amzn1.account.{region}"}

        assert on.begin().begun.location.startswith(f"https://{login}/ap/oa?")
        assert on.log_in().subject == f"amzn1.account.{region}"
        assert set(on.upstream.calls) == {f"/{api}/auth/o2/token", f"/{api}/user/profile"}
