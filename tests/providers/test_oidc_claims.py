"""Claims that rules ask about: in the ID token, or at userinfo alone."""

from collections.abc import Iterator

import pytest

from providers.base import ProviderBroken
from tests.providers.test_oidc import options
from tests.support.bench import Bench, bench

GROUPS = ("claim.groups",)


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return an OpenID provider of which rules ask groups, and all around it."""
    with bench() as made:
        made.build("oidc", options(made), facts=GROUPS)
        yield made


def test_groups_in_the_id_token_cost_no_call_more(on: Bench) -> None:
    """Entra sends them there; a call at every login for what is there already costs everybody's time."""
    on.upstream.person["groups"] = ["staff", "ops"]

    assert on.log_in().facts == (("claim.groups", "staff"), ("claim.groups", "ops"))
    assert "/userinfo" not in on.upstream.calls


def test_groups_at_userinfo_alone_are_found(on: Bench) -> None:
    """Keycloak can be set up so; the rule would hold of no person."""
    on.upstream.answers["/userinfo"] = {**on.upstream.person, "groups": ["staff"]}

    assert on.log_in().facts == (("claim.groups", "staff"),)


def test_a_person_without_groups_logs_in_and_has_none(on: Bench) -> None:
    """Most people are in no group."""
    assert on.log_in().facts == ()


def test_userinfo_of_another_person_adds_no_group(on: Bench) -> None:
    """An access token that was swapped would bring the administrator's groups (Core 5.3.2)."""
    on.upstream.answers["/userinfo"] = {"sub": "somebody-else", "groups": ["staff"]}

    with pytest.raises(ProviderBroken, match="somebody else"):
        on.log_in()


def test_nothing_that_no_rule_asks_about_is_told() -> None:
    """What a provider says of its people is not ours to keep."""
    with bench() as on:
        on.build("oidc", options(on), facts=("email_domain",))
        on.upstream.person |= {"groups": ["staff"], "salary": 1}

        assert on.log_in().facts == ()
