"""`fsck`: whether the rows of the account store agree, and mending what a crash left, while daemons serve."""

import json
import os
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from identity.cli.failing import INTERRUPTED, CommandFailed, of_store
from identity.cli.options import config_option
from identity.cli.saying import say

if TYPE_CHECKING:
    from identity.opening import Accounts
    from identity.upkeep.fsck import Checked, Inconsistency

_THREADS: Final = click.IntRange(1, 64)
_INTERRUPTED: Final = "Interrupted. What was mended is whole; run it again for the rest."


@click.command(short_help="Find what a crash left in the account store, and mend it.")
@config_option
@click.option("--repair/--dry-run", default=False, help="Mend what can be mended; without it nothing is written.")
@click.option(
    "--threads", type=_THREADS, default=8, show_default=True, help="Rows looked at at once; fewer spare the store."
)
@click.option("--json", "as_json", is_flag=True, help="Print each finding, and the summary, as a line of JSON.")
def fsck(path: Path, threads: int, *, repair: bool, as_json: bool) -> None:
    """Find what a crash left in the account store, and mend it.

    Looks at every identity, username, account, kept token and open revocation, while daemons serve and people
    log in. Without --repair it only looks, and says what it would do. Rows younger than half an
    hour are left alone. Every repair is in the audit.

    One line for each finding: "found" (only looked at), "mended", "left" (an operator has to look)
    or "waits" (in order; a person has to log in first). docs/operations.md explains each code.

    \b
    Exit codes:
      0    nothing is wrong, or everything was mended
      1    something is left, or the store was away, or you interrupted it
      2    the configuration or the command line is wrong

    \b
    Examples:
      identityd.py fsck
      identityd.py fsck --repair
      identityd.py fsck --json --config /etc/identityd/identityd.ini
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity import config
    from identity.errors import StoreError
    from identity.keeping import keeping
    from identity.opening import now, open_accounts
    from identity.operating import reachable

    # The kind `demo` may be named here: nothing is served, and its accounts want mending too.
    read = config.load(path, environ=os.environ, demo=True)
    reachable(read)
    report = _Report(as_json=as_json)
    try:
        accounts = open_accounts(read, now)
        try:
            report.follow(_walk(accounts, threads, keeping=keeping(read), repair=repair))
        finally:
            accounts.close()
    except StoreError as error:
        report.end()
        raise of_store("the account store cannot be used", error, "; what was mended is whole") from None
    except KeyboardInterrupt:
        report.end()
        raise CommandFailed(_INTERRUPTED, INTERRUPTED) from None
    report.end()
    if report.left:
        raise SystemExit(1)


def _walk(accounts: "Accounts", threads: int, *, keeping: "Collection[str]", repair: bool) -> "Iterator[Checked]":
    from uuid import uuid4

    from identity.accounts.writing import AccountParts
    from identity.opening import now
    from identity.upkeep.fsck import Fsck
    from identity.upkeep.mending import Mending

    mending = Mending(AccountParts(accounts, now, uuid4, lambda _: None), audit=accounts.audit)
    return Fsck(accounts, clock=now, mending=mending if repair else None, threads=threads, keeping=keeping).run()


class _Report:
    """What is printed: findings and the summary on standard output, progress on the terminal's other one."""

    def __init__(self, *, as_json: bool) -> None:
        from time import monotonic

        self._as_json = as_json
        self._clock = monotonic
        self._began = monotonic()
        self._checked: Counter[str] = Counter()
        self._outcomes: Counter[str] = Counter()

    @property
    def left(self) -> int:
        """How much is still wrong."""
        return self._outcomes["left"] + self._outcomes["found"]

    def follow(self, checked: "Iterator[Checked]") -> None:
        """Print what is found as it is found."""
        terminal = sys.stderr.isatty()
        with click.progressbar(checked, label="looking", file=sys.stderr, hidden=not terminal, show_pos=True) as bar:
            for each in bar:
                self._checked[each.table.value] += 1
                if each.findings and terminal:
                    click.echo("\r\033[K", nl=False, err=True)
                for finding in each.findings:
                    self._print(finding)
                bar.label = f"{each.table.value}, {self._rate():,} rows/s"

    def _print(self, finding: "Inconsistency") -> None:
        outcome = _outcome(finding)
        self._outcomes[outcome] += 1
        verdict = finding.diagnosis
        facts = {
            "outcome": outcome,
            "code": verdict.fault.value,
            "step": verdict.remedy.value,
            "account": str(finding.account_id),
            "identity": finding.identity,
            "username": finding.username,
        }
        if self._as_json:
            say(json.dumps({name: value for name, value in facts.items() if value}))
            return
        about = " ".join(f"{name} {facts[name]}" for name in ("identity", "username", "account") if facts[name])
        say(f"{outcome:<7} {verdict.fault.value:<20} {verdict.remedy.value:<8} {about}")

    def _rate(self) -> int:
        return round(self._checked.total() / max(self._clock() - self._began, 0.001))

    def end(self) -> None:
        """Print the summary."""
        outcomes = {name: self._outcomes[name] for name in ("found", "mended", "left", "waits")}
        seconds = round(self._clock() - self._began, 1)
        if self._as_json:
            say(json.dumps({"checked": dict(self._checked), **outcomes, "seconds": seconds}))
            return
        tables = ", ".join(f"{table} {count:,}" for table, count in self._checked.items()) or "nothing"
        say(f"Looked at {tables} in {seconds} s ({self._rate():,} rows/s).")
        say(", ".join(f"{name} {count:,}" for name, count in outcomes.items()) + ".")
        if self._outcomes["found"]:
            say("Nothing was changed. --repair mends what is not marked `ask`.")


def _outcome(finding: "Inconsistency") -> str:
    from identity.upkeep.diagnosis import Remedy
    from identity.upkeep.mending import Mended

    if finding.diagnosis.remedy is Remedy.WAIT:
        return "waits"
    if finding.outcome is None:
        return "found"
    return "mended" if finding.outcome is Mended.DONE else "left"
