"""`restore`: a backup of the accounts put in their place."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from identity.cli import prompts
from identity.cli.failing import INTERRUPTED, CommandFailed, of_store
from identity.cli.operator_service import configured
from identity.cli.options import JSON, YES, change_options, config_option
from identity.cli.saying import say

if TYPE_CHECKING:
    from identity.audit import Event
    from identity.restoring import Prepared

_AGAIN = "Run the same command again, it goes on; no daemon starts until it is done."


@click.command(short_help="Put a backup of all accounts in their place.")
@config_option
@change_options
@YES
@JSON
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def restore(path: Path, file: Path, who: str | None, why: str | None, *, yes: bool, as_json: bool) -> None:
    """Put the accounts of FILE, made by `backup`, in the place of those that are there.

    Stop every daemon first, and start them again when this says done. FILE is read through before anything is
    changed, and stays. The account file that was there is kept beside its place.

    Every session ends: it empties all memcached nodes, which must answer, because sessions that know newer
    accounts would keep their people out. A person who signed up after the backup does so again. What was closed
    since then is open again, and this says what, with the commands that close it, as far as the account file that
    was there can be read; where it cannot, look at the lines of logger identity.audit since the backup.

    \b
    Examples:
      identityd.py restore /var/backups/identityd-2027-01-15.sqlite --reason "ticket 4711: disk lost"

    \b
    Exit codes:
      0    done; start the daemons
      1    a file could not be written or a memcached node did not answer; what to do is printed
      2    nothing was changed: a daemon runs, FILE is no whole backup, or the configuration is wrong
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.cli.restore_sentences import copying, require_sqlite
    from identity.errors import StoreError
    from identity.restoring import prepared

    read = configured(path)
    require_sqlite(read)
    actor, reason = prompts.actor(who), prompts.reason(why)
    prompts.may_ask(yes=yes)
    begun = False
    try:
        with copying() as told, prepared(read, file, told=told) as ready:
            _ask(ready, read.sqlite.file, yes=yes, as_json=as_json)
            begun = True
            kept = ready.carry_out(_event(ready, actor, reason))
    except StoreError as error:
        what = _AGAIN if begun else "Nothing was changed."
        raise of_store("not restored", error, f". {what}") from None
    except KeyboardInterrupt:
        raise CommandFailed(f"stopped. {_AGAIN if begun else 'Nothing was changed.'}", INTERRUPTED) from None
    _tell(ready, kept, as_json=as_json)


def _event(ready: "Prepared", actor: str, reason: str) -> "Event":
    from uuid import uuid4

    from identity.audit import Event
    from identity.cli.restore_sentences import moment
    from identity.opening import now

    facts = {"reason": reason, "newest_change": moment(ready.contents.newest_change)}
    return Event(uuid4(), now(), action="restored", account_id=None, actor=f"operator:{actor}", facts=facts)


def _ask(ready: "Prepared", file: Path, *, yes: bool, as_json: bool) -> None:
    from identity.cli.restore_sentences import before

    lines = "\n".join(before(ready, file))
    if yes and not as_json:
        say(lines)
    prompts.confirm(lines, yes=yes)


def _tell(ready: "Prepared", kept: Path | None, *, as_json: bool) -> None:
    from identity.cli.restore_sentences import after, contents_said, events_said

    if as_json:
        said = {"kept": str(kept) if kept else None, "emptied": ready.nodes, "forgotten": events_said(ready.forgotten)}
        say(json.dumps({**contents_said(ready.contents), **said}))
        return
    for line in after(ready, kept):
        say(line)
