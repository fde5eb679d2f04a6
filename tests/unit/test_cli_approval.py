"""`accounts waiting`, `approve` and `reject`, over a real store."""

import json
import re

from identity.accounts.approval import SIGN_UPS
from identity.accounts.linking import CLAIM_TTL_MS
from identity.accounts.results import SignedUp
from identity.accounts.store import AccountStatus, WaitingList
from identity.opening import now
from identity.types import AccountId
from tests.support.operator_commands import WHY, OperatorCommands


def waiter(commands: OperatorCommands, subject: str = "1", username: str = "alice") -> AccountId:
    """Let a person sign up who has to wait."""
    made = commands.registry.sign_up(subject, username, waits=True)
    assert isinstance(made, SignedUp)
    return made.account_id


def test_who_waits_is_listed_and_approved(commands: OperatorCommands) -> None:
    """The operator begins the day with it."""
    assert commands.run("waiting").stdout == "No account waits.\n"
    account_id = waiter(commands)

    listed = commands.run("waiting").stdout
    told = json.loads(commands.run("waiting", "--json").stdout)
    approved = commands.run("approve", "alice", *WHY)

    assert re.fullmatch(rf"\S+Z  alice  {account_id}  waiting  p:1\n", listed)
    assert [each["username"] for each in told["waiting"]] == ["alice"]
    assert told["most"] == 500
    assert set(told["waiting"][0]) == {"account_id", "username", "status", "identities", "groups", "since"}
    assert (approved.exit_code, "may log in; no message is sent" in approved.stdout) == (0, True)
    assert commands.account(account_id).status is AccountStatus.ACTIVE
    assert commands.run("waiting").stdout == "No account waits.\n"
    assert [(action, facts.get("outcome")) for action, _, facts in commands.trail(account_id)] == [
        ("approve-begun", None),
        ("approve", "approved"),
    ]


def test_one_is_rejected_and_opened_all_the_same(commands: OperatorCommands) -> None:
    """A mistake must be mended without a second sign-up."""
    account_id = waiter(commands)

    rejected = commands.run("reject", "alice", "--yes", *WHY)
    again = commands.run("approve", "alice", *WHY)

    assert (rejected.exit_code, "is rejected: every login is refused" in rejected.stdout) == (0, True)
    assert (again.exit_code, "does not wait for approval" in again.stderr) == (1, True)
    assert commands.account(account_id).status is AccountStatus.REJECTED
    assert commands.run("enable", "alice", *WHY).exit_code == 0
    assert commands.account(account_id).status is AccountStatus.ACTIVE


def test_enable_sends_the_operator_to_approve(commands: OperatorCommands) -> None:
    """They would wonder why nothing happens."""
    waiter(commands)

    result = commands.run("enable", "alice", *WHY)

    assert (result.exit_code, "waits for approval; `accounts approve`" in result.stderr) == (1, True)


def test_what_leads_to_no_account_that_waits_is_taken_off_the_list(commands: OperatorCommands) -> None:
    """A sign-up that was cut off before its commit would take a place for ever."""
    account_id = waiter(commands)
    found = commands.store.waiting.read_settled(SIGN_UPS)
    assert found is not None
    lost = "6f1c0e3a-5f0e-5d0c-8a51-0b7d4c1a2f10"
    entries = {**found.entries, lost: f"{now() - 3 * CLAIM_TTL_MS} p:9"}
    commands.store.waiting.replace(WaitingList(SIGN_UPS, entries, account_id), expected=found)

    commands.run("waiting")

    after = commands.store.waiting.read_settled(SIGN_UPS)
    assert after is not None
    assert set(after.entries) == {str(account_id)}
