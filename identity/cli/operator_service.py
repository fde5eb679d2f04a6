"""What the account and session commands share: opening the operator's service, and saying how it ended.

Owns the exit codes of `identityd.py accounts` and `sessions`. Must not change anything itself.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from identity.cli import prompts
from identity.cli.failing import CommandFailed, MisusedCommand, of_store
from identity.cli.saying import answer, say

if TYPE_CHECKING:
    from identity.accounts.results import By
    from identity.admin.finding import FoundAccount
    from identity.admin.problem import Problem
    from identity.admin.requests import AccountName, ChangeAccount, Told
    from identity.admin.results import Changed, Effect
    from identity.admin.service import OperatorService
    from identity.config import Config
    from identity.types import Clock

T = TypeVar("T")

UNREACHED: Final = 3
"""Exit code when a change is done and some sessions could not be reached yet."""


def configured(path: Path) -> "Config":
    """Read the configuration. Raises ConfigError."""
    from identity import config

    # The kind `demo` may be named here: nothing is served, and its accounts want looking after too.
    return config.load(path, environ=os.environ, demo=True)


@contextmanager
def opened(path: Path) -> Iterator["OperatorService"]:
    """Open the operator's service for one command. Ends with exit code 1 when the account store is away."""
    from identity.operating import open_operator_service

    with opened_stores(configured(path), open_operator_service) as service:
        yield service


@contextmanager
def opened_stores(read: "Config", opener: "Callable[[Config, Clock, ExitStack], T]") -> Iterator[T]:
    """Open what works on the account store. Ends with exit code 1 when it is away."""
    from identity import log
    from identity.errors import StoreError
    from identity.opening import now

    # A driver would say the same as the message below, and a traceback with it.
    log.configure(level="error", form="text", secrets=read.secrets(), only="identity")
    with ExitStack() as closing:
        try:
            yield opener(read, now, closing)
        except StoreError as error:
            what = f"the account store ({read.accounts.store.value}) cannot be used"
            raise of_store(what, error, ". Nothing was changed.") from None


def account_name(text: str, how: str | None) -> "AccountName":
    """Return what ACCOUNT and its options say."""
    from identity.admin.naming import How
    from identity.admin.requests import AccountName

    return AccountName(text, How(how) if how else None)


def reader() -> "By":
    """Return who asks, where nothing is changed."""
    from identity.accounts.results import By

    return By(f"operator:{prompts.shell_user()}")


def changer(given: dict[str, Any], *, yes: bool = True) -> "By":
    """Return who asks for a change, and why. Raises UsageError."""
    from identity.accounts.results import By

    prompts.may_ask(yes=yes)
    who = prompts.actor(given["who"])
    return By(who, why=prompts.reason(given["why"]))


def change_of(account: str, how: str | None, given: dict[str, Any], *, yes: bool = True) -> "ChangeAccount":
    """Return the change of an account that is asked for. Raises UsageError."""
    from uuid import uuid4

    from identity.admin.requests import ChangeAccount

    return ChangeAccount(uuid4(), account_name(account, how), changer(given, yes=yes))


def confirming(account: str, *, yes: bool = True) -> "Told":
    """Return what says the effect of a change and asks for it, unless it was confirmed on the command line."""
    from identity.cli.account_sentences import effect_of

    def told(effect: "Effect") -> None:
        note_former(effect.found, account)
        prompts.confirm(effect_of(effect), yes=yes)

    return told


def note_former(found: "FoundAccount", text: str) -> None:
    """Say that an account was found by a name that it gave up."""
    from identity.cli.account_sentences import named, plain

    if found.former:
        say(f"{plain(text)} is a name that {named(found.account)} gave up.", err=True)


def answered(result: "T | Problem", text: str) -> T:
    """Return the answer. Ends with exit code 1 at a problem, or 2 if the command line is at fault."""
    from identity.admin.problem import Problem

    if isinstance(result, Problem):
        _stop(result, text)
    return result


def _stop(problem: "Problem", text: str) -> NoReturn:
    from identity.cli.problem_sentences import is_usage, sentence

    words = sentence(problem, text)
    raise MisusedCommand(words, problem.code) if is_usage(problem) else CommandFailed(words, problem.code)


def change(
    path: Path,
    account: str,
    make: "Callable[[OperatorService, Told], Changed | Problem]",
    *,
    yes: bool = True,
    as_json: bool,
) -> None:
    """Make a change to an account, once its effect was said and confirmed, and report it."""
    with opened(path) as service:
        report(answered(make(service, confirming(account, yes=yes)), account), as_json=as_json)


def report(changed: "Changed", *, as_json: bool) -> None:
    """Say what was done and how far it got; exit code 3 if some sessions were not reached yet."""
    from identity.admin.shapes import as_json as shape
    from identity.cli.account_sentences import outcome

    done, warning = outcome(changed)
    answer(shape(changed), done, as_json=as_json)
    if warning:
        say(f"Warning: {warning}", err=True)
        raise SystemExit(UNREACHED)
