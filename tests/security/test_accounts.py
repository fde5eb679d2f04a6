"""Attacks on the identity map: taking over, looking alike, coming back."""

# ruff: noqa: RUF001 - look-alikes are the attack

import ast
import re
from dataclasses import replace
from uuid import uuid4

import pytest

from identity.accounts.linking import Refusal, Refuse, Unknown, identity_key, parse_key
from identity.accounts.results import Change, Linked, NameTaken, Reached, SignedUp, Unlink
from identity.accounts.store import IdentityState, LinkedIdentity
from identity.accounts.usernames import NameRefused
from identity.login.results import LoggedIn, LoginDenied
from identity.sessions.check import Outcome
from identity.types import IdentityKey
from tests.support.accounts import OPERATOR, PERSON, Registry, key
from tests.support.clock import NOON
from tests.support.jars import BrowserJar
from tests.support.login_services import ADA, LoginServices
from tests.support.sources import ROOT, tree

SOUGHT_BY_ADDRESS = re.compile(r"(where|order by|create (unique )?index)[^\"]*email")


@pytest.fixture
def registry() -> Registry:
    """Give accounts."""
    return Registry()


@pytest.fixture
def login_services() -> LoginServices:
    """Give accounts and sessions."""
    return LoginServices()


@pytest.mark.threat(12)
@pytest.mark.parametrize("verified", [True, False])
def test_an_account_registered_under_the_victim_s_address_does_not_get_the_victim(
    login_services: LoginServices, *, verified: bool
) -> None:
    """Otherwise whoever registers my address first reads what I write later."""
    attacker = login_services.member("attacker")
    address = replace(ADA, email="victim@example.org", email_verified=verified)
    assert isinstance(login_services.log_in("attacker", said=address), LoggedIn)
    stored = login_services.accounts.profile(attacker)
    assert stored is not None
    assert stored.email == "victim@example.org"

    first = login_services.log_in("victim", said=replace(ADA, email="victim@example.org", email_verified=True))

    assert first == Unknown()
    victim = login_services.member("victim")
    assert victim != attacker
    assert isinstance(login_services.log_in("victim"), LoggedIn)
    assert {each.identity for each in login_services.sessions.devices(attacker)} == {key("attacker")}
    account = login_services.accounts.account(attacker)
    assert account is not None
    assert set(account.identities) == {key("attacker")}


@pytest.mark.threat(12)
def test_a_username_that_is_the_victim_s_handle_does_not_get_the_victim(registry: Registry) -> None:
    """Otherwise names would be as good as proofs."""
    attacker = registry.member("attacker", "ada")
    registry.service.record_profile(attacker, ADA)

    made = registry.sign_up("victim", "ada", label="@ada")

    assert isinstance(made, NameTaken)
    assert registry.log_in("victim") is None
    assert registry.ways(attacker) == {key("attacker")}


@pytest.mark.threat(12)
def test_no_store_can_be_asked_for_an_address() -> None:
    """Otherwise some later code would find an account by e-mail, because it is so easy."""
    sources = [*(ROOT / "identity" / "stores").glob("*.py"), *(ROOT / "identity" / "accounts").glob("*.py")]
    asked = [
        f"{path.name}:{node.lineno}"
        for path in sources
        for node in ast.walk(tree(path))
        if isinstance(node, ast.arg) and "email" in node.arg.lower()
    ]
    statements = [path.name for path in sources if SOUGHT_BY_ADDRESS.search(path.read_text().lower())]

    assert asked == []
    assert statements == []


LOOK_ALIKES = [
    "ALICE",
    "ａｌｉｃｅ",
    "ＡＬＩＣＥ",
    "ⓐⓛⓘⓒⓔ",
    "𝐚𝐥𝐢𝐜𝐞",
    "ᵃˡⁱᶜᵉ",
    " alice ",
    "\N{IDEOGRAPHIC SPACE}alice",
    "al\N{ZERO WIDTH SPACE}ice",
    "alice\N{ZERO WIDTH JOINER}",
    "\N{ZERO WIDTH NO-BREAK SPACE}alice",
    "al\N{SOFT HYPHEN}ice",
    "\N{RIGHT-TO-LEFT OVERRIDE}ecila",
    "al\N{COMBINING GRAPHEME JOINER}ice",
    "\N{CYRILLIC SMALL LETTER A}lice",
    "alic\N{CYRILLIC SMALL LETTER IE}",
    "al\N{LATIN SMALL LETTER DOTLESS I}ce",
    "a\N{GREEK SMALL LETTER IOTA}ice",
    "alice\N{COMBINING ACUTE ACCENT}",
    "alicé",
    "alice\0",
    "alice\n",
    "alice\N{NO-BREAK SPACE}",
    "alice\N{LINE SEPARATOR}",
    "alice\N{TAG LATIN SMALL LETTER A}",
    "alice\N{VARIATION SELECTOR-16}",
    "alice\N{HANGUL FILLER}",
]


@pytest.mark.threat(18)
@pytest.mark.parametrize("look_alike", LOOK_ALIKES, ids=ascii)
def test_nobody_gets_a_name_that_looks_like_somebody_else_s(registry: Registry, look_alike: str) -> None:
    """Otherwise a stranger signs pages as Alice."""
    alice = registry.member("1", "alice")

    outcome = registry.sign_up("2", look_alike)

    assert isinstance(outcome, NameTaken | NameRefused)
    assert [account.key for account in registry.store.accounts.scan()] == [alice]


@pytest.mark.threat(18)
@pytest.mark.parametrize(
    "text",
    [
        "ａｄｍｉｎ",
        "ADMIN",
        "ⓡⓞⓞⓣ",
        "ｒｏｏｔ",
        "po\N{LATIN SMALL LETTER LONG S}tma\N{LATIN SMALL LETTER LONG S}ter",
        "ﬁles",
    ],
    ids=ascii,
)
def test_no_spelling_of_a_reserved_name_gets_past_the_list(registry: Registry, text: str) -> None:
    """Otherwise a stranger answers mail to postmaster."""
    assert isinstance(registry.sign_up("1", text), NameRefused)


@pytest.mark.threat(18)
def test_what_was_checked_is_what_is_stored(registry: Registry) -> None:
    """Otherwise the name that applications get was never looked at."""
    made = registry.sign_up("1", "Ａlice\N{FULLWIDTH LOW LINE}２")

    assert isinstance(made, SignedUp)
    assert made.username == registry.account(made.account_id).username == "Alice_2"
    assert [(row.key, row.username) for row in registry.store.usernames.scan()] == [("alice_2", "Alice_2")]


@pytest.mark.threat(20)
@pytest.mark.parametrize(
    ("provider", "subject", "tenant"),
    [
        ("p", "1:2", ""),
        ("p", "2", "1"),
        ("p", "1%3A2", ""),
        ("p", "%", "1"),
        ("p", ":", "1"),
        ("p", "1:", ""),
        ("p", "1\0", ""),
        ("p", "1\x85", ""),
    ],
)
def test_no_subject_spells_another_identity(provider: str, subject: str, tenant: str) -> None:
    """Otherwise whoever may choose a subject at one provider is somebody else at it, or at another one."""
    forged = identity_key(provider, subject, tenant=tenant)
    others = {"p:1", "p:1:2", "q:1", "p:1%3A2"} - {forged}

    parsed = parse_key(forged)

    assert (parsed.provider, parsed.subject, parsed.tenant) == (provider, subject, tenant)
    assert [parse_key(other) == parsed for other in others] == [False] * len(others)


@pytest.mark.threat(20)
@pytest.mark.parametrize("provider", ["q:1", "P", "p ", "p\n", "", "p%3A1", "рр"])
def test_no_provider_is_made_up(provider: str) -> None:
    """Otherwise a forged provider could carry another one's name and subject."""
    with pytest.raises(ValueError, match="provider"):
        identity_key(provider, "1")


@pytest.mark.threat(20)
def test_nothing_the_person_types_reaches_the_identity(registry: Registry) -> None:
    """Otherwise a form field could name somebody else's."""
    victim = registry.member("1", "alice")

    claim = uuid4()
    outcomes = [registry.sign_up("2", text, label="p:1", claim=claim) for text in ("p:1", "alice", "p%3A1", "p:1\0")]
    made = registry.sign_up("2", "p-1", label="p:1", claim=claim)

    assert all(isinstance(each, NameRefused | NameTaken) for each in outcomes)
    assert isinstance(made, SignedUp)
    assert registry.ways(made.account_id) == {key("2")}
    assert registry.log_in("1") == victim
    assert registry.ways(victim) == {key("1")}


@pytest.mark.threat(23)
def test_an_unlinked_way_never_reaches_the_account_again(login_services: LoginServices) -> None:
    """Otherwise the thief comes back through the door that was closed."""
    account_id = login_services.member("kept", "taken")
    assert isinstance(login_services.log_in("taken"), LoggedIn)

    login_services.accounts.unlink(Unlink(uuid4(), account_id, key("taken"), PERSON))

    assert login_services.log_in("taken") == Unknown()
    stranger = login_services.member("taken")
    assert stranger != account_id
    entered = login_services.log_in("taken")
    assert isinstance(entered, LoggedIn)
    assert login_services.sessions.devices(stranger) == (entered.opened.session,)
    assert isinstance(login_services.log_in("kept"), LoggedIn)


@pytest.mark.threat(23)
def test_a_session_of_the_unlinked_way_is_over_at_its_next_request(login_services: LoginServices) -> None:
    """Otherwise the thief who is in stays in."""
    account_id = login_services.member("kept", "taken")
    thief, owner = BrowserJar(), BrowserJar()
    login_services.log_in("taken", jar=thief)
    login_services.log_in("kept", jar=owner)

    done = login_services.accounts.unlink(Unlink(uuid4(), account_id, key("taken"), PERSON))

    assert done == Reached(account_id)
    assert login_services.daemons.visit(thief).outcome is not Outcome.OK
    assert login_services.daemons.visit(owner).outcome is Outcome.OK


@pytest.mark.threat(23)
def test_an_index_row_left_over_from_an_unlink_opens_nothing(registry: Registry) -> None:
    """Otherwise a crash in the middle of an unlink would undo it."""
    account_id = registry.member("kept", "alice", "taken")
    row = registry.store.identities.read_settled(key("taken"))
    assert row is not None
    registry.unlink(account_id, "taken")
    registry.store.identities.insert(row)

    assert row.state is IdentityState.ACTIVE
    assert registry.log_in("taken") is None
    assert isinstance(registry.sign_up("taken", "mallory"), SignedUp)
    assert registry.ways(account_id) == {key("kept")}


@pytest.mark.threat(23)
def test_an_account_that_lists_a_way_without_its_index_row_is_not_reached_by_it(registry: Registry) -> None:
    """Otherwise the two halves of a way could be taken from two people."""
    account_id = registry.member("kept", "alice")
    account = registry.account(account_id)
    forged = {**account.identities, IdentityKey("p:forged"): LinkedIdentity(NOON, "")}
    registry.store.accounts.replace(replace(account, identities=forged, op=uuid4()), expected=account)

    assert registry.log_in("forged") is None


@pytest.mark.threat(23)
def test_a_way_that_was_unlinked_can_be_linked_elsewhere_and_only_there(registry: Registry) -> None:
    """Otherwise one identity would open two accounts."""
    first, second = registry.member("1", "alice", "3"), registry.member("2", "bob")
    registry.unlink(first, "3")

    assert registry.link(second, "3") == Linked(second)

    assert registry.log_in("3") == second
    assert registry.link(first, "3") == Refuse(Refusal.BELONGS_TO_OTHER)


@pytest.mark.threat(30)
def test_a_disabled_account_s_very_next_request_is_refused(login_services: LoginServices) -> None:
    """Otherwise somebody who was thrown out goes on until the session ends by itself."""
    account_id = login_services.member("1")
    jar = BrowserJar()
    login_services.log_in("1", jar=jar)
    assert login_services.daemons.visit(jar).outcome is Outcome.OK

    login_services.accounts.disable(Change(uuid4(), account_id, OPERATOR))

    assert login_services.daemons.visit(jar).outcome is not Outcome.OK
    assert login_services.log_in("1") == LoginDenied(Refusal.DISABLED)


@pytest.mark.threat(30)
def test_the_sessions_of_a_disabled_account_stay_ended_after_it_is_enabled(login_services: LoginServices) -> None:
    """Otherwise enabling the owner would let the thief's browser in again."""
    account_id = login_services.member("1")
    jar = BrowserJar()
    login_services.log_in("1", jar=jar)
    login_services.accounts.disable(Change(uuid4(), account_id, OPERATOR))

    login_services.accounts.enable(Change(uuid4(), account_id, OPERATOR))

    assert login_services.daemons.visit(jar).outcome is not Outcome.OK
    assert isinstance(login_services.log_in("1"), LoggedIn)
