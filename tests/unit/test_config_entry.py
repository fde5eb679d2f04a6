"""`allow`, `tell`, `headers` and `[group:…]` in the configuration."""

from pathlib import Path

import pytest

from identity.accounts.usernames import fold
from identity.applications.disclosure import TOLD, Attribute, HeaderNames
from identity.config import parse
from identity.config.entry import facts_asked
from identity.membership.facts import MOST
from identity.membership.rules import PUBLIC, read_rule
from tests.support.configuration import APP_SECRET, problems_of

APP = f"[app:wiki]\nsecret = {APP_SECRET}\n"
GITHUB = "[provider:github]\nkind = github\nclient_id = me\nclient_secret = 0123456789ab\n"


def test_the_rules_are_read() -> None:
    """An application that says nothing lets every logged-in person in, as before there were rules."""
    allow = "allow = group:staff user:Ada\n  provider:github/org=acme\n"
    config = parse(f"{APP}{allow}[app:open]\nsecret = {'0123456789' * 4}\n{GITHUB}", base=Path())

    wiki, unguarded = config.apps
    assert wiki.allow == tuple(
        read_rule(word, fold=fold) for word in ("group:staff", "user:ada", "provider:github/org=acme")
    )
    assert unguarded.allow == PUBLIC


def test_what_an_application_is_told_is_read() -> None:
    """What is left out must be what every application was told before there was a choice."""
    told = "tell = user, email groups\nheaders = x-auth-request\n"
    config = parse(f"{APP}{told}[app:open]\nsecret = {'0123456789' * 4}\n", base=Path())

    wiki, other = config.apps
    assert wiki.tell == {Attribute.USER, Attribute.EMAIL, Attribute.GROUPS}
    assert wiki.headers is HeaderNames.X_AUTH_REQUEST
    assert (other.tell, other.headers) == (TOLD, HeaderNames.IDENTITY)


def test_groups_follow_from_what_providers_say() -> None:
    """A group nobody can be in would shut everybody out."""
    config = parse(f"{GITHUB}[group:acme]\nmembers = provider:github/org=acme\n[group:kept]\n", base=Path())

    assert {name: list(map(str, rules)) for name, rules in config.groups.items()} == {
        "acme": ["provider:github/org=acme"],
        "kept": [],
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{APP}tell = user, phone\n", "[app:wiki] tell: 'phone' is not one of: user, id, name, email, groups"),
        (f"{APP}tell =\n", "[app:wiki] tell: needs at least one word"),
        (f"{APP}tell = email email\n", "[app:wiki] tell: names something twice"),
        (f"{APP}headers = Remote-User\n", "[app:wiki] headers: 'Remote-User' is not one of: identity, remote"),
        (f"{APP}allow =\n", "[app:wiki] allow: needs at least one rule"),
        (f"{APP}allow = staff\n", "[app:wiki] allow: 'staff' is not one of: everyone, user:NAME"),
        (f"{APP}allow = everyone everyone\n", "[app:wiki] allow: names something twice"),
        (f"{APP}allow = provider:gitub\n{GITHUB}", "provider:gitub names no configured provider; there are github"),
        (f"{APP}allow = provider:x/hd=a\n", "provider:x/hd=a names no configured provider; there is none"),
        (f"{APP}allow = {' '.join(f'user:u{n}' for n in range(65))}\n", "[app:wiki] allow: has more than 64 rules"),
        ("[group:staff]\nmembers = user:ada\n", "[group:staff] members: 'user:ada' is not provider:NAME"),
        (
            f"{APP}allow = provider:github/hd=a\n{GITHUB}",
            "github/hd=a asks what github (kind = github) never says: it says only email_domain, org, team",
        ),
        ("[accounts]\nsign_up = rules\n", "[accounts] rules: is missing"),
        (f"[accounts]\nrules = provider:github\n{GITHUB}", "[accounts] sign_up: is open, so rules are never asked"),
        (f"[accounts]\nsign_up = rules\nrules = provider:x\n{GITHUB}", "names no configured provider"),
        ("[accounts]\nsign_up = rules\nrules = group:staff\n", "'group:staff' is not provider:NAME"),
        ("[group:Staff]\n", "needs a name of a-z"),
        ("[group:staff]\nmember = provider:github\n", "[group:staff] member"),
    ],
)
def test_what_would_guard_nothing_or_shut_everybody_out_refuses_to_start(text: str, problem: str) -> None:
    """Each looks as if it guarded the application."""
    assert any(problem in each for each in problems_of(text))


def test_a_provider_that_could_not_be_read_is_said_once() -> None:
    """The first file of a newcomer lacks a secret, and was told that its rules name no provider."""
    rules = "[accounts]\nsign_up = rules\nrules = provider:corp\n[group:staff]\nmembers = provider:corp\n"
    tokens = f"{APP}allow = provider:corp\ntokens_of = corp\n"

    assert [each.split(":")[1] for each in problems_of(f"[provider:corp]\nkind = github\n{rules}{tokens}")] == [
        "corp] client_id",
        "corp] client_secret",
    ]


CORP = "[provider:corp]\nkind = oidc\nissuer = https://id.corp.example\nclient_id = me\nclient_secret = 0123456789ab\n"
PUBLIC_PROVIDERS = {
    "github": GITHUB,
    "google": "[provider:google]\nkind = google\nclient_id = me\nclient_secret = 0123456789ab\n",
    "twitter": "[provider:twitter]\nkind = twitter\nclient_id = me\nclient_secret = 0123456789ab\n",
}


@pytest.mark.parametrize("name", list(PUBLIC_PROVIDERS))
def test_an_application_that_lets_in_the_whole_world_is_warned_of(name: str) -> None:
    """Whoever configures a public provider thinks of the own people, and guards nothing."""
    found = parse(PUBLIC_PROVIDERS[name] + APP, base=Path()).warnings

    assert any(
        f"[app:wiki] allow: is left out, so everybody who can log in at {name} may enter" in each for each in found
    )


@pytest.mark.parametrize(
    "more",
    [
        f"{GITHUB}{APP}allow = group:staff\n",
        f"{GITHUB}{APP}[accounts]\nsign_up = closed\n",
        f"{GITHUB}enabled = no\n{APP}",
        f"{GITHUB}url = https://github.corp.example\n{APP}",
        f"{PUBLIC_PROVIDERS['google']}hd = example.com\n{APP}",
        f"{CORP}{APP}",
    ],
)
def test_where_somebody_decided_who_comes_there_is_no_warning(more: str) -> None:
    """A warning that is always there is not read."""
    assert not [each for each in parse(more, base=Path()).warnings if "allow" in each]


def test_more_lists_of_rules_than_a_login_is_kept_for_are_warned_of() -> None:
    """The person in the most groups would be the one who is not known to be in the last of them."""
    groups = [f"[group:g{n}]\nmembers = provider:corp/claim.groups=g{n}\n" for n in range(MOST)]
    most = f"{CORP}{APP}allow = group:g1 provider:corp\n{''.join(groups)}"
    one_more = f"{most}[accounts]\nsign_up = rules\nrules = provider:*/email_domain=a.example\n"

    warned = [each for each in parse(one_more, base=Path()).warnings if "lists of rules" in each]

    assert [each for each in parse(most, base=Path()).warnings if "lists of rules" in each] == []
    assert len(warned) == 1
    assert f"{MOST + 1} lists of rules ask what corp says, and {MOST} answers" in warned[0]


def test_who_may_have_an_account_is_asked_about_first() -> None:
    """With `rules_at = login` it decides about every login, and an application's rules must not push it out."""
    text = f"{CORP}{APP}allow = provider:corp/claim.a=b\n[accounts]\nsign_up = rules\nrules = provider:corp/claim.c=d\n"

    asked = facts_asked(parse(text, base=Path()))

    assert [[str(fact) for fact in facts] for facts in asked] == [["corp/claim.c=d"], ["corp/claim.a=b"]]


def test_a_rule_that_no_proxy_is_answered_by_is_warned_of() -> None:
    """It looks as if it guarded, and lets in whom the other application on the host lets in."""
    other = f"[app:blog]\nsecret = {'0123456789' * 4}\n"

    def warned(text: str) -> list[str]:
        return [each for each in parse(text, base=Path()).warnings if "is answered by the rules of" in each]

    [said] = warned(f"{other}{APP}allow = group:staff\n")
    assert said.startswith("[app:wiki] allow: a proxy that asks about ")
    assert "[app:blog], which has the host before it" in said
    own = "[server]\npublic_url = https://login.example\n"
    assert warned(f"{own}{other}hosts = blog.example\n{APP}allow = group:staff\n") == []
    assert warned(f"{other}allow = group:staff\n{APP}allow = group:staff\n") == []
    assert warned(other + APP) == []


MICROSOFT = "[provider:entra]\nkind = microsoft\nclient_id = me\nclient_secret = 0123456789ab\ntenant = {}\n"
_ONE_TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"


@pytest.mark.threat(14)
@pytest.mark.parametrize(
    ("provider", "rule", "warned"),
    [
        (MICROSOFT.format("common"), "provider:entra/claim.email=ada@example.com", True),
        (MICROSOFT.format("organizations"), "provider:*/claim.upn=ada@example.com", True),
        (MICROSOFT.format(_ONE_TENANT), "provider:entra/claim.email=ada@example.com", False),
        (MICROSOFT.format("common"), f"provider:entra/tenant={_ONE_TENANT}", False),
        (PUBLIC_PROVIDERS["google"], "provider:google/claim.email=ada@example.com", True),
        (PUBLIC_PROVIDERS["google"], "provider:google/email_domain=example.com", False),
        (CORP, "provider:corp/claim.preferred_username=ada", False),
    ],
)
def test_a_rule_about_what_anybody_can_write_is_warned_of(provider: str, rule: str, *, warned: bool) -> None:
    """With a tenant of their own, strangers have the address of the company's director in their tokens."""
    found = parse(f"{provider}{APP}allow = {rule}\n", base=Path()).warnings

    assert any("proves nothing where all the world has accounts" in each for each in found) is warned
