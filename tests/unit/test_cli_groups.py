"""`groups`: the answers, the rows, the audit."""

import json

import pytest

from tests.support.operator_commands import WHY, OperatorCommands


def groups(commands: OperatorCommands, *words: str) -> tuple[int, str]:
    """Run a command of `groups`; return its exit code and what it printed."""
    result = commands.run(*words, group="groups")
    return result.exit_code, result.output


def test_an_account_is_put_into_a_group_and_the_audit_says_who_did_it(commands: OperatorCommands) -> None:
    """A right that nobody can trace is one that nobody takes back."""
    account_id = commands.member("1", "alice")

    code, said = groups(commands, "add", "staff", "alice", *WHY)

    assert code == 0
    assert said.startswith(f"alice ({account_id}) is in group staff; ")
    assert commands.account(account_id).groups == ("staff",)
    facts = {"groups": "+staff", "reason": "ticket 4711"}
    assert commands.trail(account_id) == [
        ("groups-begun", "operator:ann", facts),
        # The sessions are in the daemon's memory; it tells them.
        ("groups", "operator:ann", {**facts, "outcome": "sessions-not-reached"}),
    ]


def test_it_is_taken_out_again(commands: OperatorCommands) -> None:
    """Otherwise a right is for ever."""
    account_id = commands.member("1", "alice")
    groups(commands, "add", "staff", "alice", *WHY)
    groups(commands, "add", "ops", "alice", *WHY)

    assert groups(commands, "remove", "staff", "alice", *WHY)[0] == 0

    assert commands.account(account_id).groups == ("ops",)
    assert "groups       ops" in commands.run("show", "alice").stdout


def test_the_members_of_a_group_are_listed(commands: OperatorCommands) -> None:
    """The first question after somebody left: who else is in there?"""
    alice, bob = commands.member("1", "alice"), commands.member("2", "bob")
    commands.member("3", "carol")
    for name in ("bob", "alice"):
        groups(commands, "add", "staff", name, *WHY)

    code, said = groups(commands, "members", "staff")
    assert code == 0
    assert [line.split()[:2] for line in said.splitlines()] == [["alice", str(alice)], ["bob", str(bob)]]
    listed = json.loads(groups(commands, "members", "staff", "--json")[1])
    assert [member["username"] for member in listed["members"]] == ["alice", "bob"]
    assert groups(commands, "members", "ops") == (0, "No account was put into ops.\n")


@pytest.mark.parametrize("name", ["Staff", "a b", "", "x" * 33, "staff-", "staff\n"])
def test_what_cannot_be_a_group_is_refused(commands: OperatorCommands, name: str) -> None:
    """A group that no rule can name would be a right that opens nothing."""
    account_id = commands.member("1", "alice")

    code, said = groups(commands, "add", name, "alice", *WHY)

    assert code == 2
    assert "is not the name of a group" in said
    assert commands.account(account_id).groups == ()
