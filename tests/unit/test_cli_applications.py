"""`applications list` over a configuration: the table, the object for programs, no secret."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.operator_commands import OperatorCommands

SECRET: Final = "0123456789abcdef0123456789abcdef"
WIKI: Final = {
    "server": {"public_url": "https://login.example.com"},
    "app:wiki": {"secret": SECRET, "hosts": "wiki.example.com docs.example.com", "mint": "no"},
}


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[OperatorCommands]:
    """Give an office with an application."""
    commands = OperatorCommands(tmp_path, WIKI)
    yield commands
    commands.close()


def test_the_table_names_every_application_and_its_hosts(commands: OperatorCommands) -> None:
    """An operator who is asked whose host this is would have to read the configuration of every machine."""
    listed = commands.run("list", group="applications")

    assert listed.exit_code == 0
    head, wiki = ([cell for cell in line.split("  ") if cell] for line in listed.stdout.splitlines())
    assert [cell.strip() for cell in head] == ["application", "hosts", "secrets", "tokens", "returns to"]
    hosts, returns = "wiki.example.com, docs.example.com", "https://wiki.example.com, https://docs.example.com"
    assert [cell.strip() for cell in wiki] == ["wiki", hosts, "1", "no", returns]


def test_no_secret_is_printed(commands: OperatorCommands) -> None:
    """A list that is pasted into a ticket would let its readers ask about sessions."""
    listed = commands.run("list", "--json", group="applications")

    assert SECRET not in listed.stdout + commands.run("list", group="applications").stdout
    (wiki,) = json.loads(listed.stdout)["applications"]
    assert (wiki["id"], wiki["secrets"], wiki["mint"]) == ("wiki", 1, False)


def test_without_applications_it_says_so(tmp_path: Path) -> None:
    """An empty table looks like a command that failed."""
    commands = OperatorCommands(tmp_path)
    listed = commands.run("list", group="applications")
    commands.close()

    assert listed.stdout == "No application is registered.\n"
