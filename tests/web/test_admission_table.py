"""Who may have an account, whole: every mode for every person, and what a claim of any shape says to rules.

The provider is real and signs what the row says; the daemon reads it with the kind `oidc` and over sockets.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from uuid import uuid4

import pytest

from identity.accounts.results import By, SignUp
from identity.applications.application import Application
from identity.config.model import AccountsSection, Config
from identity.login.admission import RulesAt, SignUpMode
from identity.membership.rules import PUBLIC, MemberRule, read_provider_rule
from identity.sessions.store import Found
from identity.types import IdentityKey
from tests.support.application_hosts import LOGIN
from tests.support.guards import Expectation
from tests.support.logins import LoginSite, Visitor, location
from tests.support.posting import NAME, Posting, posting
from tests.support.upstream import CLIENT_ID, CLIENT_SECRET

ASKED: Final = (
    "email_domain=example.com",
    "email_domain=kelvin.example",
    "claim.groups=ops",
    "claim.groups=Domain%20Users",
    "claim.level=7",
    "claim.admin=true",
    "claim.realm_access.roles=ops",
    "claim.https://example.com/groups=ops",
)
SAID: Final[tuple[tuple[str, dict[str, Any], tuple[str, ...]], ...]] = (
    # what the provider says, and what of it rules hear
    ("a verified address", {"email": "a@example.com", "email_verified": True}, ("email_domain=example.com",)),
    ("verified as text", {"email": "a@example.com", "email_verified": "true"}, ("email_domain=example.com",)),
    ("in capitals", {"email": "A@EXAMPLE.Com", "email_verified": True}, ("email_domain=example.com",)),
    ("not verified", {"email": "a@example.com", "email_verified": False}, ()),
    ("not verified, as text", {"email": "a@example.com", "email_verified": "false"}, ()),
    ("verified in capitals", {"email": "a@example.com", "email_verified": "True"}, ()),
    ("verified as a number", {"email": "a@example.com", "email_verified": 1}, ()),
    ("verified as a list", {"email": "a@example.com", "email_verified": [True]}, ()),
    ("verified is null", {"email": "a@example.com", "email_verified": None}, ()),
    ("of which nothing is said", {"email": "a@example.com"}, ()),
    ("a longer domain", {"email": "a@example.com.evil.example", "email_verified": True}, ()),
    ("a domain below it", {"email": "a@sub.example.com", "email_verified": True}, ()),
    ("a dot at the end", {"email": "a@example.com.", "email_verified": True}, ()),
    ("two signs", {"email": "a@evil.example@example.com", "email_verified": True}, ()),
    ("two addresses", {"email": "a@evil.example, b@example.com", "email_verified": True}, ()),
    ("a list of addresses", {"email": ["a@example.com"], "email_verified": True}, ()),
    ("full width", {"email": "a@\uff45xample.com", "email_verified": True}, ()),
    ("Cyrillic", {"email": "a@ex\u0430mple.com", "email_verified": True}, ()),
    ("a zero-width joiner", {"email": "a@exam\u200dple.com", "email_verified": True}, ()),
    ("the Kelvin sign", {"email": "a@\u212aelvin.example", "email_verified": True}, ()),
    ("one group", {"groups": "ops"}, ("claim.groups=ops",)),
    ("one of several groups", {"groups": ["dev", "ops"]}, ("claim.groups=ops",)),
    ("one group twice", {"groups": ["ops", "ops"]}, ("claim.groups=ops",)),
    ("a group with a blank", {"groups": ["Domain Users"]}, ("claim.groups=Domain%20Users",)),
    ("a group spelt as a rule spells it", {"groups": ["Domain%20Users", "%6Fps"]}, ()),
    ("capitals", {"groups": ["OPS", "Ops"]}, ()),
    ("white space", {"groups": [" ops", "ops ", "ops\n", "\u00a0ops"]}, ()),
    ("NUL", {"groups": ["ops\x00", "\x00ops", "o\x00ps"]}, ()),
    ("commas", {"groups": "dev,ops"}, ()),
    ("a whole rule", {"groups": ["*", f"{NAME}/claim.groups=ops", "everyone", "claim.groups=ops"]}, ()),
    ("no text of Unicode", {"groups": ["\ud800", "ops\udfff"]}, ()),
    ("a list within a list", {"groups": [["ops"]]}, ()),
    ("an object", {"groups": {"ops": True}}, ()),
    ("an empty list", {"groups": []}, ()),
    ("null", {"groups": None}, ()),
    ("another claim", {"group": "ops", "claim.groups": "ops"}, ()),
    ("a number", {"level": 7}, ("claim.level=7",)),
    ("a number as text", {"level": "7"}, ("claim.level=7",)),
    ("a number with a point", {"level": 7.0}, ()),
    ("a longer number", {"level": 70}, ()),
    ("yes", {"admin": True}, ("claim.admin=true",)),
    ("no", {"admin": False}, ()),
    ("one for yes", {"admin": 1}, ()),
    ("a claim within one", {"realm_access": {"roles": ["ops"]}}, ("claim.realm_access.roles=ops",)),
    ("a claim with an address", {"https://example.com/groups": "ops"}, ("claim.https://example.com/groups=ops",)),
    ("a long way down", {"realm_access": [{"roles": ["ops"]}]}, ()),
)


@dataclass(kw_only=True)
class AdmittingSite(LoginSite):
    """A daemon that asks a real provider's people for what the test wants."""

    mode: SignUpMode = SignUpMode.OPEN
    at: RulesAt = RulesAt.SIGN_UP
    rules: tuple[str, ...] = (f"provider:{NAME}/claim.groups=ops",)
    allow: tuple[MemberRule, ...] = tuple(read_provider_rule(f"provider:{NAME}/{fact}") for fact in ASKED)
    origins: frozenset[str] = frozenset({LOGIN})

    def apps(self) -> Iterator[Application]:
        """Yield an application whose rules ask for everything."""
        yield replace(self.app(), allow=self.allow)

    def config(self) -> Config:
        """Return the configuration."""
        accounts = AccountsSection(
            sign_up=self.mode, rules=tuple(map(read_provider_rule, self.rules)), rules_at=self.at
        )
        return replace(super().config(), accounts=accounts)


def at_a_provider(made: Posting) -> Posting:
    """Make the provider."""
    options = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "issuer": made.upstream.url}
    made.use("oidc", options)
    return made


@pytest.fixture(scope="module")
def known() -> Iterator[tuple[Posting, Visitor]]:
    """Give a daemon, and the browser of a person who has an account there."""
    with posting(AdmittingSite) as made:
        at_a_provider(made)
        browser = made.site.browser()
        browser.choose(browser.get(location(made.come_back(browser))), "ada")
        yield made, browser


def heard(made: Posting, browser: Visitor, claims: dict[str, Any]) -> set[str]:
    """Log in with these claims and return what the session keeps for rules."""
    made.upstream.person = {"sub": "248289761001", "name": "Ada Quill", **claims}
    reply = made.come_back(browser)
    assert reply.status == 303, reply.body
    read = made.site.sessions.ticket(made.site.row(f"{NAME}:248289761001").account_id).read
    assert isinstance(read, Found)
    [session] = read.record.sessions
    return set(session.facts)


@pytest.mark.threat(14)
@pytest.mark.threat(15)
@pytest.mark.threat(16)
@pytest.mark.threat(67)
@pytest.mark.parametrize(("claims", "expected"), [row[1:] for row in SAID], ids=[row[0] for row in SAID])
def test_a_claim_of_any_shape_says_what_it_holds_and_nothing_else(
    known: tuple[Posting, Visitor], claims: dict[str, Any], expected: tuple[str, ...]
) -> None:
    """A shape that is misread opens a door; one that breaks a login locks its person out."""
    assert heard(*known, claims) == {f"{NAME}/{fact}" for fact in expected}


@pytest.fixture
def at_userinfo(known: tuple[Posting, Visitor]) -> Iterator[tuple[Posting, Visitor]]:
    """Let the ID token say nothing of groups: so many would fit into none."""
    upstream = known[0].upstream
    upstream.edit_claims = lambda claims: claims.pop("groups", None)
    yield known
    upstream.edit_claims = lambda _: None


@pytest.mark.threat(67)
def test_of_ten_thousand_groups_the_last_one_counts(at_userinfo: tuple[Posting, Visitor]) -> None:
    """The person who is in everything, an administrator as a rule, would be the one who is locked out."""
    assert heard(*at_userinfo, {"groups": [f"group-{n}" for n in range(9_999)] + ["ops"]}) == {
        f"{NAME}/claim.groups=ops"
    }


@pytest.mark.threat(67)
def test_a_claim_of_a_megabyte_ends_the_login_and_not_the_daemon(
    at_userinfo: tuple[Posting, Visitor], expect_log: Callable[..., Expectation]
) -> None:
    """What a provider's administrator can write into a directory must cost no more than that person's login."""
    made, browser = at_userinfo
    expect_log("identity.web", "provider")
    made.upstream.person = {"sub": "248289761001", "groups": ["x" * 1_048_576]}

    reply = made.come_back(browser)

    assert (reply.status, b"provider" in reply.body) == (502, True)
    assert heard(made, browser, {"groups": ["ops"]}) == {f"{NAME}/claim.groups=ops"}


def test_thirty_groups_that_applications_ask_about_shut_no_person_out() -> None:
    """An attacker who may add people to groups would push out the one fact that admits them."""
    many = tuple(read_provider_rule(f"provider:{NAME}/claim.groups=g{n}") for n in range(30))
    with posting(partial(AdmittingSite, mode=SignUpMode.RULES, at=RulesAt.LOGIN, allow=many)) as made:
        at_a_provider(made)
        made.upstream.person = {"sub": "ada", "groups": [f"g{n}" for n in range(30)] + ["ops"]}

        assert made.come_back(made.site.browser()).status == 303


MODES: Final = """
mode    asked-at  newcomer-in-ops  newcomer-not-in-ops  known-in-ops  known-not-in-ops
open    sign-up   welcome          welcome              enters        enters
open    login     welcome          welcome              enters        enters
rules   sign-up   welcome          not-admitted         enters        enters
rules   login     welcome          not-admitted         enters        not-admitted
invited sign-up   not-invited      not-invited          enters        enters
invited login     not-invited      not-invited          enters        enters
closed  sign-up   sign-up-closed   sign-up-closed       enters        enters
closed  login     sign-up-closed   sign-up-closed       enters        enters
"""


@pytest.mark.parametrize("row", MODES.strip().splitlines()[1:], ids=lambda row: "-".join(row.split()[:2]))
def test_every_mode_for_every_person(row: str) -> None:
    """With a public provider all the world would have an account here, or its own people none."""
    mode, asked_at, *expected = row.split()
    made_by = partial(AdmittingSite, mode=SignUpMode(mode), at=RulesAt(asked_at), allow=PUBLIC)
    with posting(made_by) as made:
        at_a_provider(made)
        for sub in ("known-in-ops", "known-not-in-ops"):
            made.site.accounts.sign_up(SignUp(uuid4(), IdentityKey(f"{NAME}:{sub}"), sub, "", By("operator:test")))

        met = [meets(made, sub) for sub in MODES.split("\n", 2)[1].split()[2:]]

        assert met == expected


def meets(made: Posting, sub: str) -> str:
    """Log in as this person, who is in the group or not as the name says, and return what they meet."""
    groups = ["dev"] if "not-in-ops" in sub else ["dev", "ops"]
    made.upstream.person = {"sub": sub, "name": "Ada Quill", "groups": groups}
    browser = made.site.browser()
    reply = made.come_back(browser)
    if reply.status == 303:
        page = browser.get(location(reply))
        return "enters" if browser.whoami() == sub else "welcome" if b"username" in page.body else "?"
    assert browser.whoami() is None
    assert reply.status == 403
    return next(word for word in ("not-admitted", "not-invited", "sign-up-closed", "?") if word.encode() in reply.body)
