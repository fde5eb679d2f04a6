"""GitHub: the kit, and its own traps."""

from collections.abc import Iterator
from typing import ClassVar, Final

import pytest

from options.option import BadOptions
from providers.base import ProviderBroken
from providers.github import api_of, verified_email
from tests.contracts.provider import ProviderContract
from tests.contracts.provider_cases import MISSING, SHAPES
from tests.support.bench import Bench, bench
from tests.support.faults import Fault
from tests.support.upstream import CLIENT_ID, CLIENT_SECRET


class TestGitHub(ProviderContract):
    """GitHub Enterprise's addresses, on loopback."""

    KIND = "github"
    CALLS = ("/login/oauth/access_token", "/api/v3/user", "/api/v3/user/emails")
    WARM_CALLS = CALLS
    SUBJECT_OF: ClassVar = {"a number": "12345"}
    # GitHub's API is typed: it says true, and nothing else is taken for it.
    VERIFIED_OF: ClassVar = {
        "true": True,
        "false": False,
        'text "true"': False,
        'text "false"': False,
        "null": False,
        "missing": False,
        "one": False,
        "a list": False,
    }
    HARMLESS: ClassVar = {("/api/v3/user/emails", Fault.LIST): "a list without addresses is nobody's e-mail"}
    INAPPLICABLE: ClassVar = {}

    def options(self, on: Bench) -> dict[str, str]:
        """Return the options."""
        return {"url": on.upstream.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}

    def tell_subject(self, on: Bench, subject: object) -> None:
        """Set `id`."""
        on.upstream.user.pop("id", None)
        if subject is not MISSING:
            on.upstream.user["id"] = subject

    def tell_name(self, on: Bench, name: object) -> None:
        """Set `name`."""
        on.upstream.user["name"] = name

    def tell_email(self, on: Bench, email: object, verified: object) -> None:
        """Set the primary address."""
        entry = {"email": email, "primary": True, "visibility": None}
        on.upstream.emails = [entry if verified is MISSING else {**entry, "verified": verified}]


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return a GitHub provider and all around it."""
    with bench() as made:
        made.build("github", TestGitHub().options(made))
        yield made


def test_the_login_is_a_suggestion_and_never_the_subject(on: Bench) -> None:
    """Otherwise who takes a login that somebody gave up takes the account too."""
    on.upstream.user = {"id": 7, "login": "gave-up"}

    profile = on.log_in()

    assert (profile.subject, profile.handle) == ("7", "gave-up")


def test_the_address_in_the_profile_does_not_count(on: Bench) -> None:
    """Otherwise an address anybody may type into a public profile seems verified."""
    on.upstream.user = {"id": 7, "email": "boss@corp.example"}

    assert on.log_in().email == ""


ADDRESSES: Final = {
    "only unverified": ([{"email": "a@x.example", "primary": True, "verified": False}], ""),
    "a verified one that is not primary": ([{"email": "a@x.example", "primary": False, "verified": True}], ""),
    "the primary one among several": (
        [
            {"email": "old@x.example", "primary": False, "verified": True},
            {"email": "a@x.example", "primary": True, "verified": True},
        ],
        "a@x.example",
    ),
    "entries that are none": ([None, 7, "a@x.example", {"email": "a@x.example"}], ""),
    "no list": ({"email": "a@x.example", "primary": True, "verified": True}, ""),
}


@pytest.mark.parametrize("case", ADDRESSES)
def test_only_the_primary_and_verified_address_counts(case: str) -> None:
    """Otherwise python-social-auth's old mistake is repeated: the primary one, verified or not."""
    listed, expected = ADDRESSES[case]

    assert verified_email(listed) == expected


@pytest.mark.parametrize("status", [403, 404])
def test_who_keeps_addresses_from_us_is_not_locked_out(on: Bench, status: int) -> None:
    """Otherwise a GitHub app without the e-mail permission cannot be used to log in."""
    on.upstream.statuses = {"/api/v3/user/emails": status}

    assert on.log_in().email == ""


@pytest.mark.parametrize("status", [401, 429, 500])
def test_addresses_that_cannot_be_had_now_fail_the_login(on: Bench, status: int) -> None:
    """Otherwise a profile loses its address whenever GitHub is busy."""
    on.upstream.statuses = {"/api/v3/user/emails": status}

    with pytest.raises(ProviderBroken, match=str(status)):
        on.log_in()


def test_without_the_scope_addresses_are_not_asked_for(on: Bench) -> None:
    """Otherwise each login makes a call that can only be refused."""
    on.build("github", {**TestGitHub().options(on), "scope": "read:user"})

    on.log_in()

    assert "/api/v3/user/emails" not in on.upstream.calls


def test_a_login_costs_three_requests_the_first_and_every_other_time(on: Bench) -> None:
    """Otherwise a change of the client or the kind doubles what logins cost, and is seen on a bill."""
    for _ in range(2):
        on.called.clear()
        on.log_in()
        assert [call.outcome for call in on.called] == ["ok"] * 3
    assert on.upstream.calls == dict.fromkeys(TestGitHub.CALLS, 2)


def test_an_operator_may_add_what_github_knows_and_nothing_of_the_protocol(on: Bench) -> None:
    """Otherwise people with two accounts cannot be asked which, or a line of configuration moves the callback."""
    on.build("github", {**TestGitHub().options(on), "authorize_params": "prompt=select_account"})

    assert "&prompt=select_account&" in on.begin().begun.location
    with pytest.raises(BadOptions, match="redirect_uri"):
        on.build("github", {**TestGitHub().options(on), "authorize_params": "redirect_uri=https://evil.example/"})


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://octo.ghe.com", "https://api.octo.ghe.com"),
        ("https://git.corp.example", "https://git.corp.example/api/v3"),
        ("https://git.corp.example:8443/gh", "https://git.corp.example:8443/gh/api/v3"),
        ("https://notgithub.com", "https://notgithub.com/api/v3"),
    ],
)
def test_the_api_is_found_from_the_address(url: str, api: str) -> None:
    """Otherwise GitHub Enterprise is asked where github.com's API is, with its tokens."""
    assert api_of(url) == api


@pytest.mark.parametrize("user", [None, [], "x", {}])
def test_a_profile_that_is_none_is_refused(on: Bench, user: object) -> None:
    """Otherwise nobody in particular is logged in."""
    on.upstream.user = user

    with pytest.raises(ProviderBroken):
        on.log_in()


# --- members that are information, and failures that are not what they seem ---------------------------


@pytest.mark.parametrize("name", ["login", "name", "email", "avatar_url", "plan", "two_factor_authentication"])
@pytest.mark.parametrize("shape", SHAPES)
def test_members_of_a_github_user_that_are_information_decide_nothing(on: Bench, name: str, shape: str) -> None:
    """Otherwise somebody without a name, which GitHub writes as null, cannot log in."""
    on.upstream.user[name] = SHAPES[shape]

    assert on.log_in().subject == "583231"


@pytest.mark.parametrize("entry", SHAPES.values())
def test_odd_entries_among_addresses_decide_nothing(entry: object) -> None:
    """Otherwise one address of a kind nobody knows hides the right one."""
    good = {"email": "a@x.example", "primary": True, "verified": True}

    assert verified_email([entry, {"email": entry, "primary": entry, "verified": True}, good]) == "a@x.example"


def test_no_addresses_at_all_may_be_null(on: Bench) -> None:
    """Otherwise null is a failed login."""
    on.upstream.emails = None

    assert on.log_in().email == ""


@pytest.mark.parametrize("header", [("Retry-After", "60"), ("X-RateLimit-Remaining", "0")])
def test_being_asked_too_often_is_not_taken_for_keeping_addresses_back(on: Bench, header: tuple[str, str]) -> None:
    """Otherwise a profile loses its address whenever GitHub, which says 403 to both, is busy."""
    on.upstream.statuses = {"/api/v3/user/emails": 403}
    on.upstream.headers = {"/api/v3/user/emails": dict([header])}

    with pytest.raises(ProviderBroken, match="403"):
        on.log_in()


# --- what rules ask about


def asked(on: Bench, *facts: str) -> Bench:
    """Return the bench with a provider that rules ask these facts of."""
    on.build("github", TestGitHub().options(on), facts=facts)
    return on


def test_organisations_and_teams_are_asked_for_only_where_a_rule_is_about_them(on: Bench) -> None:
    """Each is a call at every login, and a right that people are asked to grant."""
    on.log_in()
    assert not {"/api/v3/user/orgs", "/api/v3/user/teams"} & on.upstream.calls.keys()
    assert "read%3Aorg" not in on.begin().begun.location
    on.upstream.answers |= {
        "/api/v3/user/orgs": [{"login": "acme"}, {"login": "Corp"}],
        "/api/v3/user/teams": [{"slug": "ops", "organization": {"login": "acme"}}],
    }

    on = asked(on, "org", "team")

    assert "read%3Aorg" in on.begin().begun.location
    assert on.log_in().facts == (("org", "acme"), ("org", "Corp"), ("team", "acme/ops"))


@pytest.mark.parametrize("status", [403, 404])
def test_an_organisation_that_keeps_itself_to_itself_costs_no_login(on: Bench, status: int) -> None:
    """The rule does not hold then; the person is told so, and not that GitHub is broken."""
    on = asked(on, "org")
    on.upstream.statuses["/api/v3/user/orgs"] = status

    assert on.log_in().facts == ()


@pytest.mark.parametrize("listed", [{}, "acme", None, 7])
def test_what_is_no_list_of_organisations_fails_the_login(on: Bench, listed: object) -> None:
    """A person must not be shut out, or let in, by an answer that cannot be read."""
    on = asked(on, "org")
    on.upstream.answers["/api/v3/user/orgs"] = listed

    with pytest.raises(ProviderBroken, match="not a list"):
        on.log_in()


def test_odd_entries_say_nothing(on: Bench) -> None:
    """An organisation called "None" would open doors."""
    on = asked(on, "org", "team")
    odd = [None, {}, {"login": None}, {"login": ""}, {"login": 7}, "acme", ["acme"]]
    on.upstream.answers |= {
        "/api/v3/user/orgs": odd,
        "/api/v3/user/teams": [*odd, {"slug": "ops"}, {"slug": "ops", "organization": {}}],
    }

    assert on.log_in().facts == ()


def test_no_more_than_five_pages_are_read(on: Bench) -> None:
    """A person in ten thousand organisations must not make a login take minutes."""
    on = asked(on, "org")
    on.upstream.answers["/api/v3/user/orgs"] = [{"login": f"o{n}"} for n in range(100)]

    on.log_in()

    assert on.upstream.calls["/api/v3/user/orgs"] == 5
