"""`copy`: everything durable from one account store into another, proven to have arrived.

Owns the questions asked before it and the words afterwards; the copy itself is
`identity.upkeep.copying`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from identity.cli.failing import INTERRUPTED, CommandFailed, of_store
from identity.cli.options import JSON, config_option
from identity.cli.saying import answer, say

if TYPE_CHECKING:
    from identity.cli.progress import Progress
    from identity.config import Config
    from identity.upkeep.copying import CopyOutcome, CopyRefused, CopyTally

_KINDS: Final = click.Choice(["sqlite", "cassandra"])
_NOT_DONE: Final = 1
_AGAIN: Final = "the same command goes on where it was; until it says done, no daemon serves the copy"


@click.command(short_help="Move all accounts to another store, and prove it.")
@config_option
@click.option("--from", "source", type=_KINDS, required=True, help="The store to read; not changed.")
@click.option("--to", "target", type=_KINDS, required=True, help="The store to fill; empty, or half filled by a copy.")
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    default=16,
    show_default=True,
    help="Rows written or read at the same time.",
)
@click.option("--daemons-stopped", is_flag=True, help="Say that every identityd is stopped; asked for with cassandra.")
@JSON
def copy(path: Path, source: str, target: str, *, threads: int, daemons_stopped: bool, as_json: bool) -> None:
    """Copy all accounts into another store and read every row back.

    Both stores are in one configuration, [sqlite] and [cassandra]; [accounts] store says which is
    in use and does not matter here. Copied are identities, usernames, accounts, profiles, pending
    ends of sessions, and the audit. Left out are sign-ups that were not finished: those people
    choose their name again. Sessions are not in these stores; no session ends.

    Stop every daemon first, and start them again when this says done. An account file that is in
    use is noticed; daemons on a Cassandra cannot be seen, so say --daemons-stopped.

    Killed or interrupted, the same command goes on where it was. Until it says done, the daemon
    refuses to start with the copy. No row of the target is ever written over.

    \b
    Examples:
      identityd.py copy --from sqlite --to cassandra --daemons-stopped
      identityd.py copy --from cassandra --to sqlite --daemons-stopped --config /etc/identityd/identityd.ini

    \b
    Exit codes:
      0    done: every row was read back and is equal, both sides have as many
      1    not done: a store failed, or rows are missing or differ; what to do is printed
      2    nothing was copied: the command line or the configuration is wrong, a daemon
           runs, the source is empty, or the target holds accounts that no copy put there
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    if source == target:
        raise click.UsageError("--from and --to are the same store; nothing was changed")
    if "cassandra" in (source, target) and not daemons_stopped:
        raise click.UsageError("stop identityd on every machine, then say so with --daemons-stopped")
    outcome = _run(_read_source(path, source), _read(path, target), threads)
    _tell(outcome, source, target, as_json=as_json)


def _read(path: Path, kind: str) -> "Config":
    """Read the configuration as if this store were in use, so that its options are checked."""
    from identity import config

    # The kind `demo` may be named here: nothing is served, and its accounts may move too.
    return config.load(path, environ=os.environ, overrides={"accounts.store": kind}, demo=True)


def _read_source(path: Path, kind: str) -> "Config":
    """The same for the store that must be there already: opening an account file would make it."""
    from identity.errors import ConfigError

    found = _read(path, kind)
    if kind == "sqlite" and not found.sqlite.file.exists():
        raise ConfigError((f"[sqlite] file: {found.sqlite.file} does not exist; name the one that is in use",))
    return found


def _run(source: "Config", target: "Config", threads: int) -> "CopyOutcome":
    from identity import log
    from identity.cli.progress import Progress
    from identity.errors import StoreError

    log.configure(level="warning", form=source.server.log_format.value, secrets=target.secrets())
    progress = Progress()
    try:
        return _copied(source, target, progress=progress, threads=threads)
    except StoreError as error:
        raise of_store("a store failed", error, f"; {_AGAIN}") from None
    except KeyboardInterrupt:
        raise CommandFailed(f"stopped; {_AGAIN}", INTERRUPTED) from None
    finally:
        progress.end()


def _copied(source: "Config", target: "Config", *, progress: "Progress", threads: int) -> "CopyOutcome":
    import time
    from contextlib import closing

    from identity.opening import now, open_accounts
    from identity.upkeep.copied_tables import CopySide
    from identity.upkeep.copying import Copying

    with (
        closing(open_accounts(source, now, to_copy=True)) as ours,
        closing(open_accounts(target, now, to_copy=True)) as theirs,
    ):
        return Copying(
            CopySide(source.accounts.store.value, ours, ours.audit),
            CopySide(target.accounts.store.value, theirs, theirs.audit),
            threads=threads,
            told=progress,
            pause=time.sleep,
        ).run()


def _tell(outcome: "CopyOutcome", source: str, target: str, *, as_json: bool) -> None:
    """Print what came of it. Exits with 1 if the copy is not whole; raises ConfigError if there is none."""
    from identity.errors import ConfigError
    from identity.upkeep.copying import Done, Unequal

    match outcome:
        case Done(tallies) | Unequal(tallies) if as_json:
            answer(_values(outcome, tallies, source, target), as_json=True)
            if isinstance(outcome, Unequal):
                raise SystemExit(_NOT_DONE)
        case Done(tallies):
            _table(tallies, source, target)
            say(
                f"done: every row was read back from {target} and is equal. "
                f"Set [accounts] store = {target} on every machine and start the daemons; keep {source} as it is "
                "until you are sure, and do not serve it again: it does not get what happens from now on"
            )
        case Unequal(tallies):
            _table(tallies, source, target)
            for tally in tallies:
                for line in _wrong(tally, target):
                    say(line)
            say(
                f"not done: {target} is not equal to {source} and is not served. Nothing was written over. "
                'docs/operations.md, "Growing from one machine to a cluster", says what to do'
            )
            raise SystemExit(_NOT_DONE)
        case refused:
            raise ConfigError((_why(refused, source, target),))


def _values(outcome: "CopyOutcome", tallies: "tuple[CopyTally, ...]", source: str, target: str) -> dict[str, Any]:
    from identity.upkeep.copying import Done

    tables = [
        {
            "table": each.table,
            "source": each.rows + each.left_out,
            "left_out": each.left_out,
            "written": each.written,
            "before": each.before,
            "target": each.there,
            "equal": each.equal,
            "wrong": list(_wrong(each, target)),
        }
        for each in tallies
    ]
    return {"done": isinstance(outcome, Done), "from": source, "to": target, "tables": tables}


def _why(refused: "CopyRefused", source: str, target: str) -> str:
    from identity.upkeep.copying import MOST_REVOCATIONS, CopyRefused

    match refused:
        case CopyRefused.SOURCE_EMPTY:
            return f"--from: {source} holds no account; name the store that is in use. Nothing was copied"
        case CopyRefused.SOURCE_UNFINISHED:
            return f"--from: {source} is itself an unfinished copy; finish that one first. Nothing was copied"
        case CopyRefused.TOO_MANY_REVOCATIONS:
            return (
                f"--from: {source} holds {MOST_REVOCATIONS} or more ends of sessions that have not reached memcached; "
                "start the daemon, let it reach every node, and copy then. Nothing was copied"
            )
        case CopyRefused.TARGET_OF_ANOTHER:
            return f"--to: {target} holds an unfinished copy from another store; empty it. Nothing was copied"
        case CopyRefused.TARGET_IN_USE:
            return (
                f"--to: {target} holds rows already, and no copy into it is unfinished; "
                "if a copy was just done, it is whole. Otherwise empty it. Nothing was copied"
            )


def _table(tallies: "tuple[CopyTally, ...]", source: str, target: str) -> None:
    heads = ("table", f"in {source}", "left out", "written now", "written before", f"in {target}", "equal")
    say("  ".join(f"{head:>14}" for head in heads))
    for each in tallies:
        numbers = (each.rows + each.left_out, each.left_out, each.written, each.before, each.there, each.equal)
        say("  ".join((f"{each.table:>14}", *(f"{number:>14,}" for number in numbers))))


def _wrong(tally: "CopyTally", target: str) -> Iterator[str]:
    """Name what is missing, differs, or is too much."""
    unequal, more = tally.rows - tally.equal, tally.there - tally.equal
    if unequal and not tally.examples:
        yield (
            f"{tally.table}: the source had {tally.rows:,} when they were counted and {tally.equal:,} when they were "
            "compared; something still changes it. Stop that, and run the same command again"
        )
    elif unequal:
        yield f"{tally.table}: {unequal:,} missing or different in {target}: {', '.join(tally.examples)}"
    if more > 0 and not unequal:
        yield f"{tally.table}: {target} holds {more:,} that are not in the source"
