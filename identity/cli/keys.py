"""`keys`: making, changing and looking at the key ring. Numbers and times are shown, secrets never.

Owns the commands and their manual; `key_steps.py` owns what they do to the file.
"""

from pathlib import Path

import click
from click.core import ParameterSource

from identity.cli.failing import NOT_CONFIRMED, MisusedCommand
from identity.cli.options import JSON, YES, config_option
from identity.cli.saying import answer

_FILE = click.option(
    "--file",
    "ring",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The key ring itself, without a configuration; default: what [keys] file of the configuration names, "
    "or identityd.keys if there is no configuration yet.",
)


@click.group(no_args_is_help=True)
def keys() -> None:
    """Make, add, remove and list the keys that sign session tokens.

    The key ring is one file, the same on every daemon. Who can read it can log in as any person,
    and without it every session is lost, so keep it secret and keep a copy.

    \b
    To change the key that signs, without ending any session:
      identityd.py keys add --config identityd.ini     a key more; it signs in 10 minutes
      (give the file to every daemon and send each SIGHUP, within these 10 minutes)
      identityd.py keys list --config identityd.ini    says from when the older key may go
      identityd.py keys prune --config identityd.ini   takes it away then
      (give the file to every daemon and send each SIGHUP)
    """  # noqa: D301 - click knows a paragraph to keep by this very character


@keys.command()
@_FILE
@config_option
@JSON
def new(path: Path, ring: Path | None, *, as_json: bool) -> None:
    """Make a new key ring with one key, readable by its owner only.

    An existing file is never touched: replacing it would end every session.

    \b
    Examples:
      identityd.py keys new                                       where the configuration says
      identityd.py keys new --file /etc/identityd/identityd.keys
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.cli import key_steps as steps
    from identity.cli.files import new_ring_file
    from identity.errors import ConfigError

    file = steps.file_to_make(ring, _configuration(ring, path))
    try:
        new_ring_file(file)
    except FileExistsError:
        raise ConfigError(
            (f"{file}: is there already and was not touched; replacing it would end every session",)
        ) from None
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigError((f"{file}: cannot be made: {reason}",)) from None
    words = f"{file}: made, with key 1. Keep a copy in a safe place."
    answer({"file": str(file), "key": 1}, words, as_json=as_json)


@keys.command()
@_FILE
@config_option
@JSON
def add(path: Path, ring: Path | None, *, as_json: bool) -> None:
    """Add a key, which verifies at once and signs in 10 minutes.

    Give the file to every daemon and send each SIGHUP before that. A daemon that is late says "try
    again" to a browser that shows it a token of the new key; no session ends. Numbers grow and are
    never used twice; 255 is the last.

    \b
    Examples:
      identityd.py keys add --config /etc/identityd/identityd.ini
      identityd.py keys add --file /etc/identityd/identityd.keys
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.cli import key_steps as steps
    from identity.clock import moment
    from identity.keyring import SIGNS_AFTER_MS

    where = steps.place(ring, _configuration(ring, path))
    key = steps.add(where.file)
    signs_from = moment(key.created_at + SIGNS_AFTER_MS)
    answer(
        {"file": str(where.file), "key": key.number, "signs_from": signs_from},
        f"{where.file}: key {key.number} added. Give the file to every daemon and send each SIGHUP before "
        f"{signs_from}: then it signs. Keep a copy.",
        as_json=as_json,
    )


@keys.command(short_help="Remove keys whose sessions are all over.")
@config_option
@click.argument("numbers", metavar="NUMBER", type=int, nargs=-1)
@YES
@JSON
def prune(path: Path, numbers: tuple[int, ...], *, yes: bool, as_json: bool) -> None:
    """Remove the keys (all that may go, or those of NUMBER) under which no session can be alive.

    A key may go when a newer one has been signing for as long as a session lives at most ([sessions]
    absolute_s), and a minute. Earlier it is refused: people would be logged out. The newest key and
    the one that signs never go. If absolute_s was lowered, wait for the old value.

    \b
    Examples:
      identityd.py keys prune --config /etc/identityd/identityd.ini
      identityd.py keys prune 1 --yes
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.cli import key_steps as steps
    from identity.cli import prompts

    where = steps.place(None, path)
    going, staying = steps.removable(where, numbers)
    kept = [{"number": number, "why": why} for number, why in staying.items()]
    values = {"file": str(where.file), "removed": going, "kept": kept}
    if not going:
        lines = [f"{where.file}: no key can go yet.", *(f"key {number} {why}." for number, why in staying.items())]
        answer(values, "\n".join(lines), as_json=as_json)
        return
    listed = ", ".join(map(str, going))
    if not yes and not prompts.watched():
        raise MisusedCommand("nobody is at a terminal to confirm it: add --yes", NOT_CONFIRMED)
    prompts.confirm(f"Of {where.file} these keys will be removed for good: {listed}.", yes=yes)
    steps.remove(where, going)
    answer(
        values,
        f"{where.file}: removed {listed}. Give the file to every daemon, send each SIGHUP, "
        "and replace the copies you keep.",
        as_json=as_json,
    )


@keys.command(name="list")
@_FILE
@config_option
@JSON
def list_keys(path: Path, ring: Path | None, *, as_json: bool) -> None:
    """Show the keys of the ring: number, age, which one signs, and when each can go. Shows no secret.

    When a key can go depends on how long sessions live, so with --file it is not said.

    \b
    Examples:
      identityd.py keys list --file /etc/identityd/identityd.keys
      identityd.py keys list --config /etc/identityd/identityd.ini
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.cli import key_steps as steps
    from identity.cli.files import now
    from identity.config import load_ring

    where = steps.place(ring, _configuration(ring, path))
    keys, at = load_ring(where.file), now()
    lines = [f"{number:>6}  {created}  {state}" for number, created, state in steps.states(keys, at, where.lifetime_ms)]
    values = {"file": str(where.file), "keys": list(steps.facts(keys, at, where.lifetime_ms))}
    answer(values, "\n".join(["number  created               state", *lines]), as_json=as_json)


def _configuration(ring: Path | None, path: Path) -> Path | None:
    """Return the configuration that counts; None: there is none, or --file stands for it. Raises UsageError."""
    source = click.get_current_context().get_parameter_source("path")
    if ring and source is ParameterSource.COMMANDLINE:
        raise click.UsageError("--file and --config both say which key ring is meant; give one of them")
    absent = source is ParameterSource.DEFAULT and not path.exists()
    return None if ring or absent else path
