"""`accounts`: linking, unlinking, disabling, enabling: the answers, the rows, the audit.

Over a real store that is opened as the daemon opens it. The daemon beside it is in
tests/e2e/test_accounts.py.
"""

import logging
import os
import pwd
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from identity.accounts.linking import MOST_LINKS, identity_key
from identity.accounts.results import Change
from identity.accounts.store import (
    AccountRow,
    AccountStatus,
    IdentityRow,
    IdentityState,
)
from identity.errors import StoreUnavailable
from identity.opening import now
from identity.stores.sqlite import SqliteRows
from identity.types import AccountId, Username
from tests.support.accounts import key
from tests.support.guards import Expectation
from tests.support.memcached import MemcachedNode, free_port
from tests.support.operator_commands import WHY, OperatorCommands, in_memcached


def row(commands: OperatorCommands, subject: str, account_id: AccountId, state: IdentityState) -> IdentityRow:
    """Write an index row that an interrupted change could have left."""
    written = IdentityRow(key(subject), Username("alice"), account_id, state, uuid4(), now(), uuid4())
    commands.store.identities.insert(written)
    return written


def test_a_linked_identity_logs_in_and_the_audit_has_both_entries(commands: OperatorCommands) -> None:
    """The reason for the command; who did it and why must be found later."""
    account_id = commands.member("1", "alice")
    result = commands.run("link", "alice", "p:2", "--label", "@al", *WHY)
    assert (result.exit_code, result.stdout) == (0, f"p:2 is a way to log in to alice ({account_id}).\n")
    assert commands.registry.log_in("2") == account_id
    assert commands.account(account_id).identities[key("2")].label == "@al"
    assert commands.trail(account_id) == [
        ("link-begun", "operator:ann", {"identity": "p:2", "reason": "ticket 4711"}),
        ("link", "operator:ann", {"identity": "p:2", "reason": "ticket 4711", "outcome": "linked"}),
    ]


def test_linking_again_is_done_already(commands: OperatorCommands) -> None:
    """Whoever lost the answer repeats the command."""
    account_id = commands.member("1", "alice", "2")
    before = commands.account(account_id)
    assert commands.run("link", "alice", "p:2", *WHY).exit_code == 0
    assert commands.account(account_id) == before


def test_an_identity_of_somebody_else_is_refused_without_naming_them(commands: OperatorCommands) -> None:
    """The answer may be read out on the phone."""
    account_id = commands.member("1", "alice")
    other_id = commands.member("2", "mallory")
    result = commands.run("link", "alice", "p:2", *WHY)
    assert result.exit_code == 1
    assert "p:2 leads to another account; unlink it there first" in result.stderr
    assert "Nothing was changed." in result.stderr
    assert "mallory" not in result.output
    assert str(other_id) not in result.output
    assert commands.registry.log_in("2") == other_id
    assert commands.trail(account_id)[-1][2]["outcome"] == "identity-belongs-to-other"


def test_an_identity_at_the_sign_up_form_is_left_alone(commands: OperatorCommands) -> None:
    """Its owner is about to choose a username."""
    commands.member("1", "alice")
    row(commands, "2", AccountId(uuid4()), IdentityState.PENDING)
    result = commands.run("link", "alice", "p:2", *WHY)
    assert (result.exit_code, "try again in half a minute" in result.stderr) == (1, True)


def test_an_account_with_too_many_ways_gets_no_more(commands: OperatorCommands) -> None:
    """The row must stay small."""
    commands.member("1", "alice", *(str(number) for number in range(2, MOST_LINKS + 1)))
    result = commands.run("link", "alice", "p:99", *WHY)
    assert (result.exit_code, "as many ways to log in as" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (AccountStatus.DISABLED, "is disabled; enable it first"),
        (AccountStatus.MERGING, "is being merged with another one"),
        (AccountStatus.MERGED, "was merged into another one"),
    ],
)
def test_an_account_that_is_closed_or_in_a_merge_gets_no_new_way(
    commands: OperatorCommands, status: AccountStatus, words: str
) -> None:
    """It would open a door that somebody just closed."""
    account = commands.account(commands.member("1", "alice"))
    into = AccountId(uuid4()) if status is AccountStatus.MERGED else None
    commands.store.accounts.replace(replace(account, status=status, merged_into=into, op=uuid4()), expected=account)
    result = commands.run("link", "alice", "p:2", *WHY)
    assert (result.exit_code, words in result.stderr) == (1, True)
    assert commands.registry.log_in("2") is None
    assert status.value in commands.run("show", "alice").stdout


def test_a_provider_that_is_not_configured_is_taken_for_a_slip(commands: OperatorCommands) -> None:
    """`githb:1` would be a way to log in that nobody can use, and everybody believes in."""
    account_id = commands.member("1", "alice")
    result = commands.run("link", "alice", "githb:1", *WHY)
    assert result.exit_code == 1
    assert "no provider is called githb; configured: p. Nothing was changed" in result.stderr
    assert commands.trail(account_id) == []
    assert commands.run("link", "alice", "githb:1", "--force", *WHY).exit_code == 0


def test_an_identity_that_can_mean_two_is_not_linked_by_guess(commands: OperatorCommands) -> None:
    """The wrong one of the two can never be proven by anybody."""
    account_id = commands.member("1", "alice")
    result = commands.run("link", "alice", "p:t:7", *WHY)
    assert result.exit_code == 2
    assert "can mean p:t:7 or p:t%3A7" in result.stderr
    assert commands.run("link", "alice", "p:t:7", "--exact", *WHY).exit_code == 0
    assert identity_key("p", "7", tenant="t") in commands.account(account_id).identities
    assert commands.run("unlink", "alice", "p:t:7", "--yes", *WHY).exit_code == 0
    assert commands.run("link", "alice", "nonsense", *WHY).exit_code == 2


def test_an_unlinked_identity_does_not_log_in_and_the_audit_has_both_entries(
    commands: OperatorCommands,
) -> None:
    """The thief's way in is gone at once."""
    account_id = commands.member("1", "alice", "2")
    result = commands.run("unlink", "alice", "p:2", "--yes", *WHY)
    assert result.exit_code == 0
    assert result.stdout == (
        f"p:2 is no way to log in to alice ({account_id}) any more; the running daemon ends the sessions opened "
        "through it within about 5 seconds.\n"
    )
    assert commands.registry.log_in("2") is None
    assert commands.registry.log_in("1") == account_id
    facts = {"identity": "p:2", "reason": "ticket 4711"}
    assert commands.trail(account_id) == [
        ("unlink-begun", "operator:ann", facts),
        ("unlink", "operator:ann", {**facts, "outcome": "sessions-not-reached"}),
    ]


@pytest.mark.threat(23)
def test_the_last_way_to_log_in_stays(commands: OperatorCommands) -> None:
    """Nobody could log in to the account any more; the words say what to do instead."""
    account_id = commands.member("1", "alice")
    result = commands.run("unlink", "alice", "p:1", "--yes", *WHY)
    assert result.exit_code == 1
    assert "is the last way to log in" in result.stderr
    assert "link another one first" in result.stderr
    assert commands.registry.log_in("1") == account_id


def test_what_is_not_linked_cannot_be_unlinked(commands: OperatorCommands) -> None:
    """Also the second time: the words tell that it is gone."""
    commands.member("1", "alice", "2")
    commands.run("unlink", "alice", "p:2", "--yes", *WHY)
    result = commands.run("unlink", "alice", "p:2", "--yes", *WHY)
    assert (result.exit_code, "p:2 is not a way to log in to alice" in result.stderr) == (1, True)


@pytest.mark.threat(30)
def test_a_disabled_account_does_not_log_in_until_it_is_enabled(commands: OperatorCommands) -> None:
    """Both directions, with their words and their audit."""
    account_id = commands.member("1", "alice")
    result = commands.run("disable", "p:1", "--yes", *WHY)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "every login is refused; the running daemon ends its open sessions within about 5 seconds" in result.stdout
    assert commands.account(account_id).status is AccountStatus.DISABLED
    assert account_id in {each.account_id for each in commands.store.revocations.open()}
    assert commands.run("disable", "alice", "--yes", *WHY).exit_code == 0
    result = commands.run("enable", "alice", *WHY)
    assert (result.exit_code, result.stdout) == (0, f"alice ({account_id}) may log in.\n")
    assert commands.run("enable", "alice", *WHY).exit_code == 0
    assert commands.registry.log_in("1") == account_id
    assert [action for action, _, _ in commands.trail(account_id)] == [
        "disable-begun", "disable", "disable-begun", "disable", "enable-begun", "enable", "enable-begun", "enable",
    ]  # fmt: skip


@pytest.mark.parametrize("command", ["disable", "enable", "unlink"])
def test_an_account_in_a_merge_is_left_to_the_merge(commands: OperatorCommands, command: str) -> None:
    """A change in the middle of it would be undone or doubled."""
    account = commands.account(commands.member("1", "alice", "2"))
    commands.store.accounts.replace(replace(account, status=AccountStatus.MERGING, op=uuid4()), expected=account)
    more = {"unlink": ("p:2", "--yes"), "disable": ("--yes",), "enable": ()}[command]
    result = commands.run(command, "alice", *more, *WHY)
    assert (result.exit_code, "is being merged" in result.stderr) == (1, True)
    assert commands.account(account.key).epoch == account.epoch


@pytest.mark.parametrize(
    "command", [("link", "alice", "p:2"), ("unlink", "alice", "p:1", "--yes"), ("disable", "alice", "--yes")]
)
def test_a_change_without_a_reason_is_refused_where_nobody_can_be_asked(
    commands: OperatorCommands, command: tuple[str, ...]
) -> None:
    """An audit without reasons is read by nobody."""
    account_id = commands.member("1", "alice")
    for reason in ((), ("--reason", "  "), ("--reason", "x" * 501), ("--reason", "a\x1b[31m")):
        result = commands.run(*command, *reason)
        assert result.exit_code == 2
        assert "reason" in result.stderr
    assert commands.trail(account_id) == []


@pytest.mark.parametrize("command", [("unlink", "alice", "p:2"), ("disable", "alice")])
def test_taking_access_away_wants_a_yes(commands: OperatorCommands, command: tuple[str, ...]) -> None:
    """A script that was meant for another machine must not close accounts by default."""
    account_id = commands.member("1", "alice", "2")
    result = commands.run(*command, *WHY)
    assert (result.exit_code, "--yes" in result.stderr) == (2, True)
    assert commands.trail(account_id) == []


def test_the_audit_names_who_called_sudo_or_the_system_s_user(
    commands: OperatorCommands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry by root tells nothing where five people may call sudo."""
    account_id = commands.member("1", "alice")
    why = ("--reason", "x")
    monkeypatch.delenv("SUDO_USER", raising=False)
    commands.run("enable", "alice", *why)
    commands.run("enable", "alice", *why, environ={"SUDO_USER": "ben"})
    commands.run("enable", "alice", *why, "--as", "ann", environ={"SUDO_USER": "ben"})
    me = pwd.getpwuid(os.getuid()).pw_name
    assert [actor for _, actor, _ in commands.trail(account_id)][::2] == [
        f"operator:{me}",
        "operator:ben",
        "operator:ann",
    ]


@pytest.mark.parametrize("name", ["", "a b", "a\n", "x" * 65])
def test_a_name_that_does_not_fit_the_audit_is_refused(commands: OperatorCommands, name: str) -> None:
    """It could look like another entry, or like another actor."""
    commands.member("1", "alice")
    result = commands.run("enable", "alice", "--reason", "x", "--as", name)
    assert (result.exit_code, "--as:" in result.stderr) == (2, True)


def test_an_unnamed_user_of_the_system_has_a_number(
    commands: OperatorCommands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container the user often has no name."""

    def missing(_: int) -> None:
        raise KeyError

    account_id = commands.member("1", "alice")
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr("identity.cli.prompts.pwd.getpwuid", missing)
    commands.run("enable", "alice", "--reason", "x")
    assert commands.trail(account_id)[0][1] == f"operator:uid-{os.getuid()}"


def test_sessions_in_memcached_are_ended_by_the_command_itself(tmp_path: Path, memcached: list[MemcachedNode]) -> None:
    """No daemon need be running; nothing is left to be done."""
    commands = OperatorCommands(tmp_path, in_memcached(memcached))
    account_id = commands.member("1", "alice")
    result = commands.run("disable", "alice", "--yes", *WHY)
    assert result.exit_code == 0
    assert (
        result.stdout
        == f"alice ({account_id}) is disabled: every login is refused, and its open sessions have ended.\n"
    )
    assert commands.store.revocations.open() == ()
    assert commands.trail(account_id)[-1][2]["outcome"] == "done"
    commands.close()


def test_a_memcached_that_is_away_is_named_and_the_rest_is_kept_for_the_daemon(
    tmp_path: Path, memcached: list[MemcachedNode]
) -> None:
    """A script tells it from a change that is over by the code, a person by the words."""
    commands = OperatorCommands(tmp_path, in_memcached(memcached))
    account_id = commands.member("1", "alice")
    for node in memcached:
        node.kill()
    result = commands.run("disable", "alice", "--yes", *WHY)
    assert result.exit_code == 3
    assert "every login is refused." in result.stdout
    assert "could not be reached yet (memcached node n" in result.stderr
    assert "The daemon goes on trying" in result.stderr
    assert commands.account(account_id).status is AccountStatus.DISABLED
    assert len(commands.store.revocations.open()) == 1
    shown = commands.run("show", "alice").stdout
    assert "ending       every session, since " in shown
    assert "disabled; tried until it is done" in shown
    commands.close()


def test_a_data_centre_that_is_away_is_said_and_told_later(
    tmp_path: Path, memcached: list[MemcachedNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator who reads "done" would not watch the logins of the data centre that comes back."""

    def away(_rows: SqliteRows[AccountId, AccountRow], _key: AccountId) -> None:
        raise StoreUnavailable(detail="cassandra: not enough replicas are up")

    commands = OperatorCommands(tmp_path, in_memcached(memcached))
    account_id = commands.member("1", "alice")
    monkeypatch.setattr(SqliteRows, "read_everywhere", away)
    result = commands.run("disable", "alice", "--yes", *WHY)
    assert result.exit_code == 3
    assert "every login is refused, and its open sessions have ended." in result.stdout
    assert "not every data centre of the account store knows it yet (cassandra: not enough replicas" in result.stderr
    assert len(commands.store.revocations.open()) == 1
    assert commands.trail(account_id)[-1][2]["outcome"] == "not-everywhere-yet"
    commands.close()


def test_a_store_that_goes_away_in_the_middle_says_that_repeating_helps(
    commands: OperatorCommands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To say that nothing was changed would be a lie then."""
    from identity.accounts.service import AccountService  # noqa: PLC0415 - patched here only

    def away(_service: AccountService, _request: Change) -> None:
        raise StoreUnavailable(detail="disk full")

    account_id = commands.member("1", "alice")
    with monkeypatch.context() as patched:
        patched.setattr(AccountService, "disable", away)
        result = commands.run("disable", "alice", "--yes", *WHY)
    assert result.exit_code == 1
    assert "went away: disk full. How far the change got is not known; give the same command again" in result.stderr
    assert commands.run("disable", "alice", "--yes", *WHY).exit_code == 0
    assert commands.account(account_id).status is AccountStatus.DISABLED


def test_a_cluster_that_is_down_is_one_sentence(tmp_path: Path, expect_log: Callable[..., Expectation]) -> None:
    """The driver's own traceback would bury it, and look like a fault of the command."""
    where = {"contact_points": f"127.0.0.1:{free_port()}", "local_data_centre": "DC1"}
    expect_log("cassandra", level=logging.ERROR)
    # What the desk's own store says meanwhile, at its own pace.
    expect_log("cassandra", required=False)
    expect_log("identity.stores.cassandra", "cassandra-not-reached", required=False)
    commands = OperatorCommands(tmp_path, {"accounts": {"store": "cassandra"}, "cassandra": where})
    result = commands.run("disable", "alice", "--yes", *WHY)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: the account store (cassandra) cannot be used: ")
    assert line.endswith("Nothing was changed.")
    commands.close()
