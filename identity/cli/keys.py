"""`keys`: making, changing and looking at the key ring. Numbers and times are shown, secrets never.

Owns the commands and their manual; `key_steps.py` owns what they do to the file.
"""

from pathlib import Path

import click

from identity.cli.options import config_option
from identity.cli.saying import say

_DEFAULT = "identityd.keys"
_FILE = click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=_DEFAULT,
    show_default=True,
    help="The key ring, [keys] file of the configuration.",
)
_CONFIG = click.option(
    "-c",
    "--config",
    "configuration",
    type=click.Path(path_type=Path),
    help="The configuration file: says which key ring, and how long sessions live. Instead of --file.",
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
def new(path: Path) -> None:
    """Make a new key ring with one key, readable by its owner only.

    An existing file is never touched: replacing it would end every session.

    \b
    Example:
      identityd.py keys new --file /etc/identityd/identityd.keys
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.cli.files import new_ring_file
    from identity.errors import ConfigError

    try:
        new_ring_file(path)
    except FileExistsError:
        raise ConfigError(
            (f"{path}: is there already and was not touched; replacing it would end every session",)
        ) from None
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigError((f"{path}: cannot be made: {reason}",)) from None
    say(f"{path}: made, with key 1. Keep a copy in a safe place.")


@keys.command()
@_FILE
@_CONFIG
def add(path: Path, configuration: Path | None) -> None:
    """Add a key, which verifies at once and signs in 10 minutes.

    Give the file to every daemon and send each SIGHUP before that. A daemon that is late says "try
    again" to a browser that shows it a token of the new key; no session ends. Numbers grow and are
    never used twice; 255 is the last.

    \b
    Example:
      identityd.py keys add --file /etc/identityd/identityd.keys
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.cli import key_steps as steps
    from identity.clock import moment
    from identity.keyring import SIGNS_AFTER_MS

    where = steps.place(path, configuration)
    key = steps.add(where.file)
    say(
        f"{where.file}: key {key.number} added. Give the file to every daemon and send each SIGHUP before "
        f"{moment(key.created_at + SIGNS_AFTER_MS)}: then it signs. Keep a copy."
    )


@keys.command(short_help="Remove keys whose sessions are all over.")
@config_option
@click.argument("numbers", metavar="NUMBER", type=int, nargs=-1)
@click.option("--yes", is_flag=True, help="Do not ask whether to do it.")
def prune(path: Path, numbers: tuple[int, ...], *, yes: bool) -> None:
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
    going = steps.removable(where, numbers)
    if not going:
        return
    listed = ", ".join(map(str, going))
    if not yes and not prompts.watched():
        raise click.UsageError("nobody is at a terminal to confirm it: add --yes")
    prompts.confirm(f"Of {where.file} these keys will be removed for good: {listed}.", yes=yes)
    steps.remove(where, going)
    say(
        f"{where.file}: removed {listed}. Give the file to every daemon, send each SIGHUP, "
        "and replace the copies you keep."
    )


@keys.command(name="list")
@_FILE
@_CONFIG
def list_keys(path: Path, configuration: Path | None) -> None:
    """Show the keys of the ring: number, age, which one signs, and when each can go. Shows no secret.

    When a key can go depends on how long sessions live, so that is said with --config.

    \b
    Examples:
      identityd.py keys list --file /etc/identityd/identityd.keys
      identityd.py keys list --config /etc/identityd/identityd.ini
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.cli import key_steps as steps
    from identity.cli.files import now
    from identity.config import load_ring

    where = steps.place(path, configuration)
    ring, at = load_ring(where.file), now()
    say("number  created               state")
    for number, created, state in steps.states(ring, at, where.lifetime_ms):
        say(f"{number:>6}  {created}  {state}")
