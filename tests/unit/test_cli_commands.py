"""What holds for every command of the command line: which configuration is meant, and answers for programs.

Each command is walked to from the root, so that a new one is here as soon as it is there; `CALLS` says how it
is called.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import pytest
from click.testing import CliRunner, Result

from identity.accounts.linking import Refusal
from identity.admin.problem import Problem
from identity.admin.results import SessionTrouble
from identity.cli import cli, failing
from tests.support.memcached import MemcachedNode
from tests.support.operator_commands import OperatorCommands, in_memcached, untouched_log

ALICE: Final = ("alice", "--reason", "ticket 4711")
CALLS: Final[dict[str, tuple[str, ...]]] = {
    "accounts approve": ALICE,
    "accounts disable": (*ALICE, "--yes"),
    "accounts enable": ALICE,
    "accounts find": ("alice",),
    "accounts link": ("alice", "p:2", "--reason", "ticket 4711"),
    "accounts list": (),
    "accounts reject": (*ALICE, "--yes"),
    "accounts show": ("alice",),
    "accounts unlink": ("alice", "p:1", "--reason", "ticket 4711", "--yes"),
    "accounts waiting": (),
    "applications list": (),
    "backup": ("{folder}/copy.sqlite",),
    "check-config": ("--offline",),
    "copy": ("--from", "sqlite", "--to", "cassandra", "--daemons-stopped"),
    "doctor": (),
    "fsck": (),
    "groups add": ("staff", *ALICE),
    "groups members": ("staff",),
    "groups remove": ("staff", *ALICE),
    "invite list": (),
    "invite new": ("--reason", "ticket 4711"),
    "invite revoke": ("3fa94c01", "--reason", "ticket 4711", "--yes"),
    "keys add": (),
    "keys list": (),
    "keys new": (),
    "keys prune": (),
    "migrate": (),
    "providers list": (),
    "providers register": ("p",),
    "providers release": ("p", "--reason", "moved", "--yes"),
    "providers show": ("p",),
    "providers test": ("q",),
    "restore": (__file__, "--reason", "ticket 4711", "--yes"),
    "sessions clear": ("--yes",),
    "sessions end": (*ALICE, "--all", "--yes"),
    "sessions list": ("alice",),
    "sessions ring add": ("two=127.0.0.1:1", "--yes"),
    "sessions ring remove": ("two", "--yes"),
    "sessions ring show": (),
    "sessions show": ("alice", "4f1a09c2"),
    "upgrade": (),
    "sessions simulate": ("--requests", "100", "--thefts", "0", "--crashes", "0", "--processes", "1"),
}
"""Words after each command; `{folder}` is one of the test's.

The store holds the account `alice`, who logs in with `p:1`; sessions are in the daemon's memory.
"""
IN_LINES: Final = frozenset({"accounts list", "fsck"})
"""Print an object for each line, because there may be more than a program wants to hold."""
NOT_FOR_PROGRAMS: Final = {
    "serve": "it serves until it is told to stop; its log is JSON where no terminal is",
    "demo": "the same, for people who try it",
    "completion": "it prints what a shell reads",
}
WITHOUT_CONFIGURATION: Final = {
    "completion": "answers from the commands alone, so that it is there at once",
    "demo": "makes one of its own, in the folder of --data",
    "sessions simulate": "plays networks and thieves, not this installation",
}


def _leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        if isinstance(command, click.Group):
            yield from _leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


LEAVES: Final = dict(_leaves(cli))
FOR_PROGRAMS: Final = sorted(LEAVES.keys() - NOT_FOR_PROGRAMS.keys())
CONFIGURED: Final = sorted(LEAVES.keys() - WITHOUT_CONFIGURATION.keys())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[OperatorCommands]:
    """Give a configuration with an account in its store."""
    made = OperatorCommands(tmp_path)
    made.member()
    yield made
    made.close()


def called(name: str, folder: Path) -> list[str]:
    """Return the words by which a command is called."""
    return [*name.split(), *(word.format(folder=folder) for word in CALLS.get(name, ()))]


def run(*words: str, configuration: Path | None = None) -> Result:
    """Give a command, with the configuration in the environment."""
    environ = {"IDENTITYD_CONFIG": str(configuration) if configuration else None}
    with untouched_log():
        return CliRunner().invoke(cli, words, catch_exceptions=False, env=environ, prog_name="identityd.py")


def objects(text: str) -> list[dict[str, Any]]:
    """Read one object for each line."""
    return [json.loads(line) for line in text.splitlines()]


def error_of(result: Result) -> dict[str, Any]:
    """Return what a program is told of a command that was not done."""
    [said] = objects(result.stdout)
    assert said.keys() == {"error"}
    assert said["error"].keys() == {"code", "message", "problems", "next"}
    assert said["error"]["next"]
    found: dict[str, Any] = said["error"]
    return found


def test_every_command_is_called_here() -> None:
    """A command that is left out of the table would be one of which nothing below is known."""
    assert sorted(CALLS) == FOR_PROGRAMS


@pytest.mark.parametrize("name", CONFIGURED)
def test_every_command_reads_the_configuration_that_the_environment_names(name: str, tmp_path: Path) -> None:
    """One that does not works on another installation than all the others, and says nothing of it."""
    there = tmp_path / "not-there.ini"
    result = run(*called(name, tmp_path), configuration=there)
    assert result.exit_code == failing.PROBLEMS
    assert str(there) in result.output


@pytest.mark.parametrize("name", CONFIGURED)
def test_the_configuration_on_the_command_line_counts_before_the_environment(name: str, tmp_path: Path) -> None:
    """What is typed is what is meant."""
    there = tmp_path / "typed.ini"
    words = called(name, tmp_path)
    assert str(there) in run(*words, "--config", str(there), configuration=tmp_path / "environment.ini").output


@pytest.mark.parametrize("name", FOR_PROGRAMS)
def test_every_command_answers_a_program(name: str, desk: OperatorCommands) -> None:
    """Scripts would parse sentences, which are worded anew with each release."""
    words = called(name, desk.folder)
    plain = run(*words, configuration=desk.file)
    (desk.folder / "copy.sqlite").unlink(missing_ok=True)
    result = run(*words, "--json", configuration=desk.file)
    assert (plain.exit_code == failing.PROBLEMS) is (result.exit_code == failing.PROBLEMS)
    if name in IN_LINES:
        assert objects(result.stdout)
    else:
        assert isinstance(json.loads(result.stdout), dict)
    if result.exit_code == 0:
        assert "error" not in result.stdout.partition(":")[0]


@pytest.mark.parametrize("name", FOR_PROGRAMS)
def test_every_command_tells_a_program_what_is_wrong_with_the_command_line(name: str, tmp_path: Path) -> None:
    """A program that reads its answer from one place would see nothing of it."""
    result = run(*called(name, tmp_path), "--json", "--there-is-no-such-option")
    said = error_of(result)
    assert (result.exit_code, result.stderr) == (failing.PROBLEMS, "")
    assert (said["code"], said["problems"]) == (failing.USAGE, [])
    assert said["next"] == f"see `identityd.py {name} --help`"


@pytest.mark.parametrize("name", sorted(set(FOR_PROGRAMS) & set(CONFIGURED)))
def test_every_command_tells_a_program_what_is_wrong_with_the_configuration(name: str, tmp_path: Path) -> None:
    """With the same exit code as a person's."""
    there = tmp_path / "none.ini"
    result = run(*called(name, tmp_path), "--json", configuration=there)
    assert result.exit_code == failing.PROBLEMS
    if name == "check-config":  # its findings are the answer
        [said] = objects(result.stdout)
        assert (said["problems"], str(there) in said["findings"][0]["text"]) == (1, True)
        return
    said = error_of(result)
    assert said["code"] == failing.CONFIG
    assert [str(there) in problem for problem in said["problems"]] == [True]


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (("accounts", "find", "carol"), "not-found", 1),
        (("accounts", "unlink", "alice", "p:1", "--reason", "x", "--yes"), "last-way", 1),
        (("accounts", "link", "alice", "p:", "--reason", "x"), "bad-identity", 2),
        (("accounts", "disable", "alice", "--reason", "x"), "not-confirmed", 2),
        (("sessions", "list", "alice"), "sessions-inside", 1),
        (("keys", "prune", "7"), "no-key", 1),
        (("providers", "release", "p", "--reason", "x", "--yes"), "provider-unpinned", 1),
        (("providers", "show", "q"), "unknown-provider", 2),
        (("sreve",), "usage", 2),
    ],
)
def test_what_is_refused_has_a_code_of_its_own(
    words: tuple[str, ...], code: str, exit_code: int, desk: OperatorCommands
) -> None:
    """A program cannot decide by a sentence."""
    result = run(*words, "--json", configuration=desk.file)
    assert (error_of(result)["code"], result.exit_code) == (code, exit_code)


def test_a_store_that_is_away_is_told_by_its_code(desk: OperatorCommands) -> None:
    """A script tries again then, and only then."""
    desk.file.write_text(f"{desk.file.read_text()}\n[sqlite]\nfile = broken.sqlite\n")
    (desk.folder / "broken.sqlite").write_text("nonsense" * 200)
    result = run("accounts", "find", "alice", "--json", configuration=desk.file)
    assert (error_of(result)["code"][:5], result.exit_code) == ("store", 1)


def test_the_nodes_are_told_to_a_program_with_what_can_be_used(tmp_path: Path, memcached: list[MemcachedNode]) -> None:
    """A node that is away is an answer, not the lack of one; so is a ring that needs no change."""
    one, two, _ = memcached
    desk = OperatorCommands(tmp_path, in_memcached([one, two]))
    desk.close()
    with untouched_log():
        assert (
            run("sessions", "ring", "add", f"n1={two.name}", "--yes", "--json", configuration=desk.file).exit_code == 0
        )
        done = run("sessions", "ring", "add", f"n1={two.name}", "--yes", "--json", configuration=desk.file)
        two.kill()
        shown = run("sessions", "ring", "show", "--json", configuration=desk.file)
    assert json.loads(done.stdout) == {"changed": False, "effects": []}
    nodes = json.loads(shown.stdout)["nodes"]
    assert [(each["node"], each["usable"], each["records"]) for each in nodes] == [
        (f"n0={one.name}", True, 0),
        (f"n1={two.name}", False, None),
    ]
    assert shown.exit_code == 1


def _codes(kind: type[Problem]) -> Iterator[str]:
    for each in kind.__subclasses__():
        if isinstance(code := each.__dict__["code"], str):
            yield code


def test_every_code_of_a_problem_says_what_to_do_next() -> None:
    """`next` would say nothing but that the message says it."""
    refusals = {each.value for each in Refusal} - {
        "sign-up-closed",
        "not-admitted",
        "not-invited",
    }  # of logins, never of a command
    codes = {*_codes(Problem), *refusals, *(each.value for each in SessionTrouble)}
    assert codes - failing.NEXT.keys() == set()


def test_json_as_an_argument_is_no_option() -> None:
    """Behind -- a word is only a word."""
    assert failing.wants_json(["accounts", "find", "alice", "--json"])
    assert not failing.wants_json(["accounts", "find", "--", "--json"])
