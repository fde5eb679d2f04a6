"""`backup`: a copy of the account file, made while the daemon serves."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from identity.cli.failing import INTERRUPTED, CommandFailed, of_store
from identity.cli.operator_service import configured
from identity.cli.options import JSON, config_option
from identity.cli.saying import counted, say

if TYPE_CHECKING:
    from identity.config import Config


@click.command(short_help="Copy all accounts into one file while the daemon serves.")
@config_option
@JSON
@click.argument("file", type=click.Path(path_type=Path))
def backup(path: Path, file: Path, *, as_json: bool) -> None:
    """Copy the account file into FILE while the daemon serves.

    The copy is of one moment, is read through page by page, and appears as FILE only when it is whole; it can be
    read by you alone. FILE must not be there yet. The daemon does not wait for it.

    Keep it with a copy of the key ring ([keys] file) and of the configuration with its secrets: without them the
    accounts can be served, but every person logs in again and kept tokens of providers are lost. Sessions are not in
    it; nothing of memcached is to be copied. Accounts in Cassandra are backed up as docs/cassandra.md says.

    \b
    Examples:
      identityd.py backup /var/backups/identityd-$(date +%F).sqlite
      identityd.py backup --json --config /etc/identityd/identityd.ini /mnt/accounts.sqlite

    \b
    Exit codes:
      0    FILE is there and whole
      1    the account file cannot be read, or FILE cannot be written; there is no FILE
      2    the configuration or the command line is wrong, or FILE is there already
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.cli.restore_sentences import contents_said, copying
    from identity.errors import StoreError
    from identity.stores.sqlite_backup import back_up

    read = configured(path)
    _require_file(read)
    try:
        with copying() as told:
            contents = back_up(read.sqlite.file, file, told=told)
    except StoreError as error:
        raise of_store("there is no backup", error) from None
    except KeyboardInterrupt:
        raise CommandFailed("stopped; there is no backup", INTERRUPTED) from None
    said = contents_said(contents)
    if as_json:
        say(json.dumps({"file": str(file), **said, "key_ring": str(read.keys.file), "configuration": str(path)}))
        return
    say(
        f"{file}: {counted(said['accounts'], 'account')}, newest change {said['newest_change']}, "
        f"{said['bytes']:,} bytes; whole."
    )
    say(f"Keep copies of {read.keys.file} and {path} with it, as secret as these are.")


def _require_file(read: "Config") -> None:
    """Refuse accounts that are in no file. Raises ConfigError."""
    from identity.cli.restore_sentences import require_sqlite
    from identity.operating import reachable

    require_sqlite(read)
    reachable(read)
