"""`accounts list`: going through the accounts by username, on every kind of store."""

import json
from collections.abc import Iterable

import pytest

from tests.support.accounts import Stopped
from tests.support.operator_commands import OperatorCommands

NAMES = ("anna", "jub", "jul", "julia", "Julius", "juri", "jvx", "zoe")


@pytest.fixture
def people(commands: OperatorCommands) -> OperatorCommands:
    """Give a desk with some people."""
    for number, name in enumerate(NAMES):
        commands.member(str(number), name)
    return commands


def names(lines: str) -> list[str]:
    """Return the usernames of the lines for programs."""
    return [json.loads(line)["username"] for line in lines.splitlines()]


def walked(people: OperatorCommands, *words: str, limit: int) -> list[str]:
    """Go through page after page."""
    found: list[str] = []
    after: Iterable[str] = ()
    while page := names(people.run("list", *words, "--limit", str(limit), *after, "--json").stdout):
        assert len(page) <= limit
        found += page
        after = ("--after", page[-1])
    return found


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_page_after_page_has_every_account_once(people: OperatorCommands, limit: int) -> None:
    """An account that is skipped is one that the operator believes is gone."""
    assert sorted(walked(people, limit=limit)) == sorted(NAMES)


@pytest.mark.parametrize(
    ("prefix", "meant"),
    [
        ("jul", ["jul", "julia", "Julius"]),
        ("JU", ["jub", "jul", "julia", "Julius", "juri"]),
        ("zoe", ["zoe"]),
        ("zz", []),
        ("\uff2aU", ["jub", "jul", "julia", "Julius", "juri"]),
        ("anna.", []),
    ],
)
@pytest.mark.parametrize("limit", [2, 100])
def test_a_prefix_is_of_the_name_in_any_case(
    people: OperatorCommands, prefix: str, meant: list[str], limit: int
) -> None:
    """On the phone a name is heard, not seen."""
    assert sorted(walked(people, "--prefix", prefix, limit=limit)) == sorted(meant)


def test_a_page_that_is_full_says_how_to_go_on(people: OperatorCommands) -> None:
    """The command is there to be copied; a last page says nothing."""
    full = people.run("list", "--prefix", "ju", "--limit", "2")
    last = full.stdout.splitlines()[-1].split()[0]
    assert full.stderr == f"There may be more: identityd.py accounts list --prefix ju --limit 2 --after {last}\n"
    assert people.run("list").stderr == ""


def test_a_line_shows_the_account_as_find_does(people: OperatorCommands) -> None:
    """One look for both."""
    found = people.run("find", "anna").stdout
    assert people.run("list", "--prefix", "anna").stdout == found


def test_an_empty_store_says_so_to_people_and_nothing_to_programs(commands: OperatorCommands) -> None:
    """An empty answer looks like a fault to a person, and is the right one for a loop."""
    plain, told = commands.run("list"), commands.run("list", "--json")
    assert (plain.stdout, plain.stderr, plain.exit_code) == ("", "No account.\n", 0)
    assert (told.stdout, told.stderr, told.exit_code) == ("", "", 0)


def test_a_name_that_is_only_being_chosen_is_no_account(people: OperatorCommands) -> None:
    """A sign-up that was given up would be listed for a quarter of an hour."""
    people.registry.stop_at("sign-up.name-claimed")
    with pytest.raises(Stopped):
        people.registry.sign_up("9", "julian")
    assert "julian" not in names(people.run("list", "--prefix", "jul", "--json").stdout)


@pytest.mark.parametrize("option", ["--prefix", "--after"])
@pytest.mark.parametrize("text", ["é", "a b", "\ue000", "\udc80"])
def test_what_no_username_can_hold_is_refused(commands: OperatorCommands, option: str, text: str) -> None:
    """An answer without accounts would be believed."""
    refused = commands.run("list", option, text)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert f"{option}: usernames are made of a-z, 0-9, _ . and -" in refused.stderr
