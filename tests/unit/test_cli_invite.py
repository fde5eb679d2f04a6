"""`invite`: making links, listing them, taking them back, over a real store."""

import json
import re

import pytest

from identity.accounts.invitation import InvitationState, key_of
from identity.accounts.results import SignedUp
from identity.types import DAY, HOUR
from tests.support.operator_commands import WHY, OperatorCommands

LINK = re.compile(r"http://localhost:\d+/invitation\?i=([A-Za-z0-9_-]{43})\n")


def new(commands: OperatorCommands, *arguments: str) -> str:
    """Make an invitation; return its key."""
    made = commands.run("new", *arguments, *WHY, group="invite")
    assert made.exit_code == 0, made.stderr
    found = LINK.fullmatch(made.stdout)
    assert found is not None, made.stdout
    return str(key_of(found[1]))


def test_a_link_is_alone_on_standard_output_and_leads_to_what_was_asked_for(commands: OperatorCommands) -> None:
    """It is piped into a mail."""
    key = new(commands, "--for", "Ann,  accounting", "--group", "staff", "--group", "ops", "--expires", "12h")

    row = commands.registry.invitation(key)
    assert (row.groups, row.guest, row.ends_at - row.created_at) == (("ops", "staff"), "Ann, accounting", 12 * HOUR)
    assert (row.actor, row.reason) == ("operator:ann", "ticket 4711")
    assert isinstance(commands.registry.sign_up(invitation=key), SignedUp)


def test_left_alone_it_is_good_for_a_week_and_a_warning_says_that_none_is_needed(commands: OperatorCommands) -> None:
    """The default configuration lets everybody sign up."""
    made = commands.run("new", *WHY, group="invite")

    row, *_ = commands.store.invitations.scan()
    assert row.ends_at - row.created_at == 7 * DAY
    assert "Warning: [accounts] sign_up = open, so a person needs no link to sign up." in made.stderr
    assert "The link is not shown again." in made.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--expires", "91d"), "--expires: '91d' is not 5m to 90d"),
        (("--expires", "4m"), "--expires: '4m' is not 5m to 90d"),
        (("--expires", "week"), "--expires: 'week' is not 5m to 90d"),
        (("--group", "Staff!"), "--group: 'Staff!' is not the name of a group"),
        (("--for", "x" * 101), "--for: at most 100 printable characters"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_made(
    commands: OperatorCommands, arguments: tuple[str, ...], words: str
) -> None:
    """A link that is good for ever is made by one digit too many."""
    made = commands.run("new", *arguments, *WHY, group="invite")

    assert (made.exit_code, words in made.stderr) == (2, True)
    assert [*commands.store.invitations.scan()] == []


def test_without_a_reason_nothing_is_made(commands: OperatorCommands) -> None:
    """The audit would not say why a person came in."""
    assert commands.run("new", group="invite").exit_code == 2


def test_programs_get_the_documented_fields(commands: OperatorCommands) -> None:
    """A script that invites people reads them."""
    made = json.loads(commands.run("new", "--for", "Bob", "--json", *WHY, group="invite").stdout)
    listed = json.loads(commands.run("list", "--json", group="invite").stdout)

    link = made.pop("link")
    assert LINK.fullmatch(f"{link}\n")
    assert listed == {"invitations": [made]}
    assert set(made) == {
        "invitation",
        "standing",
        "for",
        "groups",
        "created_at",
        "ends_at",
        "made_by",
        "reason",
        "account_id",
        "identity",
    }


def test_the_list_says_who_used_which(commands: OperatorCommands) -> None:
    """The operator wonders which of ten links are still about."""
    assert commands.run("list", group="invite").stdout == "There are no invitations.\n"
    used = new(commands, "--for", "Ann")
    signed = commands.registry.sign_up(invitation=used)
    assert isinstance(signed, SignedUp)

    listed = commands.run("list", group="invite").stdout

    assert re.fullmatch(rf"{used[:12]}  used  \S+Z  Ann account {signed.account_id}\n", listed)


@pytest.mark.parametrize("whole", [False, True], ids=["id", "link"])
def test_one_is_taken_back_by_its_id_or_its_link(commands: OperatorCommands, whole: bool) -> None:  # noqa: FBT001 - a column
    """The operator has one or the other at hand."""
    link = commands.run("new", *WHY, group="invite").stdout.strip()
    key = str(key_of(link.partition("i=")[2]))

    revoked = commands.run("revoke", link if whole else key[:8], "--yes", *WHY, group="invite")

    assert (revoked.exit_code, revoked.stdout) == (0, f"Invitation {key[:12]} is worth nothing any more.\n")
    assert commands.registry.invitation(key).state is InvitationState.REVOKED
    again = commands.run("revoke", key[:8], "--yes", *WHY, group="invite")
    assert (again.exit_code, "was taken back already. Nothing was changed." in again.stderr) == (1, True)
    trail = [each.action for each in commands.store.audit.scan() if each.facts.get("invitation") == key[:12]]
    assert sorted(trail) == sorted(
        ["invite-begun", "invite", "invite-revoke-begun", "invite-revoke", "invite-revoke-begun", "invite-revoke"]
    )


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [("zz", 2, "at least 4 digits"), ("0000", 1, "there is no invitation 0000"), ("http://a/?i=b", 2, "at least 4")],
)
def test_what_names_none_is_said(commands: OperatorCommands, name: str, code: int, words: str) -> None:
    """The wrong one would be taken back, or none and no word about it."""
    result = commands.run("revoke", name, "--yes", *WHY, group="invite")

    assert (result.exit_code, words in result.stderr) == (code, True)


def test_one_that_was_used_is_not_taken_back(commands: OperatorCommands) -> None:
    """The operator would believe that the person cannot come in."""
    key = new(commands)
    commands.registry.sign_up(invitation=key)

    result = commands.run("revoke", key[:12], "--yes", *WHY, group="invite")

    assert result.exit_code == 1
    assert "was used; disable the account" in result.stderr
