"""`accounts`: finding accounts and looking at them, and what stands in the way of either.

Over a real store that is opened as the daemon opens it. The daemon beside it is in
tests/e2e/test_accounts.py.
"""

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from identity.accounts.results import Change
from identity.accounts.store import (
    AccountStatus,
    IdentityRow,
    IdentityState,
    ProfileRow,
    UsernameRow,
    UsernameState,
)
from identity.accounts.usernames import fold
from identity.clock import moment
from identity.opening import now
from identity.types import AccountId, Username
from providers.base import Profile
from tests.support.accounts import OPERATOR, key
from tests.support.operator_commands import WHY, OperatorCommands


def row(commands: OperatorCommands, subject: str, account_id: AccountId, state: IdentityState) -> IdentityRow:
    """Write an index row that an interrupted change could have left."""
    written = IdentityRow(key(subject), Username("alice"), account_id, state, uuid4(), now(), uuid4())
    commands.store.identities.insert(written)
    return written


def test_an_account_is_found_by_its_username_its_way_to_log_in_and_its_id(commands: OperatorCommands) -> None:
    """Support is told one of the three, and never which."""
    account_id = commands.member("1", "Alice")
    for asked in ("alice", "ALICE", "p:1", str(account_id)):
        result = commands.run("find", asked)
        assert (result.exit_code, result.stdout) == (0, f"Alice  {account_id}  active  p:1\n")


def test_programs_get_an_object_with_the_documented_fields(commands: OperatorCommands) -> None:
    """A script that reads lines for people breaks with the next wording."""
    account_id = commands.member("1", "Alice")
    assert commands.told("find", "p:1") == {
        "account_id": str(account_id),
        "username": "Alice",
        "status": "active",
        "found_by": "identity",
        "identities": ["p:1"],
        "groups": [],
    }
    assert commands.told("find", "alice")["found_by"] == "username"
    assert commands.told("find", str(account_id))["found_by"] == "account"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("bob", "not found: username bob: there is none"),
        ("p:2", "not found: identity p:2: there is none"),
        ("6f1c0e3a-5f0e-5d0c-8a51-0b7d4c1a2f10", "account 6f1c0e3a-5f0e-5d0c-8a51-0b7d4c1a2f10: there is none"),
        ("P:2", "P:2 is not a username, a provider:id as identityd shows it, or an account id"),
        ("p:a%3ab", "percent-encoded"),
    ],
)
def test_what_is_not_there_is_said_with_what_was_looked_for(commands: OperatorCommands, asked: str, words: str) -> None:
    """A bare "not found" leaves the operator to guess how the text was taken."""
    result = commands.run("find", asked)
    assert (result.exit_code, result.stdout) == (1, "")
    assert words in result.stderr


def test_a_name_that_was_given_up_leads_to_its_account_and_says_so(commands: OperatorCommands) -> None:
    """Old tickets name people as they were called then."""
    account_id = commands.member("1", "alice")
    former = UsernameRow(fold("Liza"), Username("Liza"), account_id, UsernameState.RETIRED, uuid4(), now(), uuid4())
    commands.store.usernames.insert(former)
    result = commands.run("find", "liza")
    assert result.exit_code == 0
    assert result.stdout == f"alice  {account_id}  active  p:1 (found by a name it gave up)\n"
    assert commands.told("show", "liza")["found_by"] == "former-username"


def test_a_claim_on_a_name_or_identity_is_no_account(commands: OperatorCommands) -> None:
    """Somebody at the sign-up form has no account that could be closed."""
    claimed = UsernameRow(
        fold("bob"), Username("bob"), AccountId(uuid4()), UsernameState.PENDING, uuid4(), now(), uuid4()
    )
    commands.store.usernames.insert(claimed)
    row(commands, "2", AccountId(uuid4()), IdentityState.PENDING)
    for asked in ("bob", "p:2"):
        result = commands.run("find", asked)
        assert result.exit_code == 1
        assert "leads to no account" in result.stderr


@pytest.mark.threat(23)
def test_an_index_row_that_the_account_does_not_list_leads_nowhere(commands: OperatorCommands) -> None:
    """A way that was taken away must not be a handle on the account for whoever still has it."""
    account_id = commands.member("1", "alice")
    row(commands, "2", account_id, IdentityState.ACTIVE)
    for command in (("find", "p:2"), ("disable", "p:2", "--yes", *WHY)):
        result = commands.run(*command)
        assert result.exit_code == 1
        assert f"its row names account {account_id}, which does not list it" in result.stderr
    assert commands.account(account_id).status is AccountStatus.ACTIVE


@pytest.mark.parametrize(
    ("state", "words"),
    [(IdentityState.COMPLETING, "was cut short"), (IdentityState.ACTIVE, "which is not stored; `identityd.py fsck`")],
)
def test_a_row_without_its_account_is_explained(commands: OperatorCommands, state: IdentityState, words: str) -> None:
    """The operator has to know whether to wait or to repair."""
    row(commands, "2", AccountId(uuid4()), state)
    result = commands.run("find", "p:2")
    assert result.exit_code == 1
    assert words in result.stderr


def test_a_name_whose_account_is_missing_is_explained(commands: OperatorCommands) -> None:
    """The same for the other index."""
    lost = UsernameRow(fold("bob"), Username("bob"), AccountId(uuid4()), UsernameState.ACTIVE, uuid4(), now(), uuid4())
    commands.store.usernames.insert(lost)
    result = commands.run("find", "bob")
    assert (result.exit_code, "which is not stored" in result.stderr) == (1, True)


def test_a_text_that_means_two_accounts_is_refused_until_it_is_said_which(commands: OperatorCommands) -> None:
    """Disabling the wrong one of two locks out somebody who did nothing."""
    account_id = commands.member("1", "alice")
    other_id = commands.member("2", "bob")
    name = str(account_id)
    clash = UsernameRow(fold(name), Username(name), other_id, UsernameState.ACTIVE, uuid4(), now(), uuid4())
    commands.store.usernames.insert(clash)
    result = commands.run("disable", name, "--yes", *WHY)
    assert result.exit_code == 1
    assert "means several accounts" in result.stderr
    assert commands.told("find", name, "--account")["username"] == "alice"
    assert commands.told("find", name, "--username")["username"] == "bob"


def test_an_id_with_a_colon_is_found_as_the_provider_gives_it(commands: OperatorCommands) -> None:
    """Nobody encodes by hand what a provider's page shows."""
    account_id = commands.member("1", "alice", "https://id.example/7")
    assert commands.told("find", "p:https://id.example/7")["account_id"] == str(account_id)
    assert commands.run("find", "p:https://id.example/7", "--identity").exit_code == 1


def test_show_says_everything_about_an_account(commands: OperatorCommands) -> None:
    """One look answers a ticket."""
    account_id = commands.member("1", "alice", "2")
    commands.registry.store.profiles.write(
        ProfileRow(account_id, 0, name="Ada L", email="ada@example.org", email_verified=False)
    )
    commands.run("link", "alice", "p:3", "--label", "@ada", *WHY)
    account = commands.account(account_id)
    shown = commands.run("show", "alice")
    assert shown.exit_code == 0
    for words in (
        f"account      {account_id}",
        "username     alice",
        "status       active",
        f"epoch        {account.epoch}",
        f"made         {moment(account.created_at)}",
        "p:3  @ada  since ",
        "profile      Ada L, ada@example.org (not verified), as a provider said at 1970-01-01T00:00:00Z; info",
        "ending       none",
        "operator:ann  identity=p:3 outcome=linked reason=ticket 4711",
    ):
        assert words in shown.stdout
    assert "fsck" not in shown.stdout


def test_show_gives_programs_the_documented_fields(commands: OperatorCommands) -> None:
    """Renaming one breaks somebody's report."""
    account_id = commands.member("1", "alice", "2")
    commands.registry.service.record_profile(
        account_id, Profile(name="Ada", email="ada@example.org", email_verified=True)
    )
    commands.run("unlink", "alice", "p:2", "--yes", *WHY)
    told = commands.told("show", "alice", "--events", "1")
    assert list(told) == [
        "account_id", "username", "status", "found_by", "identities", "groups", "epoch", "created_at", "merged_into",
        "whole", "username_index", "ways", "profile", "revocations", "events",
    ]  # fmt: skip
    assert [(each["identity"], each["index"]) for each in told["ways"]] == [("p:1", "agrees")]
    assert (told["whole"], told["username_index"], told["merged_into"]) == (True, "agrees", None)
    assert told["profile"]["email"] == "ada@example.org"
    (kept,) = told["revocations"]
    assert kept == {"created_at": kept["created_at"], "reason": "unlinked", "identity": "p:2", "one_session": False}
    (event,) = told["events"]
    assert (event["action"], event["facts"]["outcome"]) == ("unlink", "sessions-not-reached")


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ("missing", "no index row"),
        ("elsewhere", "its index row leads to another account"),
        ("unfinished", "not finished; the next login with it does that"),
    ],
)
def test_show_says_where_the_index_and_the_account_differ(commands: OperatorCommands, index: str, words: str) -> None:
    """The person cannot log in that way, and a look at the account alone would not tell why."""
    account_id = commands.member("1", "alice", "2")
    there = commands.store.identities.read_settled(key("2"))
    assert there is not None
    match index:
        case "missing":
            commands.store.identities.delete(there)
        case "elsewhere":
            commands.store.identities.replace(replace(there, account_id=AccountId(uuid4()), op=uuid4()), expected=there)
        case _:
            commands.store.identities.replace(
                replace(there, state=IdentityState.COMPLETING, op=uuid4()), expected=there
            )
    shown = commands.run("show", str(account_id))
    assert words in shown.stdout
    assert "The rows do not agree; `identityd.py fsck`" in shown.stdout
    told = commands.told("show", str(account_id))
    assert (told["whole"], [way["index"] for way in told["ways"]]) == (False, ["agrees", index])


@pytest.mark.parametrize("index", ["missing", "elsewhere", "unfinished"])
def test_show_says_when_the_name_is_not_the_account_s(commands: OperatorCommands, index: str) -> None:
    """Somebody else could choose it, or already has."""
    account_id = commands.member("1", "alice")
    there = commands.store.usernames.read_settled(fold("alice"))
    assert there is not None
    match index:
        case "missing":
            commands.store.usernames.delete(there)
        case "elsewhere":
            commands.store.usernames.replace(replace(there, account_id=AccountId(uuid4()), op=uuid4()), expected=there)
        case _:
            commands.store.usernames.replace(replace(there, state=UsernameState.PENDING, op=uuid4()), expected=there)
    told = commands.told("show", str(account_id))
    assert (told["whole"], told["username_index"]) == (False, index)
    assert "username     alice  - " in commands.run("show", str(account_id)).stdout


def test_looking_changes_nothing(commands: OperatorCommands) -> None:
    """A look must be free of consequences, also at rows that wait to be finished."""
    account_id = commands.member("1", "alice")
    waiting = row(commands, "2", account_id, IdentityState.COMPLETING)
    before = commands.account(account_id), commands.store.audit.of_account(account_id)
    commands.run("find", "p:2")
    commands.run("show", "alice")
    assert (commands.account(account_id), commands.store.audit.of_account(account_id)) == before
    assert commands.store.identities.read_settled(key("2")) == waiting


def test_an_account_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """With the wrong --config an empty file would say "not found" about everybody."""
    commands = OperatorCommands(tmp_path)
    commands.close()
    for file in tmp_path.glob("identityd.sqlite*"):
        file.unlink()
    result = commands.run("find", "alice")
    assert result.exit_code == 2
    assert "identityd.sqlite is not there; the daemon makes it at its first start" in result.stderr
    assert not list(tmp_path.glob("identityd.sqlite*"))


def test_accounts_in_the_daemon_s_memory_cannot_be_reached(tmp_path: Path) -> None:
    """An empty answer would look like "no such account"."""
    commands = OperatorCommands(tmp_path, {"accounts": {"store": "memory"}})
    result = commands.run("find", "alice")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "[accounts] store: memory keeps the accounts inside the daemon" in result.stderr


def test_a_damaged_account_file_is_said_with_exit_code_1(tmp_path: Path) -> None:
    """No traceback; and the operator must know that nothing was changed."""
    commands = OperatorCommands(tmp_path)
    commands.close()
    (tmp_path / "identityd.sqlite").write_bytes(b"SQLite format 3\0" + b"nonsense" * 1_000)
    result = commands.run("disable", "alice", "--yes", *WHY)
    assert result.exit_code == 1
    assert "the account store (sqlite) cannot be used: " in result.stderr
    assert "Nothing was changed." in result.stderr


def test_nothing_secret_is_printed(commands: OperatorCommands) -> None:
    """Output ends in tickets and chats."""
    account_id = commands.member("1", "alice")
    commands.registry.service.disable(Change(uuid4(), account_id, OPERATOR))
    printed = "".join(
        commands.run(*command).output
        for command in (("show", "alice"), ("show", "alice", "--json"), ("find", "p:2"), ("enable", "alice", *WHY))
    )
    secrets = [word for word in (commands.folder / "identityd.keys").read_text().split() if len(word) > 30]
    assert secrets
    for secret in (*secrets, "0123456789ab"):
        assert secret not in printed
