"""What claims say to rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.facts import lacks, of_claims
from providers.untrusted import REPEATED

ASKED = ("claim.groups", "claim.department", "hd", "org")


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"groups": ["a", "b"]}, {("claim.groups", "a"), ("claim.groups", "b")}),
        ({"groups": "a"}, {("claim.groups", "a")}),
        ({"groups": ["a", "a"]}, {("claim.groups", "a")}),
        ({"groups": None}, set()),
        ({"groups": []}, set()),
        ({"groups": [None, {}, [], 1.5, "", "x" * 201]}, set()),
        ({"groups": [1, True]}, {("claim.groups", "1"), ("claim.groups", "true")}),
        ({"groups": {"a": "b"}}, set()),
        ({"groups": REPEATED}, set()),
        ({"hd": "example.com"}, {("hd", "example.com")}),
        ({"hd": ["example.com"]}, {("hd", "example.com")}),
        ({"claim.hd": "example.com", "org": "acme"}, set()),
        ({"department": False}, {("claim.department", "false")}),
    ],
)
def test_claims_of_any_shape_say_what_they_hold_and_nothing_else(
    claims: dict[str, object], said: set[tuple[str, str]]
) -> None:
    """Providers send one group as text, several as a list, none as null; a shape that is misread lets people in."""
    assert set(of_claims(ASKED, claims, named=("hd",))) == said


def test_both_documents_are_looked_at() -> None:
    """Entra sends groups in the ID token alone, Keycloak can send them at userinfo alone."""
    found = of_claims(["claim.groups"], {"groups": ["token"]}, {"groups": ["userinfo"]})

    assert found == (("claim.groups", "token"), ("claim.groups", "userinfo"))


def test_a_claim_is_found_by_its_name_or_its_path() -> None:
    """Auth0 puts addresses into claims' names, Keycloak puts roles into an object."""
    asked = ["claim.https://example.com/groups", "claim.realm_access.roles"]
    claims = {"https://example.com/groups": ["a"], "realm_access": {"roles": ["b"]}}

    assert of_claims(asked, claims) == ((asked[0], "a"), (asked[1], "b"))


def test_userinfo_is_asked_only_for_what_the_id_token_lacks() -> None:
    """A call at every login for what is there already costs everybody's time."""
    assert lacks(["claim.groups"], {"groups": None})
    assert lacks(["claim.groups", "claim.roles"], {"groups": []})
    assert not lacks(["claim.groups", "hd", "org", "email_domain"], {"groups": []})
    assert not lacks([], {})


_PLAIN = st.none() | st.text() | st.integers() | st.floats() | st.booleans()
_ANYTHING = st.recursive(_PLAIN, lambda each: st.lists(each) | st.dictionaries(st.text(), each))


@given(st.dictionaries(st.text(max_size=9), _ANYTHING))
def test_no_claims_break_it(claims: dict[str, object]) -> None:
    """A login must not be a 500 because of what a provider's administrator put into a claim."""
    for name, value in of_claims(("claim.groups", *(f"claim.{each}" for each in claims)), claims):
        assert name
        assert value
