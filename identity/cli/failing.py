"""How a command says that it was not done: in words for people, as one object for programs.

Owns the codes that only the command line has, what to do next for every code, and the shape of the object:

    {"error": {"code": "config", "message": "…", "problems": ["[keys] file: …"], "next": "…"}}

`code` stays the same for the same trouble, `message` may be worded anew. `problems` holds each problem of
the configuration and is empty for all other codes. The object goes to standard output, where a program
reads the answer too, as one line. Exit codes are the same with and without --json.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from identity.cli.saying import say
from identity.errors import ConfigError, StoreError

USAGE: Final = "usage"
CONFIG: Final = "config"
FAILED: Final = "failed"
INTERRUPTED: Final = "interrupted"
NOT_CONFIRMED: Final = "not-confirmed"

PROBLEMS: Final = 2
"""Exit code when the configuration or the command line is wrong, as click uses it for the latter."""

_AGAIN: Final = "give the same command again"
_SHOW: Final = "look at the account with `identityd.py accounts show`"
NEXT: Final[Mapping[str, str]] = {
    CONFIG: f"correct each problem, then {_AGAIN}; `identityd.py check-config` says whether anything is left",
    FAILED: f"put right what the message names, then {_AGAIN}",
    INTERRUPTED: _AGAIN,
    NOT_CONFIRMED: f"{_AGAIN} and answer y, or add --yes",
    "store": "`identityd.py check-config` says which store is in trouble",
    "store-unavailable": f"`identityd.py check-config` says which store does not answer; then {_AGAIN}",
    "store-corrupt": "see docs/operations.md: the store holds what identityd did not write",
    "clock-wrong": "set this machine's clock right",
    "outcome-unknown": f"{_AGAIN}; it goes on from there",
    "being-finished": f"{_AGAIN} in half a minute",
    "account-merging": f"{_AGAIN} in a moment",
    "not-found": "look for the right name with `identityd.py accounts find`",
    "ambiguous": "add --username, --identity or --account",
    "bad-identity": "write provider:id as `identityd.py accounts show` prints it",
    "ambiguous-identity": "write the identity as the message says, or add --exact",
    "unknown-provider": "name a provider that `identityd.py providers list` prints; a link to another takes --force",
    "invitation-unknown": "name an invitation that `identityd.py invite list` prints",
    "invitation-used": "disable the account instead with `identityd.py accounts disable`",
    "invitation-revoked": "nothing is left to do",
    "invitation-expired": "nothing is left to do",
    "no-key": "name a key that `identityd.py keys list` prints",
    "key-in-use": "wait until `identityd.py keys list` says that the key may go",
    "provider-unpinned": "nothing is left to do",
    "changed": f"look with `identityd.py providers list`, then {_AGAIN}",
    "bad-session": "name a session as `identityd.py sessions list` prints it",
    "no-session": "name a session that `identityd.py sessions list` prints",
    "many-sessions": "give more digits of the session",
    "sessions-inside": "set [sessions] store = memcached, or end sessions with `identityd.py sessions end --all`",
    "sessions-unreachable": "`identityd.py check-config` says which memcached node does not answer",
    "sessions-corrupt": "replace the record with `identityd.py sessions end --all`",
    "account-disabled": "enable the account first with `identityd.py accounts enable`",
    "identity-suspended": "enable the account first with `identityd.py accounts enable`",
    "last-way": "link another way to log in first, or disable the account",
    "identity-belongs-to-other": "unlink the identity from the other account first",
    "not-linked": _SHOW,
    "too-many-ways": "unlink a way to log in first",
    "awaiting-approval": "approve it with `identityd.py accounts approve`, or reject it with `accounts reject`",
    "sign-up-rejected": "open it with `identityd.py accounts enable`, if that is meant",
    "not-waiting": "see who waits with `identityd.py accounts waiting`",
    "too-many-waiting": "clear the list with `identityd.py accounts approve` or `accounts reject`",
    "too-many-groups": "take the account out of a group first",
    "ring-differs": "write the lines of the message into every configuration, or do what else it says",
    "no-account": "look for what a crash left with `identityd.py fsck`",
    "account-merged": _SHOW,
    "no-daemon": "start it, with `systemctl start identityd` or `identityd.py serve`",
    "not-taken-over": f"the daemon goes on; put right what the message or its log names, then {_AGAIN}",
}
"""What to do, by code; a code that is not here has what its message says."""


class CommandFailed(click.ClickException):
    """A command was not done; exit code 1.

    Args:
        message: what happened, whether anything was changed, and what to do.
        code: stable; what programs compare.
    """

    def __init__(self, message: str, code: str = FAILED) -> None:
        super().__init__(message)
        self.code = code


class MisusedCommand(click.UsageError):
    """The command line is at fault, and a program can know in which way; exit code 2."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


def of_store(what: str, error: StoreError, rest: str = "") -> CommandFailed:
    """Return what to raise when a store is in trouble: `what` is said of it, then its own word, then `rest`."""
    return CommandFailed(f"{what}: {error.detail or error.code}{rest}", error.code)


def wants_json(arguments: Sequence[str]) -> bool:
    """Tell from the words of a command line, which may be wrong, whether a program reads the answer."""
    words = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in words


def complain(error: Exception, *, as_json: bool) -> int:
    """Say why a command was not done, and return the exit code."""
    match error:
        case ConfigError():
            exit_code = PROBLEMS
        case click.ClickException():
            exit_code = error.exit_code
        case _:
            exit_code = 1
    if as_json:
        say(json.dumps({"error": _as_values(error)}))
    else:
        _show(error)
    return exit_code


def _show(error: Exception) -> None:
    match error:
        case ConfigError(problems=problems):
            for problem in problems:
                say(problem, err=True)
        case click.ClickException():
            # With a stream of its own it is escaped where it cannot be shown, as everything else is.
            error.show(file=sys.stderr)
        case _:
            say("Aborted!", err=True)


def _as_values(error: Exception) -> dict[str, Any]:
    match error:
        case ConfigError(problems=problems):
            return _values(CONFIG, "the configuration cannot be used", problems)
        case click.UsageError():
            context = error.ctx
            code = getattr(error, "code", USAGE)
            words = f"see `{context.command_path if context else 'identityd.py'} --help`"
            return _values(code, error.format_message(), next_step=NEXT.get(code, words))
        case click.ClickException():
            return _values(getattr(error, "code", FAILED), error.format_message())
        case _:
            return _values(INTERRUPTED, "the command was interrupted")


def _values(code: str, message: str, problems: Sequence[str] = (), *, next_step: str = "") -> dict[str, Any]:
    step = next_step or NEXT.get(code, "do what the message says")
    return {"code": code, "message": message, "problems": list(problems), "next": step}
