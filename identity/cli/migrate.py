"""`migrate`: the tables of this release, in whatever account store is configured."""

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from identity.cli.failing import of_store
from identity.cli.options import JSON, config_option
from identity.cli.saying import answer, say

if TYPE_CHECKING:
    from identity.config import Config
    from identity.stores.cassandra.migrating import MigrationStep, Migrator

_FROM_ENVIRONMENT: Final = "IDENTITYD_MIGRATE_PASSWORD"


@click.command(short_help="Bring the account store to this release's tables.")
@config_option
@click.option(
    "--create-keyspace",
    "replicas",
    metavar="DC=N[,DC=N…]",
    help="Make the keyspace first, if there is none, with N replicas in each data centre, for example DC1=3.",
)
@click.option("--username", help="The role to do it as, instead of [cassandra] username: it may change tables.")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file that holds that role's password; without it IDENTITYD_MIGRATE_PASSWORD, or you are asked.",
)
@JSON
def migrate(
    path: Path, replicas: str | None, *, username: str | None, password_file: Path | None, as_json: bool
) -> None:
    """Bring the account store to the tables of this release.

    Applies the numbered files of schema/ that the store does not have yet, each once. Two of it at
    the same time are safe: one waits. One that was interrupted is run again. Daemons of the
    release before go on working meanwhile, so a cluster is upgraded in this order: migrate, then
    one daemon after the other.

    The daemon's role reads and writes rows and needs no more. Give the role that makes and changes
    tables with --username; docs/cassandra.md makes both, in order.

    An account file (SQLite) needs none of this: the daemon brings it up to date when it starts.

    \b
    Examples:
      identityd.py migrate
      identityd.py migrate --username identityd_migrate --password-file /root/migrate.password
      identityd.py migrate --create-keyspace DC1=3             one data centre, three replicas
      identityd.py migrate --create-keyspace DC1=3,DC2=3,DC3=3 each survives the loss of another
      identityd.py migrate --create-keyspace DC1=1             one machine; read docs/cassandra.md

    \b
    Exit codes:
      0    the store has the tables of this release
      1    the store did not answer or refused; put right what is printed, run it again
      2    the configuration, a file of schema/ or the command line is wrong
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity import config
    from identity.config import AccountStoreKind

    # The kind `demo` may be named here: nothing is served, and its accounts may be in a cluster too.
    read = config.load(path, environ=os.environ, demo=True)
    if password_file and username is None:
        raise click.UsageError("--password-file: is of --username, which is missing")
    match read.accounts.store:
        case AccountStoreKind.CASSANDRA:
            _cassandra(_as_role(read, username, password_file), _replicas(replicas), as_json=as_json)
        case _:
            _other(read, replicas=replicas, username=username, as_json=as_json)


def _as_role(config: "Config", username: str | None, password_file: Path | None) -> "Config":
    """Return the configuration as this role would have it. Raises ConfigError, UsageError."""
    from dataclasses import replace

    from options.secret import Secret

    if username is None:
        return config
    role = replace(config.cassandra, username=username, password=Secret(_password(username, password_file)))
    return replace(config, cassandra=role)


def _password(username: str, file: Path | None) -> str:
    """Return the role's password: from its file, else the environment, else the terminal."""
    from identity.cli import prompts
    from identity.config.files import read_secret
    from identity.errors import ConfigError

    if file is not None:
        try:
            given = read_secret(file)
        except ValueError as error:
            raise ConfigError((f"--password-file: {error}",)) from None
    else:
        given = os.environ.get(_FROM_ENVIRONMENT, "")
        if not given and prompts.watched():
            given = str(click.prompt(f"Password of {username}", hide_input=True, err=True))
    if not given:
        raise ConfigError(
            (f"--username: {username} has no password here; give --password-file or set {_FROM_ENVIRONMENT}",)
        )
    return given


def _replicas(given: str | None) -> dict[str, int]:
    """Read DC1=3,DC2=3. Raises BadParameter."""
    found = {}
    for word in (given or "").replace(",", " ").split():
        name, equals, number = word.partition("=")
        if not (equals and name and number.isdecimal() and int(number) > 0) or "'" in name:
            raise click.BadParameter(f"{word!r} is not DC=N, like DC1=3", param_hint="--create-keyspace")
        found[name] = int(number)
    return found


def _other(config: "Config", *, replicas: str | None, username: str | None, as_json: bool) -> None:
    from identity.errors import ConfigError, StoreError
    from identity.opening import now, open_accounts

    for option, given in (("--create-keyspace", replicas), ("--username", username)):
        if given:
            raise ConfigError((f"{option}: is for Cassandra; [accounts] store is another",))
    try:
        open_accounts(config, now).close()
    except StoreError as error:
        raise of_store("the account store cannot be opened", error) from None
    kind = config.accounts.store.value
    answer({"store": kind, "keyspace": None, "applied": 0}, f"{kind}: has the tables of this release.", as_json=as_json)


def _cassandra(config: "Config", replicas: dict[str, int], *, as_json: bool) -> None:
    from identity.errors import StoreError

    try:
        migrator = _migrator(config)
        if replicas:
            migrator.create_keyspace(replicas)
        count = migrator.migrate(lambda step: _show(step, err=as_json))
    except StoreError as error:
        rest = "; what was done stays, so run it again when that is put right"
        raise of_store(f"keyspace {config.cassandra.keyspace}", error, rest) from None
    done = f"{count} applied; it" if count else "nothing to do; it"
    values = {"store": config.accounts.store.value, "keyspace": config.cassandra.keyspace, "applied": count}
    answer(values, f"keyspace {config.cassandra.keyspace}: {done} has the tables of this release.", as_json=as_json)


def _migrator(config: "Config") -> "Migrator":
    from uuid import uuid4

    from identity.opening import cassandra_settings, now
    from identity.stores.cassandra.migrating import Migrator
    from identity.stores.cassandra.migrations import Migrations

    who = f"{socket.gethostname()}, process {os.getpid()}"
    return Migrator(cassandra_settings(config), Migrations(), clock=now, owner=uuid4(), who=who)


def _show(step: "MigrationStep", *, err: bool) -> None:
    count = f"[{step.done}/{step.of}] " if step.of else ""
    say(f"{count}{step.text}", err=err)
