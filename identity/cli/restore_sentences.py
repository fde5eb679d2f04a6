"""What `backup` and `restore` say: what is in a backup, and what the accounts lose by it."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any, Final

from identity.audit import Event
from identity.cli.progress import Progress
from identity.cli.saying import counted
from identity.config import AccountStoreKind, Config
from identity.errors import ConfigError
from identity.restoring import Prepared
from identity.stores.sqlite_backup import BackupContents
from identity.types import SECOND, Millis
from identity.upkeep.copying import CopyProgress, CopyStage

_NAMED: Final = 20
"""Most names of people who sign up again that are printed; --json has all."""
_AUDITED: Final = "look at the lines of logger identity.audit since then"


def require_sqlite(read: Config) -> None:
    """Refuse accounts that are in no file. Raises ConfigError."""
    match read.accounts.store:
        case AccountStoreKind.CASSANDRA:
            problem = "is cassandra, which has snapshots of its own: docs/cassandra.md, Backup"
        case AccountStoreKind.MEMORY:
            problem = "is memory, which ends with the daemon; there is no file"
        case _:
            return
    raise ConfigError((f"[accounts] store: {problem}",))


@contextmanager
def copying() -> Iterator[Callable[[int, int], None]]:
    """Give what shows how many pages are copied."""
    progress = Progress()
    try:
        yield lambda done, total: progress(CopyProgress(CopyStage.COPY, "pages", done, total))
    finally:
        progress.end()


def moment(at: Millis | None) -> str:
    """Return a time in UTC, to the second."""
    return "none" if at is None else f"{datetime.fromtimestamp(at / SECOND, UTC):%Y-%m-%dT%H:%M:%SZ}"


def contents_said(contents: BackupContents) -> dict[str, Any]:
    """Return what is in a backup, as fields."""
    return {
        "accounts": contents.accounts,
        "newest_change": moment(contents.newest_change),
        "tables": contents.tables,
        "bytes": contents.size,
    }


def events_said(events: Sequence[Event] | None) -> list[dict[str, Any]] | None:
    """Return events as fields; None where they cannot be known."""
    if events is None:
        return None
    return [
        {
            "at": moment(each.at),
            "action": each.action,
            "account_id": str(each.account_id) if each.account_id else None,
            "actor": each.actor,
            "facts": dict(each.facts),
        }
        for each in events
    ]


def before(ready: Prepared, file: Path) -> Iterator[str]:
    """Say what a restore means, before it is agreed to."""
    contents = ready.contents
    yield (
        f"What is in {file} gives way to {counted(contents.accounts, 'account')}; "
        f"the newest change they know is of {moment(contents.newest_change)}."
    )
    nodes = f" memcached {', '.join(ready.nodes)}: emptied." if ready.nodes else ""
    yield f"Every session ends.{nodes}"
    yield from _lost(ready.forgotten)


def after(ready: Prepared, kept: Path | None) -> Iterator[str]:
    """Say that it is done, and what is to be done now."""
    closing = closing_again(ready.forgotten or ())
    yield "done: the accounts are restored, and every session has ended."
    if kept:
        yield f"The account file that was there is kept: {kept}"
    yield "Run `identityd.py fsck`" + (
        ", then close what was closed before:" if closing else ", then start the daemons."
    )
    yield from (f"  {line}" for line in closing)
    if closing:
        yield "Then start the daemons."
    if ready.forgotten is None:
        yield f"What was closed since the backup is open again: {_AUDITED}."


def closing_again(events: Sequence[Event]) -> list[str]:
    """Return the commands that close what was closed by these events and not opened again by later ones.

    Left out is what was made by them too: the backup does not know it.
    """
    gone = {each.account_id for each in events if each.action == "sign-up"}
    made = {each.facts.get("invitation") for each in events if each.action == "invite"}
    last: dict[tuple[object, str], str] = {}
    for each in events:
        if each.account_id not in gone and (each.action != "invite-revoke" or each.facts["invitation"] not in made):
            last |= {(each.account_id, what): command for what, command in _closed_or_opened(each)}
    return [command for command in last.values() if command]


def _closed_or_opened(event: Event) -> Iterator[tuple[str, str]]:
    """Yield what an event closed, with the command for it, or opened, with none."""
    account = f"--account {event.account_id}"
    why = f"--reason {quote('again after a restore: ' + event.facts.get('reason', event.actor))}"
    match event.action:
        case "disable":
            yield "account", f"identityd.py accounts disable {account} --yes {why}"
        case "enable":
            yield "account", ""
        case "unlink":
            way = event.facts["identity"]
            yield way, f"identityd.py accounts unlink {account} {quote(way)} --yes {why}"
        case "link":
            yield event.facts["identity"], ""
        case "groups":
            for word in event.facts["groups"].split():
                taken = f"identityd.py groups remove {word[1:]} {account} {why}" if word[0] == "-" else ""
                yield f"group {word[1:]}", taken
        case "invite-revoke":
            invitation = event.facts["invitation"]
            yield invitation, f"identityd.py invite revoke {invitation} --yes {why}"


def _lost(events: Sequence[Event] | None) -> Iterator[str]:
    if events is None:
        yield f"What is lost is not known, because the accounts that are there cannot be read: {_AUDITED}."
        return
    names = [each.facts.get("username", "?") for each in events if each.action == "sign-up"]
    if names:
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        free = f"{', '.join(names[:_NAMED])}{more}"
        yield f"{len(names):,} signed up since, and do so again; their names are free: {free}."
    if others := [each for each in events if each.action != "sign-up"]:
        counts = Counter(each.action for each in others)
        yield f"Undone: {', '.join(f'{count:,} {action}' for action, count in counts.items())}."
    for each in others:
        facts = " ".join(f"{name}={value}" for name, value in each.facts.items() if name != "outcome")
        yield f"  {moment(each.at)}  {each.action:<14}  {each.account_id or '-'}  {each.actor}  {facts}"
    if not events:
        yield "Nothing that was opened or closed since is lost."
